"""What an index is, and the checks that all of them share."""

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError, NotFittedError

__all__ = ["Floats", "Found", "Mask", "VectorIndex", "checked_search", "checked_vectors"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Found = tuple[Floats, npt.NDArray[np.int64]]


@runtime_checkable
class VectorIndex(Protocol):
    """Finds the vectors with the largest inner products."""

    @property
    def n(self) -> int:
        """How many vectors it holds; 0 before `build`."""
        ...

    def build(self, vectors: Floats) -> Self:
        """Take in vectors of shape `(n, d)`; row `i` is found as `i`. Replaces what was there.

        Returns:
            The index itself.

        Raises:
            InputError: Not a finite matrix with a row and a column at least.
        """
        ...

    def search(self, queries: Floats, k: int, *, allowed: Mask | None = None) -> Found:
        """The `k` vectors with the largest inner products, best first.

        Args:
            queries: Shape `(q, d)`.
            k: How many. Where fewer are there, or allowed, fewer come back; never a row that isn't one.
            allowed: The rows that may be found, shape `(n,)`; None for all of them.

        Returns:
            Scores and rows, both of shape `(q, min(k, n allowed))`; equal scores by ascending row.

        Raises:
            NotFittedError: Nothing was built.
            InputError: Shapes that do not fit, a query that isn't finite, or `k` below 1.
        """
        ...

    def save(self, path: str | Path) -> None:
        """Write one file.

        Raises:
            NotFittedError: Nothing was built.
        """
        ...

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; the caller vouches for the file (`artefacts` checks its sha256).

        Raises:
            ArtefactError: The file is missing, damaged or of another kind.
        """
        ...


def checked_vectors(vectors: npt.ArrayLike, name: str = "vectors") -> Floats:
    """A float32 matrix whose rows lie one after another in memory.

    Raises:
        InputError: Another shape, or values that aren't finite.
    """
    matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise InputError(f"{name} need the shape (n, dimensions), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        bad = int((~np.isfinite(matrix)).any(axis=1).sum())
        raise InputError(f"{bad} of {len(matrix)} {name} hold NaN or infinity")
    return matrix


def checked_search(
    queries: npt.ArrayLike, k: int, allowed: Mask | None, shape: tuple[int, int]
) -> tuple[Floats, int]:
    """Queries as a float32 matrix, and how many results each of them gets.

    Raises:
        NotFittedError: The index is empty.
        InputError: As `VectorIndex.search`.
    """
    n, dimensions = shape
    if not n:
        raise NotFittedError("the index is empty: call build(vectors) first")
    matrix = checked_vectors(queries, "queries")
    if matrix.shape[1] != dimensions:
        raise InputError(
            f"expected queries of {dimensions} dimensions, as the index has, got {matrix.shape[1]}"
        )
    if k < 1:
        raise InputError(f"k is how many to find, at least 1; got {k}")
    if allowed is not None and (allowed.shape != (n,) or allowed.dtype != np.bool_):
        raise InputError(
            f"allowed is a mask of shape ({n},) and type bool, got {allowed.shape} and {allowed.dtype}"
        )
    return matrix, min(k, n if allowed is None else int(np.count_nonzero(allowed)))
