"""Which items a history calls for: item-item weights over damped counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.artefacts import checked_array, checked_csr
from rectransfer.errors import InputError
from rectransfer.neighbours.weights import ItemWeights, UserKernel, item_weights

__all__ = ["LARGEST_GRAM", "Neighbours", "solve_neighbours"]

Floats = npt.NDArray[np.float32]

LARGEST_GRAM: Final = 5_000
"""Where users and items both exceed this, so many users are drawn: the solve is cubic in it."""

_LARGEST_PRUNED: Final = 50_000
"""Items up to which the largest weights of each are looked for among all pairs."""

_LONG: Final = 0.25
"""How far users with long histories are held back: their rows shrink by this power of their length."""

_DROPPED: Final = 0.4
"""Share of a history that is thought away at random while the weights are learned."""


class _Solution(Protocol):
    def scores(self, strengths: csr_array) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which items a history calls for, by how items were taken together.

    EASE over damped counts: the weights regress each item on all others (Steck 2019, "Embarrassingly shallow
    autoencoders for sparse data", section 3.1), but an item taken c times counts `sqrt(log(1 + c))`, users
    with long histories count less a row, and common items less a column.

    Attributes:
        l2: Ridge penalty.
        typical: Different items of a typical user: rows of this length are left as they are.
        rarity: What each column is multiplied with before solving, shape `(n_items,)`: under one penalty
            for all, the less an item counts, the more it is held back.
        solution: The weights, in one form or the other.
    """

    l2: float
    typical: float
    rarity: Floats
    solution: _Solution

    def scores(self, counts: csr_array) -> Floats:
        """What histories call for, shape `(u, n_items)`.

        Equal histories get equal scores, but for rounding where the solution is a `UserKernel`.

        Args:
            counts: How often each item was taken, shape `(u, n_items)`.
        """
        found: Floats = self.solution.scores(self.strengths(counts)) / self.rarity
        return found

    def strengths(self, counts: csr_array) -> csr_array:
        """What each item of a history counts; scores are linear in it. Shapes as in `scores`."""
        return _strengths(counts, self.typical, self.rarity)

    def pruned(self, keep: int = 200) -> "Neighbours | None":
        """With the `keep` largest weights of each item instead of the users they were learned from.

        None above 50,000 items.
        """
        if not isinstance(self.solution, UserKernel):
            return self
        if len(self.rarity) > _LARGEST_PRUNED:
            return None
        weights = item_weights(self.solution.taken, self.l2, keep)
        return Neighbours(self.l2, self.typical, self.rarity, weights)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that is needed to have it back."""
        found: dict[str, npt.NDArray[Any]] = {
            "scalars": np.array([self.l2, self.typical]),
            "rarity": self.rarity,
        }
        if isinstance(self.solution, UserKernel):
            found |= {"inverse": self.solution.inverse, "explained": self.solution.explained}
            matrix = self.solution.taken
        else:
            assert isinstance(self.solution, ItemWeights)  # noqa: S101 (there are two forms)
            matrix = self.solution.weights
        return found | {name: getattr(matrix, name) for name in ("data", "indices", "indptr")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Neighbours":
        """What `arrays` gave.

        Raises:
            ArtefactError: An array is missing, or they don't fit each other.
        """
        l2, typical = (float(value) for value in checked_array(arrays, "scalars", (2,)))
        rarity = checked_array(arrays, "rarity", (None,))
        if "inverse" not in arrays:
            matrix = checked_csr(arrays, (len(rarity), len(rarity)))
            return cls(l2, typical, rarity, ItemWeights(matrix, l2))
        matrix = checked_csr(arrays, (len(arrays["inverse"]), len(rarity)))
        inverse = checked_array(arrays, "inverse", (matrix.shape[0],) * 2)
        explained = checked_array(arrays, "explained", (len(rarity),))
        return cls(l2, typical, rarity, UserKernel(matrix, inverse, explained))

    def moved(self, rows: npt.NDArray[np.int64]) -> "Neighbours":
        """The weights in the rows of another vocabulary.

        Args:
            rows: For each of its items the row here, -1 where there is none.

        Raises:
            InputError: The weights aren't pruned.
        """
        if not isinstance(self.solution, ItemWeights):
            raise InputError("only pruned weights can be moved; call pruned() first")
        known = rows >= 0
        chosen = csr_array(
            (np.ones(known.sum(), np.float32), (np.flatnonzero(known), rows[known])),
            shape=(len(rows), len(self.rarity)),
        )
        rarity = np.ones(len(rows), np.float32)
        rarity[known] = self.rarity[rows[known]]
        weights = ItemWeights(csr_array(chosen @ self.solution.weights @ chosen.T), self.l2)
        return Neighbours(self.l2, self.typical, rarity, weights)


def solve_neighbours(counts: csr_array, l2: float, keep: int = 200, seed: int = 0) -> Neighbours:
    """Learn from counts which items call for which.

    Where there are more than 5,000 users and more than 5,000 items, 5,000 of the users are drawn.

    Args:
        counts: How often each user took each item, shape `(n_users, n_items)`.
        l2: Ridge penalty, above 0.
        keep: Weights kept of each item, where there are fewer items than users.
        seed: Draws the users.

    Raises:
        InputError: A penalty or a number to keep that isn't positive.

    Examples:
        >>> together = csr_array(np.array([[3, 1, 0], [1, 2, 0], [0, 0, 1]], dtype=np.float32))
        >>> found = solve_neighbours(together, l2=1.0)
        >>> found.scores(together[:1]).round(2)
        array([[0.36, 0.46, 0.  ]], dtype=float32)
    """
    if l2 <= 0 or keep < 1:
        raise InputError(f"l2={l2}, keep={keep}; both must be positive")
    if min(counts.shape) > LARGEST_GRAM:
        taking = np.flatnonzero(np.diff(counts.indptr))  # of a source on disk, a sample's users only
        n = min(LARGEST_GRAM, len(taking))
        drawn = np.random.default_rng(seed).choice(taking, n, replace=False)
        counts = csr_array(counts[np.sort(drawn)])
    lengths = np.diff(counts.indptr)
    typical = float(lengths[lengths > 0].mean()) if len(counts.data) else 1.0
    rarity = _rarity(_strengths(counts, typical, np.ones(counts.shape[1], np.float32)), l2)
    taken = _strengths(counts, typical, rarity)
    if counts.shape[0] < counts.shape[1]:
        return Neighbours(l2, typical, rarity, UserKernel.solve(taken, l2))
    return Neighbours(l2, typical, rarity, item_weights(taken, l2, keep))


def _rarity(plain: csr_array, l2: float) -> Floats:
    """What makes a ridge of `l2` for every column one of `l2 + p / (1 - p) * its sum of squares`."""
    squares = np.bincount(plain.indices, plain.data.astype(np.float64) ** 2, minlength=plain.shape[1])
    rarity: Floats = np.sqrt(l2 / (l2 + _DROPPED / (1 - _DROPPED) * squares)).astype(np.float32)
    return rarity


def _strengths(counts: csr_array, typical: float, rarity: Floats) -> csr_array:
    """Damped counts, long rows and common columns held back."""
    lengths = np.diff(counts.indptr)
    damped = np.sqrt(np.log1p(counts.data)) * rarity[counts.indices]
    damped *= np.repeat((np.maximum(lengths, 1) / typical) ** -_LONG, lengths)
    return csr_array((damped.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
