"""Tastes: the few directions in which a source's users differ, and what users of each take elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd

from rectransfer.artefacts import checked_array
from rectransfer.errors import InputError

__all__ = ["Leanings", "TasteSpace", "find_tastes", "learn_leanings"]

Floats = npt.NDArray[np.float32]

_ROUNDS: Final = 5
"""Power iterations of the decomposition."""

_DOUBT: Final = 20.0
"""Users who have to speak for a leaning before it weighs as much as the belief that there is none."""

_FAINTEST: Final = 0.01
"""What of a user has to lie along the axes, of 1, to be more than rounding."""

_RARE: Final = 0.01
"""Share of the users that is added to an item's own before others are compared with it."""


@dataclass(frozen=True, eq=False)
class TasteSpace:
    """Where users stand by what they took in a source.

    Attributes:
        rarity: What an item counts, shape `(n_items,)`: `log(users / users who took it)`, of users who took
            any; 0 for items that nobody took.
        axes: Shape `(n_items, k)`, orthonormal.
    """

    rarity: Floats
    axes: Floats

    def of(self, counts: csr_array) -> Floats:
        """Where users stand: unit vectors, shape `(u, k)`.

        Zeros for users without anything from the source, and for those whose items lie across all axes.

        Args:
            counts: How often each user took each item, shape `(u, n_items)`.
        """
        found = np.asarray(_weighed(counts, self.rarity) @ self.axes, dtype=np.float32)
        sizes = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(np.divide(found, sizes, out=np.zeros_like(found), where=sizes > _FAINTEST))


@dataclass(frozen=True, eq=False)
class Leanings:
    """What users of each taste take in another domain: a ridge regression on few numbers a user.

    An item-item regression needs many users who are in both domains. Where there are few, it pays to look
    only at the directions in which the source's users differ most (principal component regression; Hastie et
    al. 2009, "The elements of statistical learning", section 3.5.1).

    Attributes:
        space: Where users stand.
        centre: Where those stand who were learned from, on average, shape `(k,)`.
        common: The share of them who took each item, shape `(n_items,)`.
        calls: What is added to that share for each step along an axis, shape `(n_items, k)`.
    """

    space: TasteSpace
    centre: Floats
    common: Floats
    calls: Floats

    def of(self, counts: csr_array) -> Floats:
        """How users differ from those who were learned from, shape `(u, k)`; zeros where nothing is known."""
        found = self.space.of(counts)
        known = np.abs(found).max(axis=1, keepdims=True, initial=0) > 0
        return np.where(known, found - self.centre, np.float32(0))

    @cached_property
    def lifts(self) -> Floats:
        """`calls` relative to how common each item is, shape `(n_items, k)`; linear in `of`."""
        return np.asarray(self.calls / (self.common + _RARE)[:, None], dtype=np.float32)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that is needed to have it back."""
        return {
            "rarity": self.space.rarity,
            "axes": self.space.axes,
            "centre": self.centre,
            "common": self.common,
            "calls": self.calls,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Leanings":
        """What `arrays` gave.

        Raises:
            ArtefactError: An array is missing, or they don't fit each other.
        """
        rarity = checked_array(arrays, "rarity", (None,))
        axes = checked_array(arrays, "axes", (len(rarity), None))
        centre = checked_array(arrays, "centre", (axes.shape[1],))
        common = checked_array(arrays, "common", (len(rarity),))
        return cls(TasteSpace(rarity, axes), centre, common, checked_array(arrays, "calls", axes.shape))


def find_tastes(counts: csr_array, k: int = 16, seed: int = 0) -> TasteSpace:
    """Find the directions in which users differ most: a truncated singular value decomposition.

    Counts are damped, rare items count more, and every user counts alike (Deerwester et al. 1990, "Indexing
    by latent semantic analysis"; the decomposition is that of Halko et al. 2011, "Finding structure with
    randomness", algorithm 4.4).

    Args:
        counts: How often each user took each item, shape `(n_users, n_items)`.
        k: How many directions; of smaller logs fewer.
        seed: Where the decomposition starts.

    Raises:
        InputError: `k` below 1, or no counts.

    Examples:
        >>> tea, jam, nails, screws = np.eye(4, dtype=np.float32)
        >>> taken = csr_array(np.array([tea + jam, tea, nails + screws, screws]))
        >>> found = find_tastes(taken, k=2).of(csr_array(np.array([jam, nails])))
        >>> abs(float(found[0] @ found[1])) < 1e-5
        True
    """
    if k < 1 or not counts.nnz:
        raise InputError(f"k={k} and {counts.nnz} counts; expected at least one of each")
    buyers = np.bincount(counts.indices, minlength=counts.shape[1])
    taking = np.count_nonzero(np.diff(counts.indptr))  # of a source on disk, only a sample's users are in it
    rarity = np.log(taking / np.maximum(buyers, 1)).astype(np.float32)
    rarity[buyers == 0] = 0
    rows = _weighed(counts, rarity)
    k = min(k, *rows.shape)
    _, _, axes = randomized_svd(rows, n_components=k, n_iter=_ROUNDS, random_state=seed)
    return TasteSpace(rarity, np.ascontiguousarray(axes.T, dtype=np.float32))


def learn_leanings(space: TasteSpace, past: csr_array, taken: csr_array) -> Leanings:
    """Learn what users of each taste take.

    Args:
        space: Where users stand.
        past: What they took in the source, shape `(n_users, n_items)`; those without anything teach nothing.
        taken: What they took in the other domain, same shape.
    """
    stand = space.of(past).astype(np.float64)
    known = np.flatnonzero(np.abs(stand).max(axis=1, initial=0) > 0)
    n, k, stand = max(len(known), 1), stand.shape[1], stand[known]
    y = csr_array(taken[known] > 0, dtype=np.float64)
    centre = stand.sum(axis=0) / n
    apart = stand - centre
    # the shares of `common` drop out of the right side: what is apart sums to nothing
    calls = np.linalg.solve(apart.T @ apart + _DOUBT * np.eye(k), np.asarray(y.T @ apart).T).T
    common = np.asarray(y.sum(axis=0)).ravel() / n
    found = (centre, common, np.ascontiguousarray(calls))
    return Leanings(space, *(array.astype(np.float32) for array in found))


def _weighed(counts: csr_array, rarity: Floats) -> csr_array:
    """Damped counts times rarity, rows of length 1."""
    data = np.sqrt(np.log1p(counts.data)) * rarity[counts.indices]
    lengths = np.diff(counts.indptr)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    sizes = np.sqrt(np.bincount(owner, weights=data.astype(np.float64) ** 2, minlength=len(lengths)))
    data = np.divide(data, sizes[owner], out=np.zeros_like(data, dtype=np.float64), where=sizes[owner] > 0)
    return csr_array((data.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
