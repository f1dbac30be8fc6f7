"""All of the input, checked before a part is begun: types by the schema, rows by one query a column.

Parquet says of each row group whether there are nulls in it, so those queries read next to nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.scoring.files import Given, first_line

__all__ = ["checked"]

_IDS: Final = (Columns.User, Columns.Item, Columns.Session)
_LARGEST: Final = 2**63 - 1
_ROW: Final = "row"


def checked(given: Given, like: Mapping[str, pl.DataType]) -> Given:
    """The same with ids as `Int64` or `String`, times and weights as a log has them.

    Args:
        given: Columns under our names.
        like: The types that the model's log has.

    Raises:
        InputError: A type that cannot be used or isn't the model's, a null, a number that is none. The
            message has the file, the first row in it, how many there are, the column and the remedy.
    """
    schema = given.frame.collect_schema()
    casts = {
        column: _time(given, kind) if column == Columns.Timestamp else _id(given, column, kind)
        for column, kind in schema.items()
        if column != Columns.Weight
    }
    _require_rows(given, schema)
    for column, kind in casts.items():
        if column in like and like[column] != kind:
            raise InputError(
                f"{given.name}: {column} is {kind} and the model's are {like[column]}; cast it: "
                f"frame.with_columns(pl.col({column!r}).cast(pl.{like[column]}))"
            )
    made = [pl.col(column).cast(kind) for column, kind in casts.items()]
    return replace(
        given, frame=given.frame.select(made)
    )  # weights don't count here, they only have to be ones


def _id(given: Given, column: str, kind: pl.DataType) -> pl.DataType:
    if kind.is_integer():
        return pl.Int64()
    if kind in (pl.String, pl.Null) or isinstance(kind, pl.Categorical | pl.Enum):
        return pl.String()
    remedy = (
        "cast it, to pl.Int64 where the numbers are whole, else to pl.String"
        if kind.is_float()
        else "cast it to pl.String"
    )
    raise InputError(
        f"{given.name}: {column} is {kind}; ids are integers or text: {remedy}, for example "
        f"frame.with_columns(pl.col({column!r}).cast({'pl.Int64' if kind.is_float() else 'pl.String'}))"
    )


def _time(given: Given, kind: pl.DataType) -> pl.DataType:
    if kind.is_integer() or kind.is_float():
        return pl.Int64()
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return pl.Datetime("us")
    remedy = (
        "parse it first: frame.with_columns(pl.col('timestamp').str.to_datetime())"
        if kind == pl.String
        else "make it a Datetime, a Date or an integer of any ordered unit"
    )
    raise InputError(f"{given.name}: timestamp is {kind}, which is no time; {remedy}")


def _require_rows(given: Given, schema: pl.Schema) -> None:
    for column, kind in schema.items():
        remedy = f"leave them out: frame.drop_nulls({column!r})"
        _refuse(given, column, pl.col(column).is_null(), f"no {column}", remedy)
        value = pl.col(column)
        if column == Columns.Weight:
            if not kind.is_numeric():
                raise InputError(f"{given.name}: weight is {kind}; a weight is a number above 0: cast it")
            bad = ~(value.is_finite() & (value > 0)) if kind.is_float() else value <= 0
            words, remedy = "a weight that isn't a number above 0", "leave them out, or the column"
            _refuse(given, column, bad, words, remedy)
        elif kind.is_float():  # of times: floats that are ids were refused by their type
            bad = ~(value.is_finite() & (value == value.round(0)) & (value.abs() < 2.0**63))
            _refuse(given, column, bad, f"a {column} that is no whole number", "round it")
        elif kind in (pl.UInt64, pl.UInt128, pl.Int128):
            bad = value > _LARGEST
            _refuse(given, column, bad, f"a {column} above 2**63 - 1", "cast the column to pl.String")


def _refuse(given: Given, column: str, bad: pl.Expr, words: str, remedy: str) -> None:
    rows = given.frame.select(column)
    try:
        # counted first: with row numbers nothing could be passed over
        count = rows.filter(bad).select(pl.len()).collect(engine="streaming").item()
        if not count:
            return
        found = rows.with_row_index(_ROW).filter(bad).select(pl.col(_ROW).min())
        first = found.collect(engine="streaming").item()
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{given.name}: {column} cannot be read ({first_line(error)}); restore the file from a copy"
        ) from error
    have = "1 row has" if count == 1 else f"{count:,} rows have"
    raise InputError(f"{given.place(first)}: {have} {words}, this is the first; {remedy}")
