"""From cells to claims: means over seeds, paired intervals over users, Holm's correction over everything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.metrics import Interval, holm
from suite.cells import Key, Store
from suite.tasks import ALONE, OURS, TASKS

__all__ = ["ALPHA", "PICKED", "Point", "Versus", "clustered_bootstrap", "points", "single_cells", "versus"]

Floats = npt.NDArray[np.float64]

ALPHA: Final = 0.05
PICKED: Final = "picked on the log"
"""As a model: in each cell the baseline that did best inside the target's log, where settings are chosen."""

_RESAMPLES: Final = 10_000
_DRAWS_A_BLOCK: Final = 4_000_000


@dataclass(frozen=True, eq=False)
class Point:
    """A task at one share: the cells of all seeds.

    Attributes:
        task: Its name in the suite.
        share: Of the target's users.
        cells: The summaries, by seed.
        users: `seed`, `user_id`, and NDCG@10 by each model; `PICKED`, where the cells say what was picked.
    """

    task: str
    share: float
    cells: Mapping[int, Mapping[str, Any]]
    users: pl.DataFrame

    @property
    def models(self) -> list[str]:
        """In the order they were measured."""
        return [name for name in self.users.columns if name not in ("seed", Columns.User, PICKED)]

    @property
    def baselines(self) -> list[str]:
        """The models that aren't ours."""
        return [name for name in self.models if name not in (OURS, ALONE)]

    def only(self, seeds: Collection[int]) -> "Point":
        """The cells of some seeds."""
        cells = {seed: cell for seed, cell in self.cells.items() if seed in seeds}
        return Point(self.task, self.share, cells, self.users.filter(pl.col("seed").is_in(list(seeds))))

    def by_seed(self, model: str) -> Floats:
        """The mean over the test's users, for each seed."""
        means = self.users.group_by("seed").agg(pl.col(model).mean()).sort("seed")
        return means[model].to_numpy()

    def mean(self, model: str) -> float:
        """The mean over seeds."""
        return float(self.by_seed(model).mean())

    @property
    def best(self) -> str:
        """The baseline with the best mean on the test: picked with hindsight, which favours it."""
        return max(self.baselines, key=self.mean)

    def difference(self, other: str, model: str = OURS) -> Interval:
        """How much better a model is than another."""
        gap = (self.users[model] - self.users[other]).to_numpy()
        return clustered_bootstrap(gap, self.users[Columns.User].to_numpy())


@dataclass(frozen=True)
class Versus:
    """Our model against another at one point.

    Attributes:
        point: Where.
        other: Against whom.
        gap: The difference in NDCG@10.
        p: Adjusted for all points of the suite.
    """

    point: Point
    other: str
    gap: Interval
    p: float

    @property
    def better(self) -> bool:
        """Significantly, after the correction."""
        return self.gap.low > 0 and self.p < ALPHA

    @property
    def worse(self) -> bool:
        """Significantly, after the correction."""
        return self.gap.high < 0 and self.p < ALPHA

    @property
    def lift(self) -> float:
        """The difference as a share of the other's mean."""
        return self.point.mean(OURS) / self.point.mean(self.other) - 1


def points(store: Store) -> dict[str, list[Point]]:
    """All cells of a folder, by task and share; tasks and models in the suite's order."""
    keys = [key for key in store.measured() if key.task in TASKS]
    found: dict[str, list[Point]] = {}
    for task in TASKS:
        shares = sorted({key.share for key in keys if key.task == task})
        if shares:
            found[task] = [
                _point(store, [key for key in keys if (key.task, key.share) == (task, share)])
                for share in shares
            ]
    return found


def _point(store: Store, keys: Sequence[Key]) -> Point:
    read = {key.seed: store.read(key) for key in keys}
    frames = [users.insert_column(0, pl.lit(seed).alias("seed")) for seed, (_, users) in read.items()]
    shared = [name for name in frames[0].columns if all(name in frame.columns for frame in frames)]
    users = pl.concat([frame.select(shared) for frame in frames])
    picks = {seed: _pick(summary) for seed, (summary, _) in read.items()}
    if None not in picks.values():
        by_seed = (pl.when(seed=seed).then(pick) for seed, pick in picks.items())
        users = users.with_columns(pl.coalesce(by_seed).alias(PICKED))
    return Point(keys[0].task, keys[0].share, {seed: summary for seed, (summary, _) in read.items()}, users)


def _pick(cell: Mapping[str, Any]) -> str | None:
    """Of equals the first; None where the cell doesn't say."""
    validation: Mapping[str, float] = cell.get("validation", {})
    return max(validation, key=validation.__getitem__, default=None)


def versus(found: Mapping[str, Sequence[Point]], other: str | None = None) -> list[Versus]:
    """Our model against the best baseline, or against another model, at every point.

    Args:
        found: Every point of the suite: the p-values are adjusted for all of them together.
        other: A model; None for the best baseline of each point.
    """
    every = [point for of_task in found.values() for point in of_task]
    names = [other or point.best for point in every]
    gaps = [point.difference(name) for point, name in zip(every, names, strict=True)]
    adjusted = holm([1.0 if gap.p is None else gap.p for gap in gaps]) if gaps else []
    return [Versus(*row, float(p)) for *row, p in zip(every, names, gaps, adjusted, strict=True)]


def single_cells(found: Mapping[str, Sequence[Point]]) -> dict[str, list[Point]]:
    """Each seed as a point of its own."""
    return {
        task: [point.only([seed]) for point in of_task for seed in point.cells]
        for task, of_task in found.items()
    }


def clustered_bootstrap(
    values: Floats, clusters: npt.NDArray[Any], n: int = _RESAMPLES, level: float = 0.95, seed: int = 0
) -> Interval:
    """The mean of values, with an interval by resampling clusters: a user who occurs in several seeds is one.

    Davison & Hinkley 1997, "Bootstrap Methods and their Application", section 3.8 (whole clusters are
    resampled); percentile interval and p-value as in `rectransfer.metrics.paired_bootstrap`.

    Args:
        values: Shape `(m,)`.
        clusters: Whose each value is, shape `(m,)`.
        n: How many times the clusters are resampled.
        level: Between 0 and 1.
        seed: Of the resampling.
    """
    names, which = np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(which, weights=values), np.bincount(which).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(n)
    step = max(1, _DRAWS_A_BLOCK // len(names))
    for start in range(0, n, step):
        rows = rng.integers(len(names), size=(min(step, n - start), len(names)))
        means[start : start + step] = sums[rows].sum(axis=1) / sizes[rows].sum(axis=1)
    beyond = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    p = min(1.0, 2 * (beyond + 1) / (n + 1))
    return Interval(float(values.mean()), float(low), float(high), level, p, len(names))
