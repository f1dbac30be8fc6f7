"""Item-item weights: which items a basket of others calls for, in closed form."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError

__all__ = ["ItemWeights", "item_weights"]

_BLOCK: Final = 1024

LARGEST_GRAM: Final = 12_000
"""The smaller of users and items may not exceed this: the solve is cubic in it."""


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """For each item the strongest weights towards others.

    Attributes:
        weights: Shape `(n_items, n_items)`; row `i` holds what having `i` adds to the score of the others.
        l2: The ridge penalty they were solved with.
    """

    weights: csr_array
    l2: float


def item_weights(interactions: csr_array, l2: float = 500.0, keep: int = 200) -> ItemWeights | None:
    """The item-item weights of EASE, the `keep` largest by size in each row.

    EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data", section 3.1) regresses each item
    on all others. With fewer users than items the same solution comes from the users' Gram matrix by
    Woodbury's identity, so a thin log costs seconds however large the catalogue is.

    Args:
        interactions: Binary, shape `(n_users, n_items)`.
        l2: Ridge penalty, above 0.
        keep: Weights kept a row.

    Returns:
        The weights, or None where both users and items exceed 12,000, as the solve would take too long.

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
    if min(n_users, n_items) > LARGEST_GRAM:
        return None
    x = csr_array(interactions, dtype=np.float64)
    if n_users < n_items:
        gram = (x @ x.T).toarray()
        gram[np.diag_indices_from(gram)] += l2
        inverse = np.linalg.inv(gram).astype(np.float32)
        left, sign = csr_array(x.T, dtype=np.float32), 1.0
        right = np.ascontiguousarray((left @ inverse).T)
        diagonal = 1 - np.asarray(x.multiply(right).sum(axis=0)).ravel()
    else:
        gram = (x.T @ x).toarray()
        gram[np.diag_indices_from(gram)] += l2
        inverse = np.linalg.inv(gram)
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
