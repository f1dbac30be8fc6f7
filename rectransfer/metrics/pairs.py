"""Pairs of user and item as single numbers, which sort and compare far faster than two columns do."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Numbers", "first_of_each", "number_together", "sorted_pairs", "sorted_pairs_with"]

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
        (73, array([70, 72]), array([71]))
        >>> number_together(pl.Series(["tea", "milk"]), pl.Series(["rice"]))
        (3, array([2, 0]), array([1]))
    """
    columns = [first.cast(second.dtype), second]
    if second.dtype.is_integer():
        found = [column for column in columns if column.len()]
        low = min((int(column.min()) for column in found), default=0)  # type: ignore[arg-type]
        high = max((int(column.max()) for column in found), default=-1)  # type: ignore[arg-type]
        shift = 0 if low >= 0 and high < _WIDEST else low
        if high - shift < _WIDEST and abs(low) < 2**62:
            near, far = (column.cast(pl.Int64).to_numpy() for column in columns)
            return high - shift + 1, *((near, far) if not shift else (near - shift, far - shift))
        return _number(columns)
    heads = [_runs(column.cast(pl.String)) for column in columns]
    n, one, two = _number([head for head, _ in heads])
    (_, first_lengths), (_, second_lengths) = heads
    return n, _repeated(one, first_lengths), _repeated(two, second_lengths)


def _runs(column: pl.Series) -> tuple[pl.Series, Numbers | None]:
    """The first of each run of equal ids, and how long the runs are; lists have one a user.

    Where runs are short, the column itself and None.
    """
    starts = (column != column.shift()).fill_null(True)
    if 2 * int(starts.sum()) > column.len():
        return column, None
    places = starts.arg_true()
    return column.gather(places), np.diff(places.to_numpy(), append=column.len()).astype(np.int64)


def _repeated(numbers: Numbers, lengths: Numbers | None) -> Numbers:
    return numbers if lengths is None else np.repeat(numbers, lengths)


def _number(columns: list[pl.Series]) -> tuple[int, Numbers, Numbers]:
    """Numbers by way of all ids in order."""
    both = pl.concat([column.alias("id") for column in columns])
    if both.dtype == pl.String:  # hashed once; sorting all of the text would take several times as long
        codes = both.cast(pl.Categorical)
        different = codes.unique()
        places = different.to_physical().to_numpy()
        order = different.cast(pl.String).arg_sort().to_numpy()
        numbers = np.empty(int(places.max(initial=0)) + 1, np.int64)
        numbers[places[order]] = np.arange(len(places))
        found = numbers[codes.to_physical().to_numpy()]
    else:
        ids, found = np.unique(both.to_numpy(), return_inverse=True)
        places = ids
    n = columns[0].len()
    found = found.astype(np.int64, copy=False)
    return len(places), found[:n], found[n:]


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
    pairs = users * n_items
    pairs += items
    bits = int(beside.max(initial=0)).bit_length()
    if int(pairs.max(initial=0)).bit_length() + bits > _BITS:
        order = np.lexsort((beside, pairs))
        return pairs[order], beside[order]
    pairs <<= bits  # in place: a million new numbers take longer to get than to compute
    pairs |= beside
    packed = _sorted(pairs, users)  # sorting values is several times as fast as sorting places
    place = packed & ((1 << bits) - 1)
    packed >>= bits
    return packed, place


def first_of_each(numbers: Numbers) -> npt.NDArray[np.bool_]:
    """Where a number differs from the one before, shape `(n,)`."""
    first = np.ones(len(numbers), np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return first


def _sorted(values: Numbers, users: Numbers) -> Numbers:
    """Sort in place. Where users ascend, values do from user to user: each user's few are sorted alone."""
    n = len(values)
    if not n or not (users[1:] >= users[:-1]).all():
        values.sort()
        return values
    starts = np.flatnonzero(first_of_each(users))
    lengths = np.diff(starts, append=n)
    width = int(lengths.max())
    if width * len(starts) > _LOOSEST * n:
        values.sort()
        return values
    if width * len(starts) == n:
        values.reshape(-1, width).sort(axis=1)
        return values
    there = np.arange(width) < lengths[:, None]
    table = np.full(there.shape, np.iinfo(np.int64).max)
    table[there] = values
    table.sort(axis=1)
    return table[there]
