"""What a recommender is asked and what it answers: ids and histories in, rows of ids out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError, UnknownUserError
from rectransfer.logs import InteractionLog, read_log
from rectransfer.logs.normalise import to_polars
from rectransfer.ranking import Examples, Histories, uncut
from rectransfer.recommend.state import Part, State
from rectransfer.vocabulary import Vocabulary, as_ids

__all__ = [
    "Asked",
    "OnUnknownUsers",
    "asked",
    "frame_of",
    "history_of",
    "ids_of",
    "in_visits_of",
    "items_of",
    "joined",
]

OnUnknownUsers = Literal["popular", "skip", "raise"]

_ROW: Final = (Columns.User, Columns.Item, Columns.Timestamp)


@dataclass(frozen=True, eq=False)
class Asked:
    """Who is asked about, and what is known of them.

    Attributes:
        users: u of them.
        added: What was said of them besides what the model knows.
        examples: Their histories.
        known: Whose history or profile says anything, shape `(u,)`.
    """

    users: Vocabulary
    added: InteractionLog | None
    examples: Examples
    known: npt.NDArray[np.bool_]


def asked(
    state: State,
    users: Iterable[Any] | None,
    k: int,
    history: InteractionLog | pl.DataFrame | None,
    on_unknown_users: OnUnknownUsers,
) -> Asked:
    """Who is asked about, and what is known of them.

    Raises:
        UnknownUserError: Nothing is known of some, and that is to be an error.
        InputError: `k` below 1, another `on_unknown_users`, or ids of another type.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k={k!r}; expected a whole number from 1")
    if on_unknown_users not in get_args(OnUnknownUsers):
        raise InputError(f"on_unknown_users={on_unknown_users!r}; choose one of {get_args(OnUnknownUsers)}")
    added = None if history is None else history_of(history)
    wanted = _wanted(state, users, added)
    log = state.log if added is None else joined(state.log, added)
    examples = uncut(Histories.from_log(log, state.items, wanted), len(state.items))
    known = state.known(examples)
    if on_unknown_users == "raise" and not known.all():
        strange = wanted.take(np.flatnonzero(~known))
        raise UnknownUserError(
            f"{strange.len():,} of the users have no history here, for example {strange[0]!r}; pass "
            "history=, or choose on_unknown_users='popular' or 'skip'"
        )
    return Asked(wanted, added, examples, known)


def _wanted(state: State, users: Iterable[Any] | None, added: InteractionLog | None) -> Vocabulary:
    if users is None:
        return Vocabulary.from_ids(state.target[Columns.User]) if added is None else added.users
    ids = ids_of(users, "users")
    own = state.target[Columns.User].dtype
    if ids.len() and ids.dtype != own:
        raise InputError(
            f"users holds {ids.dtype} ids (for example {ids[0]!r}) and the model's are {own} "
            f"(for example {state.target[Columns.User][0]!r}); cast them"
        )
    return Vocabulary(ids.cast(own).unique(maintain_order=True))


def ids_of(values: Iterable[Any], name: str) -> pl.Series:
    """A list of ids as a series; a single id or a frame is refused."""
    return values.ids if isinstance(values, Vocabulary) else as_ids(values, name)


def items_of(values: Iterable[Any]) -> pl.Series:
    """The only ids that may be recommended; none at all are refused."""
    ids = ids_of(values, "items")
    if not ids.len():
        raise InputError("items is empty, so nothing could be recommended; None allows the whole catalogue")
    return ids


def history_of(given: InteractionLog | pl.DataFrame) -> InteractionLog | None:
    """A history as a log; None where it has no rows, whatever the types of its columns then are.

    Raises:
        InputError: A column is missing, or has values that a log cannot have.
    """
    if isinstance(given, InteractionLog):
        return given
    try:
        frame, chosen = to_polars(given)
    except InputError as error:
        raise InputError(f"history: {error}") from error
    names = {theirs: ours for ours, theirs in chosen.items()}
    return read_log(frame, columns=names, name="history") if frame.height else None


def joined(log: InteractionLog, added: InteractionLog) -> InteractionLog:
    """Two logs as one; rows of `added` that `log` has already (user, item and timestamp) count once.

    What was bought twice at one moment stays twice, as long as it stands in one of the two. What a visit is
    says `log`; see `in_visits_of`.

    Raises:
        InputError: A column has another type in each.
    """
    for column in _ROW:
        if log.frame[column].dtype != added.frame[column].dtype:
            raise InputError(
                f"history: {column} is {added.frame[column].dtype} and in the target's log "
                f"{log.frame[column].dtype}; cast it"
            )
    added = in_visits_of(log, added)
    names = [column for column in log.frame.columns if column in added.frame.columns]
    new = added.frame.join(log.frame, on=list(_ROW), how="anti", maintain_order="left")
    return InteractionLog.from_frame(pl.concat([log.frame.select(names), new.select(names)]))


def in_visits_of(log: InteractionLog, added: InteractionLog) -> InteractionLog:
    """Some rows with visits like those of a log: sessions if it has any, moments if it has none.

    Without sessions, or with ids of another type, they get sessions of their own: what a model has learned of
    visits holds for all users alike, whoever's rows are added.
    """
    if not log.has_sessions:
        return added.with_frame(added.frame.drop(Columns.Session)) if added.has_sessions else added
    kind = log.frame[Columns.Session].dtype
    if added.has_sessions and added.frame[Columns.Session].dtype == kind:
        return added
    visit = Columns.Session if added.has_sessions else Columns.Timestamp
    number = pl.col(visit).rank("dense").cast(pl.Int64)
    own = pl.format("added {}", number) if kind == pl.String else -number
    return added.with_frame(added.frame.with_columns(own.alias(Columns.Session)))


def frame_of(items: Vocabulary, users: Vocabulary, parts: Sequence[Part]) -> pl.DataFrame:
    """Rows of users and items as ids, in the order of the users that were asked for."""
    owner, item, score, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((rank, owner))
    return pl.DataFrame(
        [
            users.take(owner[order]).alias(Columns.User),
            items.take(item[order]).alias(Columns.Item),
            pl.Series(Columns.Score, score[order], dtype=pl.Float32),
            pl.Series(Columns.Rank, rank[order], dtype=pl.Int64),
        ]
    )
