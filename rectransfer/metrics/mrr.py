"""Mean reciprocal rank."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.metric import AtK
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["Mrr"]


@dataclass(frozen=True)
class Mrr(AtK):
    """One over the rank of the first relevant item, 0 if it is not in the top `k`.

    Voorhees 1999, "The TREC-8 Question Answering Track Report", section 3. Tied items get the mean over the
    places they share; of several tied relevant items one counts, which is a lower bound.

    Examples:
        >>> from scipy.sparse import csr_array
        >>> from rectransfer.metrics import rank_relevant
        >>> ranks = rank_relevant(np.array([[4.0, 3.0, 2.0, 1.0]]), csr_array([[0, 1, 0, 1]]))
        >>> Mrr(k=10).per_user(ranks)
        array([0.5])
    """

    label: ClassVar[str] = "mrr"

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The reciprocal rank of each user, shape `(n_users,)`."""
        near = ranks.within(self.k)
        return near.max_per_user(near.worth(1 / np.arange(1, self.k + 1)))
