"""Signals that are sums over the history, item by item."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from rectransfer.explain.formula import Doubles
from rectransfer.neighbours import ItemWeights, Neighbours, UserKernel
from rectransfer.ranking import LAST, RECENT, STEADY, Evidence, Examples, Towers, tower_slopes
from rectransfer.scene import Scene
from rectransfer.transitions import Transitions

__all__ = ["Entries", "Split", "sums"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_HALF_LIVES: Final = {"affinity_recent": RECENT, "affinity_steady": STEADY}
_FOLLOWS: Final = {"follows_last": LAST, "follows_recent": RECENT}
_NEIGHBOURS: Final = "neighbours"
_TOWER: Final = "tower"


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
        n = len(entries.users)
        wholes, weights = (_sums(part, entries.pair, n) for part in (terms, shares))
        return cls(terms, np.asarray(shares / weights[entries.pair]), wholes)


def sums(scene: Scene, names: tuple[str, ...], entries: Entries, candidates: Rows) -> dict[str, Split]:
    """The signals that are sums over the history, item by item.

    Args:
        scene: What the signals are made from.
        names: Signals; those that are no such sums are left out.
        entries: Pairs with their histories.
        candidates: The candidates of the entries' users, shape `(u, m)`: what a domain doesn't know gets
            what they have on average.
    """
    domains = {one.name: one for one in scene.evidence}
    found = {}
    for name in names:
        domain, _, signal = name.partition(".")
        if signal in _HALF_LIVES:
            found[name] = _affinity(domains[domain], _HALF_LIVES[signal], entries, candidates)
        elif signal == _TOWER:
            found[name] = _tower(domains[domain], scene.towers[domain], entries, candidates)
        elif signal == _NEIGHBOURS and (weights := domains[domain].weights) is not None:
            found[name] = _neighbours(weights, entries)
        elif signal in _FOLLOWS and (transitions := domains[domain].transitions) is not None:
            found[name] = _follows(transitions, _FOLLOWS[signal], entries)
    return found


def _sums(values: Doubles, of: Rows, n: int) -> Doubles:
    return np.bincount(of, values, minlength=n).astype(np.float64)


def _affinity(evidence: Evidence, half_life: float, entries: Entries, candidates: Rows) -> Split:
    pooled = entries.examples.pooled(half_life).data
    contexts = _laid_out(evidence, evidence.contexts, entries, candidates)
    terms = _terms(evidence.vectors, contexts, pooled, entries)
    return Split.of(entries, terms, pooled[entries.places].astype(np.float64))


def _tower(evidence: Evidence, towers: Towers, entries: Entries, candidates: Rows) -> Split:
    """What the history adds to the tower's score; the rest of it is the item's own bias and prior."""
    both = np.hstack([evidence.vectors, evidence.contexts])
    items = _laid_out(evidence, both, entries, candidates)
    slopes = tower_slopes(towers, entries.examples, entries.users, items)
    d = evidence.vectors.shape[1]
    terms, shares = np.zeros(len(entries.pair)), np.zeros(len(entries.pair))
    for half_life, slope in zip((RECENT, STEADY), (slopes[:, :d], slopes[:, d:]), strict=True):
        pooled = entries.examples.pooled(half_life).data
        terms += _terms(evidence.vectors, slope, pooled, entries)
        shares += pooled[entries.places]
    return Split.of(entries, terms, shares)


def _terms(vectors: Floats, towards: Floats, pooled: Floats, entries: Entries) -> Doubles:
    """Inner products of the histories' vectors with the pairs', by the history's weights; shape `(h,)`."""
    history = entries.examples.counts.indices
    terms = np.empty(len(entries.pair))
    for places, pairs, mine in entries.by_user():
        terms[mine] = ((towards[pairs] @ vectors[history[places]].T) * pooled[places]).ravel()
    return terms


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
    strengths = neighbours.strengths(entries.examples.counts).data.astype(np.float64)
    had, wanted = np.unique(entries.examples.counts.indices), np.unique(entries.items)
    between = _between(neighbours.solution, had, wanted) / neighbours.rarity[wanted]
    return Split.of(entries, _called_for(between, had, wanted, strengths, entries), strengths[entries.places])


def _follows(transitions: Transitions, half_life: float, entries: Entries) -> Split:
    """How much likelier items are than usual: an average over the history of what follows each item."""
    pooled = entries.examples.pooled(half_life).data.astype(np.float64)
    had, wanted = np.unique(entries.examples.counts.indices), np.unique(entries.items)
    lifts = transitions.lifts_between(had, wanted).astype(np.float64)
    return Split.of(entries, _called_for(lifts, had, wanted, pooled, entries), pooled[entries.places])


def _called_for(between: Doubles, had: Rows, wanted: Rows, weights: Doubles, entries: Entries) -> Doubles:
    """What items of the histories, `had`, say of those of the pairs, `wanted`, by their weights; `(h,)`."""
    row = np.searchsorted(had, entries.examples.counts.indices)
    column = np.searchsorted(wanted, entries.items)
    terms = np.empty(len(entries.pair))
    for places, pairs, mine in entries.by_user():
        terms[mine] = (between[row[places]][:, column[pairs]].T * weights[places]).ravel()
    return terms


def _between(solution: object, rows: Rows, columns: Rows) -> Doubles:
    """Item-item weights, shape `(len(rows), len(columns))`; an item says nothing about itself."""
    if isinstance(solution, ItemWeights):
        return np.asarray(csr_array(solution.weights[rows])[:, columns].toarray(), dtype=np.float64)
    assert isinstance(solution, UserKernel)  # noqa: S101 (there are two forms)
    taken = csc_array(solution.taken)
    middle = taken[:, columns].T @ solution.inverse
    found = np.asarray(taken[:, rows].T @ middle.T, dtype=np.float64) / (1 - solution.explained[columns])
    found[rows[:, None] == columns] = 0.0
    return found
