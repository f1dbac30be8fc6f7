"""A log of any size with a realistic long tail, drawn a block of users at a time and written as Parquet."""

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns

__all__ = ["write_long_tail"]

_BLOCK: Final = 2_000_000  # rows drawn at once
_TASTES: Final = 200
_YEAR: Final = 365 * 86_400


def write_long_tail(
    path: Path, rows: int, *, users: int | None = None, items: int | None = None, seed: int = 0
) -> None:
    """Write a log of `rows` interactions, in order of time: `user_id`, `item_id`, `timestamp` (seconds).

    Items follow a Zipf-Mandelbrot law, histories are log-normal in length, and half of a user's interactions
    are with the items of one of 200 tastes. With 20 million rows the best-selling percent of the items has
    about half of the interactions, as in public logs of purchases and of films.

    Args:
        path: Where to.
        rows: How many.
        users: By default one for 80 rows.
        items: By default one for 400 rows.
        seed: Where randomness starts.
    """
    n_users, n_items = users or max(1, rows // 80), items or max(_TASTES, rows // 400)
    rng = np.random.default_rng(seed)
    weights = (np.arange(n_items) + 20.0) ** -1.1
    lengths = rng.lognormal(0.0, 1.0, n_users)
    lengths = np.maximum(1, np.floor(lengths / lengths.sum() * rows)).astype(np.int64)
    lengths[: max(0, rows - int(lengths.sum()))] += 1
    owner = np.repeat(np.arange(n_users), lengths)[:rows]
    taste = rng.integers(0, _TASTES, n_users)
    ids = rng.permutation(n_items)  # popular items aren't next to each other
    everything = np.cumsum(weights)
    own = [np.cumsum(weights[number::_TASTES]) for number in range(_TASTES)]
    parts = []
    for start in range(0, len(owner), _BLOCK):
        user = owner[start : start + _BLOCK]
        item = np.searchsorted(everything, rng.random(len(user)) * everything[-1])
        typical = np.flatnonzero(rng.random(len(user)) < 0.5)
        order = typical[np.argsort(taste[user[typical]], kind="stable")]
        for number, rows_of in _runs(taste[user[order]], order):
            item[rows_of] = (
                np.searchsorted(own[number], rng.random(len(rows_of)) * own[number][-1]) * _TASTES + number
            )
        parts.append(
            pl.DataFrame(
                {
                    Columns.User: user,
                    Columns.Item: ids[np.minimum(item, n_items - 1)],
                    Columns.Timestamp: rng.integers(0, _YEAR, len(user)),
                }
            )
        )
    pl.concat(parts).sort(Columns.Timestamp).write_parquet(path, row_group_size=500_000)


def _runs(keys: np.ndarray, values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return [
        (int(keys[first]), part) for first, part in zip(starts, np.split(values, starts[1:]), strict=True)
    ]
