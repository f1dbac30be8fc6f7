"""Measure the tower's options on validation users, and write the tables of docs/options.md.

    OMP_NUM_THREADS=1 python tests/benchmarks/options.py
    OMP_NUM_THREADS=1 python tests/benchmarks/options.py --only grocery
    python tests/benchmarks/options.py --render

Everything is measured on users who neither tables nor towers learned from, and none of whom is a test user
of the accuracy benchmark's tasks. Each setting is trained with three seeds, each seed with other users held
out; how many epochs to keep is chosen on users of their own. Results go to docs/results/options.json
after each setting, and a setting that is there isn't measured again: a run may be broken off at any time.
To measure again, remove the file.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from options_page import render
from options_settings import BASE, FEW_STEPS, MANY_STEPS, SETTINGS, Setting
from provenance import provenance
from scipy.sparse import csr_array

import rectransfer as rt
from rectransfer.embeddings import EmbeddingTable
from rectransfer.evaluation import Task, movielens, store_launch
from rectransfer.logs import InteractionLog, hold_out_users, k_folds_of_users, share_of_users
from rectransfer.metrics import Ndcg, rank_relevant, top_k
from rectransfer.ranking import (
    Evidence,
    Examples,
    Histories,
    Tower,
    TowerConfig,
    TrainConfig,
    cut_at_share,
    fit_tower,
    lay_out,
)
from rectransfer.ranking.cuts import LONGEST_HISTORY
from rectransfer.sequences import sequences
from rectransfer.vocabulary import Vocabulary

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "options.json"
SEEDS = (0, 1, 2)
K = 10
logger = logging.getLogger("options")


@dataclass(frozen=True, eq=False)
class Bench:
    """What a setting is trained, stopped and measured on, for one seed, and what it changes."""

    base: dict[str, Any]
    evidence: Evidence
    learning: Histories
    popularity: Any
    stopping: Examples
    measured: Examples


def bench(
    log: InteractionLog,
    items: Vocabulary,
    seed: int,
    base: dict[str, Any],
    table: EmbeddingTable | None = None,
    share: float = 1.0,
) -> Bench:
    """A fold of users to measure on; of the others a fifth to stop by, and a share of the rest to learn from.

    Without a table one is learned from the same users as the tower.
    """
    fold = k_folds_of_users(log, 5, seed=0)[seed]
    split = hold_out_users(fold.kept, 0.2, seed=seed)
    kept = share_of_users(split.kept, share, seed=seed).log
    if table is None:
        by = "session" if log.has_sessions else "user"
        table = rt.Item2Vec(seed=seed, deterministic=True).fit(sequences(kept, items, by=by))
    learning = Histories.from_log(kept, items)
    popularity = np.log1p(np.bincount(learning.items, minlength=len(items))).astype(np.float32)
    stopping, measured = (
        cut_at_share(Histories.from_log(part, items), len(items)) for part in (split.held_out, fold.held_out)
    )
    evidence = lay_out("target", table, items, popularity=popularity)
    return Bench(base, evidence, learning, popularity, stopping, measured)


def train(on: Bench, setting: Setting, seed: int) -> tuple[Tower, float, int]:
    """A tower with its best learning rate and its epoch."""
    best: tuple[float, Tower, float, int] | None = None
    for rate in setting.rates or (TrainConfig().learning_rate,):
        tower = Tower(on.evidence, TowerConfig(**setting.tower), seed)
        config = TrainConfig(**{"learning_rate": rate, **on.base, **setting.train})
        trained = fit_tower(
            tower,
            on.learning,
            config,
            popularity=on.popularity,
            validation=on.stopping if setting.stopping else None,
            seed=seed,
        )
        reached = max(trained.validation, default=0.0)
        if best is None or reached > best[0]:
            best = reached, tower, rate, trained.epochs
    assert best is not None
    return best[1:]


def measure(on: Bench, tower: Tower) -> dict[str, Any]:
    """NDCG@10 of each user, of the tail's labels alone, and what of the catalogue is shown."""
    scores = tower.encode_users(on.measured) @ tower.encode_items().T
    seen, relevant = on.measured.seen, on.measured.relevant
    order = np.argsort(-on.popularity, kind="stable")
    tail = np.ones(len(order), dtype=bool)
    tail[order[: len(order) // 5]] = False
    ranked = np.where(seen.toarray() > 0, -np.inf, scores)
    _, shown = top_k(ranked, K)
    rare = csr_array(relevant.multiply(tail[None, :]))
    rare.eliminate_zeros()
    of_rare = rank_relevant(scores, rare, seen)
    return {
        "ndcg": Ndcg(K).per_user(rank_relevant(scores, relevant, seen)).round(5).tolist(),
        "tail_ndcg": round(float(Ndcg(K).per_user(of_rare).mean()), 6),
        "tail_share": round(float(tail[shown].mean()), 6),
        "coverage": round(len(np.unique(shown)) / len(order), 6),
    }


def movies() -> Task:
    """The accuracy benchmark's task; its test users are not in its target."""
    return movielens(rt.fetch("ml-1m"), rt.fetch("ml-100k"), share=1.0, seed=0)


def thin() -> list[Bench]:
    """72 users of ML-100K over a frozen table of ML-1M's users."""
    task = movies()
    source = share_of_users(task.source, 0.25, seed=0).log
    table = rt.Item2Vec(seed=0, deterministic=True).fit(sequences(source, source.items, by="user"))
    return [bench(task.target, task.items, seed, MANY_STEPS, table, share=0.15) for seed in SEEDS]


def ml_100k() -> list[Bench]:
    """All users of ML-100K who are no test users, and a table of their own."""
    task = movies()
    return [bench(task.target, task.items, seed, FEW_STEPS) for seed in SEEDS]


def grocery() -> list[Bench]:
    """A fifth of the households of Complete Journey's other stores, weeks 1 to 43."""
    log = share_of_users(store_launch(rt.fetch("complete-journey")).source, 0.2, seed=0).log
    return [bench(log, log.items, seed, FEW_STEPS) for seed in SEEDS]


SCENARIOS: dict[str, tuple[Callable[[], list[Bench]], set[str]]] = {
    "thin": (thin, {setting.group for setting in SETTINGS} - {"negatives"}),
    "ml-100k": (ml_100k, {"loss", "negatives", "labels", "augment", "steps"}),
    "grocery": (grocery, {"loss", "labels"}),
}


def run(name: str, results: dict[str, Any]) -> None:
    """Measure what is missing of a scenario."""
    make, groups = SCENARIOS[name]
    found = results["scenarios"].setdefault(name, {"settings": []})
    there = {row["name"] for row in found["settings"]}
    missing = [one for one in (BASE, *SETTINGS) if one.group in {"base", *groups} and one.name not in there]
    if not missing:
        return
    benches = make()
    found |= {
        "learning_users": [len(on.learning) for on in benches],
        "stopping_users": [len(on.stopping) for on in benches],
        "measured_users": [len(on.measured) for on in benches],
        "items": benches[0].evidence.n_items,
    }
    for setting in missing:
        start, seeds = time.perf_counter(), []
        for seed, on in zip(SEEDS, benches, strict=True):
            tower, rate, epochs = train(on, setting, seed)
            seeds.append({"learning_rate": rate, "epochs": epochs, **measure(on, tower)})
        seconds = round(time.perf_counter() - start, 1)
        found["settings"].append({**asdict(setting), "seconds": seconds, "seeds": seeds})
        means = [round(float(np.mean(one["ndcg"])), 4) for one in seeds]
        logger.info("%s, %s: %s", name, setting.name, means)
        results.update(provenance(), longest_history=LONGEST_HISTORY)
        RESULTS.write_text(json.dumps(results) + "\n", encoding="utf-8")


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=tuple(SCENARIOS), nargs="+", default=tuple(SCENARIOS))
    parser.add_argument("--render", action="store_true", help="measure nothing, write the page")
    options = parser.parse_args()
    results: dict[str, Any] = {"scenarios": {}}
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    if not options.render:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
        logging.getLogger("gensim").setLevel(logging.WARNING)
        for name in options.only:
            run(name, results)
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    render(results)


if __name__ == "__main__":
    main()
