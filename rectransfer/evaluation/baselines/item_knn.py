"""Neighbours of the items that a user took."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation.baselines.baseline import Scores, checked_history
from rectransfer.evaluation.matrix import binary

__all__ = ["ItemKnn", "fit_item_knns"]

Rows = npt.NDArray[np.int32]

# Similarities of a block of items with all others are there at once: 200 MB where every pair occurs.
_VALUES_A_BLOCK = 8_000_000


@dataclass
class ItemKnn:
    """Item-based nearest neighbours with the cosine of binary columns.

    Each item keeps its `k` most similar items among those that are ranked; a candidate's score is the sum of
    its similarities to the items of the history that keep it. Deshpande & Karypis 2004, "Item-Based Top-N
    Recommendation Algorithms", section 4.

    Attributes:
        k: Neighbours an item keeps.
        shrinkage: Added to the product of the norms, in users; it lowers similarities that rest on few users.

    Raises:
        InputError: `k` is below 1, or `shrinkage` is negative.

    Examples:
        >>> model = ItemKnn(k=1).fit(csr_array([[1, 1, 0], [1, 1, 1]]))
        >>> model.scores(csr_array([[1, 0, 0]]))
        array([[0., 1., 0.]], dtype=float32)
    """

    k: int = 100
    shrinkage: float = 0.0
    _similarities: csr_array | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.k < 1 or not self.shrinkage >= 0:
            raise InputError(f"ItemKnn needs k >= 1 and shrinkage >= 0, got {self.k} and {self.shrinkage}")

    @property
    def name(self) -> str:
        """`item_knn(k=100, shrinkage=0)`."""
        return f"item_knn(k={self.k}, shrinkage={self.shrinkage:g})"

    def fit(self, interactions: csr_array, n_ranked: int | None = None) -> Self:
        """Find the neighbours of every item, a block of items at a time."""
        self._similarities = _neighbours([self], interactions, n_ranked)[0]
        return self

    def scores(self, history: csr_array) -> Scores:
        """Sums of similarities, shape `(n, n_ranked)`."""
        similarities = self._similarities
        known = checked_history(history, None if similarities is None else similarities.shape[0], self.name)
        summed: Scores = (known @ similarities).toarray()
        return summed


def fit_item_knns(
    models: Sequence[ItemKnn], interactions: csr_array, n_ranked: int | None = None
) -> tuple[ItemKnn, ...]:
    """Fitted copies of several models, which share the counts, and the search where only their `k` differs.

    Args:
        models: Any settings; they stay as they are.
        interactions: Shape `(n_users, n_items)`.
        n_ranked: As in `Baseline.fit`.
    """
    copies = tuple(replace(model) for model in models)
    for model, similarities in zip(copies, _neighbours(models, interactions, n_ranked), strict=True):
        model._similarities = similarities
    return copies


class _Kept(NamedTuple):
    """Neighbours that some items keep: flat, the best of each item first."""

    counts: npt.NDArray[np.int64]
    neighbours: Rows
    values: Scores

    def best(self, k: int, n_ranked: int) -> csr_array:
        """The `k` best of each item, shape `(n_items, n_ranked)`."""
        ends = np.cumsum(self.counts)
        places = np.arange(len(self.values), dtype=np.int32) - np.repeat(ends - self.counts, self.counts)
        near = places < k
        offsets = np.concatenate([[0], np.cumsum(np.minimum(self.counts, k))])
        shape = (len(self.counts), n_ranked)
        return csr_array((self.values[near], self.neighbours[near], offsets), shape=shape)


def _neighbours(models: Sequence[ItemKnn], interactions: csr_array, n_ranked: int | None) -> list[csr_array]:
    """The similarities that each model keeps."""
    taken = binary(interactions)
    ranked = taken if n_ranked is None else taken[:, :n_ranked]
    users_of = csr_array(taken.T)
    norms = np.sqrt(np.diff(users_of.indptr))
    largest: dict[float, int] = {}
    for model in models:
        largest[model.shrinkage] = max(model.k, largest.get(model.shrinkage, 0))
    blocks: dict[float, list[_Kept]] = {shrinkage: [] for shrinkage in largest}
    step = max(1, _VALUES_A_BLOCK // max(1, ranked.shape[1]))
    for start in range(0, taken.shape[1], step):
        together = users_of[start : start + step] @ ranked
        for shrinkage, k in largest.items():
            blocks[shrinkage].append(_block(together, start, norms, shrinkage, k))
    kept = {
        shrinkage: _Kept(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        for shrinkage, parts in blocks.items()
    }
    return [kept[model.shrinkage].best(model.k, ranked.shape[1]) for model in models]


def _block(
    together: csr_array, start: int, norms: npt.NDArray[np.float64], shrinkage: float, k: int
) -> _Kept:
    """The `k` best neighbours of the items from `start` on, given how many users took both."""
    sizes = np.diff(together.indptr)
    items = np.repeat(np.arange(start, start + len(sizes)), sizes)
    scale = norms[items] * norms[together.indices] + shrinkage
    similar = (together.data / scale).astype(np.float32)
    similar[together.indices == items] = 0  # an item is no neighbour of its own
    columns = together.indices.astype(np.int32)
    offsets = together.indptr.tolist()
    rows = [_best(similar[first:last], columns[first:last], k) for first, last in pairwise(offsets)]
    return _Kept(
        np.array([len(values) for values, _ in rows]),
        np.concatenate([neighbours for _, neighbours in rows]),
        np.concatenate([values for values, _ in rows]),
    )


def _best(values: Scores, columns: Rows, k: int) -> tuple[Scores, Rows]:
    """The `k` highest values above 0, best first; of equal values the lower column comes first."""
    if len(values) > k:
        near = np.flatnonzero(values >= np.partition(values, len(values) - k)[len(values) - k])
        values, columns = values[near], columns[near]
    order = np.lexsort((columns, -values))[:k]
    values, columns = values[order], columns[order]
    return values[values > 0], columns[values > 0]
