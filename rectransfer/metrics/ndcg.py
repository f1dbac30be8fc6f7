"""Normalised discounted cumulative gain."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.metric import AtK
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["Ndcg"]


@dataclass(frozen=True)
class Ndcg(AtK):
    """NDCG with binary relevance: `sum 1 / log2(1 + rank)`, divided by what a perfect ranking gets.

    Järvelin & Kekäläinen 2002, "Cumulated Gain-Based Evaluation of IR Techniques", section 2. Tied items
    get the mean of the places they share.

    Examples:
        >>> from scipy.sparse import csr_array
        >>> from rectransfer.metrics import rank_relevant
        >>> ranks = rank_relevant(np.array([[3.0, 2.0, 1.0]]), csr_array([[0, 1, 0]]))
        >>> Ndcg(k=10).per_user(ranks).round(4)  # 1 / log2(3)
        array([0.6309])
    """

    label: ClassVar[str] = "ndcg"

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The NDCG of each user, shape `(n_users,)`."""
        discounts = 1 / np.log2(np.arange(2, self.k + 2))
        ideal = np.cumsum(discounts)[np.minimum(ranks.n_relevant, self.k) - 1]
        near = ranks.within(self.k)
        gained: npt.NDArray[np.float64] = near.sum_per_user(near.worth(discounts)) / ideal
        # Rounding may carry a perfect ranking past 1 by the last bit.
        return np.minimum(gained, 1.0)
