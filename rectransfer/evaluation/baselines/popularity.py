"""The most popular items, the same for everyone."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from rectransfer.errors import NotFittedError
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
    _n_items: int | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """`popularity`."""
        return "popularity"

    def fit(self, interactions: csr_array, n_ranked: int | None = None) -> Self:
        """Count the users of every item."""
        self._counts = np.asarray(binary(interactions).sum(axis=0), dtype=np.float32)[:n_ranked]
        self._n_items = interactions.shape[1]
        return self

    @property
    def counts(self) -> Scores:
        """The users of every item that is ranked, shape `(n_ranked,)`.

        Raises:
            NotFittedError: `fit` has not been called.
        """
        if self._counts is None:
            raise NotFittedError(f"{self.name} has not been fitted: call fit(interactions) first")
        return self._counts

    def scores(self, history: csr_array) -> Scores:
        """The counts, once for each user: shape `(n, n_ranked)`."""
        checked_history(history, self._n_items, self.name)
        return np.tile(self.counts, (history.shape[0], 1))
