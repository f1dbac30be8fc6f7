"""How much of the catalogue the recommendations reach."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.metrics.metric import AtK

__all__ = ["CatalogueCoverage"]


@dataclass(frozen=True)
class CatalogueCoverage(AtK):
    """The share of the catalogue that stands in the top `k` of at least one user.

    Ge, Delgado-Battenfeld & Jannach 2010, "Beyond Accuracy", section 2.1.

    Examples:
        >>> lists = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "rank": [1, 1]})
        >>> CatalogueCoverage(k=10).of(lists, n_items=8)
        0.25
    """

    label: ClassVar[str] = "coverage"

    def of(self, recommended: pl.DataFrame, n_items: int) -> float:
        """The share, from 0 to 1.

        Args:
            recommended: `item_id` and `rank`.
            n_items: How many items the catalogue has.

        Raises:
            InputError: More items were recommended than the catalogue has.
        """
        reached = recommended.filter(pl.col(Columns.Rank) <= self.k)[Columns.Item].n_unique()
        if n_items < 1 or reached > n_items:
            raise InputError(f"{reached} items were recommended out of a catalogue of {n_items}")
        return reached / n_items
