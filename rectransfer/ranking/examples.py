"""Examples to learn from: what a user had taken up to some visit, and what was new after it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.vocabulary import Vocabulary

__all__ = ["Examples", "entries"]

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Examples:
    """Histories with what came after them; flat arrays, sorted by owner.

    Attributes:
        users: The user's row in the histories, shape `(n,)`; a user may have several examples.
        n_items: How many items the rows count through.
        owner: Which example a history entry belongs to, shape `(h,)`.
        items: Its item, shape `(h,)`.
        ages: How many visits ago it was, at least 1, shape `(h,)`.
        label_owner: Which example a label belongs to, shape `(l,)`.
        labels: Items that were taken afterwards, and mostly not before, shape `(l,)`.
        who: The ids behind `users`, where they matter.
        own: Which entries of the histories are of the domain that is learned, shape `(h,)`; None for all.
    """

    users: Rows
    n_items: int
    owner: Rows
    items: Rows
    ages: Rows
    label_owner: Rows
    labels: Rows
    who: Vocabulary | None = None
    own: Mask | None = None

    @cached_property
    def lengths(self) -> npt.NDArray[np.float32]:
        """`log(1 + different items in the history)`, shape `(n,)`."""
        return np.asarray(np.log1p(np.diff(self.seen.indptr)), dtype=np.float32)

    @cached_property
    def seen(self) -> csr_array:
        """1 where an item is in the history, shape `(n, n_items)`."""
        return _ones(self.owner, self.items, (len(self), self.n_items))

    @cached_property
    def had(self) -> csr_array:
        """1 where an item is in the history, and was taken in the domain that is learned."""
        if self.own is None:
            return self.seen
        return _ones(self.owner[self.own], self.items[self.own], (len(self), self.n_items))

    @cached_property
    def counts(self) -> csr_array:
        """How often an item is in the history, shape `(n, n_items)`."""
        matrix = csr_array(
            (np.ones(len(self.items), np.float32), (self.owner, self.items)), shape=(len(self), self.n_items)
        )
        matrix.sum_duplicates()
        return matrix

    @cached_property
    def relevant(self) -> csr_array:
        """1 where an item is a label, shape `(n, n_items)`."""
        return _ones(self.label_owner, self.labels, (len(self), self.n_items))

    def pooled(self, half_life: float) -> csr_array:
        """Weights that average a history: an entry counts half as much every `half_life` visits.

        Repeats add up, damped by `log(1 + sum)`. Rows of users with a history sum to 1.
        """
        matrix = self.decayed(half_life)
        matrix.data = np.log1p(matrix.data)
        sums = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), np.finfo(np.float32).tiny)
        matrix.data /= np.repeat(sums, np.diff(matrix.indptr)).astype(np.float32)
        return matrix

    def decayed(self, half_life: float) -> csr_array:
        """What is in the history, shape `(n, n_items)`; it counts half as much every `half_life` visits."""
        weights = (0.5 ** ((self.ages - 1) / half_life)).astype(np.float32)
        matrix = csr_array((weights, (self.owner, self.items)), shape=(len(self), self.n_items))
        matrix.sum_duplicates()
        return matrix

    def without(self, items: Mask, rows: Mask) -> "Examples":
        """The same, but some examples' histories have lost some items.

        Args:
            items: Which items are lost, shape `(n_items,)`.
            rows: In which examples, shape `(n,)`.
        """
        kept = ~(items[self.items] & rows[self.owner])
        own = None if self.own is None else self.own[kept]
        return replace(self, owner=self.owner[kept], items=self.items[kept], ages=self.ages[kept], own=own)

    def take(self, rows: Rows) -> "Examples":
        """Some of the examples, in this order."""
        history, label = _ranges(self._entries_from, rows), _ranges(self._labels_from, rows)
        return Examples(
            users=self.users[rows],
            n_items=self.n_items,
            owner=np.repeat(np.arange(len(rows)), _lengths(self._entries_from, rows)),
            items=self.items[history],
            ages=self.ages[history],
            label_owner=np.repeat(np.arange(len(rows)), _lengths(self._labels_from, rows)),
            labels=self.labels[label],
            who=self.who,
            own=None if self.own is None else self.own[history],
        )

    @cached_property
    def _entries_from(self) -> Rows:
        """Where each example's history begins, and where the last one ends; shape `(n + 1,)`."""
        return np.searchsorted(self.owner, np.arange(len(self) + 1))

    @cached_property
    def _labels_from(self) -> Rows:
        """Likewise of the labels."""
        return np.searchsorted(self.label_owner, np.arange(len(self) + 1))

    def __len__(self) -> int:
        return len(self.users)


def entries(matrix: csr_array, rows: Rows, columns: Rows) -> npt.NDArray[np.float32]:
    """A matrix's values at some places, in the shape of `columns`; -1 reads the last one."""
    if not columns.size:
        return np.zeros(columns.shape, np.float32)
    return np.asarray(matrix[rows.ravel(), columns.ravel()], np.float32).reshape(columns.shape)


def _ones(rows: Rows, columns: Rows, shape: tuple[int, int]) -> csr_array:
    matrix = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _lengths(starts: Rows, rows: Rows) -> Rows:
    return np.asarray(starts[rows + 1] - starts[rows], dtype=np.int64)


def _ranges(starts: Rows, rows: Rows) -> Rows:
    """The flat places of some rows, one after another."""
    lengths = _lengths(starts, rows)
    ends = np.cumsum(lengths)
    shifts = np.repeat(starts[rows] - (ends - lengths), lengths)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) + shifts, dtype=np.int64)
