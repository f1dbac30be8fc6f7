"""Which of the caller's columns is which of ours."""

import difflib
import logging
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from rectransfer.columns import Columns
from rectransfer.errors import InputError

__all__ = ["OPTIONAL", "REQUIRED", "choose_columns", "require_mapping"]

logger = logging.getLogger(__name__)

REQUIRED: Final = (Columns.User, Columns.Item, Columns.Timestamp)
OPTIONAL: Final = (Columns.Weight, Columns.Session)

_OFTEN_CALLED: Final[dict[str, tuple[str, ...]]] = {
    Columns.User: ("user", "household", "customer", "visitor", "reviewer", "member", "account"),
    Columns.Item: ("item", "product", "movie", "article", "sku", "asin", "track", "listing"),
    Columns.Timestamp: ("timestamp", "time", "date", "datetime", "day", "week", "ts"),
}


def choose_columns(present: Sequence[str], columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """Which of the caller's columns becomes which of ours.

    Args:
        present: The names of the caller's columns.
        columns: The caller's name to ours, for instance `{"household_id": "user_id"}`. A column named
            here wins over another one that already carries the name.

    Returns:
        Our name to the caller's, in our order: user, item, timestamp, then weight and session if present.

    Raises:
        InputError: A column is missing or there twice, or `columns` names one that isn't there, or one of
            ours twice.

    Examples:
        >>> choose_columns(["household_id", "item_id", "timestamp"], {"household_id": "user_id"})
        {'user_id': 'household_id', 'item_id': 'item_id', 'timestamp': 'timestamp'}
    """
    renamed = _checked_mapping(present, columns or {})
    chosen = {
        ours: renamed.get(ours, ours)
        for ours in (*REQUIRED, *OPTIONAL)
        if ours in renamed or (ours in present and ours not in renamed.values())
    }
    missing = [ours for ours in REQUIRED if ours not in chosen]
    if missing:
        raise InputError(
            f"no column {_listed(missing)}; the columns are {_listed(present)}; "
            f"{_suggestion(missing, present)}"
        )
    if twice := [theirs for theirs in chosen.values() if list(present).count(theirs) > 1]:
        raise InputError(f"several columns are called {twice[0]!r}; keep one of them, or rename the others")
    if dropped := [name for name in present if name not in chosen.values()]:
        logger.debug("columns not used: %s", ", ".join(dropped))
    return chosen


def require_mapping(columns: object) -> None:
    """Check that `columns` maps names to names.

    Raises:
        InputError: It doesn't.
    """
    if not isinstance(columns, Mapping):
        raise InputError(
            f"columns is a {type(columns).__name__}; it maps your names to ours: "
            f"columns={{'household_id': {Columns.User!r}}}"
        )


def _checked_mapping(present: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    ours = (*REQUIRED, *OPTIONAL)
    require_mapping(columns)
    if (
        columns
        and all(key in ours for key in columns)
        and not any(value in ours for value in columns.values())
    ):
        raise InputError(
            f"columns maps your names to ours; turn it round: { ({v: k for k, v in columns.items()}) }"
        )
    if unknown := [value for value in columns.values() if value not in ours]:
        raise InputError(f"columns maps to {_listed(unknown)}; a log's columns are {_listed(ours)}")
    if absent := [key for key in columns if key not in present]:
        raise InputError(
            f"columns names {_listed(absent)}, which the data don't have; the columns are {_listed(present)}"
        )
    if len(set(columns.values())) < len(columns):
        raise InputError(f"columns maps two names to one of ours: {dict(columns)}; leave one of them out")
    return {value: key for key, value in columns.items()}


def _suggestion(missing: Sequence[str], present: Sequence[str]) -> str:
    guesses = {guess: ours for ours in missing if (guess := _guess(ours, present))}
    example = guesses or {"your_name": missing[0]}
    option = ",".join(f"{theirs}={ours}" for theirs, ours in example.items())
    return (
        f"name them where the log is read: read_log(..., columns={example}), and so spill_log, or on the "
        f"command line --columns {shlex.quote(option)}"
    )


def _guess(ours: str, present: Sequence[str]) -> str | None:
    free = [name for name in present if name not in (*REQUIRED, *OPTIONAL)]
    plain = {name.lower().replace("_", "").removesuffix("id"): name for name in free}
    for word in _OFTEN_CALLED[ours]:
        if word in plain:
            return plain[word]
    contained = [name for key, name in plain.items() if any(word in key for word in _OFTEN_CALLED[ours][:4])]
    close = difflib.get_close_matches(ours.removesuffix("_id"), plain, n=1, cutoff=0.7)
    return contained[0] if contained else plain[close[0]] if close else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"
