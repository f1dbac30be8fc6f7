"""Users and histories from text files: their ids are read as the model's are, their times parsed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.scoring.files import Given

__all__ = ["parsed"]

_SHOWN: Final = 40


def parsed(given: Given, like: Mapping[str, pl.DataType], times: str | None) -> Given:
    """Text as ids, times and weights; histories sorted by user. All of it is in memory.

    Args:
        given: What text files hold.
        like: The types that the model's log has. Where there is none: numbers, if every one reads back as it
            was written.
        times: The format of times; found out without.

    Raises:
        InputError: A value cannot be read so.
    """
    texts = list(given.texts)
    for column in given.columns:
        kind = like.get(column, _found_out(column, [text[column] for text in texts]))
        texts = [
            text.with_columns(_read(text[column], column, kind, times, file))
            for file, text in zip(given.files, texts, strict=True)
        ]
    frame = pl.concat(texts)
    return replace(given, frame=frame.lazy())


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Histories by user; a user's rows stay in their order."""
    return frame.sort(Columns.User, maintain_order=True)


def _found_out(column: str, texts: list[pl.Series]) -> pl.DataType:
    if column == Columns.Weight:
        return pl.Float64()
    whole = all(_whole(text).cast(pl.String).eq_missing(text).all() for text in texts)
    if whole:
        return pl.Int64()
    return pl.Datetime("us") if column == Columns.Timestamp else pl.String()


def _whole(text: pl.Series) -> pl.Series:
    return text.cast(pl.Int64, strict=False)


def _read(text: pl.Series, column: str, kind: pl.DataType, times: str | None, file: Path) -> pl.Series:
    if kind == pl.String:
        return text
    if isinstance(kind, pl.Datetime):
        made, words = _times(text, times), "a time"
        remedy = "name the format: --timestamp-format '%d.%m.%Y %H:%M' (times='%d.%m.%Y %H:%M')"
    elif kind == pl.Int64:
        made, words = _whole(text), "a whole number"
        remedy = "write whole numbers as 42, neither 42.0 nor 042, or leave such rows out"
        made = made.set(made.cast(pl.String).ne_missing(text), None)  # not so for "0042"
    else:
        made, words, remedy = text.cast(kind, strict=False), "a number", "leave such rows out"
    wrong = (made.is_null() & text.is_not_null()).arg_true()
    if wrong.len():
        value = repr(text[int(wrong[0])])[:_SHOWN]
        rows = "1 row has" if wrong.len() == 1 else f"{wrong.len():,} rows have"
        raise InputError(
            f"{file}: row {int(wrong[0]):,} (from 0): {rows} a {column} that isn't {words}, the first "
            f"is {value}; {remedy}"
        )
    return made


def _times(text: pl.Series, times: str | None) -> pl.Series:
    try:
        zoned = text.str.to_datetime(times, time_unit="us", time_zone="UTC", strict=False)
    except polars.exceptions.PolarsError:  # no format was found
        return pl.Series(text.name, [None] * text.len(), dtype=pl.Datetime("us"))
    return zoned.dt.replace_time_zone(None)
