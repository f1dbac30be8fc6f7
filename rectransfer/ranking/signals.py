"""Signals: named reasons to recommend an item to a user. Each is one small function.

A signal takes a domain's evidence and a batch of users with their candidates, and gives a number for each
pair, shape `(users, candidates)`. Its column is called `<domain>.<function>`, e.g. `source.affinity_recent`,
and its docstring's first line is what a report says about it. A new signal is a function in this file, and
its name in `SIGNALS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking.evidence import Evidence, Floats, Profiles
from rectransfer.ranking.examples import Examples

__all__ = [
    "LAST",
    "LEANING",
    "RARE",
    "RECENT",
    "SIGNALS",
    "STEADY",
    "Batch",
    "Signal",
    "fill_unknown",
    "profile_signals",
    "table_signals",
]

LEANING: Final = "profile.leaning"
"""The signal of what users with a like past take."""

LAST: Final = 0.7
"""Half-life, in visits, of a history's weight where hardly more than the last visit counts."""

RECENT: Final = 3.0
"""Half-life, in visits, of a history's weight where the last visits count."""

STEADY: Final = 20.0
"""Half-life, in visits, where long-standing habits count."""


RARE: Final = 0.1
"""What is added to how much likelier an item is before its log is taken."""

_FAINT: Final = 0.03
"""What is added to a score of the item-item weights before its log is taken: the size of a faint one."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some users and the candidates that each of them has.

    Attributes:
        examples: The users' histories, u of them.
        candidates: Item rows, shape `(u, m)`; -1 fills up the rows of users with fewer.
        weights: The histories averaged at each half-life, shape `(u, n_items)`.
    """

    examples: Examples
    candidates: npt.NDArray[np.int64]
    weights: Mapping[float, csr_array] = field(default_factory=dict)
    _gathered: dict[str, Floats] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, examples: Examples, candidates: npt.NDArray[np.int64]) -> "Batch":
        """A batch with the averages that the signals take."""
        return cls(examples, candidates, {half: examples.pooled(half) for half in (LAST, RECENT, STEADY)})

    def gather(self, key: str, matrix: Floats) -> Floats:
        """The matrix's rows of the candidates, shape `(u, m, d)`; kept under the key for the next signal."""
        if key not in self._gathered:
            self._gathered[key] = matrix[self.candidates]  # -1 reads the last row; the ranker masks it
        return self._gathered[key]


Signal = Callable[[Evidence, Batch], Floats]


def affinity_recent(evidence: Evidence, batch: Batch) -> Floats:
    """How well the item goes with what the user took on the last visits.

    `W·C` of the recency-weighted history: the log of how much likelier the item is next to it than by chance.
    """
    return _affinity(evidence, batch, RECENT)


def affinity_steady(evidence: Evidence, batch: Batch) -> Floats:
    """How well the item goes with what the user takes over the months."""
    return _affinity(evidence, batch, STEADY)


def neighbours(evidence: Evidence, batch: Batch) -> Floats:
    """How strongly the items of the history call for this one, by how they were bought together (log)."""
    if evidence.weights is None:
        return np.zeros(batch.candidates.shape, np.float32)
    scores = evidence.weights.scores(batch.examples.counts)
    # a regression of 0 and 1 gives something like a probability, and the ranker adds up logs
    return np.log(np.maximum(np.take_along_axis(scores, batch.candidates, axis=1), 0) + _FAINT)


def follows_last(evidence: Evidence, batch: Batch) -> Floats:
    """How much likelier the item is than usual right after what the user took last (log)."""
    return _follows(evidence, batch, LAST)


def follows_recent(evidence: Evidence, batch: Batch) -> Floats:
    """How much likelier the item is than usual soon after what the user took on the last visits (log)."""
    return _follows(evidence, batch, RECENT)


def popularity(evidence: Evidence, batch: Batch) -> Floats:
    """How many users took the item (log)."""
    return evidence.popularity[batch.candidates]


def unknown(evidence: Evidence, batch: Batch) -> Floats:
    """1 where this domain has never seen the item."""
    return (~evidence.known[batch.candidates]).astype(np.float32)


SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            affinity_recent,
            affinity_steady,
            neighbours,
            follows_last,
            follows_recent,
            popularity,
            unknown,
        )
    }
)
"""The signals that every domain's evidence gives, by name."""


def table_signals(evidence: Evidence, batch: Batch) -> dict[str, Floats]:
    """All signals of a domain, as columns called `<domain>.<signal>`."""
    return {f"{evidence.name}.{name}": signal(evidence, batch) for name, signal in SIGNALS.items()}


def profile_signals(profiles: Profiles, batch: Batch) -> dict[str, Floats]:
    """What the source knew about the user as a person: `profile.affinity`, `profile.missing`, maybe more.

    Affinity is the user's vector times the item's output vector: how well the item goes with what the user
    did in the source. A user whom the source doesn't know has none, and `profile.missing` is 1. Where
    leanings are known, `profile.leaning` is how much more of the users whose past in the source is like this
    one's take the item, relative to how many take it anyway.
    """
    vectors, known = profiles.of(batch.examples)
    affinity = np.einsum("ud,umd->um", vectors, batch.gather("profile.contexts", profiles.contexts))
    missing = np.broadcast_to(~known[:, None], batch.candidates.shape).astype(np.float32)
    found: dict[str, Floats] = {"profile.affinity": affinity, "profile.missing": missing}
    if (leanings := profiles.leanings) is not None:
        lifts = batch.gather("profile.lifts", leanings.lifts)
        found[LEANING] = np.einsum("uk,umk->um", leanings.of(batch.examples.counts), lifts)
    return found


def fill_unknown(evidence: Evidence, batch: Batch, values: Floats) -> Floats:
    """Give items that a domain has never seen what the user's other candidates have on average.

    A vector of zeros would say something else: 0 is a high affinity and a low similarity.
    """
    told = evidence.known[batch.candidates] & (batch.candidates >= 0)
    if told.all():
        return values
    sums = np.where(told, values, 0).sum(axis=1, keepdims=True)
    means = sums / np.maximum(told.sum(axis=1, keepdims=True), 1)
    return np.where(told, values, means).astype(np.float32)


def _affinity(evidence: Evidence, batch: Batch, half_life: float) -> Floats:
    query = np.asarray(batch.weights[half_life] @ evidence.vectors, dtype=np.float32)
    contexts = batch.gather(f"{evidence.name}.contexts", evidence.contexts)
    found: Floats = np.einsum("ud,umd->um", query, contexts)
    return fill_unknown(evidence, batch, found)


def _follows(evidence: Evidence, batch: Batch, half_life: float) -> Floats:
    if evidence.transitions is None:
        return np.zeros(batch.candidates.shape, np.float32)
    lifts = evidence.transitions.lifts(batch.weights[half_life])
    found: Floats = np.log(np.take_along_axis(lifts, batch.candidates, axis=1) + RARE)
    return found
