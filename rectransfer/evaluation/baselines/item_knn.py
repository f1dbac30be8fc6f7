"""Neighbours of the items that a user took."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation.baselines.baseline import Scores, checked_history
from rectransfer.evaluation.matrix import binary
from rectransfer.metrics import top_k

__all__ = ["ItemKnn"]

# Similarities of a block of items with all others are dense for a moment: 32 MB in float64.
_VALUES_A_BLOCK = 4_000_000


@dataclass
class ItemKnn:
    """Item-based nearest neighbours with the cosine of binary columns.

    Each item keeps its `k` most similar items; a candidate's score is the sum of its similarities to the
    items of the history that keep it. Deshpande & Karypis 2004, "Item-Based Top-N Recommendation Algorithms",
    section 4.

    Attributes:
        k: Neighbours an item keeps.
        shrinkage: Added to the product of the norms, in users; it lowers similarities that rest on few users.

    Raises:
        InputError: `k` is below 1, or `shrinkage` is negative.

    Examples:
        >>> model = ItemKnn(k=1).fit(csr_array([[1, 1, 0], [1, 1, 1]]))
        >>> model.scores(csr_array([[1, 0, 0]]))
        array([[0., 1., 0.]], dtype=float32)
    """

    k: int = 100
    shrinkage: float = 0.0
    _similarities: csr_array | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.k < 1 or not self.shrinkage >= 0:
            raise InputError(f"ItemKnn needs k >= 1 and shrinkage >= 0, got {self.k} and {self.shrinkage}")

    @property
    def name(self) -> str:
        """`item_knn(k=100, shrinkage=0)`."""
        return f"item_knn(k={self.k}, shrinkage={self.shrinkage:g})"

    def fit(self, interactions: csr_array) -> Self:
        """Find the neighbours of every item, a block of items at a time."""
        taken = binary(interactions).astype(np.float64)
        users_of = csr_array(taken.T)
        norms = np.sqrt(np.diff(users_of.indptr))
        n_items = len(norms)
        step = max(1, _VALUES_A_BLOCK // max(1, n_items))
        rows, columns, values = [], [], []
        for start in range(0, n_items, step):
            block = np.arange(start, min(start + step, n_items))
            similar = self._cosines(users_of, taken, norms, block)
            value, column = top_k(similar, self.k)
            rows.append(np.repeat(block, value.shape[1])[value.ravel() > 0])
            columns.append(column[value > 0])
            values.append(value[value > 0])
        self._similarities = csr_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(n_items, n_items),
            dtype=np.float32,
        )
        return self

    def scores(self, history: csr_array) -> Scores:
        """Sums of similarities, shape `(n, n_items)`."""
        similarities = self._similarities
        known = checked_history(history, None if similarities is None else similarities.shape[0], self.name)
        summed: Scores = (known @ similarities).toarray()
        return summed

    def _cosines(
        self,
        users_of: csr_array,
        taken: csr_array,
        norms: npt.NDArray[np.float64],
        block: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """Similarities of some items with all, shape `(len(block), n_items)`; 0 with themselves."""
        similar: npt.NDArray[np.float64] = (users_of[block] @ taken).toarray()
        scale = norms[block, None] * norms + self.shrinkage
        np.divide(similar, scale, out=similar, where=scale > 0)
        similar[np.arange(len(block)), block] = 0
        return similar
