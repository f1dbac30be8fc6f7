"""Pairs of user and item as single numbers, which sort and compare far faster than two columns do."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Numbers", "number_together", "sorted_pairs", "sorted_pairs_with"]

Numbers = npt.NDArray[np.int64]

_WIDEST: Final = 2**31
"""Ids that spread wider are counted through, so that a pair of numbers always fits 63 bits."""

_BITS: Final = 63
_LOOSEST: Final = 2  # how much larger than its rows a table of users may be


def number_together(first: pl.Series, second: pl.Series) -> tuple[int, Numbers, Numbers]:
    """Numbers for the ids of two columns: equal ids get equal numbers, larger ids larger ones.

    Args:
        first: Ids without nulls, of the same type as `second` unless it is empty.
        second: Ids without nulls.

    Returns:
        A bound that all numbers lie below, and the numbers, from 0.

    Examples:
        >>> number_together(pl.Series([70, 72]), pl.Series([71]))
        (3, array([0, 2]), array([1]))
        >>> number_together(pl.Series(["tea", "milk"]), pl.Series(["rice"]))
        (3, array([2, 0]), array([1]))
    """
    columns = [first.cast(second.dtype), second]
    if second.dtype.is_integer():
        found = [column for column in columns if column.len()]
        low = min((int(column.min()) for column in found), default=0)  # type: ignore[arg-type]
        bound = max((int(column.max()) for column in found), default=-1) - low + 1  # type: ignore[arg-type]
        if bound <= _WIDEST and abs(low) < 2**62:
            near, far = (column.cast(pl.Int64).to_numpy() - low for column in columns)
            return bound, near, far
    if isinstance(second.dtype, pl.Categorical | pl.Enum):  # their own order isn't that of the ids
        columns = [column.cast(pl.String) for column in columns]
    ids = pl.concat([column.alias("id") for column in columns]).unique().sort()
    number = ids.to_frame().with_row_index("number")
    one, two = (
        column.alias("id").to_frame().join(number, on="id", how="left", maintain_order="left")["number"]
        for column in columns
    )
    return ids.len(), one.to_numpy().astype(np.int64), two.to_numpy().astype(np.int64)


def sorted_pairs(users: Numbers, items: Numbers, n_items: int) -> Numbers:
    """`users * n_items + items`, ascending."""
    pairs = users * n_items + items
    if (pairs[1:] >= pairs[:-1]).all():  # as lists mostly come
        return pairs
    return _sorted(pairs, users)


def sorted_pairs_with(
    users: Numbers, items: Numbers, n_items: int, beside: Numbers
) -> tuple[Numbers, Numbers]:
    """The same, and other numbers in the order of the pairs.

    Args:
        users: Shape `(n,)`.
        items: Shape `(n,)`, below `n_items`.
        n_items: A bound on the items.
        beside: Shape `(n,)`, from 0; pairs that are there twice come by these.
    """
    pairs = users * n_items + items
    bits = int(beside.max(initial=0)).bit_length()
    if int(pairs.max(initial=0)).bit_length() + bits > _BITS:
        order = np.lexsort((beside, pairs))
        return pairs[order], beside[order]
    packed = _sorted((pairs << bits) | beside, users)  # sorting values is several times as fast as places
    return packed >> bits, packed & ((1 << bits) - 1)


def _sorted(values: Numbers, users: Numbers) -> Numbers:
    """Values that ascend by user at least where users do: then each user's few are sorted for themselves."""
    n = len(values)
    if not n or not (users[1:] >= users[:-1]).all():
        return np.sort(values)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    lengths = np.diff(starts, append=n)
    width = int(lengths.max())
    if width * len(starts) > _LOOSEST * n:
        return np.sort(values)
    if width * len(starts) == n:
        return np.sort(values.reshape(-1, width), axis=1).ravel()
    there = np.arange(width) < lengths[:, None]
    table = np.full(there.shape, np.iinfo(np.int64).max)
    table[there] = values
    table.sort(axis=1)
    return table[there]
