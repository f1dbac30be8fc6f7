"""Search for settings on validation users of the target, and keep the defaults unless they are beaten."""

import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from tqdm import tqdm

from rectransfer.engines.every import Where, map_all, require_where
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, require_log
from rectransfer.pretrained import PretrainConfig, Pretrained, pretrain
from rectransfer.ranking import done_at_once
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.tuning.digest import comparable_under
from rectransfer.tuning.folds import Fitting, Part, parts
from rectransfer.tuning.outcome import outcome
from rectransfer.tuning.ranges import Range
from rectransfer.tuning.space import SearchSpace, Settings
from rectransfer.tuning.study import Running, Study, opened
from rectransfer.tuning.tuned import Tuned

__all__ = ["tune"]

logger = logging.getLogger(__name__)


def tune(
    target: InteractionLog,
    pretrained: Pretrained | Sequence[Pretrained] | None = None,
    *,
    source: InteractionLog | None = None,
    space: SearchSpace | Mapping[str, Range] | None = None,
    config: RecommenderConfig | None = None,
    pretrain_config: PretrainConfig | None = None,
    trials: int = 20,
    seconds: float | None = None,
    study: str | Path | None = None,
    folds: int = 3,
    items: Iterable[str] | Iterable[int] | None = None,
    link: pl.DataFrame | Mapping[str, str] | Mapping[int, int] | None = None,
    min_coverage: float = 0.05,
    seed: int = 0,
    engine: Where = "local",
    progress: bool = False,
) -> Tuned:
    """Search for the settings that suit a target, on validation users only.

    The target's users are split into folds. A trial fits a recommender on all folds but one, for each in
    turn, shows it the first three quarters of the visits of the users left out, and measures NDCG@10 of its
    lists on what was new to them later; its value is the mean over the users of all folds. Trial 0 is the
    default, and the others are drawn by a tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms
    for Hyper-Parameter Optimization", NeurIPS, section 4). A trial that after a fold is behind the median of
    those before it ends there. The best trial's settings are taken over where it beats the default by more
    than luck; the interval allows for having picked the best of many.

    Args:
        target: The new domain's log.
        pretrained: Sources that stay as they are.
        source: The log of a source that is pretrained anew for each trial, so that pretraining is searched,
            too.
        space: Fields by dotted name and what they may be tried with, for instance
            `{"train.learning_rate": log_float(1e-4, 1e-2)}`; by default what matters most.
        config: The default to start from and to beat.
        pretrain_config: Likewise for pretraining.
        trials: In the study altogether, trial 0 included.
        seconds: No trial starts later than this after the call, and a trial that is still running then is
            dropped after the fold it is at. Trial 0 is measured whatever it takes.
        study: A file for the trials (SQLite). A study that was stopped or killed goes on where it was; one of
            another space, target or source is refused. One process at a time.
        folds: Parts that the target's users are split into, from 2.
        items: As in `Recommender.fit`.
        link: As in `Recommender.fit`.
        min_coverage: As in `Recommender.fit`.
        seed: Splits the users, draws the trials, and seeds pretraining.
        engine: Where a trial's folds are measured: `"local"`, in turn; `"ray"`, side by side on a cluster.
            The numbers are the same.
        progress: Whether to show the trials.

    Raises:
        MissingExtraError: The package `optuna` is not installed.
        InputError: A field that isn't there or a value that it doesn't take, too few users to measure on, a
            budget below one trial, or a study of something else.
        CoverageError: A source and the target share neither items nor users.
        ArtefactError: `study` is a file of something else.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> from rectransfer.tuning import log_float
        >>> target = plant(PlantedConfig(target_users=40, source_items=30, target_items=30)).target
        >>> found = tune(target, space={"train.l2": log_float(1e-4, 0.1)}, trials=2, folds=2)
        >>> found.trials["state"].to_list()
        ['finished', 'finished']
        >>> found.value >= found.default_value
        True
    """
    require_log(target, "tune(target)")
    if source is not None:
        require_log(source, "tune(source)")
    if trials < 1 or (seconds is not None and seconds <= 0):
        raise InputError(f"trials={trials}, seconds={seconds}; expected at least one trial, and time above 0")
    if source is None and pretrain_config is not None:
        raise InputError("pretrain_config needs the log to pretrain on: tune(..., source=log)")
    kept = Recommender(pretrained).pretrained  # checks what was given
    base = Settings(
        config or RecommenderConfig(),
        None if source is None else pretrain_config or PretrainConfig(),
    )
    searched = _searched(space, base)
    fitting = Fitting(None if items is None else [*items], link, min_coverage)
    logs = [target] if source is None else [target, source]
    at_once = all(one.at_once for one in kept) and all(map(done_at_once, logs))
    split = parts(target, folds, seed, fitting.items, at_once=at_once)
    require_where(engine)
    search = _Search(base, source, kept, split, fitting, seed, engine)
    until = None if seconds is None else time.monotonic() + seconds
    belongs = comparable_under(target, kept, source, base, searched, fitting, folds, seed)
    with opened(study, belongs, searched, base, seed) as open_study:
        with tqdm(total=trials, desc="trials", disable=not progress) as bar:
            search.run(open_study, trials, until, bar)
        return outcome(open_study.records(), base, searched, seed)


class _Search:
    """Trials, one after another."""

    def __init__(
        self,
        base: Settings,
        source: InteractionLog | None,
        kept: tuple[Pretrained, ...],
        split: list[Part],
        fitting: Fitting,
        seed: int,
        engine: Where,
    ) -> None:
        self._engine = engine
        self._base, self._source, self._kept = base, source, kept
        self._split, self._fitting, self._seed = split, fitting, seed
        self._last: tuple[PretrainConfig, Pretrained] | None = None

    def run(self, study: Study, trials: int, until: float | None, bar: Any) -> None:
        """Measure until there are enough trials, or no time is left."""
        records = study.records()
        bar.update(len(records))
        while len(records) < trials and (not records or until is None or time.monotonic() < until):
            default = records[0].values if records else None
            running = study.begin()
            self._measure(study, running, default, until)
            records = study.records()
            bar.update(len(records) - bar.n)

    def _measure(
        self, study: Study, running: Running, default: npt.NDArray[np.float64] | None, until: float | None
    ) -> None:
        start = time.monotonic()
        values = np.zeros(0)
        try:
            settings = self._base.overridden(running.settings)
            sources = self._sources(settings.pretrain)
            for fold, of_fold in enumerate(self._folds(sources, settings.config), 1):
                if default is not None and until is not None and time.monotonic() >= until:
                    study.fail(running, "")
                    return
                values = np.concatenate([values, of_fold()])
                lead = 0.0 if default is None else float((values - default[: len(values)]).mean())
                running.report(values, fold, time.monotonic() - start, lead)
                if default is not None and fold < len(self._split) and running.hopeless:
                    study.prune(running)
                    return
        except InputError as error:
            if default is None:  # the default itself cannot be measured: nothing can
                study.fail(running, "")
                raise
            logger.warning("a trial with %s was refused: %s", dict(running.settings), error)
            study.fail(running, str(error))
            return
        logger.info("NDCG@10 %.4f with %s", values.mean(), dict(running.settings))
        study.finish(running, float(values.mean()))

    def _folds(
        self, sources: list[Pretrained], config: RecommenderConfig
    ) -> Iterator[Callable[[], npt.NDArray[np.float64]]]:
        """What measures each fold: in turn here, or done already, all side by side on Ray."""
        measure = functools.partial(_ndcg, sources=sources, config=config, fitting=self._fitting)
        if self._engine == "local":
            yield from (functools.partial(measure, part) for part in self._split)
            return
        found = map_all(measure, self._split, engine=self._engine)
        yield from (functools.partial(np.asarray, one) for one in found)

    def _sources(self, config: PretrainConfig | None) -> list[Pretrained]:
        if self._source is None or config is None:
            return list(self._kept)
        if self._last is None or self._last[0] != config:
            # one thread: trials then differ by their settings alone
            found = pretrain(self._source, config=config, seed=self._seed, deterministic=True)
            self._last = (config, found)
        return [self._last[1], *self._kept]


def _ndcg(
    part: Part, *, sources: list[Pretrained], config: RecommenderConfig, fitting: Fitting
) -> npt.NDArray[np.float64]:
    return part.ndcg(sources, config, fitting)


def _searched(space: SearchSpace | Mapping[str, Range] | None, base: Settings) -> SearchSpace:
    if space is None:
        found = SearchSpace.default(base.pretrain is not None)
    else:
        found = space if isinstance(space, SearchSpace) else SearchSpace(space)
    found.check(base)
    return found
