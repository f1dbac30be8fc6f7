"""What each part of fitting is good for where customers are shared, rehearsed earlier; docs/ablation.md.

    python tests/benchmarks/ablation_departments.py            # half an hour
    python tests/benchmarks/ablation_departments.py --render   # the page's table only

Three departments open for households that are known from all others, ten weeks earlier than in the results:
no week that those are measured on decides what stays in.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
from ablation import ALL, ROOT, Floats, earlier, record, run
from scipy.sparse import csr_array

import rectransfer as rt
from rectransfer.evaluation import Contest, Task, category_launch, run_baselines
from rectransfer.evaluation.matrix import interactions
from rectransfer.logs import PublicData
from rectransfer.ranking import cuts
from rectransfer.recommend import RecommenderConfig, measured, profiles
from rectransfer.recommend.ground import Ground
from rectransfer.tastes import TasteSpace, find_tastes, learn_leanings
from rectransfer.vocabulary import Vocabulary

RESULTS = ROOT / "docs" / "results" / "ablation-departments.json"
DEPARTMENTS = ("Drug gm", "Meat", "Produce")
CELLS = ((0.1, 0), (0.1, 1), (0.25, 0))
"""Shares of the target's users, and the seeds that draw them."""

logger = logging.getLogger("ablation")


@contextmanager
def always_cut() -> Iterator[None]:
    """Of users who are met as if new only the first is met with all that they did."""
    with patch.object(cuts, "UNCUT_EVERY", 10**9), patch.object(measured, "UNCUT_EVERY", 10**9):
        yield


def variants() -> list[tuple[str, tuple[float, ...], AbstractContextManager[Any]]]:
    """A name, the pulls that are tried, and what is otherwise while it is fitted."""
    as_it_is: AbstractContextManager[Any] = nullcontext()
    pulls = RecommenderConfig().pulls
    return [
        (ALL, pulls, as_it_is),
        ("without leanings", pulls, patch.object(profiles, "_leanings", lambda *_: None)),
        ("nobody is met as if new", pulls, patch.object(Ground, "strangers", 0.0)),
        ("who is met as if new is always cut", pulls, always_cut()),
        ("held loosely (pull 10 alone)", (10.0,), as_it_is),
        ("held closely (pull 1000 alone)", (1000.0,), as_it_is),
    ]


def fitted(task: Task, source: rt.Pretrained, seed: int) -> dict[str, Floats]:
    """NDCG@10 of each household, by recommenders with all parts and with one left out or done otherwise."""
    found = {}
    for name, pulls, otherwise in variants():
        with otherwise:
            model = rt.Recommender(source, config=RecommenderConfig(pulls=pulls, seed=seed))
            found[name] = _measured(task, model.fit(task.target, items=task.items.ids))
        logger.info("%s, %s: %.4f", task.name, name, found[name].mean())
    return found


def _measured(task: Task, model: rt.Recommender) -> Floats:
    lists = model.recommend(task.users.ids, 10, history=task.newcomers)
    return _values(Contest(task).add("model", lists=lists))


def _values(contest: Contest) -> Floats:
    return np.asarray(contest.values()["model"], dtype=np.float64)


def leanings_alone(task: Task, past: csr_array, space: TasteSpace) -> Floats:
    """The share of a household's kind that takes an item, and nothing else: no table, no ranker."""
    everybody = task.source.users
    learners = task.target.users.ids.filter(everybody.rows(task.target.users.ids) >= 0)
    here = Vocabulary.from_ids(learners)
    taken = interactions(task.target, here, task.items)
    found = learn_leanings(space, past[everybody.rows(here.ids)], taken)
    apart = found.of(past[everybody.rows(task.users.ids)])
    return _values(Contest(task).add("model", scores=found.common + apart @ found.calls.T))


def department(data: PublicData, name: str) -> dict[str, Floats]:
    """NDCG@10 of each household, mean over the cells: it is tested in each."""
    log = category_launch(data, department=name).source  # whatever the share and the seed
    source = rt.pretrain(log, seed=0, deterministic=True)
    past = interactions(log, log.users, log.items, binary=False)
    space = find_tastes(past)
    cells = []
    for share, seed in CELLS:
        task = category_launch(data, department=name, share=share, seed=seed)
        best_sellers = run_baselines(task, ("popularity",), seed=seed).values()["popularity"]
        values = fitted(task, source, seed)
        cells.append(
            {**values, "leanings alone": leanings_alone(task, past, space), "best sellers": best_sellers}
        )
    return {name: np.mean([cell[name] for cell in cells], axis=0) for name in cells[0]}


def results() -> dict[str, Any]:
    """All departments, one after the other."""
    data, start = earlier(rt.fetch("complete-journey")), time.perf_counter()
    values: dict[str, list[float]] = {}
    users = []
    for each in DEPARTMENTS:
        found = department(data, each)
        users.append(len(found[ALL]))
        for name, value in found.items():
            values.setdefault(name, []).extend(round(float(one), 4) for one in value)
    return record({"departments": values}, {"departments": users}, start)


if __name__ == "__main__":
    run(__doc__, RESULTS, results)
