"""Signals and their groups in plain words."""

from typing import Final, Literal

from rectransfer.ranking import SIGNALS

__all__ = ["KINDS", "Kind", "in_words", "kind_of"]

Kind = Literal["source", "both", "own"]

KINDS: Final[dict[Kind, str]] = {
    "source": "carried over from the source",
    "both": "learned from the source and the new domain together",
    "own": "learned in the new domain alone",
}
"""Where a signal comes from."""

_FAMILIES: Final = {
    "taste": "Suits the user’s taste",
    "tower": "Suits the user, by the trained layers",
    "affinity_recent": "Goes with what the user took last",
    "affinity_steady": "Goes with what the user takes over the months",
    "neighbours": "Others took it along with the same items",
    "popularity": "How popular it is",
    "unknown": "Whether it was ever seen",
    "profile": "Suits what the user did in the source",
    "profile.affinity": "Suits what the user did in the source",
    "profile.leaning": "Taken by users with a like past in the source",
    "elsewhere.habit": "Taken elsewhere by the user before",
    "profile.missing": "Whether the source knows the user",
}
_PLACES: Final[dict[Kind, str]] = {
    "source": "in the source",
    "both": "in both domains together",
    "own": "in the new domain",
}


def kind_of(name: str) -> Kind:
    """Where a signal or a group of them comes from.

    Examples:
        >>> [kind_of(name) for name in ("source.taste", "profile.affinity", "joint.taste", "target.tower")]
        ['source', 'source', 'both', 'own']
    """
    domain = name.partition(".")[0]
    if domain == "joint":
        return "both"
    return "own" if domain == "target" else "source"


def in_words(name: str) -> str:
    """What a signal or a group of them says, and where it comes from.

    Examples:
        >>> in_words("target.popularity")
        'How popular it is, in the new domain'
        >>> in_words("source2.something_new")
        'something new, in source 2'
        >>> in_words("elsewhere.habit")
        'Taken elsewhere by the user before'
    """
    domain, _, signal = name.partition(".")
    if domain in ("profile", "elsewhere"):  # of the user, not of a domain's items
        return _FAMILIES.get(name, _FAMILIES["profile"])
    words = _FAMILIES.get(signal) or _docstring(signal) or (signal or name).replace("_", " ")
    number = domain.removeprefix("source") if domain.startswith("source") else ""
    return f"{words}, in source {number}" if number else f"{words}, {_PLACES[kind_of(name)]}"


def _docstring(signal: str) -> str:
    function = SIGNALS.get(signal)
    lines = (getattr(function, "__doc__", "") or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""
