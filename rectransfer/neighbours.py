"""Item-item weights: which items a basket of others calls for, in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array

from rectransfer.artefacts import checked_array, checked_csr
from rectransfer.errors import InputError

__all__ = ["ItemWeights", "Neighbours", "UserKernel", "inverse_of", "item_weights", "solve_neighbours"]

Floats = npt.NDArray[np.float32]

_BLOCK: Final = 1024
_VALUES_AT_ONCE: Final = 20_000_000

LARGEST_GRAM: Final = 5_000
"""Where users and items both exceed this, so many users are drawn: the solve is cubic in it."""

_LARGEST_PRUNED: Final = 50_000
"""Items up to which the largest weights of each are looked for among all pairs."""

_LONG: Final = 0.25
"""How far users with long histories are held back: their rows shrink by this power of their length."""

_COMMON: Final = 0.15
"""How far common items are held back: their columns shrink by this power of their buyers."""


class _Solution(Protocol):
    def scores(self, strengths: csr_array) -> Floats: ...


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """For each item the strongest weights towards others.

    Attributes:
        weights: Shape `(n_items, n_items)`; row `i` holds what having `i` adds to the score of the others.
        l2: The ridge penalty they were solved with.
    """

    weights: csr_array
    l2: float

    def scores(self, strengths: csr_array) -> Floats:
        """What histories call for, shape `(u, n_items)`."""
        return np.asarray(csr_array(strengths @ self.weights).toarray(), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class UserKernel:
    """The same weights, all of them, written by way of the users they were learned from.

    With fewer users than items this is small, exact and quick to solve, and the weights are never formed.

    Attributes:
        taken: What the users took, shape `(n_users, n_items)`.
        inverse: `(X X' + l2)` inverted, shape `(n_users, n_users)`.
        explained: `diag(X' (X X' + l2)^-1 X)`, shape `(n_items,)`.
    """

    taken: csr_array
    inverse: Floats
    explained: Floats

    @classmethod
    def solve(cls, taken: csr_array, l2: float) -> "UserKernel":
        """Invert the users' Gram matrix."""
        x = csr_array(taken, dtype=np.float32)
        inverse = inverse_of((x @ x.T).toarray().astype(np.float64), l2).astype(np.float32)
        explained = np.zeros(x.shape[1])
        step = max(1, _VALUES_AT_ONCE // x.shape[1])
        for start in range(0, x.shape[0], step):
            part = x[start : start + step]
            explained += np.asarray(part.multiply(inverse[start : start + step] @ x).sum(axis=0)).ravel()
        return cls(x, inverse, explained.astype(np.float32))

    def scores(self, strengths: csr_array) -> Floats:
        """What histories call for, shape `(u, n_items)`."""
        rest = 1 - self.explained
        found: Floats = (((strengths @ self.taken.T).toarray() @ self.inverse) @ self.taken) / rest
        own = csr_array(strengths)  # an item says nothing about itself
        rows = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        found[rows, own.indices] -= own.data * (self.explained / rest)[own.indices]
        return found


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Which items a history calls for, by how items were taken together.

    EASE over damped counts: the weights regress each item on all others (Steck 2019, "Embarrassingly shallow
    autoencoders for sparse data", section 3.1), but an item taken c times counts `sqrt(log(1 + c))`, users
    with long histories count less a row, and common items less a column.

    Attributes:
        l2: Ridge penalty.
        typical: Different items of a typical user: rows of this length are left as they are.
        rarity: What each column is multiplied with before solving, shape `(n_items,)`.
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
        array([[0.5 , 0.64, 0.  ]], dtype=float32)
    """
    if l2 <= 0 or keep < 1:
        raise InputError(f"l2={l2}, keep={keep}; both must be positive")
    if min(counts.shape) > LARGEST_GRAM:
        taking = np.flatnonzero(
            np.diff(counts.indptr)
        )  # of a source on disk, only a sample's users are in it
        n = min(LARGEST_GRAM, len(taking))
        drawn = np.random.default_rng(seed).choice(taking, n, replace=False)
        counts = csr_array(counts[np.sort(drawn)])
    lengths = np.diff(counts.indptr)
    typical = float(lengths[lengths > 0].mean()) if len(counts.data) else 1.0
    buyers = np.bincount(counts.indices, minlength=counts.shape[1])
    common = buyers[buyers > 0].mean() if len(counts.data) else 1.0
    rarity = ((np.maximum(buyers, 1) / common) ** -_COMMON).astype(np.float32)
    taken = _strengths(counts, typical, rarity)
    if counts.shape[0] < counts.shape[1]:
        return Neighbours(l2, typical, rarity, UserKernel.solve(taken, l2))
    return Neighbours(l2, typical, rarity, item_weights(taken, l2, keep))


def _strengths(counts: csr_array, typical: float, rarity: Floats) -> csr_array:
    """Damped counts, long rows and common columns held back."""
    lengths = np.diff(counts.indptr)
    damped = np.sqrt(np.log1p(counts.data)) * rarity[counts.indices]
    damped *= np.repeat((np.maximum(lengths, 1) / typical) ** -_LONG, lengths)
    return csr_array((damped.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def inverse_of(gram: npt.NDArray[np.float64], l2: float) -> npt.NDArray[np.float64]:
    """The inverse of `gram + l2 I`, by Cholesky: positive definite, because `l2` is above 0.

    Args:
        gram: Inner products, shape `(n, n)`; its memory is used up.
        l2: Ridge penalty.

    Raises:
        InputError: The matrix is singular to rounding.
    """
    gram[np.diag_indices_from(gram)] += l2
    # LAPACK reads columns first; of a symmetric matrix the transpose is the same matrix without a copy.
    factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise InputError(f"nothing can be solved with l2={l2}: the matrix is singular to rounding; raise l2")
    lower: npt.NDArray[np.float64] = np.tril(inverse)
    del factor, inverse
    diagonal = lower.diagonal().copy()
    lower += lower.T
    lower[np.diag_indices_from(lower)] = diagonal
    return lower


def item_weights(interactions: csr_array, l2: float = 500.0, keep: int = 200) -> ItemWeights:
    """The item-item weights of EASE, the `keep` largest by size in each row.

    EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data", section 3.1) regresses each item
    on all others. With fewer users than items the same solution comes from the users' Gram matrix by
    Woodbury's identity, so a thin log costs seconds however large the catalogue is.

    Args:
        interactions: Binary, shape `(n_users, n_items)`.
        l2: Ridge penalty, above 0.
        keep: Weights kept a row.

    Raises:
        InputError: A penalty or a number to keep that isn't positive.

    Examples:
        >>> together = csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32))
        >>> found = item_weights(together, l2=1.0)
        >>> found.weights.toarray().round(2)[0]
        array([0.  , 0.67, 0.  ], dtype=float32)
    """
    if l2 <= 0 or keep < 1:
        raise InputError(f"l2={l2}, keep={keep}; both must be positive")
    n_users, n_items = interactions.shape
    x = csr_array(interactions, dtype=np.float64)
    if n_users < n_items:
        inverse = inverse_of((x @ x.T).toarray(), l2)
        left, sign = csr_array(x.T, dtype=np.float32), 1.0
        right = np.ascontiguousarray((left @ inverse.astype(np.float32)).T)
        diagonal = 1 - np.asarray(x.multiply(right).sum(axis=0)).ravel()
    else:
        inverse = inverse_of((x.T @ x).toarray(), l2)
        diagonal, right = inverse.diagonal().copy(), inverse.astype(np.float32)
        left, sign = csr_array((np.ones(n_items, np.float32), (np.arange(n_items),) * 2)), -1.0
    blocks = [
        _strongest(sign * (left[start : start + _BLOCK] @ right) / diagonal, start, keep)
        for start in range(0, n_items, _BLOCK)
    ]
    rows, columns, values = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return ItemWeights(csr_array((values, (rows, columns)), shape=(n_items, n_items)), l2)


def _strongest(
    block: npt.NDArray[np.floating], start: int, keep: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    own = np.arange(len(block))
    block[own, own + start] = 0.0  # an item says nothing about itself
    size = np.abs(block)
    keep = min(keep, block.shape[1])
    columns = np.argpartition(-size, keep - 1, axis=1)[:, :keep]
    values = np.take_along_axis(block, columns, axis=1)
    rows = np.broadcast_to(own[:, None] + start, columns.shape)
    strong = np.abs(values) > 1e-6
    return rows[strong], columns[strong].astype(np.int64), values[strong].astype(np.float32)
