"""Measure every model on the tasks, one cell (task, share, seed) at a time.

    python tests/benchmarks/accuracy.py                                  # what is missing of the whole suite
    python tests/benchmarks/accuracy.py --task movielens --shares 0.05 0.1 --seeds 0 1 --again
    python tests/benchmarks/accuracy.py --quick                          # a few cells, to see that all works

A finished cell goes to docs/results/cells/ (and its users' values to docs/results/users/) at once. Cells
that are there are left alone; `--stale` measures those again that other code was measured with, `--again`
all that are asked for. A task's source is learned once and kept in the scratch folder.
`python tests/benchmarks/render.py` makes docs/results.md out of the cells.
"""

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from suite.cells import ROOT, Key, Store
from suite.pool import DONE, ONE_THREAD, Job, run

logger = logging.getLogger("suite")

QUICK = (("private-label", (0.05,)), ("store-launch", (0.05,)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for; 1 where a cell couldn't be."""
    options = parsed(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for noisy in ("faiss", "gensim", "rectransfer.ranking"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if options.worker:
        return work(options)
    from suite.measure import code

    store, now = Store(options.out), code()
    wanted = cells(options)
    todo = to_measure(wanted, store, now, again=options.again, stale=options.stale)
    old = [key for key in wanted if key not in todo and store.state(key, now) == "stale"]
    if old:
        logger.warning("%s cells are of other code; --stale measures them again", len(old))
    logger.info("%s of %s cells to measure, %s at a time", len(todo), len(wanted), options.jobs)
    failed = measure_all(todo, options)
    for name in failed:
        logger.error("failed: %s", name)
    logger.info("%s cells measured, %s failed", len(todo) - len(failed), len(failed))
    return int(bool(failed))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", nargs="+", help="names; all where there are none")
    parser.add_argument("--shares", type=float, nargs="+", help="of the target's users, in (0, 1]")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--again", action="store_true", help="measure cells that are there, too")
    parser.add_argument("--stale", action="store_true", help="measure cells that are of other code, too")
    parser.add_argument("--quick", action="store_true", help="a few cells, into results/quick")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, one thread each")
    parser.add_argument("--out", type=Path, help="where cells go")
    parser.add_argument("--scratch", type=Path, default=ROOT / "results" / "suite", help="sources and logs")
    parser.add_argument("--worker", choices=("source", "cells"), help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: at least 1")
    if bad := [share for share in options.shares or () if not 0 < share <= 1]:
        parser.error(f"--shares {bad[0]}: more than 0, at most 1")
    if options.out is None:
        options.out = ROOT / "results" / "quick" if options.quick else ROOT / "docs" / "results"
    options.again |= options.quick
    return options


def cells(options: argparse.Namespace) -> list[Key]:
    """The cells that are asked for, the slowest first: those of large shares."""
    from suite.tasks import SEEDS, SHARES, TASKS

    if options.quick:
        return [Key(task, share, 0) for task, shares in QUICK for share in shares]
    if unknown := [name for name in options.task or () if name not in TASKS]:
        raise SystemExit(f"no task is called {unknown[0]!r}; there are {', '.join(TASKS)}")
    found = [
        Key(task, share, seed)
        for task in options.task or TASKS
        for share in options.shares or SHARES
        for seed in options.seeds or SEEDS
    ]
    return sorted(found, key=lambda key: (-key.share, key.task, key.seed))


def to_measure(wanted: Sequence[Key], store: Store, code: str, *, again: bool, stale: bool) -> list[Key]:
    """Those of the cells that have to be measured."""
    states = {"missing", *(("stale",) if stale else ()), *(("stale", "current") if again else ())}
    return [key for key in wanted if store.state(key, code) in states]


def measure_all(todo: Sequence[Key], options: argparse.Namespace) -> list[str]:
    """Learn the sources, then measure; the names of the cells that weren't."""
    from suite.measure import source_folder

    folders = {task: source_folder(task, options.scratch) for task in sorted({key.task for key in todo})}
    base = {
        task: (sys.executable, __file__, "--out", str(options.out), "--source", str(folder), "--task", task)
        for task, folder in folders.items()
    }
    sources = [Job(f"source-{task}", (*base[task], "--worker", "source")) for task in folders]
    logs = options.scratch / "logs"
    learned = run(sources, options.jobs, logs)
    jobs = []
    for (task, share), keys in groupby(todo, key=lambda key: (key.task, key.share)):
        if task in learned:
            which = ("--shares", str(share), "--seeds", *(str(key.seed) for key in keys))
            jobs.append(Job(f"{task}-{share:g}", (*base[task], "--worker", "cells", *which)))
    done = run(jobs, options.jobs, logs)
    return [key.name for key in todo if key.name not in done]


def work(options: argparse.Namespace) -> int:
    """In a process of the pool: a source, or the cells of a task and a share."""
    from suite.measure import measure, pretrained_source

    assert all(os.environ.get(name) == "1" for name in ONE_THREAD), "a worker is started by the pool"
    pretrained = pretrained_source(options.task[0], options.source)
    if options.worker == "source":
        print(f"{DONE}{options.task[0]} (its source)", flush=True)  # noqa: T201 (the pool reads it)
        return 0
    failed = 0
    for key in cells(options):
        try:
            summary, users = measure(key, pretrained)
            Store(options.out).write(key, summary, users)
        except Exception:
            failed += 1
            logger.error("%s failed\n%s", key.name, traceback.format_exc())
            continue
        print(f"{DONE}{key.name} {_in_short(summary)}", flush=True)  # noqa: T201 (the pool reads it)
    return int(failed > 0)


def _in_short(summary: dict[str, object]) -> str:
    models = {model["name"]: model["ndcg@10"] for model in summary["models"]}  # type: ignore[attr-defined]
    ours = {name: value for name, value in models.items() if name.startswith("rectransfer")}
    best = max(models.keys() - ours.keys(), key=lambda name: models[name])
    shown = ", ".join(f"{name} {models[name]:.4f}" for name in (*ours, best))
    return f"in {summary['seconds_in_all']} s: {shown}"


if __name__ == "__main__":
    sys.exit(main())
