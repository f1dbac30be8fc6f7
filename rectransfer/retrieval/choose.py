"""Choose an index for a recall that is measured."""

import logging
from dataclasses import dataclass

import numpy as np

from rectransfer.errors import InputError
from rectransfer.retrieval.exact import ExactIndex
from rectransfer.retrieval.faiss_index import FaissIndex
from rectransfer.retrieval.index import Floats, VectorIndex

__all__ = ["FLAT_UP_TO", "MeasuredIndex", "build_for_recall", "choose_index", "measured_recall"]

_logger = logging.getLogger(__name__)

FLAT_UP_TO = 100_000
"""Up to so many items an exact search is fast enough that nothing has to be traded for speed."""


@dataclass(frozen=True)
class MeasuredIndex:
    """An index and what it was measured to find.

    Attributes:
        index: Built.
        recall: The share of the true top `k` that it found for the sample queries.
        k: How many were looked for.
    """

    index: FaissIndex
    recall: float
    k: int


def choose_index(n_items: int, recall: float = 0.95, flat_up_to: int = FLAT_UP_TO) -> FaissIndex:
    """A FAISS index, not built yet, that suits a catalogue of this size.

    Args:
        n_items: How many vectors it will hold.
        recall: What is wanted; 1.0 always gives an exact index. It sets where `build_for_recall` starts and
            promises nothing: that takes measuring.
        flat_up_to: The largest catalogue that is searched exactly.

    Raises:
        InputError: `recall` is not in (0, 1], or there are no items.

    Examples:
        >>> choose_index(20_000).kind, choose_index(2_000_000).kind
        ('flat', 'hnsw')
    """
    if not 0 < recall <= 1 or n_items < 1:
        raise InputError(f"choose_index needs n_items >= 1 and 0 < recall <= 1, got {n_items} and {recall}")
    if n_items <= flat_up_to or recall == 1:
        return FaissIndex("flat")
    return FaissIndex("hnsw", effort=64 if recall <= 0.9 else 128)


def build_for_recall(
    vectors: Floats, queries: Floats, k: int = 100, recall: float = 0.95, flat_up_to: int = FLAT_UP_TO
) -> MeasuredIndex:
    """Build an index and raise its effort until it finds enough; an exact one if it never does.

    Args:
        vectors: Shape `(n, d)`.
        queries: A sample of what will be searched for, shape `(q, d)`; a few hundred are plenty.
        k: How many results count.
        recall: The share of the true top `k` to reach, in (0, 1].
        flat_up_to: The largest catalogue that is searched exactly.

    Raises:
        InputError: As `choose_index` and `VectorIndex.build`, or there are no queries.
    """
    index = choose_index(len(vectors), recall, flat_up_to).build(vectors)
    exact = ExactIndex().build(vectors)
    found = measured_recall(index, exact, queries, k)
    while found < recall and index.kind != "flat":
        effort = 2 * (index.effort or 1)
        if effort >= index.n:
            index = FaissIndex("flat").build(vectors)
        else:
            index.effort = effort
        found = measured_recall(index, exact, queries, k)
    _logger.info("%s index with effort %s: recall@%d %.4f", index.kind, index.effort, k, found)
    return MeasuredIndex(index, found, k)


def measured_recall(index: VectorIndex, exact: VectorIndex, queries: Floats, k: int) -> float:
    """The share of the exact top `k` that an index finds, over all queries.

    Raises:
        InputError: No queries, or indexes of different sizes.
    """
    if index.n != exact.n or not len(queries):
        raise InputError(
            f"{index.n} and {exact.n} vectors, {len(queries)} queries: need the same vectors, a query"
        )
    found, true = index.search(queries, k)[1], exact.search(queries, k)[1]
    shift = np.arange(len(queries))[:, None] * exact.n  # a number of its own for each query and row
    return float(np.isin(true + shift, found + shift).mean())
