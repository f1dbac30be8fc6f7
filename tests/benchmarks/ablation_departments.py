"""What each part of fitting is good for where customers are shared, rehearsed earlier; docs/ablation.md.

    python tests/benchmarks/ablation_departments.py            # half an hour
    python tests/benchmarks/ablation_departments.py --render   # the page's table only

Three departments open for households that are known from all others, ten weeks earlier than in the results:
no week that those are measured on decides what stays in.
"""

import json
import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
from ablation import ALL, ROOT, Floats, earlier, only_to_render, render, taken_down

import rectransfer as rt
from rectransfer.evaluation import Contest, Task, category_launch
from rectransfer.evaluation.matrix import interactions
from rectransfer.evaluation.score import evaluate_scores
from rectransfer.logs import PublicData
from rectransfer.recommend import RecommenderConfig, profiles
from rectransfer.recommend.ground import Ground
from rectransfer.tastes import find_tastes, learn_leanings

RESULTS = ROOT / "docs" / "results" / "ablation-departments.json"
DEPARTMENTS = ("Drug gm", "Meat", "Produce")
CELLS = ((0.1, 0), (0.1, 1), (0.25, 0))
"""Shares of the target's users, and the seeds that draw them."""

logger = logging.getLogger("ablation")


def variants() -> list[tuple[str, tuple[float, ...], AbstractContextManager[Any]]]:
    """A name, the pulls that are tried, and what is otherwise while it is fitted."""
    as_it_is: AbstractContextManager[Any] = nullcontext()
    pulls = RecommenderConfig().pulls
    return [
        (ALL, pulls, as_it_is),
        ("without leanings", pulls, patch.object(profiles, "_leanings", lambda *_: None)),
        ("nobody is met as if new", pulls, patch.object(Ground, "strangers", 0.0)),
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
    return np.asarray(Contest(task).add("model", lists=lists).values()["model"], dtype=np.float64)


def leanings_alone(task: Task) -> Floats:
    """The share of a household's kind that takes an item, and nothing else: no table, no ranker."""
    everybody, elsewhere = task.source.users, task.source.items
    past = interactions(task.source, everybody, elsewhere, binary=False)
    learners = task.target.users.ids.filter(everybody.rows(task.target.users.ids) >= 0)
    here = type(task.items).from_ids(learners)
    taken = interactions(task.target, here, task.items)
    found = learn_leanings(find_tastes(past), past[everybody.rows(here.ids)], taken)
    apart = found.of(past[everybody.rows(task.users.ids)])
    return _scored(task, found.common + apart @ found.calls.T)


def popular(task: Task) -> Floats:
    """Best sellers: all that the target alone knows of households that are new to it."""
    taken = interactions(task.target, task.target.users, task.items)
    buyers = np.asarray(taken.sum(axis=0), dtype=np.float32).ravel()
    return _scored(task, np.broadcast_to(buyers, (len(task.users), len(buyers))))


def _scored(task: Task, scores: Any) -> Floats:
    found = evaluate_scores(np.ascontiguousarray(scores), task.matrices.relevant, task.matrices.seen)
    return found["ndcg@10"].to_numpy()


def department(data: PublicData, name: str) -> dict[str, Floats]:
    """NDCG@10 of each household, mean over the cells: it is tested in each."""
    source = rt.pretrain(category_launch(data, department=name).source, seed=0, deterministic=True)
    cells = []
    for share, seed in CELLS:
        task = category_launch(data, department=name, share=share, seed=seed)
        values = fitted(task, source, seed)
        cells.append({**values, "leanings alone": leanings_alone(task), "best sellers": popular(task)})
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
    return taken_down({"departments": values}, {"departments": users}, start)


def main() -> None:
    """Measure and write."""
    if not only_to_render(__doc__):
        RESULTS.write_text(json.dumps(results(), indent=1) + "\n", encoding="utf-8")
    render(json.loads(RESULTS.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
