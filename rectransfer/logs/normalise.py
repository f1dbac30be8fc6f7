"""Frames of any make, with the caller's column names, into the five columns of a log."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.naming import choose_columns
from rectransfer.vocabulary import as_ids, first_rows

__all__ = ["normalise", "to_polars"]


def to_polars(data: Any, columns: Mapping[str, str] | None = None) -> tuple[pl.DataFrame, dict[str, str]]:
    """The chosen columns of a polars, pandas or Arrow table as a polars frame, with the caller's names.

    Args:
        data: A `polars.DataFrame` or `LazyFrame`, a `pandas.DataFrame` or a `pyarrow.Table`.
        columns: See `choose_columns`.

    Returns:
        The frame, and our names to the caller's.

    Raises:
        InputError: The data are of another kind, a column is missing, or one mixes types.
    """
    if isinstance(data, pl.LazyFrame):
        return _collected(data, columns)
    if isinstance(data, pl.DataFrame):
        chosen = choose_columns(data.columns, columns)
        return data.select(chosen.values()), chosen
    make = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    if make == "pandas.DataFrame":
        chosen = choose_columns([str(name) for name in data.columns], columns)
        return pl.DataFrame([_from_pandas(data[name], name) for name in chosen.values()]), chosen
    if make == "pyarrow.Table":
        chosen = choose_columns(data.column_names, columns)
        frame = pl.from_arrow(data.select(list(chosen.values())))
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 (a table never becomes a series)
        return frame, chosen
    if make == "rectransfer.InteractionLog":
        raise InputError("it is an InteractionLog already; use it as it is, or give its frame: log.frame")
    raise InputError(
        f"a log is made from a polars, pandas or pyarrow table, got {make}; polars.DataFrame(data) takes "
        "dicts and lists"
    )


def normalise(frame: pl.DataFrame, chosen: Mapping[str, str]) -> pl.DataFrame:
    """The columns of a log under our names, of our types, checked, in the order of users and time.

    Args:
        frame: The caller's columns.
        chosen: Our names to the caller's.

    Returns:
        Ids as `Int64` or `String`, the timestamp as `Int64` or UTC microseconds, the weight as `Float64`;
        sorted by user and timestamp, where rows of the same moment stay in the order they came in.

    Raises:
        InputError: There are no rows, or a column has nulls, or values of a type or size that it can't have.
    """
    if not frame.height:
        raise InputError("the log is empty: 0 rows; was everything filtered away?")
    made = pl.DataFrame([_column(frame[theirs], ours).alias(ours) for ours, theirs in chosen.items()])
    by = [Columns.User, Columns.Timestamp]
    if _is_sorted(made, by):
        return made
    # Two stable sorts, each on one column, take half the time of one sort on both.
    return made.sort(Columns.Timestamp, maintain_order=True).sort(Columns.User, maintain_order=True)


def _collected(data: pl.LazyFrame, columns: Mapping[str, str] | None) -> tuple[pl.DataFrame, dict[str, str]]:
    try:
        chosen = choose_columns(data.collect_schema().names(), columns)
        return data.select(chosen.values()).collect(), chosen
    except (polars.exceptions.PolarsError, OSError) as error:
        raise InputError(f"the lazy frame cannot be collected: {error}") from error


def _column(values: pl.Series, ours: str) -> pl.Series:
    if ours == Columns.Timestamp:
        return _timestamp(_without_nulls(values))
    if ours == Columns.Weight:
        return _weight(_without_nulls(values))
    return as_ids(values, values.name)


def _timestamp(values: pl.Series) -> pl.Series:
    kind, name = values.dtype, values.name
    if isinstance(kind, pl.Datetime):
        utc = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else values
        return utc.dt.cast_time_unit("us")
    if kind == pl.Date:
        return values.cast(pl.Datetime("us"))
    if kind.is_integer():
        return as_ids(values, name)
    if kind.is_float():
        uneven = ~(values.is_finite() & (values == values.round(0)) & (values.abs() < 2.0**63))
        if uneven.any():
            raise InputError(
                f"column {name!r} ({kind}) is not a whole number in {uneven.sum():,} of {values.len():,} "
                f"rows, the first in {first_rows(uneven)}; round it, or build a Datetime: "
                f"pl.from_epoch(pl.col({name!r}).cast(pl.Int64), time_unit='s')"
            )
        return values.cast(pl.Int64)
    remedy = (
        f"parse it first, frame.with_columns(pl.col({name!r}).str.to_datetime()), or for files: "
        "read_log(..., parse_timestamps=True)"
        if kind == pl.String
        else "make it a Datetime, a Date or an integer of any ordered unit"
    )
    raise InputError(
        f"column {name!r} holds {kind} values (for example {values[0]!r}), which are no times; {remedy}"
    )


def _weight(values: pl.Series) -> pl.Series:
    if not values.dtype.is_numeric():
        raise InputError(
            f"column {values.name!r} holds {values.dtype} values (for example {values[0]!r}); a weight is a "
            f"number above 0: frame.with_columns(pl.col({values.name!r}).cast(pl.Float64))"
        )
    weight = values.cast(pl.Float64)
    bad = ~(weight.is_finite() & (weight > 0))
    if bad.any():
        counts = {
            "NaN": weight.is_nan().sum(),
            "infinite": weight.is_infinite().sum(),
            "negative": (weight.is_finite() & (weight < 0)).sum(),
            "zero": (weight == 0).sum(),
        }
        found = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        raise InputError(
            f"column {values.name!r} has {found} among {values.len():,} weights, the first in "
            f"{first_rows(bad)}; a weight is a number above 0: filter the others out, "
            f"frame.filter(pl.col({values.name!r}).is_finite() & (pl.col({values.name!r}) > 0))"
        )
    return weight


def _without_nulls(values: pl.Series) -> pl.Series:
    if missing := values.null_count():
        raise InputError(
            f"column {values.name!r} has {missing:,} nulls in {values.len():,} rows, the first in "
            f"{first_rows(values.is_null())}; drop them: frame.drop_nulls({values.name!r})"
        )
    return values


def _is_sorted(frame: pl.DataFrame, by: Sequence[str]) -> bool:
    first, then = (pl.col(name) for name in by)
    rising = (first > first.shift(1)) | ((first == first.shift(1)) & (then >= then.shift(1)))
    return bool(frame.select(rising.all()).item())  # `all` passes over the null of the first row


def _from_pandas(values: Any, name: str) -> pl.Series:
    try:
        return pl.Series(name, pl.from_pandas(values))
    except (
        TypeError,
        ValueError,
        polars.exceptions.PolarsError,
    ) as error:  # Arrow's own errors are among them
        kinds = sorted({type(value).__name__ for value in values.head(100_000)})
        raise InputError(
            f"column {name!r} ({values.dtype}) mixes types: {', '.join(kinds)}; make it one: "
            f"frame[{name!r}] = frame[{name!r}].astype(str)"
        ) from error
