"""Users in parts, and where items stand in a user's list."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import Examples

__all__ = ["Part", "chunks", "columns_of", "held", "in_order", "standing", "with_items"]

Rows = npt.NDArray[np.int64]
Part = tuple[Rows, Examples, csr_array | None]
"""Places of some users, their histories, and what they mustn't get."""

_USERS_AT_ONCE: Final = 50
_LAST: Final = np.iinfo(np.int64).max


def standing(
    scores: npt.NDArray[np.float32], candidates: Rows, columns: Rows, shut: csr_array | None
) -> Rows:
    """Places, from 1, among the candidates that a user may get."""
    open_ = candidates >= 0
    if shut is not None:
        owner = np.repeat(np.arange(len(candidates)), candidates.shape[1])
        closed = np.asarray(shut[owner, candidates.ravel()]).reshape(candidates.shape) > 0
        open_ &= ~closed
    own = np.take_along_axis(scores, columns, axis=1)
    above = (scores[:, None, :] > own[:, :, None]) & open_[:, None, :]
    return np.asarray(above.sum(axis=2) + 1, dtype=np.int64)


def with_items(candidates: Rows, items: Rows) -> Rows:
    """Each user's candidates and some items more, ascending, -1 where there are fewer.

    Args:
        candidates: Shape `(u, m)`, -1 where there are fewer.
        items: The same for all users, shape `(i,)`, or likewise each user's own, `(u, i)`.
    """
    each = np.hstack([candidates, np.broadcast_to(items, (len(candidates), items.shape[-1]))])
    rows = [np.unique(row[row >= 0]) for row in each]
    found = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found


def held(candidates: Rows, items: Rows) -> npt.NDArray[np.bool_]:
    """Which candidates are among each user's items, shape `(u, m)`; both are -1 where there are fewer."""
    mine = [np.isin(row, of) for row, of in zip(candidates, items, strict=True)]
    return np.array(mine, dtype=np.bool_).reshape(candidates.shape) & (candidates >= 0)


def columns_of(candidates: Rows, items: Rows) -> Rows:
    """Where items stand among each user's candidates, which ascend and hold them all."""
    return np.stack([np.searchsorted(row, items) for row in np.where(candidates < 0, _LAST, candidates)])


def in_order(lists: Rows) -> Rows:
    """Each user's items ascending, with -1 at the end."""
    rows = np.sort(np.where(lists < 0, _LAST, lists), axis=1)
    return np.where(rows == _LAST, -1, rows)


def chunks(examples: Examples, exclude: csr_array | None) -> Iterator[Part]:
    """Users in parts of about the same size."""
    n = len(examples)
    for rows in np.array_split(np.arange(n), -(-n // _USERS_AT_ONCE)) if n else ():
        yield rows, examples.take(rows), None if exclude is None else csr_array(exclude[rows])
