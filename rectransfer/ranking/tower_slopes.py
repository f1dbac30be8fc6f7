"""A tower's score as a sum over the history: how steeply it rises with the history's averages."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.tower import Tower, UserInputs
from rectransfer.ranking.towers import Towers

__all__ = ["tower_slopes"]

_FLAT: Final = 1e-6


@torch.no_grad()
def tower_slopes(towers: Towers, examples: Examples, users: npt.NDArray[np.int64], items: Floats) -> Floats:
    """The score's mean slope along the straight way from no history to the user's, the length held.

    The averages of the history times these slopes are what the history adds to the score (Aumann-Shapley, as
    in `rectransfer.explain`): exactly, because a hidden unit is a function of one sum.

    Args:
        towers: Their mean is explained.
        examples: u users.
        users: Rows of them, shape `(n,)`.
        items: Input and output vectors of the items, side by side, shape `(n, 2d)`.

    Returns:
        Slopes of the recent and of the steady average, side by side, shape `(n, 2d)`.
    """
    rows, both = torch.from_numpy(users), torch.from_numpy(items)
    found = [_slopes(tower.eval(), examples, rows, both) for tower in towers.members]
    slopes: Floats = torch.stack(found).mean(dim=0).numpy()
    return slopes


def _slopes(tower: Tower, examples: Examples, users: Tensor, items: Tensor) -> Tensor:
    inputs = UserInputs.of(examples, tower.vectors.numpy())
    length = inputs.lengths[:, None] - 3.5  # as in Tower.users
    found: Tensor = (items[:, tower.dimensions :] @ tower.mix.T) * tower.strength(length)[users]
    if tower.user_net is None:
        return found
    _, activation, _, _ = tower.user_net.children()
    layers = dict(tower.named_parameters())
    weight, by_length = layers["user_net.0.weight"][:, :-1], layers["user_net.0.weight"][:, -1]
    moved = inputs.pooled @ weight.T
    start = length * by_length + layers["user_net.0.bias"]
    risen = activation(moved + start) - activation(start)
    slopes = torch.where(moved.abs() > _FLAT, risen / moved, torch.zeros_like(moved))
    towards = tower.item_net(items) @ layers["user_net.3.weight"]
    added: Tensor = (slopes[users] * towards) @ weight
    return found + added
