"""A synthetic world to score: a long-tailed catalogue, and as many users as are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

_CHUNK: Final = 50_000
_MEAN_LOG, _SPREAD_LOG, _LONGEST = 2.8, 0.6, 200
"""Of a history's length: log-normal, about 20 entries on average."""


@dataclass(frozen=True)
class World:
    """Items in clusters, by Zipf inside each; a user takes half of its items from one of them.

    Attributes:
        items: How many.
        clusters: How many.
        seed: Where randomness starts.
    """

    items: int = 20_000
    clusters: int = 100
    seed: int = 0

    def log(self, n_users: int, start: int = 0) -> pl.DataFrame:
        """`user_id`, `item_id` and `timestamp` of some users, sorted by user and time.

        Args:
            n_users: How many; those from `start` on.
            start: A multiple of 50,000, or any number below that.
        """
        return pl.concat(list(self.chunks(n_users, start)))

    def chunks(self, n_users: int, start: int = 0) -> Iterator[pl.DataFrame]:
        """The same in pieces."""
        for first in range(start, start + n_users, _CHUNK):
            yield self._draw(first, min(_CHUNK, start + n_users - first))

    def write(self, path: Path, n_users: int, start: int = 0) -> None:
        """The same as a Parquet file, written piece by piece."""
        parts = path.with_suffix(".parts")
        parts.mkdir()
        for place, frame in enumerate(self.chunks(n_users, start)):
            frame.write_parquet(parts / f"{place:05d}.parquet")
        pl.scan_parquet(parts / "*.parquet").sink_parquet(path, row_group_size=500_000)
        for part in parts.iterdir():
            part.unlink()
        parts.rmdir()

    def _draw(self, start: int, n: int) -> pl.DataFrame:
        rng = np.random.default_rng((self.seed, start))
        lengths = np.clip(np.exp(rng.normal(_MEAN_LOG, _SPREAD_LOG, n)), 2, _LONGEST).astype(np.int64)
        owner = np.repeat(np.arange(n), lengths)
        h, each = len(owner), self.items // self.clusters
        tastes = rng.integers(self.clusters, size=(n, 3))
        which = rng.random(h)
        cluster = np.where(which < 0.5, tastes[owner, 0], tastes[owner, 1])
        cluster = np.where(which > 0.7, (rng.random(h) ** 2 * self.clusters).astype(np.int64), cluster)
        weights = np.cumsum(1.0 / (1 + np.arange(each)))
        within = np.searchsorted(weights / weights[-1], rng.random(h)).clip(max=each - 1)
        day = rng.integers(0, 90, h)
        frame = pl.DataFrame(
            {
                "user_id": start + owner,
                "item_id": cluster + within * self.clusters,
                "timestamp": pl.Series(day * 86_400_000_000).cast(pl.Datetime("us")),
            }
        )
        return frame.sort("user_id", "timestamp")
