"""Who plays: signals, or named groups of them where there are too many for all coalitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError

__all__ = ["LARGEST", "Players", "domain_of"]

LARGEST: Final = 14
"""Players at most: their coalitions double with each."""

_READABLE: Final = 10
"""Signals up to which each plays for itself: beyond that nobody reads them, and time doubles with each."""

_FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "affinity_recent": "taste",
        "affinity_steady": "taste",
        "tower": "taste",
        "popularity": "popularity",
        "unknown": "popularity",
    }
)
_PERSON: Final = "profile"


@dataclass(frozen=True)
class Players:
    """Groups of signals; each signal is in one of them.

    Attributes:
        names: What the groups are called, g of them.
        signals: All signals, s of them.
        groups: For each signal the number of its group, shape `(s,)`.

    Examples:
        >>> names = [f"{d}.{s}" for d in ("source", "target") for s in (
        ...     "affinity_recent", "affinity_steady", "neighbours", "popularity", "unknown", "tower")]
        >>> Players.of(names).names
        ('source.taste', 'source.neighbours', 'source.popularity', 'target.taste', ...)
        >>> Players.of(["target.popularity", "target.tower"]).names
        ('target.popularity', 'target.tower')
    """

    names: tuple[str, ...]
    signals: tuple[str, ...]
    groups: tuple[int, ...]

    @classmethod
    def of(cls, signals: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None) -> "Players":
        """Players for some signals.

        Up to ten signals play for themselves. More are grouped by domain and by what they look at: `taste`
        (affinities and tower), `neighbours`, `popularity` (with `unknown`), and any other signal by itself;
        if those are too many, by domain alone. What a user brings as a person is one group, `profile`.

        Args:
            signals: Their names.
            groups: Names of groups with the signals in each, where others are wanted.

        Raises:
            InputError: Groups that leave a signal out, name one twice or one that doesn't exist; or more
                than 14 players.
        """
        if groups is not None:
            chosen = _checked(signals, groups)
        elif len(signals) <= _READABLE:
            chosen = list(signals)
        else:
            chosen = [_family(name) for name in signals]
            if len(set(chosen)) > LARGEST:
                chosen = [domain_of(name) for name in signals]
        names = tuple(dict.fromkeys(chosen))
        if len(names) > LARGEST:
            raise InputError(
                f"{len(names)} players have {2 ** len(names):,} coalitions, too many; join signals to at "
                f"most {LARGEST} groups: groups={{'taste': ['source.tower', ...], ...}}"
            )
        return cls(names, tuple(signals), tuple(names.index(name) for name in chosen))

    @cached_property
    def columns(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The signals' places in each group."""
        return tuple(np.flatnonzero(np.array(self.groups) == group) for group in range(len(self.names)))

    def __len__(self) -> int:
        return len(self.names)


def domain_of(signal: str) -> str:
    """The domain that a signal or a group comes from: `"source"` for `"source.popularity"`."""
    return signal.partition(".")[0]


def _family(signal: str) -> str:
    domain, _, rest = signal.partition(".")
    return domain if domain == _PERSON or not rest else f"{domain}.{_FAMILIES.get(rest, rest)}"


def _checked(signals: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    named = [signal for members in groups.values() for signal in members]
    if strangers := [name for name in named if name not in signals]:
        raise InputError(f"groups name {strangers[0]!r}, which is no signal; there are {', '.join(signals)}")
    if twice := [name for name in named if named.count(name) > 1]:
        raise InputError(f"groups name {twice[0]!r} twice; a signal is in one group")
    if missing := [name for name in signals if name not in named]:
        raise InputError(f"groups leave out {', '.join(missing)}; each signal belongs to one")
    return [next(name for name, members in groups.items() if signal in members) for signal in signals]
