"""Ids of users or items, and the rows that stand for them in matrices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.exceptions

from rectransfer.errors import InputError

__all__ = ["Vocabulary", "as_ids", "first_rows"]

_ROW = "row"


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """External ids and their rows: the id at position `i` has row `i`.

    Attributes:
        ids: The ids, shape `(n,)`, `Int64` or `String`, each once and none null.

    Raises:
        InputError: An id is null, or there twice, or is neither an integer nor text.

    Examples:
        >>> items = Vocabulary.from_ids(["tea", "milk", "tea"])
        >>> items.ids.to_list()
        ['milk', 'tea']
        >>> items.rows(pl.Series(["tea", "coffee"]))
        array([ 1, -1])
        >>> items.take([1]).to_list()
        ['tea']
    """

    ids: pl.Series

    def __post_init__(self) -> None:
        ids = as_ids(self.ids, "ids").alias("id")
        if twice := ids.len() - ids.n_unique():
            example = ids.filter(ids.is_duplicated())[0]
            raise InputError(
                f"a vocabulary holds each id once: {twice:,} of {ids.len():,} ids repeat an earlier one, "
                f"for example {example!r}; build it with Vocabulary.from_ids(ids)"
            )
        object.__setattr__(self, "ids", ids)

    @classmethod
    def from_ids(cls, ids: pl.Series | Iterable[Any]) -> "Vocabulary":
        """The unique ids of a column, in ascending order (text by its bytes).

        Args:
            ids: Integers or text, never both; repeats are fine.

        Raises:
            InputError: An id is null, or the ids are neither integers nor text.
        """
        return cls(as_ids(ids, "ids").unique().sort())

    @property
    def dtype(self) -> pl.DataType:
        """`Int64` or `String`."""
        return self.ids.dtype

    def rows(self, ids: pl.Series | Iterable[Any]) -> npt.NDArray[np.int64]:
        """The row of each id, and -1 for an id that isn't in the vocabulary (null included).

        Args:
            ids: Shape `(m,)`, of the vocabulary's own type.

        Returns:
            Rows, shape `(m,)`.

        Raises:
            InputError: Integers were looked up among text, or text among integers.
        """
        wanted = as_ids(ids, "ids", nulls=True)
        if not wanted.len() or wanted.null_count() == wanted.len():
            return np.full(wanted.len(), -1, dtype=np.int64)
        if wanted.dtype != self.dtype:
            remedy = "ids.cast(pl.String)" if self.dtype == pl.String else "ids.cast(pl.Int64)"
            raise InputError(
                f"the vocabulary holds {self.dtype} ids (for example {self._example()!r}) and was asked for "
                f"{wanted.dtype} ids (for example {wanted.drop_nulls()[0]!r}); convert them: {remedy}"
            )
        found = wanted.alias("id").to_frame().join(self._lookup, on="id", how="left", maintain_order="left")
        return found[_ROW].fill_null(-1).to_numpy().astype(np.int64, copy=True)

    def take(self, rows: npt.ArrayLike) -> pl.Series:
        """The ids at some rows.

        Args:
            rows: Integers in `[0, n)`, shape `(m,)`.

        Returns:
            Ids, shape `(m,)`.

        Raises:
            InputError: A row lies outside the vocabulary; -1, which `rows` gives to unknown ids, does too.
        """
        wanted = np.asarray(rows)
        if not wanted.size:
            return self.ids.clear()
        if wanted.ndim != 1 or not np.issubdtype(wanted.dtype, np.integer):
            raise InputError(
                f"rows are integers of shape (m,), got {wanted.dtype} of shape {wanted.shape}; "
                "np.flatnonzero(mask) turns a mask into rows"
            )
        outside: npt.NDArray[np.bool_] = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise InputError(
                f"{np.count_nonzero(outside):,} of {wanted.size:,} rows lie outside 0 to {len(self) - 1:,}, "
                f"for example {int(wanted[outside][0])}; -1 marks an unknown id: keep rows[rows >= 0]"
            )
        return self.ids.gather(wanted.astype(np.int64, copy=False))

    @cached_property
    def _lookup(self) -> pl.DataFrame:
        return self.ids.to_frame("id").with_row_index(_ROW).with_columns(pl.col(_ROW).cast(pl.Int64))

    def _example(self) -> Any:
        return self.ids[0] if len(self) else None

    def __len__(self) -> int:
        return self.ids.len()

    def __contains__(self, id: object) -> bool:  # noqa: A002 (the word the design uses)
        if isinstance(id, str):
            return bool(self.dtype == pl.String and id in self.ids)
        if isinstance(id, int | np.integer) and not isinstance(id, bool):
            return bool(self.dtype == pl.Int64 and -(2**63) <= int(id) < 2**63 and int(id) in self.ids)
        return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.dtype == other.dtype and self.ids.equals(other.ids)

    __hash__ = None  # type: ignore[assignment]  # as every class that compares by a whole column

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.dtype} ids)"


def as_ids(ids: pl.Series | Iterable[Any], column: str, *, nulls: bool = False) -> pl.Series:
    """Ids as `Int64` (from any integer type) or `String` (from text, categories and enums).

    Nothing else changes: "0042" stays "0042".

    Args:
        ids: A column of ids.
        column: What to call it in an error.
        nulls: Whether a null may stand among them.

    Raises:
        InputError: The ids are of another type (floats, mixed, dates), too large for 64 bits, or null; or a
            single id or a whole table was given.

    Examples:
        >>> as_ids(pl.Series([7, 9], dtype=pl.UInt16), "item_id").dtype
        Int64
    """
    series = _as_series(ids, column)
    if missing := 0 if nulls else series.null_count():
        raise InputError(
            f"column {column!r} has {missing:,} nulls in {series.len():,} rows, the first in "
            f"{first_rows(series.is_null())}; drop them: frame.drop_nulls({column!r})"
        )
    if series.dtype.is_integer():
        return _as_int64(series, column)
    if series.dtype == pl.String or isinstance(series.dtype, pl.Categorical | pl.Enum):
        return series.cast(pl.String)
    if series.dtype == pl.Null:  # nothing there to tell the type from
        return series.cast(pl.String)
    example = series.drop_nulls()[0] if series.null_count() < series.len() else None
    remedy = (
        "cast it, to pl.Int64 where the numbers are whole, or to pl.String"
        if series.dtype.is_float()
        else "make it one type: frame.with_columns(pl.col(...).cast(pl.String))"
    )
    raise InputError(
        f"column {column!r} holds {series.dtype} values (for example {example!r}); "
        f"ids are integers or text: {remedy}"
    )


def first_rows(bad: pl.Series, shown: int = 5) -> str:
    """The first row numbers (from 0) where a mask is true, in words.

    Examples:
        >>> first_rows(pl.Series([False, True, True]), shown=1)
        'rows 1, ...'
    """
    rows = bad.arg_true().head(shown + 1).to_list()
    numbers = ", ".join(str(row) for row in rows[:shown]) + (", ..." if len(rows) > shown else "")
    return f"row{'s' if len(rows) > 1 else ''} {numbers}"


def _as_series(ids: pl.Series | Iterable[Any], column: str) -> pl.Series:
    if isinstance(ids, pl.Series):
        return ids
    if isinstance(ids, str | int | np.integer):
        raise InputError(f"{column}={ids!r} is one id; pass a list of ids: [{ids!r}]")
    if isinstance(ids, pl.DataFrame | pl.LazyFrame | Mapping) or hasattr(ids, "columns"):
        # of pandas and Arrow, too: what they iterate over isn't ids
        kind, name = type(ids).__name__, "user_id" if "user" in column else "item_id"
        raise InputError(f"{column} is a {kind}; pass its column of ids, for example frame[{name!r}]")
    values = list(ids.tolist() if isinstance(ids, np.ndarray) else ids)
    try:
        return pl.Series(column, values, strict=True)
    except (TypeError, OverflowError, polars.exceptions.PolarsError) as error:
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        raise InputError(
            f"{column!r} mixes types or holds values that aren't ids ({', '.join(kinds)}); "
            "ids are all integers or all text: convert them with str(...)"
        ) from error


def _as_int64(series: pl.Series, column: str) -> pl.Series:
    try:
        return series.cast(pl.Int64, strict=True)
    except polars.exceptions.PolarsError as error:
        raise InputError(
            f"column {column!r} ({series.dtype}) holds integers above 2**63 - 1, "
            f"for example {series.max()!r}; cast it to pl.String"
        ) from error
