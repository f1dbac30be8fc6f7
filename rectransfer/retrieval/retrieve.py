"""Candidates for many users, each without what they have seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.retrieval.index import Floats, Mask, VectorIndex

__all__ = ["Candidates", "retrieve"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """What was found, one entry for each query and row; queries ascending, best first.

    Attributes:
        queries: Which query, shape `(n_found,)`.
        rows: Which vector, shape `(n_found,)`.
        scores: Inner products, shape `(n_found,)`.
        ranks: Place within the query, from 1; shape `(n_found,)`.
    """

    queries: Rows
    rows: Rows
    scores: Floats
    ranks: Rows

    def __len__(self) -> int:
        return len(self.rows)


def retrieve(
    index: VectorIndex,
    queries: Floats,
    k: int,
    *,
    exclude: csr_array | None = None,
    allowed: Mask | None = None,
    blocked: Mask | None = None,
) -> Candidates:
    """The `k` best rows of every query, without those it excludes; never fewer where enough are left.

    A query gets as many more results from the index as it excludes, so the answer of an exact index stays
    exact. Queries that exclude similar numbers are searched together.

    Args:
        index: Built.
        queries: Shape `(q, d)`.
        k: How many for each query; one with fewer left gets fewer.
        exclude: Rows that a query must not get, shape `(q, n)`; any non-zero value excludes.
        allowed: Rows that any query may get, shape `(n,)`; by default all.
        blocked: Rows that no query may get, shape `(n,)`, allowed or not.

    Raises:
        InputError: Shapes that do not fit, or as `VectorIndex.search`.

    Examples:
        >>> from rectransfer.retrieval import ExactIndex
        >>> index = ExactIndex().build(np.array([[3.0], [2.0], [1.0]]))
        >>> found = retrieve(index, np.array([[1.0], [1.0]]), k=2, exclude=csr_array([[1, 0, 0], [1, 1, 0]]))
        >>> found.queries, found.rows
        (array([0, 0, 1]), array([1, 2, 2]))
    """
    if blocked is not None:
        _check_mask(blocked, index.n)
        allowed = ~blocked if allowed is None else allowed & ~blocked
    if exclude is None:
        exclude = csr_array((len(queries), index.n))
    if exclude.shape != (len(queries), index.n):
        raise InputError(f"exclude needs the shape {(len(queries), index.n)}, got {exclude.shape}")
    seen = csr_array(exclude, copy=True)
    seen.sum_duplicates()
    seen.eliminate_zeros()
    counts = np.diff(seen.indptr)
    # 0, 1, 2, 3-4, 5-8, ...: nobody searches much deeper than their own exclusions need.
    depth = np.where(counts > 0, 2 ** np.ceil(np.log2(np.maximum(counts, 1))), 0).astype(np.int64)
    parts = []
    for extra in np.unique(depth):
        group = np.flatnonzero(depth == extra)
        scores, rows = index.search(queries[group], k + int(extra), allowed=allowed)
        parts.append(_without(group, scores, rows, seen, k))
    if not parts:
        index.search(queries, k, allowed=allowed)  # for its checks
        return Candidates(*(np.zeros(0, np.int64),) * 2, np.zeros(0, np.float32), np.zeros(0, np.int64))
    found = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((found[3], found[0]))
    return Candidates(*(column[order] for column in found))


def _check_mask(blocked: Mask, n: int) -> None:
    if blocked.shape != (n,) or blocked.dtype != np.bool_:
        raise InputError(
            f"blocked is a mask of shape ({n},) and type bool, got {blocked.shape} and {blocked.dtype}"
        )


def _without(
    group: Rows, scores: Floats, rows: Rows, seen: csr_array, k: int
) -> tuple[Rows, Rows, Floats, Rows]:
    """Drop what each query of a group has seen, and what comes after place `k`."""
    mine = seen[group].tocoo()
    shift = np.arange(len(group))[:, None] * seen.shape[1]  # a number of its own for each query and row
    excluded = mine.row.astype(np.int64) * seen.shape[1] + mine.col
    kept = ~np.isin(rows + shift, excluded)
    ranks = np.cumsum(kept, axis=1)
    kept &= ranks <= k
    owners = np.broadcast_to(group[:, None], rows.shape)
    return owners[kept].astype(np.int64), rows[kept], scores[kept], ranks[kept].astype(np.int64)
