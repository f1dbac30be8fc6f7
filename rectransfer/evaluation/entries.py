"""Models of any kind, measured on one task by the same code on the same users."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.compare import Comparison, compare
from rectransfer.evaluation.score import evaluate_ranks, evaluate_scores
from rectransfer.evaluation.tasks import Task
from rectransfer.logs import InteractionLog
from rectransfer.metrics import (
    HitRate,
    Map,
    Metric,
    Mrr,
    Ndcg,
    Precision,
    Recall,
    bootstrap_mean,
    ranks_from_lists,
)

__all__ = ["METRICS", "Contest", "Entry"]

METRICS: Final[tuple[Metric, ...]] = (Ndcg(10), Recall(10), Precision(10), Map(10), Mrr(10), HitRate(10))
"""What is measured of every entry."""

_SHOWN: Final = ("ndcg@10", "recall@10")


@dataclass(frozen=True, eq=False)
class Entry:
    """One model's values on a task.

    Attributes:
        name: What tables call it.
        values: A column for each metric and a row for each user, in the order of `task.users`.
        settings: What was chosen for it, in words.
        seconds: What choosing, fitting and scoring took.
        tried: The settings that were tried on the validation cut, and their NDCG@10 there.
    """

    name: str
    values: pl.DataFrame
    settings: str = ""
    seconds: float = 0.0
    tried: tuple[tuple[str, float], ...] = ()

    @classmethod
    def from_scores(cls, name: str, task: Task, scores: npt.NDArray[np.floating]) -> "Entry":
        """An entry from scores of all items.

        Args:
            name: What tables call it.
            task: What is measured.
            scores: Higher is better, shape `(len(task.users), len(task.items))`. Items of the history may be
                scored: they leave the ranking.

        Raises:
            InputError: Another shape, or a score is NaN.
        """
        test = task.matrices
        return cls(name, evaluate_scores(scores, test.relevant, test.seen, METRICS).drop("row"))

    @classmethod
    def from_lists(cls, name: str, task: Task, lists: pl.DataFrame) -> "Entry":
        """An entry from recommendations, such as `recommend(users=task.users.ids, k=100)` gives.

        Users without a list get 0: what a model doesn't recommend can't be found. Lists of users who aren't
        measured are ignored.

        Args:
            name: What tables call it.
            task: What is measured.
            lists: `user_id`, `item_id` and `rank`, from 1. The metrics look at the first ten.

        Raises:
            InputError: Columns are missing, ids differ in type, a list repeats an item or a rank, holds an
                item outside the catalogue, or one that the user had before.
        """
        test = task.matrices
        relevant = pl.DataFrame(
            {
                Columns.User: test.users.take(test.relevant.tocoo().coords[0].astype(np.int64)),
                Columns.Item: task.items.take(test.relevant.tocoo().coords[1].astype(np.int64)),
            }
        )
        ranks = ranks_from_lists(lists, relevant)
        _check_candidates(name, task, lists)
        return cls(name, evaluate_ranks(ranks, METRICS).drop("row"))

    def __getitem__(self, metric: str) -> npt.NDArray[np.float64]:
        if metric not in self.values.columns:
            raise InputError(f"{metric!r} was not measured; there are {self.values.columns}")
        return self.values[metric].to_numpy()


@dataclass(frozen=True, eq=False, repr=False)
class Contest:
    """Entries on one task, aligned: the same users in the same order.

    Attributes:
        task: What was asked.
        entries: In the order they came.
    """

    task: Task
    entries: tuple[Entry, ...] = ()

    def add(
        self,
        name: str,
        *,
        lists: pl.DataFrame | None = None,
        scores: npt.NDArray[np.floating] | None = None,
        settings: str = "",
        seconds: float = 0.0,
    ) -> "Contest":
        """A contest with one more model, from its lists or its scores.

        Args:
            name: What tables call it; each name once.
            lists: As in `Entry.from_lists`.
            scores: As in `Entry.from_scores`.
            settings: What was chosen for it, in words.
            seconds: What it took.

        Raises:
            InputError: Both or none of `lists` and `scores`, a name that is taken, or unusable values.
        """
        if (lists is None) == (scores is None):
            raise InputError(f"{name}: give its lists or its scores, one of the two")
        if lists is not None:
            entry = Entry.from_lists(name, self.task, lists)
        else:
            entry = Entry.from_scores(name, self.task, np.asarray(scores))
        return self.with_entry(replace(entry, settings=settings, seconds=seconds))

    def with_entry(self, entry: Entry) -> "Contest":
        """A contest with one more entry.

        Raises:
            InputError: The name is taken, or the entry has another number of users.
        """
        if entry.name in self.names:
            raise InputError(f"{entry.name!r} is in the contest already: {list(self.names)}")
        if entry.values.height != len(self.task.users):
            raise InputError(
                f"{entry.name} has values of {entry.values.height:,} users, the task {len(self.task.users):,}"
            )
        return replace(self, entries=(*self.entries, entry))

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names."""
        return tuple(entry.name for entry in self.entries)

    def __getitem__(self, name: str) -> Entry:
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise InputError(f"{name!r} is not in the contest; there are {list(self.names)}")

    def values(self, metric: str = "ndcg@10") -> Mapping[str, npt.NDArray[np.float64]]:
        """Each model's values of a metric, shape `(n_users,)`, all in the order of `task.users`."""
        return {entry.name: entry[metric] for entry in self.entries}

    def compare(self, reference: str, *, metric: str = "ndcg@10", seed: int = 0) -> Comparison:
        """All models against one of them, with paired intervals."""
        return compare(self.values(metric), reference, metric=metric, seed=seed)

    def table(self, *, seed: int = 0) -> pl.DataFrame:
        """`name`, the means of `ndcg@10` and `recall@10`, and the ends of the 95 % interval of the former."""
        rows = []
        for entry in self.entries:
            interval = bootstrap_mean(entry["ndcg@10"], seed=seed)
            means = {metric: float(entry[metric].mean()) for metric in _SHOWN}
            rows.append({"name": entry.name, **means, "low": interval.low, "high": interval.high})
        return pl.DataFrame(
            rows, schema={"name": pl.String(), **dict.fromkeys((*_SHOWN, "low", "high"), pl.Float64())}
        )

    def __repr__(self) -> str:
        return f"Contest({self.task.name!r}, {len(self.task.users):,} users: {', '.join(self.names)})"


def _check_candidates(name: str, task: Task, lists: pl.DataFrame) -> None:
    users = pl.Series(task.users.rows(lists[Columns.User]) >= 0)
    measured = lists.filter(users).select(Columns.User, Columns.Item)
    outside = int((task.items.rows(measured[Columns.Item]) < 0).sum())
    seen = measured.join(_pairs(task.histories), on=[Columns.User, Columns.Item], how="semi").height
    if outside or seen:
        raise InputError(
            f"{name}: of {measured.height:,} recommended rows {outside:,} have an item outside the catalogue "
            f"of {len(task.items):,}, and {seen:,} one that the user had before; recommend(..., items=..., "
            "filter_viewed=True) leaves them out"
        )


def _pairs(log: InteractionLog) -> pl.DataFrame:
    return log.frame.select(Columns.User, Columns.Item)
