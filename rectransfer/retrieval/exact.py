"""The reference that other indexes are measured against."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from rectransfer.errors import ArtefactError, InputError, NotFittedError
from rectransfer.metrics import top_k
from rectransfer.retrieval.index import Floats, Found, Mask, checked_search, checked_vectors

__all__ = ["ExactIndex"]

# Scores of a block of queries: 64 MB in float32.
_VALUES_A_BLOCK = 16_000_000


@dataclass
class ExactIndex:
    """Every inner product, by numpy, a block of queries at a time. Equal scores come by ascending row.

    Examples:
        >>> index = ExactIndex().build(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
        >>> scores, rows = index.search(np.array([[2.0, 1.0]]), k=2)
        >>> rows, scores
        (array([[2, 0]]), array([[3., 2.]], dtype=float32))
    """

    _vectors: Floats = field(
        default_factory=lambda: np.zeros((0, 0), np.float32), init=False, repr=False, compare=False
    )

    @property
    def n(self) -> int:
        """How many vectors it holds."""
        return len(self._vectors)

    def build(self, vectors: Floats) -> Self:
        """Keep a copy of the vectors, shape `(n, d)`."""
        matrix = checked_vectors(vectors)
        if not len(matrix):
            raise InputError("an index needs one vector at least")
        self._vectors = matrix.copy()
        return self

    def search(self, queries: Floats, k: int, *, allowed: Mask | None = None) -> Found:
        """The `k` largest inner products; see `VectorIndex.search`."""
        matrix, k = checked_search(queries, k, allowed, (self.n, self._vectors.shape[1]))
        rows = np.arange(self.n) if allowed is None else np.flatnonzero(allowed)
        vectors = self._vectors if allowed is None else self._vectors[rows]
        scores = np.empty((len(matrix), k), dtype=np.float32)
        found = np.empty((len(matrix), k), dtype=np.int64)
        step = max(1, _VALUES_A_BLOCK // self.n)
        for start in range(0, len(matrix) if k else 0, step):
            block = slice(start, start + step)
            scores[block], columns = top_k(matrix[block] @ vectors.T, k)
            found[block] = rows[columns]
        return scores, found

    def save(self, path: str | Path) -> None:
        """Write the vectors as one `.npy` file."""
        if not self.n:
            raise NotFittedError("there is nothing to save: call build(vectors) first")
        with Path(path).open("wb") as file:  # np.save would add a suffix to a path
            np.save(file, self._vectors, allow_pickle=False)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote."""
        try:
            with Path(path).open("rb") as file:
                return cls().build(np.load(file, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise ArtefactError(
                f"{path} is no saved exact index ({error}); build it and save it again"
            ) from error
