"""Users, or their histories, read from Parquet part by part."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import as_ids, first_rows

__all__ = ["PART_ROWS", "PART_USERS", "Part", "Source", "open_source"]

PART_USERS: Final = 5_000
"""Users of a part."""

PART_ROWS: Final = 250_000
"""Rows of histories after which a part ends with its user, whatever its users."""

_AT_ONCE: Final = 2_000_000
_FOOTER: Final = 65_536
_HISTORY: Final = (Columns.Item, Columns.Timestamp)
_KEPT: Final = (Columns.User, Columns.Item, Columns.Timestamp, Columns.Weight, Columns.Session)


@dataclass(frozen=True)
class Part:
    """A run of rows.

    Attributes:
        number: From 0.
        start: Its first row.
        stop: The row after its last.
    """

    number: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Source:
    """What is scored, in parts that end where a user ends.

    Attributes:
        name: For messages.
        frame: Columns by our names.
        parts: In order.
        digest: Says whether it is the same as before.
        histories: Whether there are items and times beside the users.
        n_users: How many in all.
    """

    name: str
    frame: pl.LazyFrame = field(repr=False)
    parts: tuple[Part, ...] = field(repr=False)
    digest: str
    histories: bool
    n_users: int

    def read(self, part: Part) -> pl.DataFrame:
        """A part's rows.

        Raises:
            InputError: The file cannot be read there, or a row has no user, item or time.
        """
        try:
            frame = self.frame.slice(part.start, part.stop - part.start).collect()
        except (polars.exceptions.PolarsError, OSError) as error:
            raise InputError(
                f"{self.name}: rows {part.start:,} to {part.stop - 1:,} cannot be read ({_line(error)}); "
                "restore the file from a copy"
            ) from error
        for column in (Columns.User, *_HISTORY) if self.histories else (Columns.User,):
            missing = frame[column].is_null()
            if missing.any():
                bad = missing.arg_true().to_numpy() + part.start
                raise InputError(
                    f"{self.name}: {len(bad):,} rows have no {column}, the first is row {bad[0]:,} (from 0); "
                    f"leave them out: pl.scan_parquet(...).drop_nulls({column!r})"
                )
        return frame


def open_source(
    given: str | Path | Sequence[str | Path] | pl.DataFrame | pl.Series,
    *,
    columns: Mapping[str, str] | None = None,
    like: pl.DataType | None = None,
    part_users: int = PART_USERS,
    part_rows: int = PART_ROWS,
) -> Source:
    """Look through users or histories once, and cut them into parts.

    Where there are `item_id` and `timestamp` beside `user_id`, these are histories: all rows of a user stand
    together, users ascending. Otherwise each user is scored once, where it is first named; their ids are kept
    in memory.

    Args:
        given: Parquet files, a folder of them, a frame, or a column of ids.
        columns: Your names to ours.
        like: The type that ids of users have to have: `Int64` or `String`.
        part_users: Users of a part.
        part_rows: Rows of histories after which a part ends with its user.

    Raises:
        InputError: No such file; no users; ids that are null or of another type; histories that aren't
            sorted.

    Examples:
        >>> found = open_source(pl.DataFrame({"user_id": ["a", "b", "a", "c"]}), part_users=2)
        >>> found.n_users, [found.read(part)["user_id"].to_list() for part in found.parts]
        (3, [['a', 'b'], ['c']])
    """
    if part_users < 1 or part_rows < 1:
        raise InputError(f"part_users={part_users}, part_rows={part_rows}; expected at least 1")
    name, frame, digest = _opened(given)
    try:
        schema = frame.collect_schema()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{name} cannot be read ({_line(error)}); is it Parquet, and whole? CSV first has "
            "to be written as such: pl.read_csv(FILE).write_parquet(...)"
        ) from error
    renamed = dict(columns or {})
    if missing := [column for column in renamed if column not in schema]:
        raise InputError(
            f"{name} has no column {missing[0]!r}, which columns names; its columns are "
            f"{', '.join(schema.names())}"
        )
    names = [renamed.get(column, column) for column in schema.names()]
    if twice := [column for column in names if names.count(column) > 1]:
        raise InputError(
            f"{name}: with columns={renamed} there are two columns {twice[0]!r}; name one of them"
        )
    frame = frame.rename(renamed)
    if Columns.User not in names:
        raise InputError(
            f"{name} has no column 'user_id'; its columns are {', '.join(names)}: name it in columns"
        )
    there = [column for column in (Columns.Item, Columns.Timestamp) if column in names]
    if len(there) == 1:
        raise InputError(
            f"{name} has {there[0]} and not the other of item_id and timestamp: histories need both (name "
            "them in columns); to score users by what the model knows, give user_id alone"
        )
    histories = all(column in names for column in _HISTORY)
    frame = (
        frame.select(column for column in _KEPT if column in names)
        if histories
        else frame.select(Columns.User)
    )
    frame = _typed(name, frame, like)
    if histories:
        parts, n_users = _cut(name, frame, part_users, part_rows)
    else:
        frame, n_users = _once(name, frame)
        cuts = [*range(0, n_users, part_users), n_users]
        parts = [Part(number, *ends) for number, ends in enumerate(pairwise(cuts))]
    if not n_users:
        raise InputError(f"{name} holds no users")
    return Source(name, frame, tuple(parts), digest, histories, n_users)


def _opened(given: Any) -> tuple[str, pl.LazyFrame, str]:
    if isinstance(given, InteractionLog):
        given = given.frame
    if isinstance(given, pl.Series):
        given = given.alias(Columns.User).to_frame()
    if isinstance(given, pl.DataFrame):
        hashes = given.hash_rows(seed=0).to_numpy()
        text = f"{given.schema}".encode() + hashes.tobytes()
        return "users", given.lazy(), hashlib.sha256(text).hexdigest()
    several = [given] if isinstance(given, str | Path) else given
    if not isinstance(several, list | tuple) or not all(isinstance(path, str | Path) for path in several):
        raise InputError(
            f"users is a {type(given).__name__}; expected Parquet files, a folder of them, a polars frame "
            "(pl.from_pandas(frame)) or a column of ids (pl.Series(ids))"
        )
    if not several:
        raise InputError("users is an empty list; expected at least one Parquet file")
    paths: list[Path] = []
    for path in map(Path, several):
        if not path.exists():
            raise InputError(f"no such file: {path}; a column of ids is pl.Series(ids)")
        found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path} holds no .parquet files")
        paths += found
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:  # a Parquet file ends with where its parts lie and what is in them
            size = path.stat().st_size
            file.seek(max(0, size - _FOOTER))
            digest.update(str(size).encode() + file.read())
    return name, pl.scan_parquet(paths, glob=False, hive_partitioning=False), digest.hexdigest()


def _typed(name: str, frame: pl.LazyFrame, like: pl.DataType | None) -> pl.LazyFrame:
    """Ids as `Int64` or `String`."""
    schema = frame.collect_schema()
    casts = []
    for column in (Columns.User, Columns.Item):
        if column not in schema:
            continue
        try:
            kind = as_ids(pl.Series(column, [], dtype=schema[column]), column).dtype
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if column == Columns.User and like is not None and kind != like:
            raise InputError(f"{name}: user_id is {kind} and the model's are {like}; cast them")
        casts.append(pl.col(column).cast(kind))
    return frame.with_columns(casts)


def _once(name: str, frame: pl.LazyFrame) -> tuple[pl.LazyFrame, int]:
    try:
        ids = frame.collect()[Columns.User]
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{name} cannot be read ({_line(error)}); restore it from a copy") from error
    if ids.null_count():
        raise InputError(
            f"{name}: {ids.null_count():,} of {ids.len():,} rows have no user_id, "
            f"{first_rows(ids.is_null())}; leave them out: pl.scan_parquet(...).drop_nulls('user_id')"
        )
    ids = ids.unique(maintain_order=True)
    return ids.to_frame().lazy(), ids.len()


def _cut(name: str, frame: pl.LazyFrame, part_users: int, part_rows: int) -> tuple[list[Part], int]:
    """Parts of sorted histories, in one pass over the users' column."""
    last: Any = None
    parts: list[Part] = []
    row = start = users = total = 0
    while True:
        try:
            ids = frame.select(Columns.User).slice(row, _AT_ONCE).collect()[Columns.User]
        except (polars.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{name} cannot be read ({_line(error)}); restore it from a copy") from error
        if not ids.len():
            break
        before = ids.shift(fill_value=ids[0] if last is None else last)
        _require_sorted(name, ids, before, row)
        begins = np.flatnonzero((ids != before).to_numpy()) + row
        if last is None:
            begins = np.concatenate([[0], begins])
        total += len(begins)
        for begin in begins.tolist():
            if users >= part_users or begin - start >= part_rows:
                parts.append(Part(len(parts), start, begin))
                start, users = begin, 0
            users += 1
        row, last = row + ids.len(), ids[-1]
    if row > start:
        parts.append(Part(len(parts), start, row))
    return parts, total


def _require_sorted(name: str, ids: pl.Series, before: pl.Series, row: int) -> None:
    if ids.null_count():
        bad = row + int(ids.is_null().arg_true()[0])
        raise InputError(f"{name}: row {bad:,} (from 0) has no user_id; leave such rows out")
    wrong = (ids < before).arg_true()
    if wrong.len():
        raise InputError(
            f"{name}: histories have to be sorted by user, and row {row + int(wrong[0]):,} (from 0) goes "
            "back; sort them: pl.scan_parquet(FILE).sort('user_id', 'timestamp').sink_parquet(SORTED)"
        )


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
