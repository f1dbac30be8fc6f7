"""Measure every model on the tasks, one cell (task, share, seed) a JSON file.

    python tests/benchmarks/accuracy.py --task movielens --shares 0.05 0.1 0.25 1 --seeds 0
    python tests/benchmarks/accuracy.py --task store-launch

Cells go to docs/results/cells/, and a cell that is there is not measured again unless `--again` is given;
`python tests/benchmarks/render.py` makes docs/results.md out of them.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import rectransfer as rt
from rectransfer.artefacts import library_versions
from rectransfer.evaluation import Contest, Task, movielens, run_baselines, store_launch

CELLS = Path(__file__).parents[2] / "docs" / "results" / "cells"
logger = logging.getLogger("accuracy")


def make_task(name: str, share: float, seed: int) -> Task:
    """The task of a cell."""
    if name == "movielens":
        return movielens(rt.fetch("ml-1m"), rt.fetch("ml-100k"), share=share, seed=seed)
    if share != 1.0:
        raise SystemExit("the store launch has one share, 1")
    return store_launch(rt.fetch("complete-journey"), seed=seed)


def lists(model: rt.Recommender, task: Task) -> pl.DataFrame:
    """A model's recommendations to the task's users."""
    history = None if task.histories is task.target else task.histories
    return model.recommend(task.users.ids, 100, history=history)


def measure(task: Task, pretrained: rt.Pretrained, seed: int) -> dict[str, object]:
    """All models on a task."""
    contest: Contest = run_baselines(task, seed=seed)
    verdict = None
    for name, source in (("rectransfer_target", None), ("rectransfer", pretrained)):
        start = time.perf_counter()
        model = rt.Recommender(source, seed=seed).fit(task.target, items=task.items.ids)
        contest = contest.add(name, lists=lists(model, task), seconds=time.perf_counter() - start)
        verdict = model.verdict
    assert verdict is not None
    return {
        "task": task.name,
        "guarantee": task.guarantee,
        "test_users": len(task.users),
        "items": len(task.items),
        "target_users": task.target.n_users,
        "models": contest.table(seed=seed).to_dicts(),
        "settings": {entry.name: entry.settings for entry in contest.entries if entry.settings},
        "seconds": {entry.name: round(entry.seconds, 1) for entry in contest.entries},
        "verdict": verdict.as_dict(),
        "per_user_ndcg@10": {
            name: [round(float(v), 5) for v in values] for name, values in contest.values().items()
        },
    }


def source_of(task: Task, seed: int, folder: Path | None) -> rt.Pretrained:
    """The task's source, pretrained now or before."""
    if folder is not None and (folder / "card.json").exists():
        return rt.load_pretrained(folder)
    start = time.perf_counter()
    found = rt.pretrain(task.source, seed=seed)
    logger.info("pretrained in %.0f s", time.perf_counter() - start)
    if folder is not None:
        found.save(folder)
    return found


def provenance() -> dict[str, object]:
    """Where and with what a cell was measured."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "versions": library_versions(),
    }


def main() -> None:
    """Measure the cells that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=("movielens", "store-launch"), required=True)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--pretrained", type=Path, help="a folder: read the source from it, or save it there")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("gensim").setLevel(logging.WARNING)
    CELLS.mkdir(parents=True, exist_ok=True)
    pretrained: dict[int, rt.Pretrained] = {}
    for seed in options.seeds:
        for share in options.shares:
            path = CELLS / f"{options.task}-{round(share * 100):03d}-{seed}.json"
            if path.exists() and not options.again:
                logger.info("%s is there", path.name)
                continue
            task = make_task(options.task, share, seed)
            # MovieLens' source is the same for every seed and share; the stores are drawn anew
            key = 0 if options.task == "movielens" else seed
            if key not in pretrained:
                pretrained[key] = source_of(task, key, options.pretrained)
            cell = measure(task, pretrained[key], seed) | {"share": share, "seed": seed} | provenance()
            path.write_text(json.dumps(cell, indent=1) + "\n", encoding="utf-8")
            logger.info("%s: %s", path.name, {m["name"]: round(m["ndcg@10"], 4) for m in cell["models"]})


if __name__ == "__main__":
    main()
