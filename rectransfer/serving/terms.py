"""What each signal is made of, so that it can be had for all items at once, or for a few of them fast.

Most signals are inner products of something about the user and something about the item; a few are a number
of the item or of the user alone; one counts how often items went together. A signal that this file doesn't
know is computed by its own function, on the few items that are left by then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import LEANING, RECENT, STEADY, Evidence, Examples
from rectransfer.scene import Scene
from rectransfer.serving.weights import Calls, calls_of

__all__ = ["Inner", "OfItem", "OfUser", "Term", "filled", "terms_of"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Inner:
    """An inner product of a user's vector and an item's.

    Attributes:
        users: Gives vectors `(u, d)` of examples.
        items: Shape `(n, d)`.
        known: Whether the item has a vector, shape `(n,)`; None where all have. Others get the user's
            average.
    """

    users: Callable[[Examples], Floats]
    items: Floats
    known: Mask | None = None


@dataclass(frozen=True, eq=False)
class OfItem:
    """A number of the item, shape `(n,)`."""

    values: Floats


@dataclass(frozen=True, eq=False)
class OfUser:
    """A number of the user; gives shape `(u,)`."""

    users: Callable[[Examples], Floats]


Term = Inner | OfItem | OfUser | Calls


def _affinity(half_life: float) -> Callable[[Evidence], Term]:
    def make(evidence: Evidence) -> Term:
        def users(examples: Examples) -> Floats:
            return np.asarray(examples.pooled(half_life) @ evidence.vectors, np.float32)

        return Inner(users, evidence.contexts, evidence.known)

    return make


def _neighbours(evidence: Evidence) -> Term | None:
    return None if evidence.weights is None else calls_of(evidence.weights)


_MADE_OF: Final[Mapping[str, Callable[[Evidence], Term | None]]] = MappingProxyType(
    {
        "affinity_recent": _affinity(RECENT),
        "affinity_steady": _affinity(STEADY),
        "neighbours": _neighbours,
        "popularity": lambda evidence: OfItem(evidence.popularity),
        "unknown": lambda evidence: OfItem((~evidence.known).astype(np.float32)),
    }
)


def terms_of(scene: Scene, names: tuple[str, ...]) -> dict[str, Term]:
    """What the signals are made of, by name; those that aren't known here are left out."""
    found: dict[str, Term | None] = {}
    for one in scene.evidence:
        for signal, make in _MADE_OF.items():
            if f"{one.name}.{signal}" in names:
                found[f"{one.name}.{signal}"] = make(one)
        if f"{one.name}.tower" in names and one.name in scene.towers:
            towers = scene.towers[one.name]
            found[f"{one.name}.tower"] = Inner(towers.encode_users, towers.encode_items(), one.known)
    if (profiles := scene.profiles) is not None:
        found["profile.affinity"] = Inner(lambda examples: profiles.of(examples)[0], profiles.contexts)
        if (leanings := profiles.leanings) is not None:
            found[LEANING] = Inner(lambda examples: leanings.of(examples.counts), leanings.lifts)
        found["profile.missing"] = OfUser(lambda examples: (~profiles.of(examples)[1]).astype(np.float32))
    return {name: term for name in names if (term := found.get(name)) is not None}


def filled(term: Inner, weight: Floats) -> Inner:
    """The same with the mean of the items in place of those that aren't known.

    Args:
        term: Over n items.
        weight: How much each item counts, shape `(n,)`.
    """
    if term.known is None or term.known.all():
        return term
    items = term.items.copy()
    counted = np.where(term.known, weight, 0)
    items[~term.known] = counted @ items / max(float(counted.sum()), 1e-9)
    return replace(term, items=items)
