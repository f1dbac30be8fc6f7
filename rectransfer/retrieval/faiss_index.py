"""Indexes by FAISS."""

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from rectransfer.artefacts import MISFITS, read_arrays, write_arrays
from rectransfer.errors import ArtefactError, InputError, NotFittedError
from rectransfer.retrieval.index import Floats, Found, Mask, checked_search, checked_vectors
from rectransfer.retrieval.index_file import KINDS, arrays_of, checked_settings, index_of, n_lists

with warnings.catch_warnings():
    # SWIG's types have no __module__, which newer Pythons deprecate.
    warnings.filterwarnings("ignore", message="builtin type [sS]wig", category=DeprecationWarning)
    # Untyped on purpose: the signatures that some releases ship leave out what their Python wrappers add.
    faiss: Any = importlib.import_module("faiss")

__all__ = ["FaissIndex", "Kind"]

Kind = Literal["flat", "hnsw", "ivf", "sq", "pq"]

# FAISS wants this many training vectors for a list, and complains on stderr about fewer.
_VECTORS_A_LIST = 39
_DIMENSIONS_A_BYTE = 4
_CODES = 256


@dataclass
class FaissIndex:
    """Largest inner products by FAISS: exact (`flat`), or a part of all vectors that is likely to have them.

    `hnsw` walks a graph (Malkov & Yashunin 2016, "Efficient and robust approximate nearest neighbor search
    using Hierarchical Navigable Small World graphs", section 4). `ivf` looks through some of many lists
    (Johnson, Douze & Jégou 2017, "Billion-scale similarity search with GPUs"). `sq` does so over vectors of
    one byte a dimension, a quarter of the memory; `pq` over one byte for 4 dimensions, a sixteenth (Jégou,
    Douze & Schmid 2011, "Product quantization for nearest neighbor search", section III): their scores are
    approximations, too. Measure what each finds on queries of your own: `build_for_recall`.

    A search that finds fewer rows than there are is done again over all of them, so filters never leave a
    query with too few. `flat` gives what `ExactIndex` gives, ties across the cut included.

    Attributes:
        kind: Which of the five.
        effort: How hard a search tries: entries it keeps (`hnsw`), or lists it visits; `flat` has none. None:
            128, or a quarter of the lists.
        links: Links of a vector in the graph.
        seed: Of the clustering into lists and codes.
        threads: How many threads build and search; None: as many as FAISS is set to. A graph that several
            build may differ from one time to the next.

    Raises:
        InputError: A setting is out of range.

    Examples:
        >>> index = FaissIndex("flat").build(np.eye(3, dtype=np.float32))
        >>> index.search(np.array([[0.1, 0.3, 0.2]], dtype=np.float32), k=2)[1]
        array([[1, 2]])
    """

    kind: Kind = "flat"
    effort: int | None = None
    links: int = 32
    seed: int = 0
    threads: int | None = field(default=None, compare=False)
    _index: Any = field(default=None, init=False, repr=False, compare=False)
    _dimensions: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"an index is of kind {', '.join(get_args(Kind))}; got {self.kind!r}")
        if self.links < 2 or (self.effort is not None and self.effort < 1):
            raise InputError(f"an index needs links >= 2 and effort >= 1, got {self.links} and {self.effort}")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"an index needs threads >= 1, or None, got {self.threads}")

    @property
    def n(self) -> int:
        """How many vectors it holds."""
        return 0 if self._index is None else int(self._index.ntotal)

    def build(self, vectors: Floats) -> Self:
        """Index vectors of shape `(n, d)`."""
        matrix = checked_vectors(vectors)
        if not len(matrix):
            raise InputError("an index needs one vector at least")
        n, self._dimensions = matrix.shape
        index = _empty(self.kind, self._dimensions, self.links, _lists_for(n), self.seed)
        matrix = _padded(matrix, index.d)
        with _threads(self.threads):
            if not index.is_trained:
                index.train(matrix if n >= _CODES else np.resize(matrix, (_CODES, index.d)))
            index.add(matrix)
        self._index = index
        return self

    @property
    def bytes(self) -> int:
        """About how much memory it takes: codes or vectors, centroids, and links; 0 before `build`."""
        if self._index is None:
            return 0
        return sum(array.nbytes for array in arrays_of(faiss, self._index, self.kind).values())

    def search(self, queries: Floats, k: int, *, allowed: Mask | None = None) -> Found:
        """The `k` largest inner products; see `VectorIndex.search`."""
        matrix, k = checked_search(queries, k, allowed, (self.n, self._dimensions))
        if not k or not len(matrix):
            return np.empty((len(matrix), k), np.float32), np.empty((len(matrix), k), np.int64)
        matrix = _padded(matrix, self._index.d)
        # The selector reads the bits where they are, so both live until the search is over.
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        total = self.n if allowed is None else int(np.count_nonzero(allowed))
        with _threads(self.threads):
            if self.kind == "flat":
                return self._search_flat(matrix, k, total, selector)
            scores, rows = self._index.search(matrix, k, params=self._parameters(k, selector))
            if (short := (rows < 0).any(axis=1)).any():
                scores[short], rows[short] = self._search_all(matrix[short], k, selector)
        return _in_order(scores, rows)

    def save(self, path: str | Path) -> None:
        """Write one file of plain arrays, the effort included."""
        if self._index is None:
            raise NotFittedError("there is nothing to save: call build(vectors) first")
        settings = [KINDS.index(self.kind), self._dimensions, self.effort or 0, self.links]
        arrays = arrays_of(faiss, self._index, self.kind)
        write_arrays(Path(path), {"settings": np.array(settings, np.int64), **arrays})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; anything else, damaged or made up, is an error."""
        arrays = read_arrays(Path(path))
        try:
            kind, dimensions, effort, links = checked_settings(arrays.get("settings", np.zeros(0)))
            index = _empty(kind, dimensions, links, n_lists(arrays), 0)
            loaded = cls(kind, effort or None, links)  # type: ignore[arg-type]  # one of KINDS
            loaded._index, loaded._dimensions = index_of(faiss, index, kind, arrays), dimensions
        except MISFITS as error:
            raise ArtefactError(f"{path} is no saved index: {error}; build it and save it again") from error
        return loaded

    @property
    def dimensions(self) -> int:
        """The length of its vectors; 0 before `build`."""
        return self._dimensions

    @property
    def most_effort(self) -> int:
        """The effort beyond which nothing more is found: all vectors, or all lists."""
        if self._index is None or self.kind == "flat":
            return 1
        return self.n if self.kind == "hnsw" else int(self._index.nlist)

    @property
    def _effort(self) -> int:
        if self.kind == "hnsw":
            return self.effort or 128
        lists = int(self._index.nlist)
        return min(self.effort or max(1, lists // 4), lists)

    def _parameters(self, k: int, selector: Any) -> Any:
        if self.kind == "hnsw":
            return faiss.SearchParametersHNSW(sel=selector, efSearch=max(self._effort, k))
        if self.kind == "flat":
            return faiss.SearchParameters(sel=selector)
        return faiss.SearchParametersIVF(sel=selector, nprobe=self._effort)

    def _search_flat(self, queries: Floats, k: int, total: int, selector: Any) -> Found:
        """Search one deeper than asked for: of a tie across the cut FAISS takes whichever it meets."""
        parameters = self._parameters(k, selector)
        scores, rows = _in_order(*self._index.search(queries, min(k + 1, total), params=parameters))
        if k < total:
            tied = np.flatnonzero(scores[:, k - 1] == scores[:, k])
            for query in tied:
                everything = self._index.search(queries[query, None], total, params=parameters)
                scores[query], rows[query] = (part[0, : k + 1] for part in _in_order(*everything))
        return scores[:, :k], rows[:, :k]

    def _search_all(self, queries: Floats, k: int, selector: Any) -> Found:
        """Search without a shortcut."""
        if self.kind != "hnsw":
            everywhere = faiss.SearchParametersIVF(sel=selector, nprobe=self._index.nlist)
            scores, rows = self._index.search(queries, k, params=everywhere)
        else:
            vectors = faiss.downcast_index(self._index.storage)
            scores, rows = vectors.search(queries, k, params=faiss.SearchParameters(sel=selector))
        return scores, rows


def _in_order(scores: Floats, rows: npt.NDArray[np.int64]) -> Found:
    """Best first, equal scores by ascending row."""
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _empty(kind: str, dimensions: int, links: int, lists: int, seed: int) -> Any:
    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "flat":
        return faiss.IndexFlatIP(dimensions)
    if kind == "hnsw":
        return faiss.IndexHNSWFlat(dimensions, links, metric)
    if kind == "pq":
        bytes_each = -(-dimensions // _DIMENSIONS_A_BYTE)
        width = bytes_each * _DIMENSIONS_A_BYTE
        index = faiss.IndexIVFPQ(faiss.IndexFlatIP(width), width, lists, bytes_each, 8, metric)
        index.pq.cp.min_points_per_centroid = 1  # it would complain on stderr
        index.pq.cp.seed = seed
    elif kind == "sq":
        one_byte = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dimensions), dimensions, lists, one_byte, metric
        )
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, lists, metric)
    index.cp.seed = seed
    return index


def _lists_for(n: int) -> int:
    return max(1, min(4 * int(np.sqrt(n)), n // _VECTORS_A_LIST))


def _padded(matrix: Floats, dimensions: int) -> Floats:
    """Zeros at the end of each vector: they change no inner product."""
    missing = dimensions - matrix.shape[1]
    return np.pad(matrix, ((0, 0), (0, missing))) if missing else matrix


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    """FAISS's threads are a setting of the process: it is put back."""
    if n is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
