"""Which items users come back for."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.ranking.histories import Histories

__all__ = ["Returns"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_DOUBT: Final = 10.0
"""Users who have to speak for an item's returns before they weigh as much as all items' do."""


@dataclass(frozen=True, eq=False)
class Returns:
    """How many users of each item come back for it.

    Attributes:
        takers: Users who took it and came on another visit afterwards, shape `(n_items,)`.
        returners: Those of them who took it on another visit, too, shape `(n_items,)`.
    """

    takers: Floats
    returners: Floats

    @classmethod
    def of(cls, histories: Histories, n_items: int) -> "Returns":
        """Count them in histories."""
        visits = int(histories.steps.max(initial=0)) + 1
        owners = np.asarray(histories.owners, dtype=np.int64)
        last = np.zeros(len(histories), np.int64)
        np.maximum.at(last, owners, histories.steps)
        met = np.unique((owners * n_items + histories.items) * visits + histories.steps)
        pair, first, times = np.unique(met // visits, return_index=True, return_counts=True)
        came = met[first] % visits < last[pair // n_items]
        item = pair % n_items
        return cls(
            np.bincount(item[came], minlength=n_items).astype(np.float32),
            np.bincount(item[times > 1], minlength=n_items).astype(np.float32),
        )

    def without(self, others: "Returns") -> "Returns":
        """Those of all users but some of them."""
        return Returns(self.takers - others.takers, self.returners - others.returners)

    def plus(self, other: "Returns") -> "Returns":
        """Those of two domains over the same items."""
        return Returns(self.takers + other.takers, self.returners + other.returners)

    def moved(self, rows: Rows) -> "Returns":
        """The same in the rows of another vocabulary: for each of its items the row here, -1 for none."""
        takers, returners = (np.append(each, np.float32(0)) for each in (self.takers, self.returners))
        return Returns(takers[rows], returners[rows])  # -1 reads the 0 at the end

    def odds(self) -> Floats:
        """Log odds that a user comes back for each item, drawn to those of all items; shape `(n_items,)`."""
        takers, returners = (each.astype(np.float64) for each in (self.takers, self.returners))
        mean = (returners.sum() + 1) / (takers.sum() + 2)
        share = (returners + _DOUBT * mean) / (takers + _DOUBT)
        return np.asarray(np.log(share / (1 - share)), dtype=np.float32)
