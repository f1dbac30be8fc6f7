"""Ids as numbers, which sort and compare far faster than text does."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Numbers", "number_together"]

Numbers = npt.NDArray[np.int64]

_WIDEST: Final = 2**31
"""Ids that spread wider are counted through, so that numbers stay small."""

_HASH_BITS: Final = 22  # 4 million slots: few texts of a million share one, and a table is 32 MB


def number_together(first: pl.Series, second: pl.Series) -> tuple[Numbers, Numbers]:
    """Numbers for the ids of two columns: equal ids get equal numbers, larger ids larger ones.

    Args:
        first: Ids without nulls, of the same type as `second` unless it is empty.
        second: Ids without nulls.

    Returns:
        The numbers, from 0 and below 2**31 (or the number of ids, where that is more).

    Examples:
        >>> number_together(pl.Series([70, 72]), pl.Series([71]))
        (array([70, 72]), array([71]))
        >>> number_together(pl.Series(["tea", "milk"]), pl.Series(["rice"]))
        (array([2, 0]), array([1]))
    """
    columns = [first.cast(second.dtype), second]
    if second.dtype.is_integer():
        found = [column for column in columns if column.len()]
        low = min((int(column.min()) for column in found), default=0)  # type: ignore[arg-type]
        high = max((int(column.max()) for column in found), default=-1)  # type: ignore[arg-type]
        shift = 0 if low >= 0 and high < _WIDEST else low
        if high - shift < _WIDEST and abs(low) < 2**62:
            near, far = (column.cast(pl.Int64).to_numpy() for column in columns)
            return (near - shift, far - shift) if shift else (near, far)
        return _number(columns)
    heads = [_runs(column.cast(pl.String)) for column in columns]
    one, two = _number([head for head, _ in heads])
    (_, first_lengths), (_, second_lengths) = heads
    return _repeated(one, first_lengths), _repeated(two, second_lengths)


def _runs(column: pl.Series) -> tuple[pl.Series, Numbers | None]:
    """The first of each run of equal ids, and how long the runs are; lists have one a user.

    Where runs are short, the column itself and None.
    """
    column = column.rechunk()  # text is gathered from one chunk ten times as fast as from several
    starts = (column != column.shift()).fill_null(True)
    if 2 * int(starts.sum()) > column.len():
        return column, None
    places = starts.arg_true()
    return column.gather(places), np.diff(places.to_numpy(), append=column.len()).astype(np.int64)


def _repeated(numbers: Numbers, lengths: Numbers | None) -> Numbers:
    return numbers if lengths is None else np.repeat(numbers, lengths)


def _number(columns: list[pl.Series]) -> tuple[Numbers, Numbers]:
    """Numbers by way of all ids in order."""
    both = pl.concat([column.alias("id") for column in columns]).rechunk()
    if both.dtype == pl.String:
        same = _same_row(both)
        different = np.flatnonzero(same == np.arange(len(same)))
        numbers = np.empty(len(same), np.int64)
        numbers[different[both.gather(different).arg_sort().to_numpy()]] = np.arange(len(different))
        found = numbers[same]
    else:
        found = np.unique(both.to_numpy(), return_inverse=True)[1]
    n = columns[0].len()
    found = found.astype(np.int64, copy=False)
    return found[:n], found[n:]


def _same_row(texts: pl.Series) -> Numbers:
    """For each row one that has the same text, the same one for all of them, shape `(n,)`.

    By the first bits of the texts' hashes: rows that share them are compared, and only those few that share
    them with another text go the way of a dictionary, which takes several times as long.
    """
    n = texts.len()
    bits = min(max(1, (2 * n).bit_length()), _HASH_BITS)
    slots = (texts.hash().to_numpy() >> np.uint64(64 - bits)).view(np.int64)
    last = np.zeros(1 << bits, np.int64)
    last[slots] = np.arange(n)
    same = last[slots]
    shared = (texts != texts.gather(same)).arg_true().to_numpy()
    codes = texts.gather(shared).cast(pl.Categorical).to_physical().to_numpy()
    last = np.zeros(int(codes.max(initial=0)) + 1, np.int64)
    last[codes] = shared
    same[shared] = last[codes]
    return same
