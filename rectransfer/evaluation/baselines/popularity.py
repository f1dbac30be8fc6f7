"""The most popular items, the same for everyone."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from rectransfer.evaluation.baselines.baseline import Scores, checked_history
from rectransfer.evaluation.matrix import binary

__all__ = ["Popularity"]


@dataclass
class Popularity:
    """Scores an item by the number of distinct users who took it.

    Examples:
        >>> model = Popularity().fit(csr_array([[1, 0], [5, 1]]))
        >>> model.scores(csr_array((1, 2)))
        array([[2., 1.]], dtype=float32)
    """

    _counts: Scores | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """`popularity`."""
        return "popularity"

    def fit(self, interactions: csr_array) -> Self:
        """Count the users of every item."""
        self._counts = np.asarray(binary(interactions).sum(axis=0), dtype=np.float32)
        return self

    def scores(self, history: csr_array) -> Scores:
        """The counts, once for each user: shape `(n, n_items)`."""
        counts = self._counts
        checked_history(history, None if counts is None else len(counts), self.name)
        assert counts is not None  # noqa: S101 (checked above)
        return np.tile(counts, (history.shape[0], 1))
