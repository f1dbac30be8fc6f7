"""Histories as serving takes them: merged once, in compiled code."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import LAST, RECENT, STEADY, Examples, Histories
from rectransfer.ranking.cuts import LONGEST_HISTORY
from rectransfer.serving.kernels import merge

__all__ = ["Prepared", "prepare"]

_HALF_LIVES: Final = (LAST, RECENT, STEADY)

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared(Examples):
    """Examples whose counts and averages are there already.

    Attributes:
        offsets: Where each history's entries begin in `items` as given, shape `(n + 1,)`.
        starts: Where each history's different items begin, shape `(n + 1,)`.
        rows: The different items, ascending within a history, shape `(d,)`.
        times: How often each was taken, shape `(d,)`.
        weights: Of each item at each half-life, shape `(3, d)`.
    """

    offsets: Rows = None  # type: ignore[assignment]  # what it extends ends with a default
    starts: Rows = None  # type: ignore[assignment]
    rows: npt.NDArray[np.int32] = None  # type: ignore[assignment]
    times: Floats = None  # type: ignore[assignment]
    weights: Floats = None  # type: ignore[assignment]

    @cached_property
    def lengths(self) -> Floats:
        """`log(1 + different items in the history)`, shape `(n,)`."""
        return np.log1p(np.diff(self.starts)).astype(np.float32)

    @cached_property
    def counts(self) -> csr_array:
        """How often an item is in the history, shape `(n, n_items)`."""
        return self._matrix(self.times)

    @cached_property
    def seen(self) -> csr_array:
        """1 where an item is in the history, shape `(n, n_items)`."""
        return self._matrix(np.ones(len(self.rows), np.float32))

    def pooled(self, half_life: float) -> csr_array:
        """Weights that average a history; see `Examples.pooled`."""
        if half_life not in _HALF_LIVES:
            return super().pooled(half_life)
        return self._matrix(self.weights[_HALF_LIVES.index(half_life)])

    def between(self, start: int, stop: int) -> "Prepared":
        """The examples from one place up to another."""
        flat = slice(self.offsets[start], self.offsets[stop])
        merged = slice(self.starts[start], self.starts[stop])
        return replace(
            self,
            users=self.users[start:stop],
            owner=self.owner[flat] - start,
            items=self.items[flat],
            ages=self.ages[flat],
            offsets=self.offsets[start : stop + 1] - self.offsets[start],
            starts=self.starts[start : stop + 1] - self.starts[start],
            rows=self.rows[merged],
            times=self.times[merged],
            weights=np.ascontiguousarray(self.weights[:, merged]),
        )

    def _matrix(self, values: Floats) -> csr_array:
        found = csr_array((values, self.rows, self.starts.astype(np.int32)), shape=(len(self), self.n_items))
        found.has_canonical_format = True  # sorted, each item once
        return found


def prepare(histories: Histories, n_items: int, *, longest: int = LONGEST_HISTORY) -> Prepared:
    """Everybody's whole history, without labels: what `uncut` gives, faster.

    Args:
        histories: n of them.
        n_items: How many items the rows count through.
        longest: Latest interactions of each.

    Examples:
        >>> from rectransfer.vocabulary import Vocabulary
        >>> one = Histories(Vocabulary.from_ids(["u"]), *np.array([[0, 3], [0, 3]]), np.array([0, 1, 2]))
        >>> two = replace(one, items=np.array([4, 2, 4]), offsets=np.array([0, 3]))
        >>> prepare(two, n_items=9).counts.toarray()
        array([[0., 0., 1., 0., 2., 0., 0., 0., 0.]], dtype=float32)
    """
    lengths = histories.lengths
    kept = np.minimum(lengths, longest)
    offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    owner = np.repeat(np.arange(len(histories)), kept)
    flat = np.arange(offsets[-1]) + np.repeat(histories.offsets[1:] - offsets[1:], kept)
    last = np.zeros(len(histories), np.int64)
    there = lengths > 0
    last[there] = histories.steps[histories.offsets[1:][there] - 1]
    items, ages = histories.items[flat], last[owner] + 1 - histories.steps[flat]
    starts, rows, times, weights = merge(offsets, items, ages, np.array(_HALF_LIVES, np.float32))
    none = np.zeros(0, np.int64)
    return Prepared(
        users=np.arange(len(histories)),
        n_items=n_items,
        owner=owner,
        items=items,
        ages=ages,
        label_owner=none,
        labels=none,
        who=histories.users,
        offsets=offsets,
        starts=starts,
        rows=rows,
        times=times,
        weights=weights,
    )
