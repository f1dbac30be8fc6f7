"""Measure one cell: the tuned baselines, our model without the source, our model."""

import logging
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import polars as pl
from provenance import provenance

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import Contest, Task, run_baselines
from suite.cells import ROOT, Key, fingerprint
from suite.tasks import ALONE, OURS, SOURCE_SEED, TASKS

__all__ = ["code", "measure", "pretrained_source", "source_folder"]

logger = logging.getLogger("suite")

_BUDGET: Final = "small"
_K: Final = 10
_HERE: Final = Path(__file__).parent
_AFTER_PRETRAINING: Final = ("recommend", "evaluation", "tuning", "selection")


def code() -> str:
    """What cells are measured with."""
    return fingerprint(more=(_HERE / "tasks.py", _HERE / "measure.py"))


def source_folder(task: str, scratch: Path) -> Path:
    """Where a task's source is kept, by the code that it was learned with."""
    package = ROOT / "rectransfer"
    tasks = (package / "evaluation" / "tasks").glob("*.py")
    return scratch / "pretrained" / f"{task}-{fingerprint(more=tasks, without=_AFTER_PRETRAINING)}"


def pretrained_source(task: str, folder: Path) -> rt.Pretrained:
    """A task's source: read, or learned now and kept."""
    if not folder.exists():
        start = time.perf_counter()
        log = TASKS[task].make(1.0, 0).source
        found = rt.pretrain(log, seed=SOURCE_SEED, deterministic=True)
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        found.save(draft)
        draft.rename(folder)
        logger.info("%s: pretrained in %.0f s", task, time.perf_counter() - start)
    return rt.load_pretrained(folder)


def measure(key: Key, pretrained: rt.Pretrained) -> tuple[dict[str, Any], pl.DataFrame]:
    """All models on a cell's task.

    Returns:
        Plain values for JSON, and NDCG@10 of each user: `user_id` and a column a model.
    """
    benchmark = TASKS[key.task]
    start = time.perf_counter()
    task = benchmark.make(key.share, key.seed)
    contest = run_baselines(task, benchmark.baselines, seed=key.seed, budget=_BUDGET)
    contest, _ = _with_ours(contest, ALONE, None, key.seed)
    contest, model = _with_ours(contest, OURS, pretrained, key.seed)
    summary = {
        "task": key.task,
        "share": key.share,
        "seed": key.seed,
        "guarantee": task.guarantee,
        "target_users": task.target.n_users,
        "test_users": len(task.users),
        "items": len(task.items),
        "models": contest.table(seed=key.seed).to_dicts(),
        "settings": {entry.name: entry.settings for entry in contest.entries if entry.settings},
        "verdict": model.verdict.as_dict(),
        "validation": {
            entry.name: max(value for _, value in entry.tried) for entry in contest.entries if entry.tried
        },
        "seconds": {entry.name: round(entry.seconds, 1) for entry in contest.entries},
        "seconds_in_all": round(time.perf_counter() - start, 1),
        "budget": _BUDGET,
        "code": code(),
        **provenance(),
        "changed_since": _changed_since(),
    }
    users = task.users.ids.cast(pl.String).alias(Columns.User)
    return summary, pl.DataFrame([users, *(pl.Series(name, v) for name, v in contest.values().items())])


def _with_ours(
    contest: Contest, name: str, source: rt.Pretrained | None, seed: int
) -> tuple[Contest, rt.Recommender]:
    task = contest.task
    start = time.perf_counter()
    model = rt.Recommender(source, seed=seed)
    model.fit(task.target, items=task.items.ids, link=None if source is None else task.link)
    lists = _lists(model, task)
    return contest.add(name, lists=lists, seconds=time.perf_counter() - start), model


def _lists(model: rt.Recommender, task: Task) -> pl.DataFrame:
    return model.recommend(task.users.ids, _K, history=task.newcomers)


def _changed_since() -> bool:
    """Whether what is measured isn't quite what was committed."""
    git = ["git", "status", "--porcelain", "--", "rectransfer", "tests/benchmarks"]
    return bool(subprocess.run(git, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip())
