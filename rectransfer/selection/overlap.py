"""Do the same items stand side by side in source and target?"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.embeddings import EmbeddingTable

__all__ = ["neighbour_overlap"]

_MOST: Final = 2_000
"""Items that are compared: the most popular ones of the target."""


def neighbour_overlap(
    table: EmbeddingTable, taken: csr_array, rows: npt.NDArray[np.int64], k: int = 10
) -> float:
    """The share of an item's nearest neighbours that source and target have in common.

    In the source neighbours are nearest by the cosine of the table's input vectors, in the target by the
    cosine of the items' users, both among the shared items that two of the target's users took. Two
    independent orders of `n` items share `k / (n - 1)`.

    Args:
        table: The source's.
        taken: 1 where a user of the target took an item, shape `(n_users, n_items)`.
        rows: Where the target's items stand in the table, -1 for nowhere, shape `(n_items,)`.
        k: Neighbours of an item; fewer where fewer items are shared.

    Returns:
        From 0 to 1; NaN with fewer than three items to compare.

    Examples:
        >>> from rectransfer.vocabulary import Vocabulary
        >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
        >>> table = EmbeddingTable(Vocabulary.from_ids(list("abcd")), vectors, vectors, np.ones(4, np.int64))
        >>> taken = csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
        >>> neighbour_overlap(table, taken, np.arange(4), k=1)
        1.0
    """
    users = np.asarray(taken.sum(axis=0)).ravel()
    shared = np.flatnonzero((rows >= 0) & (users >= 2))
    shared = shared[np.argsort(-users[shared], kind="stable")][:_MOST]
    if len(shared) < 3:
        return float("nan")
    k = min(k, len(shared) - 1)
    theirs = _nearest(_unit(table.vectors[rows[shared]].astype(np.float64)), k)
    columns = csr_array(taken[:, shared])
    ours = _nearest(_unit(columns.T.toarray().astype(np.float64)), k)
    common = [len(np.intersect1d(a, b)) for a, b in zip(theirs, ours, strict=True)]
    return float(np.mean(common) / k)


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = vectors / np.maximum(lengths, np.finfo(np.float64).tiny)
    return found


def _nearest(unit: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.int64]:
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return np.asarray(np.argsort(-cosine, axis=1, kind="stable")[:, :k], dtype=np.int64)
