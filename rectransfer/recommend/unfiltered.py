"""Ranking what users have had together with what is new to them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import OFFERED, Examples, reference_of
from rectransfer.recommend.state import State
from rectransfer.scene import Ranked, with_had

__all__ = ["rank_unfiltered"]

Mask = npt.NDArray[np.bool_]

Rank = Callable[[int, csr_array, Mask | None], Ranked]
"""Ranks users: how many items, what each must not get, what anybody may get."""


def rank_unfiltered(
    state: State, examples: Examples, viewed: csr_array, k: int, rank: Rank, allowed: Mask | None = None
) -> Ranked:
    """The best `k` items of each example, whether had before or not.

    What is new has the places among itself, and the scores, that it has where what was had is left out; what
    was had is put among it by habits. A model that was saved before there were any ranks all alike.

    Args:
        state: A fitted model.
        examples: u users.
        viewed: What they have had, shape `(u, n_items)`.
        k: How many.
        rank: Ranks the users.
        allowed: What any user may get, shape `(n_items,)`.
    """
    if state.habits is None:
        return rank(k, csr_array(viewed.shape, dtype=np.float32), allowed)
    best = rank(max(k, OFFERED), viewed, None)
    new = best if allowed is None else rank(k, viewed, allowed)
    reference = reference_of(best.padded(len(examples))[1])
    had = state.habits.scores(examples, viewed, reference)
    return with_had(new, had, state.scene.on_sale if allowed is None else allowed, k)
