"""Indexes by FAISS."""

import importlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from rectransfer.errors import ArtefactError, InputError, NotFittedError
from rectransfer.retrieval.index import Floats, Found, Mask, checked_search, checked_vectors

with warnings.catch_warnings():
    # SWIG's types have no __module__, which newer Pythons deprecate.
    warnings.filterwarnings("ignore", message="builtin type [sS]wig", category=DeprecationWarning)
    # Untyped on purpose: the signatures that some releases ship leave out what their Python wrappers add.
    faiss: Any = importlib.import_module("faiss")

__all__ = ["FaissIndex", "Kind"]

Kind = Literal["flat", "hnsw", "ivf"]

# FAISS wants this many training vectors for a list, and complains on stderr about fewer.
_VECTORS_A_LIST = 39


@dataclass
class FaissIndex:
    """Largest inner products by FAISS: exact (`flat`), a graph (`hnsw`), or lists (`ivf`).

    Johnson, Douze & Jégou 2017, "Billion-scale similarity search with GPUs" (FAISS); Malkov & Yashunin 2016,
    "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
    graphs", section 4. Measure the recall of the last two on your own vectors (`measured_recall`): inner
    products of vectors with very different norms are hard for them. The graph is built by several threads,
    so two builds may differ.

    A search that finds fewer rows than there are is done again over all of them. `flat` gives what
    `ExactIndex` gives, ties across the cut included.

    Attributes:
        kind: Which of the three.
        effort: How hard a search tries: entries it keeps (`hnsw`) or lists it visits (`ivf`); `flat` has
            none. None: 128, or a quarter of the lists.
        links: Links of a vector in the graph.
        seed: Of the clustering into lists.

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
    _index: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(f"an index is of kind {', '.join(get_args(Kind))}; got {self.kind!r}")
        if self.links < 2 or (self.effort is not None and self.effort < 1):
            raise InputError(f"an index needs links >= 2 and effort >= 1, got {self.links} and {self.effort}")

    @property
    def n(self) -> int:
        """How many vectors it holds."""
        return 0 if self._index is None else int(self._index.ntotal)

    def build(self, vectors: Floats) -> Self:
        """Index vectors of shape `(n, d)`."""
        matrix = checked_vectors(vectors)
        if not len(matrix):
            raise InputError("an index needs one vector at least")
        index = self._empty(*matrix.shape)
        if not index.is_trained:
            index.train(matrix)
        index.add(matrix)
        self._index = index
        return self

    def search(self, queries: Floats, k: int, *, allowed: Mask | None = None) -> Found:
        """The `k` largest inner products; see `VectorIndex.search`."""
        matrix, k = checked_search(queries, k, allowed, (self.n, self._index.d if self.n else 0))
        if not k or not len(matrix):
            return np.empty((len(matrix), k), np.float32), np.empty((len(matrix), k), np.int64)
        # The selector reads the bits where they are, so both live until the search is over.
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        total = self.n if allowed is None else int(np.count_nonzero(allowed))
        if self.kind == "flat":
            return self._search_flat(matrix, k, total, selector)
        scores, rows = self._index.search(matrix, k, params=self._parameters(k, selector))
        if (short := (rows < 0).any(axis=1)).any():
            scores[short], rows[short] = self._search_all(matrix[short], k, selector)
        return _in_order(scores, rows)

    def save(self, path: str | Path) -> None:
        """Write FAISS's own format, the effort included."""
        if self._index is None:
            raise NotFittedError("there is nothing to save: call build(vectors) first")
        if self.kind == "hnsw":
            self._index.hnsw.efSearch = self._effort
        elif self.kind == "ivf":
            self._index.nprobe = self._effort
        faiss.write_index(self._index, str(path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote."""
        try:
            if not Path(path).is_file():
                raise RuntimeError("there is no such file")
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ArtefactError(
                f"{path} is no saved FAISS index ({error}); build it and save it again"
            ) from error
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArtefactError(f"{path} ranks by another metric than the inner product; build it again")
        loaded = cls(*_kind_and_effort(index, path))
        loaded._index = index
        return loaded

    @property
    def _effort(self) -> int:
        if self.kind == "ivf":
            lists = int(self._index.nlist)
            return min(self.effort or max(1, lists // 4), lists)
        return self.effort or 128

    def _empty(self, n: int, dimensions: int) -> Any:
        if self.kind == "hnsw":
            return faiss.IndexHNSWFlat(dimensions, self.links, faiss.METRIC_INNER_PRODUCT)
        if self.kind == "ivf":
            lists = max(1, min(4 * int(np.sqrt(n)), n // _VECTORS_A_LIST))
            quantizer = faiss.IndexFlatIP(dimensions)
            index = faiss.IndexIVFFlat(quantizer, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
            index.cp.seed = self.seed
            return index
        return faiss.IndexFlatIP(dimensions)

    def _parameters(self, k: int, selector: Any) -> Any:
        if self.kind == "hnsw":
            return faiss.SearchParametersHNSW(sel=selector, efSearch=max(self._effort, k))
        if self.kind == "ivf":
            return faiss.SearchParametersIVF(sel=selector, nprobe=self._effort)
        return faiss.SearchParameters(sel=selector)

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
        if self.kind == "ivf":
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


def _kind_and_effort(index: Any, path: str | Path) -> tuple[Kind, int | None]:
    if isinstance(index, faiss.IndexHNSWFlat):
        return "hnsw", int(index.hnsw.efSearch)
    if isinstance(index, faiss.IndexIVFFlat):
        return "ivf", int(index.nprobe)
    if isinstance(index, faiss.IndexFlat):
        return "flat", None
    raise ArtefactError(f"{path} holds a {type(index).__name__}, expected flat, hnsw or ivf; build it again")
