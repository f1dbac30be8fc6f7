"""Users, or their histories, read part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.scoring.checks import checked
from rectransfer.scoring.files import HISTORY, Given, first_line, opened
from rectransfer.scoring.text import in_order, parsed

__all__ = ["PART_ROWS", "PART_USERS", "Part", "Source", "open_source"]

PART_USERS: Final = 5_000
"""Users of a part."""

PART_ROWS: Final = 250_000
"""Rows of histories after which a part ends with its user, whatever its users."""

_AT_ONCE: Final = 2_000_000


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
        given: Where it comes from: columns by our names.
        parts: In order.
        histories: Whether there are items and times beside the users.
        n_users: How many in all.
        part_users: Users of a part, at most.
        part_rows: Rows of histories after which a part ends with its user.
    """

    given: Given
    parts: tuple[Part, ...] = field(repr=False)
    histories: bool
    n_users: int
    part_users: int = PART_USERS
    part_rows: int = PART_ROWS

    @property
    def digest(self) -> str:
        """Says whether it is the same as before."""
        return self.given.digest

    def read(self, part: Part) -> pl.DataFrame:
        """A part's rows.

        Raises:
            InputError: The file cannot be read there.
        """
        try:
            return self.given.frame.slice(part.start, part.stop - part.start).collect()
        except (polars.exceptions.PolarsError, OSError) as error:
            raise InputError(
                f"{self.given.place(part.start)} and the {part.stop - part.start - 1:,} after it cannot be "
                f"read ({first_line(error)}); restore the file from a copy"
            ) from error


def open_source(
    given: str | Path | Sequence[str | Path] | pl.DataFrame | pl.Series,
    *,
    columns: Mapping[str, str] | None = None,
    like: Mapping[str, pl.DataType] | None = None,
    times: str | None = None,
    part_users: int = PART_USERS,
    part_rows: int = PART_ROWS,
) -> Source:
    """Look through users or histories once, check them, and cut them into parts.

    Where there are `item_id` and `timestamp` beside `user_id`, these are histories: all rows of a user stand
    together, users ascending (text files are sorted here). Otherwise each user is scored once, where it is
    first named; their ids are kept in memory, and so is all that text files hold. Histories without rows, of
    whatever types, are one part of nobody.

    Args:
        given: Parquet, CSV or TSV files, a folder or a pattern of them, text files of an id a line, a frame,
            or a column of ids.
        columns: Your names to ours.
        like: The types of the model's log by our names of columns: text is read so, and all else has to have
            them.
        times: The format of times in text files, for example `"%d.%m.%Y"`; found out without.
        part_users: Users of a part.
        part_rows: Rows of histories after which a part ends with its user.

    Raises:
        InputError: No such file; a list of no users; files whose columns differ; values that are null, of
            another type, or no ids, times or weights; histories that aren't sorted.

    Examples:
        >>> found = open_source(pl.DataFrame({"user_id": ["a", "b", "a", "c"]}), part_users=2)
        >>> found.n_users, [found.read(part)["user_id"].to_list() for part in found.parts]
        (3, [['a', 'b'], ['c']])
    """
    for name, size in (("part_users", part_users), ("part_rows", part_rows)):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"{name}={size!r}; expected a whole number from 1")
    kinds = dict(like or {})
    found = opened(given, columns)
    if found.texts:
        found = parsed(found, kinds, times)
    histories = all(column in found.columns for column in HISTORY)
    if histories and not _collected(found, found.frame.select(pl.len())).item():
        return Source(_nobody(found, kinds), (Part(0, 0, 0),), histories, 0, part_users, part_rows)
    found = checked(found, kinds)
    if histories:
        if found.texts:
            found = replace(found, frame=in_order(found.frame.collect()).lazy())
        parts, n_users = _cut(found, part_users, part_rows)
    else:
        found, n_users = _once(found)
        cuts = [*range(0, n_users, part_users), n_users]
        parts = [Part(number, *ends) for number, ends in enumerate(pairwise(cuts))]
    if not n_users:
        raise InputError(f"{found.name} holds no users")
    if found.texts:
        found = replace(found, texts=())
    return Source(found, tuple(parts), histories, n_users, part_users, part_rows)


def _nobody(given: Given, kinds: Mapping[str, pl.DataType]) -> Given:
    """No rows of any type as no rows of the model's: of nothing no type can be found out."""
    kept = (Columns.User, *HISTORY)
    schema = {column: kinds.get(column, pl.Int64()) for column in kept}
    return replace(given, frame=pl.DataFrame(schema=schema).lazy(), texts=())


def _once(given: Given) -> tuple[Given, int]:
    ids = _collected(given, given.frame)[Columns.User].unique(maintain_order=True)
    return replace(given, frame=ids.to_frame().lazy()), ids.len()


def _collected(given: Given, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{given.name} cannot be read ({first_line(error)}); restore it from a copy"
        ) from error


def _cut(given: Given, part_users: int, part_rows: int) -> tuple[list[Part], int]:
    """Parts of sorted histories, in one pass over the users' column."""
    last: Any = None
    parts: list[Part] = []
    row = start = users = total = 0
    while True:
        ids = _collected(given, given.frame.select(Columns.User).slice(row, _AT_ONCE))[Columns.User]
        if not ids.len():
            break
        before = ids.shift(fill_value=ids[0] if last is None else last)
        _require_sorted(given, ids, before, row)
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


def _require_sorted(given: Given, ids: pl.Series, before: pl.Series, row: int) -> None:
    wrong = (ids < before).arg_true()
    if wrong.len():
        first = int(wrong[0])
        raise InputError(
            f"{given.place(row + first)}: histories have to be sorted by user, and here {ids[first]!r} comes "
            f"after {before[first]!r}; sort them: "
            "pl.scan_parquet(FILES).sort('user_id', 'timestamp').sink_parquet(SORTED)"
        )
