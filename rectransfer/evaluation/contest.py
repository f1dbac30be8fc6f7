"""The baselines on a task: all tuned alike, none of them on the test."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from scipy.sparse import csr_array
from tqdm import tqdm

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.evaluation.baselines import Baseline, Popularity
from rectransfer.evaluation.entries import METRICS, Contest, Entry
from rectransfer.evaluation.matrix import interactions, pooled
from rectransfer.evaluation.score import evaluate_ranks, rank_by_model
from rectransfer.evaluation.tasks import Task, TestMatrices, last_steps
from rectransfer.evaluation.tuning import Budget, Family, Tuned, default_grid, tune

__all__ = ["BASELINES", "run_baselines"]

_logger = logging.getLogger(__name__)

_Scope = Literal["target", "pooled"]

_MODELS: Final[dict[str, tuple[Family, _Scope]]] = {
    "popularity": ("popularity", "target"),
    "itemknn_target": ("item_knn", "target"),
    "itemknn_pooled": ("item_knn", "pooled"),
    "ease_target": ("ease", "target"),
    "ease_pooled": ("ease", "pooled"),
    "ials_target": ("ials", "target"),
    "ials_pooled": ("ials", "pooled"),
}

BASELINES: Final = tuple(_MODELS)
"""The names that `run_baselines` knows: each model on the target alone, and on source and target pooled."""


class _Data(NamedTuple):
    train: dict[_Scope, csr_array]
    test: TestMatrices

    def history(self, scope: _Scope) -> csr_array:
        """What models on the target alone can read, or all."""
        return self.test.seen if scope == "target" else self.test.history


def run_baselines(
    task: Task,
    names: Sequence[str] = BASELINES,
    *,
    seed: int = 0,
    budget: Budget = "small",
    progress: bool = False,
) -> Contest:
    """Tune, fit and measure the usual models.

    Each is tuned by NDCG@10 on `task.rehearse`, a task inside the target's log (by default the last quarter
    of each user's steps is its test), with as many settings as every other model but popularity, which has
    none. Then it learns from all of the log (and the source, where it is pooled; over a link a target row
    counts for the source item that its item is linked to, too), and is measured on the test, which it never
    saw.
    Whatever the model, a user without any history that it could use gets the most popular items. Where the
    package `implicit` is missing, its models are left out, and the log says so.

    Args:
        task: What is asked.
        names: Some of `BASELINES`.
        seed: For the models that start at random.
        budget: How many settings a model may try: 4 ("small") or 12 ("full").
        progress: Whether to show a bar.

    Raises:
        InputError: An unknown or repeated name, or a target log that can't be cut.
    """
    if unknown := [name for name in names if name not in _MODELS]:
        raise InputError(f"no baselines are called {unknown}; there are {', '.join(BASELINES)}")
    if len(set(names)) < len(names):
        raise InputError(f"each baseline may be there once, got {list(names)}")
    rehearsal = (task.rehearse or last_steps)(task)
    scopes = {_MODELS[name][1] for name in names}
    validation, final = (_Data(_train(one, scopes), one.matrices) for one in (rehearsal, task))
    contest = Contest(task)
    for name in tqdm(names, desc="baselines", unit="model", disable=not progress):
        try:
            contest = contest.with_entry(_run(name, validation, final, seed, budget))
        except MissingExtraError as error:
            _logger.warning("%s is left out: %s", name, error)
    return contest


def _train(task: Task, scopes: set[_Scope]) -> dict[_Scope, csr_array]:
    train: dict[_Scope, csr_array] = {}
    if "target" in scopes:
        train["target"] = interactions(task.target, task.target.users, task.items)
    if "pooled" in scopes:
        train["pooled"] = pooled(task.source, task.bilingual(task.target), task.columns)
    return train


def _run(name: str, validation: _Data, final: _Data, seed: int, budget: Budget) -> Entry:
    family, scope = _MODELS[name]
    start = time.perf_counter()
    tuned = _tuned(default_grid(family, seed, budget), validation, scope)
    settings, tried = tuned.best.name, tuned.tried
    train, test = final.train[scope], final.test
    n_ranked = test.relevant.shape[1]
    model: Baseline = replace(tuned.best).fit(train, n_ranked)  # type: ignore[type-var]  # dataclasses all
    del tuned  # it may hold large matrices, and the scores need room
    popular = Popularity().fit(train, n_ranked).counts
    ranks = rank_by_model(model, final.history(scope), test.relevant, test.seen, popular)
    values = evaluate_ranks(ranks, METRICS).drop("row")
    seconds = time.perf_counter() - start
    _logger.info("%s: %s, ndcg@10 %.4f, %.1f s", name, settings, values["ndcg@10"].mean(), seconds)
    return Entry(name, values, settings, seconds, tried)


def _tuned(candidates: Sequence[Baseline], data: _Data, scope: _Scope) -> Tuned:
    test = data.test
    return tune(candidates, data.train[scope], data.history(scope), test.relevant, exclude=test.seen)
