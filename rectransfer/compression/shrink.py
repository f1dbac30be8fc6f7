"""A model's parts, smaller."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.artefacts import rounded
from rectransfer.compression.settings import Compression
from rectransfer.errors import InputError
from rectransfer.neighbours import ItemWeights, Neighbours
from rectransfer.ranking import Evidence, Profiles, Ranker, Towers
from rectransfer.recommend import State, evidence_arrays, evidence_of
from rectransfer.tastes import Leanings

__all__ = ["largest_weights", "principal_basis", "projected_layers", "pruned_ranker", "shrunk"]

Floats = npt.NDArray[np.float32]


def shrunk(state: State, how: Compression) -> State:
    """What a recommender knows, with less of it.

    Everything is rounded already as it will be saved, so what is measured on it holds for the saved model.

    Args:
        state: Of a fitted recommender.
        how: What to take off.

    Raises:
        InputError: A tower has layers that can't be projected.
    """
    scene = state.scene
    evidence, towers = [], dict(scene.towers)
    for one in scene.evidence:
        basis = principal_basis(one.vectors, one.contexts, how.dimensions)
        smaller = _evidence(one, basis, how)
        evidence.append(smaller)
        if one.name in towers:
            layers = projected_layers(towers[one.name].layers(), basis)
            towers[one.name] = Towers.load(smaller, towers[one.name].config, layers)
    profiles = None if scene.profiles is None else _profiles(scene.profiles, how)
    return replace(
        state,
        scene=replace(
            scene, evidence=tuple(evidence), towers=towers, profiles=profiles, _indexes={}, _tower_vectors={}
        ),
        ranker=pruned_ranker(state.ranker, how.hidden, int8=how.ranker_int8),
        precision=how.precision,
    )


def principal_basis(vectors: Floats, contexts: Floats, share: float) -> Floats:
    """The directions that most of both tables lies in, shape `(d, max(1, round(share * d)))`.

    Both tables are scaled to equal size first, as only their products count.
    """
    d = vectors.shape[1]
    kept = max(1, round(share * d))
    if kept == d:
        return np.eye(d, dtype=np.float32)
    gram = sum(
        (table.T.astype(np.float64) @ table) / max(float(np.square(table, dtype=np.float64).sum()), 1e-12)
        for table in (vectors, contexts)
    )
    return np.asarray(np.linalg.eigh(gram)[1][:, ::-1][:, :kept], dtype=np.float32)


def _evidence(one: Evidence, basis: Floats, how: Compression) -> Evidence:
    weights = one.weights
    if weights is not None and how.neighbours is not None:
        weights = largest_weights(weights, how.neighbours)
    transitions = one.transitions
    if transitions is not None and how.neighbours is not None:
        transitions = transitions.pruned(how.neighbours)
    smaller = replace(
        one,
        vectors=_turned(one.vectors, basis),
        contexts=_turned(one.contexts, basis),
        weights=weights,
        transitions=transitions,
    )
    return evidence_of(one.name, rounded(evidence_arrays(smaller), how.precision), one.n_items)


def _profiles(profiles: Profiles, how: Compression) -> Profiles:
    basis = principal_basis(profiles.vectors, profiles.contexts, how.dimensions)
    both = {"vectors": _turned(profiles.vectors, basis), "contexts": _turned(profiles.contexts, basis)}
    few = rounded(both, how.precision)
    leanings = profiles.leanings
    if leanings is not None:
        leanings = Leanings.from_arrays(rounded(leanings.arrays(), how.precision))
    return Profiles(profiles.users, few["vectors"], few["contexts"], leanings)


def _turned(table: Floats, basis: Floats) -> Floats:
    whole = basis.shape[0] == basis.shape[1]
    return table if whole else np.ascontiguousarray(table @ basis)


def largest_weights(weights: Neighbours, keep: int) -> Neighbours:
    """Item-item weights with the `keep` largest of each item, where that is smaller.

    They stay as they are above 50,000 items.
    """
    found = weights.pruned(keep)
    if found is None or not isinstance(found.solution, ItemWeights):
        return weights
    matrix = found.solution.weights
    lengths = np.diff(matrix.indptr)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-np.abs(matrix.data), owner))
    place = np.arange(len(owner)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = np.sort(order[place < keep])
    pruned = csr_array((matrix.data[kept], (owner[kept], matrix.indices[kept])), shape=matrix.shape)
    smaller = replace(found, solution=ItemWeights(pruned, found.l2))
    return smaller if _bytes(smaller) < _bytes(weights) else weights


def _bytes(weights: Neighbours) -> int:
    return sum(array.nbytes for array in weights.arrays().values())


def projected_layers(layers: dict[str, Floats], basis: Floats) -> dict[str, Floats]:
    """A tower's layers over tables that were multiplied with `basis`: the same scores, but for what that cut.

    Raises:
        InputError: A layer takes the tables' vectors in a way that isn't known here.
    """
    d, kept = basis.shape
    if d == kept:
        return layers
    both = np.kron(np.eye(2, dtype=np.float32), basis)  # for W and C, or two averages, side by side
    found: dict[str, npt.NDArray[np.floating]] = {}
    for name, value in layers.items():
        part = name.partition(".")[2]
        if part == "mix":
            found[name] = both.T @ value @ basis
        elif part in ("item_bias.weight", "item_net.weight"):
            found[name] = value @ both
        elif part == "user_net.0.weight":
            found[name] = np.hstack([value[:, : 2 * d] @ both, value[:, 2 * d :]])
        elif part not in _WITHOUT_TABLES and {d, 2 * d, 2 * d + 1} & set(value.shape):
            raise InputError(f"the tower's layer {name!r} {value.shape} has no projection to {kept}")
        else:
            found[name] = value
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}


_WITHOUT_TABLES = ("item_net.bias", "user_net.0.bias", "user_net.3.weight", "user_net.3.bias")


def pruned_ranker(ranker: Ranker, share: float, *, int8: bool = False) -> Ranker:
    """A ranker with the hidden units that weigh most.

    What a unit says is bounded by its weight to the score, since its own value lies between -1 and 1; units
    of a small one, or that hardly depend on the signals, go.

    Args:
        ranker: Any.
        share: Of its hidden units.
        int8: Whether the weights that stay are rounded to one byte each, with a scale a unit.
    """
    arrays = ranker.arrays()
    if ranker.network is None:
        return ranker
    first, bias, last = (arrays[f"network.{name}"] for name in ("0.weight", "0.bias", "2.weight"))
    kept = max(1, round(share * ranker.hidden))
    matter = np.abs(last[0]) * np.linalg.norm(first, axis=1)
    units = np.sort(np.argsort(-matter, kind="stable")[:kept])
    if len(units) == ranker.hidden and not int8:
        return ranker
    first, last = first[units], last[:, units]
    if int8:
        first, last = _one_byte(first), _one_byte(last)
    arrays |= {"network.0.weight": first, "network.0.bias": bias[units], "network.2.weight": last}
    return Ranker(ranker.names, len(units)).load_arrays(arrays)


def _one_byte(matrix: Floats) -> Floats:
    return np.asarray(rounded({"vectors": matrix}, "int8")["vectors"], dtype=np.float32)
