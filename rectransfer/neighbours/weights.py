"""Item-item weights in two forms: the largest of each item, or all by way of the users they come from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.neighbours.inverse import inverse_of

__all__ = ["ItemWeights", "UserKernel", "item_weights"]

Floats = npt.NDArray[np.float32]

_BLOCK: Final = 1024
_VALUES_AT_ONCE: Final = 20_000_000


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
