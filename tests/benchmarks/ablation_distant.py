"""What the gate asks of a source of other users, and of items that are only alike; docs/ablation.md.

    python tests/benchmarks/ablation_distant.py            # half an hour, on one core
    python tests/benchmarks/ablation_distant.py --render   # the page's tables only

A chain's own brand in new stores is played again with eight other draws of stores. Of their households those
count whom docs/results.md doesn't test.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, logger, record, run

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import Task, private_label, run_baselines
from rectransfer.logs import PublicData
from rectransfer.recommend import RecommenderConfig, Verdict
from rectransfer.recommend.gate import Contender, judge
from rectransfer.recommend.views import SourceView

RESULTS = ROOT / "docs" / "results" / "ablation-distant.json"
STORES_SEEDS = range(1, 9)
SEEDS = (0, 1)
SHARES = {"thin": (0.02, 0.05, 0.1), "rich": (0.25, 0.5, 1.0)}
"""Of the target's users, by table."""

IN_DOUBT, ALWAYS, NEVER = "in doubt the transfer ships", "the transfer always ships", "the target alone"


def tasks(data: PublicData, share: float, seed: int) -> Iterator[tuple[int, Task]]:
    """A task for each draw of stores, without the households that the results are of."""
    tested = private_label(data).test.users.ids.implode()
    for stores in STORES_SEEDS:
        task = private_label(data, share=share, seed=seed, stores_seed=stores)
        others = task.test.frame.filter(~pl.col(Columns.User).is_in(tested))
        yield stores, replace(task, test=task.test.with_frame(others))


def outcomes(task: Task, source: rt.Pretrained, seed: int) -> dict[str, Floats]:
    """NDCG@10 of each household, by what the gate asks before the transfer ships."""
    verdicts: list[Verdict] = []

    def forced(contenders: list[Contender], config: RecommenderConfig) -> tuple[Contender, Verdict]:
        verdicts.append(judge(contenders, config)[1])
        return next(one for one in contenders if one.transferred and one.members), verdicts[-1]

    contest = run_baselines(task, ("popularity",), seed=seed)
    alone = rt.Recommender(seed=seed).fit(task.target, items=task.items.ids)
    with (
        patch("rectransfer.recommend.fit.judge", forced),
        patch.object(SourceView, "distant", new=False),  # as the gate is with other sources
    ):
        transferred = rt.Recommender(source, seed=seed)
        transferred.fit(task.target, items=task.items.ids, link=task.link)
    for name, model in ((NEVER, alone), (ALWAYS, transferred)):
        lists = model.recommend(task.users.ids, 10, history=task.newcomers)
        contest = contest.add(name, lists=lists)
    found, verdict = contest.values(), verdicts[-1]
    proven = verdict.low > 0
    logger.info("%s: %s; %+.4f", task.name, verdict, (found[ALWAYS] - found[NEVER]).mean())
    return {
        ALL: found[ALWAYS if proven else NEVER],
        IN_DOUBT: found[ALWAYS if verdict.ships == "transfer" else NEVER],
        ALWAYS: found[ALWAYS],
        NEVER: found[NEVER],
    }


def results() -> dict[str, Any]:
    """All draws, shares and seeds; a household that is there several times counts with its mean."""
    data, start = rt.fetch("complete-journey"), time.perf_counter()
    sources: dict[int, rt.Pretrained] = {}
    values: dict[str, dict[str, list[float]]] = {}
    for kind, shares in SHARES.items():
        found: dict[str, dict[Any, list[float]]] = {}
        for share, seed in ((share, seed) for share in shares for seed in SEEDS):
            for stores, task in tasks(data, share, seed):
                if stores not in sources:
                    sources[stores] = rt.pretrain(task.source, seed=0, deterministic=True)
                for name, each in outcomes(task, sources[stores], seed).items():
                    by_user = found.setdefault(name, defaultdict(list))
                    for user, value in zip(task.users.ids, each, strict=True):
                        by_user[user].append(float(value))
        values[f"distant {kind}"] = {
            name: [round(float(np.mean(some)), 4) for some in by_user.values()]
            for name, by_user in found.items()
        }
    users = {kind: [len(found[ALL])] for kind, found in values.items()}
    return record(values, users, start)


if __name__ == "__main__":
    run(__doc__, RESULTS, results)
