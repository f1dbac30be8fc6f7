"""Item transitions: which items are taken on the visits right after others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.artefacts import checked_array, checked_csr
from rectransfer.errors import InputError

__all__ = ["Transitions", "count_transitions"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_REACH: Final = 12
"""Visits ahead that count. Where each click or rating is a visit of its own, a few are soon over."""

_DECAY: Final = 0.85
"""What a visit further ahead counts, relative to the one before."""

_DOUBT: Final = 50.0
"""Counts that an item needs before what it says of the next weighs as much as what is common anyway."""

_MOST_PAIRS: Final = 100_000_000
"""Pairs of items that are counted; of larger logs users are drawn."""


@dataclass(frozen=True, eq=False)
class Transitions:
    """How often one item was taken soon after another: a Markov chain over items.

    The estimate for a history is the average of its items' (Rendle et al. 2010, "Factorizing personalized
    Markov chains for next-basket recommendation", section 4.1, without the factors), and each row is
    smoothed towards what is common (Zhai and Lafferty 2001, "A study of smoothing methods for language
    models", section 3, Dirichlet priors).

    Attributes:
        counts: Shape `(n_items, n_items)`; in row `i` the largest counts of what came after `i`.
        totals: Sum of each whole row, shape `(n_items,)`.
        arrivals: Sum of each whole column, shape `(n_items,)`.
    """

    counts: csr_array
    totals: Floats
    arrivals: Floats

    @cached_property
    def common(self) -> Floats:
        """How likely each item is to come next, whatever was before; shape `(n_items,)`."""
        return np.asarray(self.arrivals / max(float(self.arrivals.sum()), 1e-9), dtype=np.float32)

    @cached_property
    def chain(self) -> tuple[csr_array, Floats]:
        """Rows as probabilities, and what each leaves to the common ones."""
        sizes = np.diff(self.counts.indptr)
        data = self.counts.data / np.repeat(self.totals + _DOUBT, sizes)
        parts = (data.astype(np.float32), self.counts.indices, self.counts.indptr)
        chain = csr_array(parts, shape=self.counts.shape)
        return chain, 1 - np.asarray(chain.sum(axis=1), dtype=np.float32).ravel()

    def chances(self, weights: csr_array) -> Floats:
        """How likely each item is to come next, shape `(u, n_items)`.

        Args:
            weights: Averages of histories, shape `(u, n_items)`; rows sum to 1, or to 0 for empty ones.
        """
        chain, left = self.chain
        missing = 1 - np.asarray(weights.sum(axis=1)).ravel()
        rest = np.asarray(weights @ left).ravel() + missing
        return np.asarray((weights @ chain).toarray() + rest[:, None] * self.common, dtype=np.float32)

    def lifts(self, weights: csr_array) -> Floats:
        """How much likelier each item is to come next than it is anyway, shape `(u, n_items)`.

        1 for items that never came after any. Linear in the weights, but for a constant.
        """
        found = self.chances(weights)
        there = np.broadcast_to(self.common > 0, found.shape)
        return np.divide(found, self.common, out=np.ones_like(found), where=there)

    def lifts_between(self, before: Rows, after: Rows) -> Floats:
        """What `lifts` says of some items after each of others, shape `(len(before), len(after))`."""
        chain, left = self.chain
        common = self.common[after]
        found = csr_array(chain[before])[:, after].toarray() + left[before, None] * common
        there = np.broadcast_to(common > 0, found.shape)
        return np.asarray(np.divide(found, common, out=np.ones_like(found), where=there), dtype=np.float32)

    def pruned(self, keep: int) -> "Transitions":
        """With the `keep` largest counts of each item; what the others said goes to what is common."""
        return replace(self, counts=_largest(self.counts, keep))

    def plus(self, other: "Transitions") -> "Transitions":
        """Both counts together."""
        return Transitions(
            csr_array(self.counts + other.counts),
            self.totals + other.totals,
            self.arrivals + other.arrivals,
        )

    def moved(self, rows: Rows) -> "Transitions":
        """The counts in the rows of another vocabulary.

        Args:
            rows: For each of its items the row here, -1 where there is none. What comes after an item is
                shared by those that have one row; what comes after them is the same of each.
        """
        known = np.flatnonzero(rows >= 0)
        places, shape = (known, rows[known]), (len(rows), len(self.totals))
        before = csr_array((np.ones(len(known), np.float32), places), shape)
        each = 1 / np.maximum(np.bincount(rows[known], minlength=len(self.totals)), 1)
        after = csr_array((each[rows[known]].astype(np.float32), places), shape)
        return Transitions(
            csr_array(before @ self.counts @ after.T), before @ self.totals, after @ self.arrivals
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that is needed to have it back."""
        parts = {name: getattr(self.counts, name) for name in ("data", "indices", "indptr")}
        return {"totals": self.totals, "arrivals": self.arrivals, **parts}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Transitions":
        """What `arrays` gave.

        Raises:
            ArtefactError: An array is missing, or they don't fit each other.
        """
        totals = checked_array(arrays, "totals", (None,))
        arrivals = checked_array(arrays, "arrivals", (len(totals),))
        return cls(checked_csr(arrays, (len(totals), len(totals))), totals, arrivals)


def count_transitions(
    users: Rows, steps: Rows, items: Rows, n_items: int, *, keep: int = 200, seed: int = 0
) -> Transitions:
    """Count what was taken on the twelve visits after each.

    A visit of many items counts less for each of them, and a visit further ahead less than the next one.

    Args:
        users: Whose interaction it is, ascending, shape `(n,)`.
        steps: On which of the user's visits, ascending within a user, shape `(n,)`.
        items: Item rows, shape `(n,)`.
        n_items: How many items the rows count through.
        keep: Counts kept of each item, the largest.
        seed: Draws the users, where there are too many pairs to count them all.

    Raises:
        InputError: A number to keep below 1.

    Examples:
        >>> tea, milk, jam = 0, 1, 2
        >>> found = count_transitions(
        ...     np.array([0, 0, 0]), np.array([0, 1, 2]), np.array([tea, milk, jam]), 3)
        >>> found.counts.toarray().round(2)
        array([[0.  , 1.  , 0.85],
               [0.  , 0.  , 1.  ],
               [0.  , 0.  , 0.  ]], dtype=float32)
    """
    if keep < 1:
        raise InputError(f"keep={keep}; expected at least 1")
    new = np.ones(len(users), np.bool_)
    new[1:] = (np.diff(users) != 0) | (np.diff(steps) != 0)
    visit = np.cumsum(new) - 1
    owner = users[new]
    taken = csr_array((np.ones(len(items), np.float32), (visit, items)), shape=(len(owner), n_items))
    taken.sum_duplicates()
    taken.data[:] = 1
    taken, owner = _drawn(taken, owner, seed)
    sizes = np.diff(taken.indptr)
    shared = taken.copy()
    shared.data /= np.repeat(np.sqrt(sizes), sizes).astype(np.float32)
    found = csr_array((n_items, n_items), dtype=np.float32)
    for ahead in range(1, _REACH + 1):
        first = np.flatnonzero(owner[:-ahead] == owner[ahead:])
        found = csr_array(found + shared[first].T @ taken[first + ahead] * np.float32(_DECAY ** (ahead - 1)))
    found.setdiag(0)  # an item says nothing about itself
    found.eliminate_zeros()
    totals, arrivals = (np.asarray(found.sum(axis=axis), dtype=np.float32).ravel() for axis in (1, 0))
    return Transitions(_largest(found, keep), totals, arrivals)


def _drawn(taken: csr_array, owner: Rows, seed: int) -> tuple[csr_array, Rows]:
    """As many users as have about the largest number of pairs that are counted."""
    sizes = np.diff(taken.indptr).astype(np.float64)
    pairs = np.zeros(len(sizes))
    for ahead in range(1, min(_REACH, len(sizes) - 1) + 1):
        pairs[:-ahead] += sizes[:-ahead] * sizes[ahead:] * (owner[:-ahead] == owner[ahead:])
    if pairs.sum() <= _MOST_PAIRS:
        return taken, owner
    each = np.bincount(owner, weights=pairs)
    order = np.random.default_rng(seed).permutation(len(each))
    chosen = order[np.cumsum(each[order]) <= _MOST_PAIRS]
    rows = np.flatnonzero(np.isin(owner, chosen))
    return csr_array(taken[rows]), owner[rows]


def _largest(counts: csr_array, keep: int) -> csr_array:
    """The largest values of each row; of equals those of lower columns."""
    sizes = np.diff(counts.indptr)
    if not len(sizes) or sizes.max() <= keep:
        return counts
    row = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((counts.indices, -counts.data, row))
    place = np.arange(len(order)) - np.repeat(counts.indptr[:-1], sizes)
    kept = np.sort(order[place < keep])
    return csr_array((counts.data[kept], (row[kept], counts.indices[kept])), shape=counts.shape)
