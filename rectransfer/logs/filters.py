"""Smaller logs from logs. Every filter returns a new log, and says so where nothing would be left."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any, Literal

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = [
    "between",
    "deduplicate",
    "drop_rare_items",
    "drop_rare_users",
    "k_core",
    "only_items",
    "only_users",
    "timestamp_like",
]


def between(
    log: InteractionLog, start: datetime | date | int | None = None, end: datetime | date | int | None = None
) -> InteractionLog:
    """The rows with `start <= timestamp < end`.

    Args:
        log: Any log.
        start: The first moment that counts, in the log's own unit; None for no limit.
        end: The first moment that doesn't count any more.

    Raises:
        InputError: Nothing is left, or a limit is of another kind than the log's timestamps.

    Examples:
        >>> log = InteractionLog.from_frame(
        ...     pl.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3], "timestamp": [10, 20, 30]})
        ... )
        >>> between(log, 10, 30).frame["item_id"].to_list()
        [1, 2]
    """
    keep = pl.lit(value=True)
    if start is not None:
        keep &= pl.col(Columns.Timestamp) >= timestamp_like(log, start)
    if end is not None:
        keep &= pl.col(Columns.Timestamp) < timestamp_like(log, end)
    return _kept(log, log.frame.filter(keep), f"has a timestamp with {start} <= timestamp < {end}")


def k_core(log: InteractionLog, users: int = 5, items: int = 5) -> InteractionLog:
    """The largest log in which each user has `users` different items and each item `items` different users.

    Repeats don't count: ten purchases of one item are one item. Dropping a user may make an item rare, and
    so on, so it goes round until nothing changes (for graphs: Seidman 1983, "Network structure and minimum
    degree", Social Networks 5).

    Args:
        log: Any log.
        users: The smallest number of different items of a user.
        items: The smallest number of different users of an item.

    Raises:
        InputError: Nothing is left, or a number is below 1.
    """
    for name, least in (("users", users), ("items", items)):
        if least < 1:
            raise InputError(f"{name} is at least 1, got {least}")
    pairs, before = log.frame.select(Columns.User, Columns.Item).unique(), -1
    while pairs.height != before:
        before = pairs.height
        pairs = pairs.filter(pl.len().over(Columns.User) >= users)
        pairs = pairs.filter(pl.len().over(Columns.Item) >= items)
    left = log.frame.join(pairs, on=[Columns.User, Columns.Item], how="semi", maintain_order="left")
    return _kept(log, left, f"is in the core of {users} items a user and {items} users an item; ask for less")


def drop_rare_items(log: InteractionLog, users: int) -> InteractionLog:
    """The rows of items that at least so many different users took. Once: it isn't a `k_core`.

    Args:
        log: Any log.
        users: The smallest number of different users of an item.

    Raises:
        InputError: Nothing is left.
    """
    common = pl.col(Columns.User).n_unique().over(Columns.Item) >= users
    return _kept(log, log.frame.filter(common), f"has an item with {users} users; ask for fewer")


def drop_rare_users(log: InteractionLog, items: int) -> InteractionLog:
    """The rows of users who took at least so many different items. Once: it isn't a `k_core`.

    Args:
        log: Any log.
        items: The smallest number of different items of a user.

    Raises:
        InputError: Nothing is left.
    """
    active = pl.col(Columns.Item).n_unique().over(Columns.User) >= items
    return _kept(log, log.frame.filter(active), f"has a user with {items} items; ask for fewer")


def only_users(log: InteractionLog, users: Vocabulary | pl.Series | Iterable[Any]) -> InteractionLog:
    """The rows of some users; ids that the log doesn't have are passed over.

    Args:
        log: Any log.
        users: Their ids, of the log's type.

    Raises:
        InputError: Nothing is left, or the ids are of another type than the log's.
    """
    return _only(log, Columns.User, users)


def only_items(log: InteractionLog, items: Vocabulary | pl.Series | Iterable[Any]) -> InteractionLog:
    """The rows of some items; ids that the log doesn't have are passed over.

    Args:
        log: Any log.
        items: Their ids, of the log's type.

    Raises:
        InputError: Nothing is left, or the ids are of another type than the log's.
    """
    return _only(log, Columns.Item, items)


def deduplicate(log: InteractionLog, keep: Literal["first", "last", "sum"] = "first") -> InteractionLog:
    """One row for each pair of user and item.

    Args:
        log: Any log.
        keep: Which row stays: the first, the last, or with "sum" the last one with the weights of all of them
            added up (a row counts 1 where the log has no weights).

    Raises:
        InputError: `keep` is something else.

    Examples:
        >>> log = InteractionLog.from_frame(
        ...     pl.DataFrame({"user_id": [1, 1, 1], "item_id": [7, 7, 8], "timestamp": [10, 20, 30]})
        ... )
        >>> deduplicate(log, keep="sum").frame.rows()
        [(1, 7, 20, 2.0), (1, 8, 30, 1.0)]
    """
    if keep not in ("first", "last", "sum"):
        raise InputError(f"keep is 'first', 'last' or 'sum', got {keep!r}")
    frame = log.frame
    if keep == "sum":
        weight = pl.col(Columns.Weight) if log.has_weight else pl.lit(1.0)
        total = weight.sum() if log.has_weight else pl.len().cast(pl.Float64)
        frame = frame.with_columns(total.over(Columns.User, Columns.Item).alias(Columns.Weight))
    kept = frame.unique(
        [Columns.User, Columns.Item], keep="first" if keep == "first" else "last", maintain_order=True
    )
    return log.with_frame(kept)


def timestamp_like(log: InteractionLog, when: datetime | date | int) -> datetime | int:
    """A moment as the log tells time: UTC without a zone, or an integer in the log's unit.

    Raises:
        InputError: The log has dates and the moment is a number, or the other way round.
    """
    kind = log.frame.schema[Columns.Timestamp]
    if isinstance(when, date) and kind.is_temporal():  # a datetime is a date, too
        moment = when if isinstance(when, datetime) else datetime.combine(when, time())
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if isinstance(when, int) and not isinstance(when, bool) and kind == pl.Int64:
        return when
    wanted = "an integer in the log's own unit" if kind == pl.Int64 else "a datetime or a date"
    raise InputError(f"{log.name}: its timestamps are {kind}, so a moment is {wanted}, got {when!r}")


def _only(log: InteractionLog, column: str, ids: Vocabulary | pl.Series | Iterable[Any]) -> InteractionLog:
    wanted = ids if isinstance(ids, Vocabulary) else Vocabulary.from_ids(ids)
    frame = log.frame.filter(pl.Series(wanted.rows(log.frame[column])) >= 0)
    return _kept(log, frame, f"has one of the {len(wanted):,} ids in {column!r}")


def _kept(log: InteractionLog, frame: pl.DataFrame, what: str) -> InteractionLog:
    if not frame.height:
        first, last = log.span
        raise InputError(
            f"{log.name}: nothing is left. None of its {len(log):,} rows ({log.n_users:,} users, "
            f"{log.n_items:,} items, from {first} to {last}) {what}"
        )
    return log.with_frame(frame)
