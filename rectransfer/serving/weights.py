"""Item-item weights as rows: what having an item adds to the score of others."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.neighbours import ItemWeights, Neighbours, UserKernel
from rectransfer.serving.kernels import FAINT, largest

__all__ = ["Calls", "calls_of"]

Floats = npt.NDArray[np.float32]

_MOST_WEIGHTS: Final = 4_000_000
"""Weights kept of a domain: 32 MB."""

_BLOCK: Final = 512


@dataclass(frozen=True, eq=False)
class Calls:
    """What the items of a history call for.

    Attributes:
        weights: Shape `(n, n)`: row `i` is what having `i` adds to the others.
        neighbours: How strongly an item of a history speaks.
    """

    weights: csr_array
    neighbours: Neighbours

    def strengths(self, counts: csr_array) -> Floats:
        """How strongly each entry of some histories speaks, in the order of `counts.data`.

        Args:
            counts: How often each item was taken, shape `(u, n)`.
        """
        asked = _Asked()
        replace(self.neighbours, solution=asked).scores(counts)
        return asked.strengths

    def signal(self, counts: csr_array, candidates: npt.NDArray[np.int64]) -> Floats:
        """The signal of candidates, shape `(u, m)`; for a few users, as it takes all items into account."""
        asked = csr_array((self.strengths(counts), counts.indices, counts.indptr), shape=counts.shape)
        sums = np.asarray((asked @ self.weights).toarray(), dtype=np.float32)
        return np.log(np.maximum(np.take_along_axis(sums, candidates, axis=1), 0) + np.float32(FAINT))


@dataclass(eq=False)
class _Asked:
    """Notes what it is asked."""

    strengths: Floats = field(default_factory=lambda: np.zeros(0, np.float32))

    def scores(self, strengths: csr_array) -> Floats:
        self.strengths = np.asarray(strengths.data, dtype=np.float32)
        return np.zeros((1, 1), np.float32)


def calls_of(neighbours: Neighbours, most: int = _MOST_WEIGHTS) -> Calls | None:
    """The weights of a domain as rows, the largest of each item; None for a form that isn't known here.

    Args:
        neighbours: As fitted.
        most: How many are kept in all.
    """
    n = len(neighbours.rarity)
    solution = neighbours.solution
    if isinstance(solution, ItemWeights):
        weights = csr_array(solution.weights, dtype=np.float32, copy=True)
        weights.data /= neighbours.rarity[weights.indices]
        return Calls(weights, neighbours)
    if not isinstance(solution, UserKernel):
        return None
    keep = min(n, max(100, most // n))
    divisor = (1 - solution.explained) * neighbours.rarity
    blocks = [_rows(solution, start, divisor, keep) for start in range(0, n, _BLOCK)]
    columns, values = (np.concatenate(part) for part in zip(*blocks, strict=True))
    offsets = np.arange(n + 1) * keep
    return Calls(csr_array((values.ravel(), columns.ravel(), offsets), shape=(n, n)), neighbours)


def _rows(kernel: UserKernel, start: int, divisor: Floats, keep: int) -> tuple[npt.NDArray[np.int32], Floats]:
    """The largest weights of some items, columns ascending."""
    left = csr_array(kernel.taken[:, start : start + _BLOCK].T)
    block = np.asarray((left @ kernel.inverse) @ kernel.taken, dtype=np.float32) / divisor
    own = np.arange(len(block))
    block[own, own + start] = 0.0  # an item says nothing about itself
    if keep == block.shape[1]:
        return np.broadcast_to(np.arange(keep, dtype=np.int32), block.shape), block
    columns = largest(np.ascontiguousarray(np.abs(block)), keep)
    return columns, np.take_along_axis(block, columns, axis=1)
