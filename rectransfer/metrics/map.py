"""Mean average precision."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.metric import AtK
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["Map"]


@dataclass(frozen=True)
class Map(AtK):
    """The mean of the precision at each relevant item's rank, over `min(k, relevant items)`.

    Items after place `k` add nothing. With ties this is the exact expectation over random orders (McSherry &
    Najork 2008): among `t` tied items, `m` of them relevant, a relevant one at place `lo + j` has on average
    `j * (m - 1) / (t - 1)` relevant ones of the tie ahead of it.

    Examples:
        >>> from scipy.sparse import csr_array
        >>> from rectransfer.metrics import rank_relevant
        >>> ranks = rank_relevant(np.array([[3.0, 2.0, 1.0]]), csr_array([[1, 0, 1]]))
        >>> Map(k=3).per_user(ranks).round(4)  # 1/2 * (1/1 + 2/3)
        array([0.8333])
    """

    label: ClassVar[str] = "map"

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The average precision of each user, shape `(n_users,)`."""
        ahead, together = _relevant_around(ranks)
        first = ranks.ranks - (ranks.ties - 1) / 2
        pace = (together - 1) / np.maximum(ranks.ties - 1, 1)
        # (ahead + 1 + (place - first) * pace) / place, with the place taken out of the sum over the tie
        at_rank = (ahead + 1 - np.where(np.isfinite(first), first, 0.0) * pace) * ranks.expected(
            1 / np.arange(1, self.k + 1)
        ) + pace * ranks.expected(np.ones(self.k))
        precision = ranks.sum_per_user(at_rank) / np.minimum(ranks.n_relevant, self.k)
        return np.clip(precision, 0.0, 1.0)


def _relevant_around(ranks: RelevantRanks) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each relevant item: how many of its user's relevant items rank before it, and how many with it."""
    owner = ranks.owner
    order = np.lexsort((ranks.ranks, owner))
    sorted_owner, sorted_ranks = owner[order], ranks.ranks[order]
    starts_tie = np.ones(len(order), dtype=bool)
    starts_tie[1:] = (np.diff(sorted_owner) != 0) | (sorted_ranks[1:] != sorted_ranks[:-1])
    tie = np.cumsum(starts_tie) - 1
    first = np.flatnonzero(starts_tie)
    size = np.diff(np.append(first, len(order)))
    ahead, together = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    ahead[order] = (first - ranks.offsets[sorted_owner[first]])[tie]
    together[order] = size[tie]
    return ahead, together
