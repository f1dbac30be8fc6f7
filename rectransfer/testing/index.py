"""The contract test of a vector index."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError, NotFittedError
from rectransfer.metrics import top_k
from rectransfer.retrieval import VectorIndex
from rectransfer.testing.promises import refuses, require

__all__ = ["check_index"]


def check_index(make: Callable[[], VectorIndex], *, recall: float = 1.0) -> None:
    """Check an index against every inner product: order, `k` beyond the end, masks, building again, errors.

    Args:
        make: Makes a new, empty index.
        recall: The share of the true nearest that it has to find; below 1 for approximate ones.

    Raises:
        AssertionError: The promise of `VectorIndex` that is broken.

    Examples:
        >>> from rectransfer.retrieval import ExactIndex
        >>> check_index(ExactIndex)
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    queries = rng.normal(size=(30, 6)).astype(np.float32)
    index = make()
    require(isinstance(index, VectorIndex), f"{type(index).__name__} lacks a method of VectorIndex")
    require(index.n == 0, f"a new index holds {index.n} vectors; expected 0")
    refuses(NotFittedError, lambda: index.search(queries, 3), "search before build")
    require(index.build(vectors) is index, "build returns something else than the index itself")
    require(index.n == len(vectors), f"n is {index.n} after building from {len(vectors)} vectors")
    allowed = rng.random(len(vectors)) < 0.3
    for mask in (None, allowed):
        _check_found(index, vectors, queries, mask, recall)
    few = np.isin(np.arange(len(vectors)), [5, 150])
    rows = index.search(queries, 9, allowed=few)[1]
    require(
        np.sort(rows, axis=1).tolist() == [[5, 150]] * len(queries),
        "with two rows allowed, a search for nine has to give those two",
    )
    everything = index.search(queries, len(vectors) + 50)[1]
    require(
        np.sort(everything, axis=1).tolist() == [list(range(len(vectors)))] * len(queries),
        "a search for more than there is has to give every row once, and none that isn't one",
    )
    require(index.search(queries[:0], 3)[1].shape == (0, 3), "no queries have to give the shape (0, k)")
    refuses(InputError, lambda: index.search(queries[:, :2], 3), "queries of other dimensions")
    refuses(InputError, lambda: index.search(queries, 0), "k=0")
    refuses(InputError, lambda: index.build(vectors * np.nan), "vectors of NaN")
    require(index.build(vectors[:20]).n == 20, "building again has to replace what was there")


def _check_found(
    index: VectorIndex,
    vectors: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.bool_] | None,
    recall: float,
) -> None:
    scores, rows = index.search(queries, 10, allowed=allowed)
    require(scores.shape == rows.shape == (len(queries), 10), f"shapes {scores.shape}, {rows.shape}")
    require(
        (scores.dtype.name, rows.dtype.name) == ("float32", "int64"), f"types {scores.dtype}, {rows.dtype}"
    )
    require(all(len(set(row)) == 10 for row in rows.tolist()), "a row was found twice by one query")
    require(allowed is None or bool(allowed[rows].all()), "a row was found that isn't allowed")
    products = queries @ vectors.T
    require(
        np.allclose(scores, np.take_along_axis(products, rows, axis=1), rtol=1e-4, atol=1e-5),
        "scores are not the inner products of the rows that were found",
    )
    require(bool((np.diff(scores, axis=1) <= 1e-5).all()), "scores have to come best first")
    best = top_k(products if allowed is None else np.where(allowed, products, -np.inf), 10)[1]
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), best.tolist(), strict=True)])
    require(float(share) >= recall, f"{share:.3f} of the nearest were found; expected {recall} at least")
