"""The demo's job, from the raw log to a verdict."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import polars as pl

from rectransfer.artefacts import library_versions
from rectransfer.columns import Columns
from rectransfer.demo.page import write_page
from rectransfer.demo.result import ALONE, OURS, DemoResult, Household, require_writable
from rectransfer.evaluation import Contest, Task, run_baselines, store_launch
from rectransfer.logs import InteractionLog, fetch
from rectransfer.report import require_page
from rectransfer.vocabulary import Vocabulary

__all__ = ["Library", "run_demo"]

_logger = logging.getLogger(__name__)

_DEPTH: Final = 100
_SHOWN: Final = 10
_SHOWN_HISTORY: Final = 8


class _Model(Protocol):
    """What the demo asks of a recommender."""

    @property
    def verdict(self) -> Any: ...

    @property
    def coverage(self) -> Any: ...

    def fit(self, target: InteractionLog, *, items: pl.Series, progress: bool) -> "_Model": ...

    def recommend(
        self, users: pl.Series, k: int, *, history: InteractionLog | None, filter_viewed: bool
    ) -> pl.DataFrame: ...


@dataclass(frozen=True)
class Library:
    """What the demo shows; other parts with the same calls can be put in their place.

    Attributes:
        pretrain: `pretrain(source, seed=..., deterministic=True, progress=...)`, the same each time.
        recommender: `Recommender(pretrained, seed=...)`.
    """

    pretrain: Callable[..., Any]
    recommender: Callable[..., _Model]

    @classmethod
    def ours(cls) -> "Library":
        """The parts of rectransfer, imported when they are needed."""
        from rectransfer.pretrained import pretrain
        from rectransfer.recommend import Recommender

        return cls(pretrain, Recommender)


@dataclass
class _Stages:
    report: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        self.report(words)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)


def run_demo(
    *,
    json: str | Path | None = None,
    page: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    report: Callable[[str], None] | None = None,
    task: Task | None = None,
    library: Library | None = None,
) -> DemoResult:
    """Pretrain on a chain's old stores, fit on the new ones, and measure it against what else one could do.

    Args:
        json: A file for the result.
        page: An HTML file for product teams; needs the extra `report`.
        seed: Draws the stores, and starts the models.
        progress: Whether to show bars.
        report: Called with a line at the start of each stage; the log gets it where there is none.
        task: Another task than the store launch.
        library: Other parts than rectransfer's.

    Raises:
        InputError: `json` or `page` cannot be written; data that is damaged.
        MissingExtraError: The data's package isn't installed, or those of the page.
    """
    if json is not None:
        require_writable(Path(json))
    if page is not None:
        require_page(page)
    stages = _Stages(report or _logger.info)
    begin = time.perf_counter()
    if task is None:
        with stages.stage("read", "Reading Complete Journey"):
            task = store_launch(fetch("complete-journey"), stores_seed=seed)
    with stages.stage("test", f"Preparing the test of {task.name}"):
        contest = Contest(task)
        stages.report(f"The test: {task.matrices}")
    model, lists, contest = _ours(contest, stages, library or Library.ours(), seed, progress)
    with stages.stage("baselines", "Tuning and fitting the usual models"):
        others = run_baselines(task, seed=seed, progress=progress)
        contest = Contest(task, (*others.entries, *contest.entries))
    if page is not None:
        with stages.stage("report", f"Writing the report to {page}"):
            write_page(model, contest, page, seed)
    stages.seconds["total"] = round(time.perf_counter() - begin, 2)
    result = DemoResult(
        contest=contest,
        coverage={} if model.coverage is None else model.coverage.as_dict(),
        verdict=model.verdict.as_dict(),
        household=_household(task, lists),
        seconds=stages.seconds,
        peak_memory_bytes=_peak_memory(),
        seed=seed,
        versions=library_versions(),
    )
    if json is not None:
        result.save(json)
    return result


def _ours(
    contest: Contest, stages: _Stages, library: Library, seed: int, progress: bool
) -> tuple[_Model, pl.DataFrame, Contest]:
    """Our model with and without the source: the former, its lists, and a contest with both."""
    task = contest.task
    source, target = task.source, task.target
    with stages.stage("pretrain", f"Pretraining on {len(source):,} rows of {source.n_users:,} users"):
        pretrained = library.pretrain(source, seed=seed, deterministic=True, progress=progress)
    with stages.stage("fit", f"Fitting on {len(target):,} rows of {target.n_users:,} users"):
        model = library.recommender(pretrained, seed=seed).fit(
            target, items=task.items.ids, progress=progress
        )
    with stages.stage("recommend", f"Recommending to {len(task.users):,} users"):
        lists = _lists(model, task)
    with stages.stage("fit_target", "The same without the source"):
        alone = library.recommender(None, seed=seed).fit(target, items=task.items.ids, progress=progress)
        lists_alone = _lists(alone, task)
    contest = contest.add(ALONE, lists=lists_alone, seconds=stages.seconds["fit_target"])
    seconds = stages.seconds["pretrain"] + stages.seconds["fit"]
    return model, lists, contest.add(OURS, lists=lists, seconds=seconds)


def _lists(model: _Model, task: Task) -> pl.DataFrame:
    history = None if task.histories is task.target else task.histories
    return model.recommend(task.users.ids, _DEPTH, history=history, filter_viewed=True)


def _household(task: Task, lists: pl.DataFrame) -> Household:
    """The user with the history of middle length: picked without a look at how good the list is."""
    lengths = np.diff(task.matrices.history.indptr)
    row = int(np.argsort(lengths, kind="stable")[len(lengths) // 2])
    user = task.users.ids[row]
    mine = pl.col(Columns.User) == user
    history = (
        task.histories.frame.filter(mine).reverse().unique(Columns.Item, keep="first", maintain_order=True)
    )
    top = lists.filter(mine & (pl.col(Columns.Rank) <= _SHOWN)).sort(Columns.Rank)
    bought = Vocabulary.from_ids(task.test.frame.filter(mine)[Columns.Item])
    top = top.with_columns(bought=pl.Series(bought.rows(top[Columns.Item]) >= 0))
    return Household(
        user,
        _titled(history.head(_SHOWN_HISTORY), task).select("title"),
        _titled(top, task).select(Columns.Rank, "title", Columns.Score, "bought"),
    )


def _titled(frame: pl.DataFrame, task: Task) -> pl.DataFrame:
    own = pl.col(Columns.Item).cast(pl.String)
    if task.titles is None:
        return frame.with_columns(title=own)
    titles = task.titles.select(Columns.Item, "title")
    joined = frame.join(titles, on=Columns.Item, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("title", own).alias("title"))


def _peak_memory() -> int | None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024  # Linux counts in KiB
