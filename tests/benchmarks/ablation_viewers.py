"""Films that are new to known viewers: what whole examples are good for; docs/ablation.md.

    python tests/benchmarks/ablation_viewers.py            # ten minutes
    python tests/benchmarks/ablation_viewers.py --render   # the page's table only

MovieLens 1M, parted: three in ten of the films are the target, the others the source. A fifth of the viewers
is new to the target: all that they watched of the source is known, all they watched of the target is to be
found. Nothing is cut in time, as is usual where recommenders across domains are compared.
"""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, record, run
from ablation_departments import always_cut

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import Task, run_baselines
from rectransfer.logs import InteractionLog, hold_out_users, share_of_users
from rectransfer.vocabulary import Vocabulary

RESULTS = ROOT / "docs" / "results" / "ablation-viewers.json"
SHARES = (0.02, 0.1)
"""Of the viewers who are known in the target."""

BASELINES = ("popularity", "itemknn_pooled", "ease_pooled", "ials_pooled")
ON_SALE = 0.3
NEW = 0.2

logger = logging.getLogger("ablation")


def task_of(log: InteractionLog, share: float) -> Task:
    """Viewers of the source who have seen nothing of the target, and a share of those who have."""
    films = log.items.ids.sort().sample(fraction=ON_SALE, seed=0)
    here = pl.col(Columns.Item).is_in(films.implode())
    users = hold_out_users(log, NEW, seed=0)
    known, new = users.kept.frame.filter(here), users.held_out.frame
    target = log.with_frame(known)
    items = Vocabulary.from_ids(films)
    source = log.with_frame(log.frame.filter(~here))
    return Task(
        name=f"known viewers, {share:.0%}",
        source=source,
        target=share_of_users(target, share, seed=0).log,
        histories=log.with_frame(new.filter(~here)),
        test=log.with_frame(new.filter(here)),
        items=items,
        guarantee="nothing that new viewers watched of the target is learned from; nothing is cut in time",
        context=source.items,
    )


def measured(task: Task, source: rt.Pretrained) -> dict[str, Floats]:
    """NDCG@10 of each new viewer, by model."""
    contest = run_baselines(task, BASELINES)
    ways: list[tuple[str, AbstractContextManager[None]]] = [
        (ALL, nullcontext()),
        ("always cut", always_cut()),
    ]
    for name, way in ways:
        with way:
            model = rt.Recommender(source).fit(task.target, items=task.items.ids)
        contest = contest.add(name, lists=model.recommend(task.users.ids, 10, history=task.newcomers))
    found = {name: np.asarray(values, dtype=np.float64) for name, values in contest.values().items()}
    return {name: found[name] for name in (ALL, "always cut", *BASELINES)}


def results() -> dict[str, Any]:
    """All shares, each with a table of its own."""
    log, start = rt.fetch("ml-1m").log, time.perf_counter()
    source = rt.pretrain(task_of(log, 1.0).source, seed=0, deterministic=True)
    values: dict[str, dict[str, list[float]]] = {}
    users: dict[str, list[int]] = {}
    for share in SHARES:
        kind = f"viewers {share:g}"
        found = measured(task_of(log, share), source)
        users[kind] = [len(found[ALL])]
        values[kind] = {name: [round(float(one), 4) for one in each] for name, each in found.items()}
        logger.info("%s: %s", kind, {name: round(float(each.mean()), 4) for name, each in found.items()})
    return record(values, users, start)


if __name__ == "__main__":
    run(__doc__, RESULTS, results)
