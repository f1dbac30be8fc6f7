"""Choose an index for a recall that is measured."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from rectransfer.errors import InputError
from rectransfer.retrieval.exact import ExactIndex
from rectransfer.retrieval.faiss_index import FaissIndex, Kind
from rectransfer.retrieval.index import Floats, VectorIndex

__all__ = ["FLAT_UP_TO", "MeasuredIndex", "Tried", "build_for_recall", "choose_index", "measured_recall"]

_logger = logging.getLogger(__name__)

FLAT_UP_TO = 100_000
"""Up to so many items an exact search is fast enough that nothing has to be traded for speed."""

_PATIENCE = 2
_GAIN = 1e-3
"""Twice the effort twice over, and less recall gained than this: what is missing isn't for want of effort."""


@dataclass(frozen=True)
class Tried:
    """An index that was measured on the way.

    Attributes:
        kind: What `FaissIndex` calls it.
        effort: How hard it searched; None for `flat`.
        recall: The share of the true top `k` that it found for the queries.
        milliseconds: A query took, on average over all of them, searched together.
        bytes: Memory that it takes.
    """

    kind: str
    effort: int | None
    recall: float
    milliseconds: float
    bytes: int


@dataclass(frozen=True)
class MeasuredIndex:
    """An index and what it was measured to find.

    Attributes:
        index: Built.
        recall: The share of the true top `k` that it found for the sample queries.
        k: How many were looked for.
        tried: All that were measured, in order.
    """

    index: FaissIndex
    recall: float
    k: int
    tried: tuple[Tried, ...] = ()

    def table(self) -> pl.DataFrame:
        """A row for each index that was tried: `kind`, `effort`, `recall`, `milliseconds`, `bytes`."""
        return pl.DataFrame([asdict(one) for one in self.tried])


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
    vectors: Floats,
    queries: Floats,
    k: int = 100,
    recall: float = 0.95,
    flat_up_to: int = FLAT_UP_TO,
    *,
    kinds: Sequence[Kind] | None = None,
    most_bytes: int | None = None,
    threads: int | None = None,
) -> MeasuredIndex:
    """Build indexes, raise their effort until they find enough, and keep the fastest of those that do.

    Where none does, an exact index is built, which always finds all.

    Args:
        vectors: Shape `(n, d)`.
        queries: A sample of what will be searched for, shape `(q, d)`; a few hundred are plenty.
        k: How many results count.
        recall: The share of the true top `k` to reach, in (0, 1].
        flat_up_to: The largest catalogue that is searched exactly, unless `kinds` says otherwise.
        kinds: What to try; by default the one that suits the catalogue's size.
        most_bytes: Memory that the index may take; by default any.
        threads: As in `FaissIndex`.

    Raises:
        InputError: As `choose_index` and `VectorIndex.build`; there are no queries; or no index that finds
            enough fits into `most_bytes`: the message names the best that does.

    Examples:
        >>> vectors = np.random.default_rng(0).normal(size=(500, 8))
        >>> found = build_for_recall(vectors, vectors[:20], k=5, recall=0.8, kinds=["sq", "ivf"])
        >>> found.recall >= 0.8, found.table().columns
        (True, ['kind', 'effort', 'recall', 'milliseconds', 'bytes'])
    """
    suited = choose_index(len(vectors), recall, flat_up_to)
    starts = [suited] if kinds is None else [FaissIndex(kind, _start(kind)) for kind in kinds]
    exact = ExactIndex().build(vectors)
    tried: list[Tried] = []
    enough: list[tuple[Tried, FaissIndex]] = []
    for start in starts:
        index = replace(start, threads=threads).build(vectors)
        for one in _efforts(index, exact, queries, k, recall):
            tried.append(one)
            if one.recall >= recall and (most_bytes is None or one.bytes <= most_bytes):
                enough.append((one, index))
    if not enough:
        index = FaissIndex("flat", threads=threads).build(vectors)
        if most_bytes is not None and index.bytes > most_bytes:
            raise InputError(_does_not_fit(tried, recall, k, most_bytes, index.bytes))
        tried.append(_measure(index, exact, queries, k))
        enough.append((tried[-1], index))
    best, index = min(enough, key=lambda one: one[0].milliseconds)
    _logger.info("%s index with effort %s: recall@%d %.4f", index.kind, index.effort, k, best.recall)
    return MeasuredIndex(index, best.recall, k, tuple(tried))


def _start(kind: Kind) -> int | None:
    return None if kind == "flat" else 64 if kind == "hnsw" else 1


def _efforts(index: FaissIndex, exact: ExactIndex, queries: Floats, k: int, recall: float) -> Iterator[Tried]:
    """Measure an index, with twice the effort each time, until it finds enough or that finds no more."""
    found: list[float] = []
    while True:
        one = _measure(index, exact, queries, k)
        yield one
        found.append(one.recall)
        stuck = len(found) > _PATIENCE and one.recall - found[-1 - _PATIENCE] < _GAIN
        if one.recall >= recall or stuck or index.effort is None or index.effort >= index.most_effort:
            return
        index.effort = min(2 * index.effort, index.most_effort)


def _measure(index: FaissIndex, exact: ExactIndex, queries: Floats, k: int) -> Tried:
    found = measured_recall(index, exact, queries, k)
    start = time.perf_counter()
    index.search(queries, k)
    milliseconds = 1000 * (time.perf_counter() - start) / len(queries)
    return Tried(index.kind, index.effort, found, milliseconds, index.bytes)


def _does_not_fit(tried: Sequence[Tried], recall: float, k: int, most_bytes: int, flat: int) -> str:
    fitting = [one for one in tried if one.bytes <= most_bytes]
    best = max(fitting, key=lambda one: one.recall, default=None)
    found = (
        f"the best that does has {best.recall:.3f} ({best.kind})" if best else "no index that was tried does"
    )
    return (
        f"no index of at most {most_bytes:,} bytes finds {recall:.0%} of the top {k}: {found}, an exact one "
        f"takes {flat:,} bytes; allow more bytes, lower recall, or name other kinds ('pq' is the smallest)"
    )


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
