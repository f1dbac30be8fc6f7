"""Train rankers on slates: listwise, and drawn to where they started."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rectransfer.errors import InputError
from rectransfer.ranking.ranker import Ranker
from rectransfer.ranking.slate import Slate
from rectransfer.ranking.threads import threads_for

__all__ = ["RankerConfig", "fit_ranker", "fit_rankers"]

_ABSENT: Final = -1e9


@dataclass(frozen=True)
class RankerConfig:
    """How to train the ranker.

    Attributes:
        hidden: Units of the network beside the straight line; 0 leaves it out.
        members: Rankers that are trained from different seeds; their mean is what counts.
        epochs: Passes over the slates.
        learning_rate: Of Adam; it falls to 0 along a cosine.
        pull: How strongly weights are drawn to where they started (L2-SP; Li et al. 2018, "Explicit inductive
            bias for transfer learning with convolutional networks", section 3.1), in units of loss a user:
            the fewer users, the stronger it acts.
        batch: Slates a step.
        breadth: A slate weighs `labels ** breadth`: 0 counts users alike, 1 counts what they took alike.

    Raises:
        InputError: A value out of its range.
    """

    hidden: int = 16
    members: int = 3
    epochs: int = 12
    learning_rate: float = 0.01
    pull: float = 1.0
    batch: int = 64
    breadth: float = 0.5

    def __post_init__(self) -> None:
        low = min(self.hidden, self.epochs, self.pull, self.breadth) < 0
        if low or min(self.batch, self.members) < 1 or self.learning_rate <= 0:
            raise InputError(
                f"{self}; expected hidden, epochs, pull and breadth at least 0, the others above 0"
            )


def fit_ranker(ranker: Ranker, slate: Slate, config: RankerConfig, seed: int = 0) -> Ranker:
    """Train a ranker in place, listwise: a softmax over each user's candidates.

    Users who took none of their candidates teach nothing and are left out.

    Returns:
        The ranker itself.
    """
    useful = np.flatnonzero((slate.taken & slate.present).any(axis=1))
    if not len(useful) or not config.epochs:
        return ranker
    with torch.no_grad():  # the scale is fixed by now, so once is enough
        inputs = ranker.inputs(torch.from_numpy(slate.columns(ranker.names)), torch.from_numpy(slate.lengths))
    absent, taken = torch.from_numpy(~slate.present), torch.from_numpy(slate.taken & slate.present).float()
    start = [parameter.detach().clone() for parameter in ranker.parameters()]
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(ranker.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    ranker.train()
    with threads_for(config.batch * slate.signals.shape[1] * len(ranker.names)):
        for _ in range(config.epochs):
            for part in np.array_split(rng.permutation(useful), max(1, len(useful) // config.batch)):
                scores = ranker.weigh(inputs[part]).masked_fill(absent[part], _ABSENT)
                loss = _listwise(scores, taken[part], config.breadth)
                pull = sum(((p - s) ** 2).sum() for p, s in zip(ranker.parameters(), start, strict=True))
                optimiser.zero_grad()
                (loss + config.pull * pull / len(useful)).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            schedule.step()
    ranker.eval()
    return ranker


def _listwise(scores: Tensor, taken: Tensor, breadth: float) -> Tensor:
    """Cross entropy of each user's candidates, shape `(u, m)`, with the ones that were taken; weighed."""
    logs = functional.log_softmax(scores, dim=1)
    labels = taken.sum(dim=1)
    weight = labels**breadth
    losses = -(taken * logs).sum(dim=1) / labels
    return (losses * weight).sum() / weight.sum()


def fit_rankers(names: tuple[str, ...], slate: Slate, config: RankerConfig, seed: int = 0) -> Ranker:
    """Train `config.members` standard rankers from different seeds; their mean varies less than each.

    Args:
        names: The signals they take.
        slate: What to learn from, and to measure the signals' scale on.
        config: How.
        seed: The first one's; the others count on from it.
    """
    return Ranker.mean_of(
        [
            fit_ranker(Ranker.standard(names, config.hidden, one).rescale(slate), slate, config, one)
            for one in range(seed, seed + config.members)
        ]
    )
