"""Signals that are sums over the history, item by item."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.explain.formula import Doubles
from rectransfer.neighbours import ItemWeights, Neighbours, UserKernel
from rectransfer.ranking import LAST, RECENT, STEADY, Evidence, Examples, Towers, tower_slopes
from rectransfer.scene import Scene

__all__ = ["Entries", "Split", "sums"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_HALF_LIVES: Final = {"affinity_recent": RECENT, "affinity_steady": STEADY}
_FOLLOWS: Final = {"follows_last": LAST, "follows_recent": RECENT}
_NEIGHBOURS: Final = "neighbours"
_TOWER: Final = "tower"
_KEPT: Final = 2**24  # numbers of one domain


@dataclass(frozen=True, eq=False)
class Entries:
    """Pairs of a user and an item, and the different items of each pair's history; flat.

    Attributes:
        examples: The users.
        users: Rows of them, ascending, shape `(n,)`.
        items: Item rows, shape `(n,)`.
        pair: Which pair an entry belongs to, ascending, shape `(h,)`.
        places: Where it stands in `examples.counts`, shape `(h,)`.
    """

    examples: Examples
    users: Rows
    items: Rows
    pair: Rows
    places: Rows
    _pooled: dict[float, Floats] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, examples: Examples, users: Rows, items: Rows) -> "Entries":
        """Lay out the histories of some pairs."""
        starts = examples.counts.indptr.astype(np.int64)
        lengths = np.diff(starts)[users]
        pair = np.repeat(np.arange(len(users)), lengths)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return cls(examples, users, items, pair, np.repeat(starts[users], lengths) + within)

    @property
    def history(self) -> Rows:
        """The rows of the histories' items, shape `(h,)`."""
        return np.asarray(self.examples.counts.indices[self.places], dtype=np.int64)

    @property
    def counts(self) -> Rows:
        """How often each was taken, shape `(h,)`."""
        return np.asarray(self.examples.counts.data[self.places], dtype=np.int64)

    @cached_property
    def had(self) -> Rows:
        """The different items of all users' histories."""
        return np.unique(self.examples.counts.indices).astype(np.int64)

    @cached_property
    def wanted(self) -> Rows:
        """The different items of the pairs."""
        return np.unique(self.items)

    def pooled(self, half_life: float) -> Floats:
        """What each counts in the average over its history, shape `(h,)`."""
        if half_life not in self._pooled:
            self._pooled[half_life] = self.examples.pooled(half_life).data[self.places]
        return self._pooled[half_life]

    def sums(self, values: Doubles) -> Doubles:
        """Over each pair's entries: shape `(h,)` to `(n,)`."""
        found = np.zeros(len(self.users))
        if len(values):
            found[self.pair[self._firsts]] = np.add.reduceat(values, self._firsts)
        return found

    @cached_property
    def _firsts(self) -> Rows:
        return np.flatnonzero(np.diff(self.pair, prepend=-1))

    def by_user(self) -> Iterator[tuple[slice, slice, slice]]:
        """For each user in turn: places in `examples.counts`, pairs, and entries (pair by pair)."""
        starts = self.examples.counts.indptr
        firsts = np.flatnonzero(np.diff(self.users, prepend=-1))
        entry = 0
        for first, last in pairwise([*firsts, len(self.users)]):
            user = self.users[first]
            size = int(starts[user + 1] - starts[user]) * int(last - first)
            yield slice(starts[user], starts[user + 1]), slice(first, last), slice(entry, entry + size)
            entry += size


@dataclass(frozen=True, eq=False)
class Split:
    """A signal, or what its last transformation is given, as a sum over the history.

    Attributes:
        terms: What each item of the history adds, shape `(h,)`.
        shares: How much of the history each is, shape `(h,)`; a pair's sum to 1.
        wholes: The terms' sums, shape `(n,)`.
    """

    terms: Doubles
    shares: Doubles
    wholes: Doubles

    @classmethod
    def of(cls, entries: Entries, terms: Doubles, shares: Doubles) -> "Split":
        """Add up, and bring the shares to 1."""
        return cls(terms, np.asarray(shares / entries.sums(shares)[entries.pair]), entries.sums(terms))


def sums(scene: Scene, names: tuple[str, ...], entries: Entries, candidates: Rows) -> dict[str, Split]:
    """The signals that are sums over the history, item by item.

    Args:
        scene: What the signals are made from.
        names: Signals; those that are no such sums are left out.
        entries: Pairs with their histories.
        candidates: The candidates of the entries' users, shape `(u, m)`: what a domain doesn't know gets
            what they have on average.
    """
    domains = {one.name: _Domain(one, entries, candidates) for one in scene.evidence}
    found = {}
    for name in names:
        domain, _, signal = name.partition(".")
        if signal in _HALF_LIVES:
            found[name] = domains[domain].affinity(_HALF_LIVES[signal])
        elif signal == _TOWER:
            found[name] = domains[domain].tower(scene.towers[domain])
        elif signal == _NEIGHBOURS and (weights := domains[domain].evidence.weights) is not None:
            found[name] = _neighbours(weights, entries)
        elif signal in _FOLLOWS and domains[domain].evidence.transitions is not None:
            found[name] = domains[domain].follows(_FOLLOWS[signal])
    return found


@dataclass(frozen=True, eq=False)
class _Domain:
    """The signals of a domain; what several of them are made from is made once."""

    evidence: Evidence
    entries: Entries
    candidates: Rows

    def affinity(self, half_life: float) -> Split:
        pooled = self.entries.pooled(half_life)
        return Split.of(self.entries, self._products * pooled, pooled.astype(np.float64))

    def follows(self, half_life: float) -> Split:
        """How much likelier items are than usual: an average over the history of what follows each item."""
        pooled = self.entries.pooled(half_life).astype(np.float64)
        return Split.of(self.entries, self._lifts * pooled, pooled)

    def tower(self, towers: Towers) -> Split:
        """What the history adds to the tower's score; the rest of it is the item's own bias and prior."""
        vectors, entries = self.evidence.vectors, self.entries
        both = np.hstack([vectors, self.evidence.contexts])
        items = _laid_out(self.evidence, both, entries, self.candidates)
        slopes = tower_slopes(towers, entries.examples, entries.users, items)
        d = vectors.shape[1]
        terms, shares = np.zeros(len(entries.pair)), np.zeros(len(entries.pair))
        for half_life, slope in zip((RECENT, STEADY), (slopes[:, :d], slopes[:, d:]), strict=True):
            pooled = entries.pooled(half_life)
            terms += _products(vectors, slope, entries) * pooled
            shares += pooled
        return Split.of(entries, terms, shares)

    @cached_property
    def _products(self) -> Doubles:
        contexts = _laid_out(self.evidence, self.evidence.contexts, self.entries, self.candidates)
        return _products(self.evidence.vectors, contexts, self.entries)

    @cached_property
    def _lifts(self) -> Doubles:
        transitions, entries = self.evidence.transitions, self.entries
        assert transitions is not None  # noqa: S101 (only asked for where there are some)
        return _looked_up(transitions.lifts_between(entries.had, entries.wanted), entries)


def _products(vectors: Floats, towards: Floats, entries: Entries) -> Doubles:
    """Inner products of the histories' vectors with what the pairs have, `(n, d)`; shape `(h,)`."""
    history = entries.examples.counts.indices
    found = np.empty(len(entries.pair))
    for places, pairs, mine in entries.by_user():
        found[mine] = (towards[pairs] @ vectors[history[places]].T).ravel()
    return found


def _laid_out(evidence: Evidence, vectors: Floats, entries: Entries, candidates: Rows) -> Floats:
    """The items' vectors; of items unknown the mean of the user's other candidates."""
    found: Floats = vectors[entries.items]
    unknown = ~evidence.known[entries.items]
    for user in np.unique(entries.users[unknown]):
        mine = candidates[user][candidates[user] >= 0]
        mine = mine[evidence.known[mine]]
        mean = vectors[mine].mean(axis=0) if len(mine) else np.zeros(found.shape[1])
        found[unknown & (entries.users == user)] = mean
    return found


def _neighbours(neighbours: Neighbours, entries: Entries) -> Split:
    strengths = neighbours.strengths(entries.examples.counts).data.astype(np.float64)[entries.places]
    between = _between(neighbours.solution, entries.had, entries.wanted) / neighbours.rarity[entries.wanted]
    return Split.of(entries, _looked_up(between, entries) * strengths, strengths)


def _looked_up(between: npt.NDArray[np.floating], entries: Entries) -> Doubles:
    """What items of the histories say of those of the pairs, `(had, wanted)`, entry by entry: `(h,)`."""
    row = np.searchsorted(entries.had, entries.examples.counts.indices)[entries.places]
    column = np.searchsorted(entries.wanted, entries.items)[entries.pair]
    return np.asarray(between[row, column], dtype=np.float64)


def _between(solution: object, rows: Rows, columns: Rows) -> Doubles:
    """Item-item weights, shape `(len(rows), len(columns))`; an item says nothing about itself."""
    if isinstance(solution, ItemWeights):
        return np.asarray(csr_array(solution.weights[rows])[:, columns].toarray(), dtype=np.float64)
    assert isinstance(solution, UserKernel)  # noqa: S101 (there are two forms)
    middle, taken = _Turned.of(solution).middle(columns), _Turned.of(solution).by_item[rows]
    found = np.asarray(taken @ middle.T, dtype=np.float64) / (1 - solution.explained[columns])
    found[rows[:, None] == columns] = 0.0
    return found


@dataclass(frozen=True, eq=False)
class _Turned:
    """A user kernel from the items' side; recommended items come again and again.

    Attributes:
        by_item: What was taken, shape `(n_items, n_users)`.
        inverse: As the kernel's.
        kept: By item its row of their product, shape `(n_users,)`.
    """

    by_item: csr_array
    inverse: Floats
    kept: dict[int, Floats] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, solution: UserKernel) -> "_Turned":
        """Made once for each model."""
        if solution not in _TURNED:
            _TURNED[solution] = cls(csr_array(solution.taken.T), solution.inverse)
        return _TURNED[solution]

    def middle(self, items: Rows) -> Floats:
        """Rows of `by_item @ inverse`, shape `(len(items), n_users)`."""
        kept = self.kept if len(self.kept) * len(self.inverse) < _KEPT else {}
        new = np.array([item for item in items.tolist() if item not in kept], dtype=np.int64)
        found = dict(zip(new.tolist(), self.by_item[new] @ self.inverse, strict=True))
        kept.update(found)
        return np.array([kept[item] for item in items.tolist()]).reshape(len(items), len(self.inverse))


_TURNED: Final[WeakKeyDictionary[UserKernel, _Turned]] = WeakKeyDictionary()
