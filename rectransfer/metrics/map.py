"""Mean average precision."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.metric import AtK
from rectransfer.metrics.ranks import Near, RelevantRanks

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
        near = ranks.within(self.k)  # what comes after adds nothing, and is ahead of nothing that does
        ahead, together = _relevant_around(near)
        first = near.ranks - (near.ties - 1) / 2
        pace = (together - 1) / np.maximum(near.ties - 1, 1)
        # (ahead + 1 + (place - first) * pace) / place, with the place taken out of the sum over the tie
        at_rank = (ahead + 1 - first * pace) * near.worth(1 / np.arange(1, self.k + 1))
        at_rank += pace * near.worth(np.ones(self.k))
        precision = near.sum_per_user(at_rank) / np.minimum(ranks.n_relevant, self.k)
        return np.clip(precision, 0.0, 1.0)


def _relevant_around(near: Near) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For some relevant items: how many of those of their user rank before, and how many with them."""
    order = np.lexsort((near.ranks, near.owner))
    sorted_owner, sorted_ranks = near.owner[order], near.ranks[order]
    starts_tie = np.ones(len(order), dtype=bool)
    starts_tie[1:] = (np.diff(sorted_owner) != 0) | (sorted_ranks[1:] != sorted_ranks[:-1])
    tie = np.cumsum(starts_tie) - 1
    first = np.flatnonzero(starts_tie)
    size = np.diff(np.append(first, len(order)))
    of_user = np.searchsorted(sorted_owner, sorted_owner[first])
    ahead, together = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    ahead[order] = (first - of_user)[tie]
    together[order] = size[tie]
    return ahead, together
