"""FAISS indexes as plain arrays: what a file says is checked before FAISS sees any of it.

FAISS's own reader trusts its file: sizes are allocated as they stand there, and the links of a graph are
followed wherever they point. Here every size follows from an array that is in the file, and every number that
is used as a place is looked at first, so a file that was damaged or made up gives an error, never a crash.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.artefacts import checked_array
from rectransfer.errors import ArtefactError

__all__ = ["KINDS", "arrays_of", "checked_settings", "index_of", "n_lists"]

KINDS: Final = ("flat", "hnsw", "ivf", "sq", "pq")

_GRAPH: Final = ("levels", "offsets", "neighbors")
_MOST_DIMENSIONS: Final = 100_000
_MOST_LINKS: Final = 4_096
_MOST_LEVELS: Final = 64

Arrays = dict[str, npt.NDArray[Any]]


def arrays_of(faiss: Any, index: Any, kind: str) -> Arrays:
    """All that an index consists of."""
    if kind == "flat":
        return {"vectors": _vectors(faiss, index)}
    if kind == "hnsw":
        graph = index.hnsw
        found: Arrays = {name: faiss.vector_to_array(getattr(graph, name)) for name in _GRAPH}
        storage = faiss.downcast_index(index.storage)
        return {**found, "vectors": _vectors(faiss, storage), "entry": np.array([graph.entry_point])}
    lists = index.invlists
    sizes = [int(lists.list_size(number)) for number in range(index.nlist)]
    filled = [(number, size) for number, size in enumerate(sizes) if size]
    rows = [faiss.rev_swig_ptr(lists.get_ids(number), size) for number, size in filled]
    width = int(index.code_size)
    codes = [
        faiss.rev_swig_ptr(lists.get_codes(number), size * width).reshape(-1, width)
        for number, size in filled
    ]
    return {
        "centroids": _vectors(faiss, faiss.downcast_index(index.quantizer)),
        "sizes": np.array(sizes, np.int64),
        "rows": np.concatenate(rows),
        "codes": np.concatenate(codes),
        **_trained(faiss, index, kind),
    }


def index_of(faiss: Any, empty: Any, kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Fill an index that was made for these arrays' dimensions and lists.

    Raises:
        ArtefactError: An array is missing, or isn't what such an index consists of.
    """
    try:
        if kind == "flat":
            empty.add(_floats(arrays["vectors"], (None, empty.d)))
            return empty
        return _graph(faiss, empty, arrays) if kind == "hnsw" else _lists(faiss, empty, kind, arrays)
    except KeyError as error:
        raise ArtefactError(f"it has no array {error}") from None


def n_lists(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    """How many lists a file's index has; 1 for one without.

    Raises:
        ArtefactError: It has centroids, and they aren't vectors.
    """
    if "centroids" not in arrays:
        return 1
    centroids = checked_array(arrays, "centroids", (None, None))
    if not centroids.size:
        raise ArtefactError(f"its centroids have the shape {centroids.shape}")
    return len(centroids)


def checked_settings(settings: npt.NDArray[Any]) -> tuple[str, int, int, int]:
    """Kind, dimensions, effort (0: none was set) and links.

    Raises:
        ArtefactError: They are no settings, or out of range.
    """
    if settings.shape != (4,) or settings.dtype != np.int64:
        raise ArtefactError(f"its settings are {settings.dtype} of shape {settings.shape}")
    kind, dimensions, effort, links = settings.tolist()
    if not 0 <= kind < len(KINDS) or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise ArtefactError(f"its settings name kind {kind} and {dimensions} dimensions")
    if not 0 <= effort < 2**31 or not 2 <= links <= _MOST_LINKS:
        raise ArtefactError(f"its settings name an effort of {effort} and {links} links")
    return KINDS[kind], dimensions, effort, links


def _graph(faiss: Any, empty: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    vectors = _floats(arrays["vectors"], (None, empty.d))
    levels, offsets, neighbors = (arrays[name] for name in _GRAPH)
    room = faiss.vector_to_array(empty.hnsw.cum_nneighbor_per_level)
    n = len(vectors)
    if levels.shape != (n,) or levels.dtype != np.int32 or not n:
        raise ArtefactError(f"its levels are {levels.dtype} of shape {levels.shape} for {n} vectors")
    if levels.min() < 1 or levels.max() >= min(len(room), _MOST_LEVELS):
        raise ArtefactError(f"its levels go from {levels.min()} to {levels.max()}")
    expected = np.concatenate([[0], np.cumsum(room[levels].astype(np.int64))])
    if not np.array_equal(offsets, expected.astype(np.uint64)):
        raise ArtefactError("its offsets don't follow from its levels")
    if neighbors.shape != (expected[-1],) or neighbors.dtype != np.int32:
        raise ArtefactError(f"its links are {neighbors.dtype} of shape {neighbors.shape}, not {expected[-1]}")
    # a link on level l leads to a vector that is on level l as well
    within = np.arange(len(neighbors)) - np.repeat(expected[:-1], room[levels])
    on = np.searchsorted(room, within, side="right") - 1
    there = neighbors >= 0
    if neighbors.min(initial=-1) < -1 or neighbors.max(initial=-1) >= n:
        raise ArtefactError(f"its links lead outside its {n} vectors")
    if (levels[neighbors[there]] <= on[there]).any():
        raise ArtefactError("its links lead to vectors that aren't on their level")
    entry = checked_array(arrays, "entry", (1,), "i")
    if not 0 <= entry[0] < n or levels[entry[0]] != levels.max():
        raise ArtefactError("its search begins at no vector of the highest level")
    faiss.downcast_index(empty.storage).add(vectors)
    graph = empty.hnsw
    for name, values in zip(_GRAPH, (levels, offsets.astype(np.uint64), neighbors), strict=True):
        faiss.copy_array_to_vector(np.ascontiguousarray(values), getattr(graph, name))
    graph.entry_point, graph.max_level = int(entry[0]), int(levels.max()) - 1
    empty.ntotal = n
    return empty


def _lists(faiss: Any, empty: Any, kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    n_lists, width = empty.nlist, empty.code_size
    centroids = _floats(arrays["centroids"], (n_lists, empty.d))
    sizes, rows, codes = arrays["sizes"], arrays["rows"], arrays["codes"]
    if sizes.shape != (n_lists,) or sizes.dtype != np.int64 or (sizes < 0).any():
        raise ArtefactError(f"its lists' sizes are {sizes.dtype} of shape {sizes.shape}")
    n = len(rows)
    if rows.shape != (n,) or rows.dtype != np.int64 or sizes.max(initial=0) > n or sizes.sum() != n or not n:
        raise ArtefactError(f"its lists have {sizes.sum()} entries, and it has {n} rows")
    if not np.array_equal(np.sort(rows), np.arange(n)):
        raise ArtefactError(f"its rows aren't 0 to {n - 1}, each once")
    if codes.shape != (n, width) or codes.dtype != np.uint8:
        raise ArtefactError(f"its codes are {codes.dtype} of shape {codes.shape}, not {(n, width)}")
    _train(faiss, empty, kind, arrays)
    empty.quantizer.add(centroids)
    empty.is_trained = True
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for number in np.flatnonzero(sizes):
        part = slice(starts[number], starts[number + 1])
        ids, own = np.ascontiguousarray(rows[part]), np.ascontiguousarray(codes[part])
        empty.invlists.add_entries(int(number), len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(own))
    empty.ntotal = n
    return empty


def _trained(faiss: Any, index: Any, kind: str) -> Arrays:
    if kind == "sq":
        return {"trained": faiss.vector_to_array(index.sq.trained)}
    return {"trained": faiss.vector_to_array(index.pq.centroids)} if kind == "pq" else {}


def _train(faiss: Any, empty: Any, kind: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    if kind == "sq":
        faiss.copy_array_to_vector(_floats(arrays["trained"], (2 * empty.d,)), empty.sq.trained)
    elif kind == "pq":
        size = empty.pq.M * empty.pq.ksub * empty.pq.dsub
        faiss.copy_array_to_vector(_floats(arrays["trained"], (size,)), empty.pq.centroids)
    elif empty.code_size == 4 * empty.d:  # the codes are the vectors themselves
        _floats(np.ascontiguousarray(arrays["codes"]).view(np.float32), (None, empty.d))


def _vectors(faiss: Any, flat: Any) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d)
    return found.reshape(flat.ntotal, flat.d)


def _floats(values: npt.NDArray[Any], shape: tuple[int | None, ...]) -> npt.NDArray[np.float32]:
    fits = values.ndim == len(shape) and all(
        asked in (None, found) for asked, found in zip(shape, values.shape, strict=True)
    )
    if not fits or values.dtype != np.float32 or not len(values) or not np.isfinite(values).all():
        raise ArtefactError(f"it holds {values.dtype} of shape {values.shape} where finite {shape} belong")
    return np.ascontiguousarray(values)
