"""Columns of words: titles and categories."""

import polars as pl
import polars.exceptions

from rectransfer.errors import InputError

__all__ = ["as_text"]


def as_text(values: pl.Series, name: str) -> pl.Series:
    """A column as text without blanks around it: numbers, too, but nothing nested.

    Args:
        values: Shape `(n,)`.
        name: What it is a column of, in errors.

    Raises:
        InputError: It is nested, or bytes that are no text.

    Examples:
        >>> as_text(pl.Series("title", [" tea", None]), "products").to_list()
        ['tea', None]
    """
    column = f"pl.col({values.name!r})"
    if isinstance(values.dtype, pl.Struct):
        remedy = f"take one of its fields: {column}.struct.field(NAME).alias({values.name!r})"
    elif values.dtype.is_nested():
        remedy = f"join its parts: {column}.cast(pl.List(pl.String)).list.join(', ')"
    else:
        try:
            return values.cast(pl.String).str.strip_chars()
        except polars.exceptions.PolarsError:
            remedy = f"make it text: {column}.map_elements(str, return_dtype=pl.String)"
    raise InputError(
        f"{name}: column {values.name!r} is {values.dtype}, expected text; {remedy}, in "
        "frame.with_columns(...)"
    )
