"""Hits in the top `k`: recall, precision and the hit rate."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.metric import AtK
from rectransfer.metrics.ranks import Near, RelevantRanks

__all__ = ["HitRate", "Precision", "Recall"]


def _hits(near: Near, k: int) -> npt.NDArray[np.float64]:
    """How much of each relevant item is in the top `k`: 1, or a share where a tie straddles the cut."""
    return near.worth(np.ones(k))


@dataclass(frozen=True)
class Recall(AtK):
    """The share of a user's relevant items that are in the top `k`.

    Attributes:
        k: How many places count.
        capped: Divide by `min(k, relevant items)` and not by all relevant items, so that a perfect ranking
            gets 1 even where more than `k` items are relevant.

    Examples:
        >>> from scipy.sparse import csr_array
        >>> from rectransfer.metrics import rank_relevant
        >>> ranks = rank_relevant(np.array([[4.0, 3.0, 2.0, 1.0]]), csr_array([[1, 0, 1, 1]]))
        >>> Recall(k=2).per_user(ranks).round(3), Recall(k=2, capped=True).per_user(ranks)
        (array([0.333]), array([0.5]))
    """

    label: ClassVar[str] = "recall"

    capped: bool = False

    @property
    def name(self) -> str:
        """`recall@10`, or `capped_recall@10`."""
        return f"capped_{super().name}" if self.capped else super().name

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The recall of each user, shape `(n_users,)`."""
        relevant = np.minimum(ranks.n_relevant, self.k) if self.capped else ranks.n_relevant
        near = ranks.within(self.k)
        recall: npt.NDArray[np.float64] = near.sum_per_user(_hits(near, self.k)) / relevant
        return np.minimum(recall, 1.0)


@dataclass(frozen=True)
class Precision(AtK):
    """The share of the top `k` places that hold a relevant item; always divided by `k`."""

    label: ClassVar[str] = "precision"

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The precision of each user, shape `(n_users,)`."""
        near = ranks.within(self.k)
        return np.minimum(near.sum_per_user(_hits(near, self.k)) / self.k, 1.0)


@dataclass(frozen=True)
class HitRate(AtK):
    """1 for a user with at least one relevant item in the top `k`, else 0.

    Where a tie straddles the cut, the chance of the best-placed relevant item counts, which is a lower bound.
    """

    label: ClassVar[str] = "hit_rate"

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The hit of each user, shape `(n_users,)`."""
        near = ranks.within(self.k)
        return near.max_per_user(_hits(near, self.k))
