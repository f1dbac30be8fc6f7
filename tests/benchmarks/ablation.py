"""What each part of the model is good for, rehearsed inside the sources; docs/ablation.md.

    python tests/benchmarks/ablation.py            # some minutes
    python tests/benchmarks/ablation.py --render   # the page's table only

The store launch is played again with the stores that are no part of its test, ten weeks earlier, and films
are recommended to users of MovieLens 1M who were held out: no household, store, week or film lover that any
result of docs/results.md is measured on decides what stays in.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from provenance import provenance
from scipy.sparse import csr_array

import rectransfer as rt
from rectransfer.evaluation import Task, store_launch
from rectransfer.evaluation.tasks.journey import LAST_WEEK, groceries
from rectransfer.evaluation.tasks.store_launch import launch
from rectransfer.logs import InteractionLog, PublicData, hold_out_users
from rectransfer.metrics import paired_bootstrap
from rectransfer.neighbours import Neighbours, UserKernel, solve_neighbours
from rectransfer.pretrained import PretrainConfig
from rectransfer.pretrained.learn import learn
from rectransfer.ranking import (
    Examples,
    Histories,
    RankerConfig,
    Slate,
    cut_at_random,
    cut_at_share,
    fit_rankers,
    uncut,
)
from rectransfer.scene import Scene, list_ndcg
from rectransfer.vocabulary import Vocabulary

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "docs" / "results" / "ablation.json", ROOT / "docs" / "ablation.md"
EARLIER, STORES = 10, 30
SEEDS = (1, 2)
PENALTIES = (300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
ALL = "all parts"
ANSWERS, ANSWER_FOLDS = "if it knew the answers of the others", 5
logger = logging.getLogger("ablation")

Floats = npt.NDArray[np.float64]
Pair = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Stage:
    """A rehearsal, learned: what is learned from, what is measured, and what simpler weights say of both."""

    lesson: Slate
    cuts: Examples
    measured: Examples
    candidates: npt.NDArray[np.int64]
    slate: Slate
    others: dict[str, Pair]


def rehearsal(data: PublicData, seed: int) -> Task:
    """A launch of other stores, ten weeks earlier, in what the real one's source did."""
    others = launch(groceries(data, "the ablation"), 40, 0).others
    kept = data.raw.join(others.select("household_id").unique(), on="household_id", how="semi")
    return store_launch(earlier(replace(data, raw=kept)), n_stores=STORES, stores_seed=seed)


def earlier(data: PublicData) -> PublicData:
    """The same, as if the weeks that are tested were those before them."""
    week = (pl.col("week") + EARLIER).cast(data.raw.schema["week"])
    return replace(data, raw=data.raw.filter(pl.col("week") <= LAST_WEEK).with_columns(week))


def staged(task: Task, config: PretrainConfig) -> Stage:
    """Learn tables and tower from most of the source's users; slates of the others, and of the test."""
    split = hold_out_users(task.source, n=round(config.held_out * task.source.n_users), seed=0)
    found = learn(split.kept, config, 0, progress=False, held_out=split.held_out)
    items = found.table.vocabulary
    return _stage(found.scene, items, split.kept, split.held_out, _measured(task, items), config)


def films(log: InteractionLog, config: PretrainConfig) -> Stage:
    """A thousand users are held out: half to learn from, half to measure on, from 80 % of their visits on."""
    out = hold_out_users(log, n=1_000, seed=7)
    half = hold_out_users(out.held_out, n=500, seed=8)
    found = learn(out.kept, config, 0, progress=False, held_out=half.kept)
    items = found.table.vocabulary
    measured = cut_at_share(Histories.from_log(half.held_out, items), len(items), 0.8)
    return _stage(found.scene, items, out.kept, half.kept, measured, config)


def _stage(
    scene: Scene,
    items: Vocabulary,
    kept: InteractionLog,
    held_out: InteractionLog,
    measured: Examples,
    config: PretrainConfig,
) -> Stage:
    cuts = cut_at_random(
        Histories.from_log(held_out, items), len(items), np.random.default_rng(0), per_user=config.per_user
    )
    candidates = scene.candidates(measured, exclude=measured.seen)
    lesson, slate = _shown(scene, cuts), scene.slate(measured, candidates)
    known = uncut(Histories.from_log(kept, items), len(items), longest=None)
    shown = ((cuts, _rows(scene, cuts)), (measured, candidates))
    ease = Neighbours(1000.0, 1.0, np.ones(len(items), np.float32), UserKernel.solve(known.seen, 1000.0))
    others = {
        "EASE as published (yes or no, l2 1000)": tuple(
            _of(ease.solution.scores(csr_array(part.seen)), rows) for part, rows in shown
        ),
        "one penalty for all items, as if nothing were missing": _one_penalty(known.counts, *shown),
    }
    return Stage(lesson, cuts, measured, candidates, slate, others)  # type: ignore[arg-type]


def _one_penalty(counts: csr_array, *shown: tuple[Examples, npt.NDArray[np.int64]]) -> Pair:
    """The same item-item weights under a plain ridge; the penalty is the best on what is learned from."""
    start = solve_neighbours(counts, 1000.0)
    start = replace(start, rarity=np.ones_like(start.rarity))
    taken, (learned, rows) = start.strengths(counts), shown[0]
    tried = [replace(start, l2=l2, solution=UserKernel.solve(taken, l2)) for l2 in PENALTIES]
    values = [list_ndcg(learned, rows, _of(one.scores(learned.counts), rows)).mean() for one in tried]
    logger.info(
        "one penalty for all, NDCG@10 of what is learned from: %s", dict(zip(PENALTIES, values, strict=True))
    )
    found = tried[int(np.argmax(values))]
    return tuple(_of(found.scores(part.counts), rows) for part, rows in shown)  # type: ignore[return-value]


def _of(scores: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The candidates' scores."""
    return np.take_along_axis(scores, rows, axis=1)


def _rows(scene: Scene, cuts: Examples) -> npt.NDArray[np.int64]:
    return scene.candidates(cuts, exclude=cuts.seen)


def _shown(scene: Scene, cuts: Examples) -> Slate:
    """All candidates, so that columns can be replaced by others."""
    return scene.slate(cuts, _rows(scene, cuts))


def _measured(task: Task, items: Vocabulary) -> Examples:
    histories = Histories.from_log(task.histories, items, task.users)
    whole = uncut(histories, len(items))
    matrix = task.matrices.relevant.tocoo()
    places = items.rows(task.items.take(matrix.col))
    known = places >= 0
    owner, label = matrix.row[known], places[known]
    order = np.argsort(owner, kind="stable")
    found = replace(whole, label_owner=owner[order].astype(np.int64), labels=label[order])
    return found.take(np.unique(owner))


def column(slate: Slate, name: str, values: Callable[[Any], Any]) -> Slate:
    """A slate with one of its signals changed."""
    signals = slate.signals.copy()
    place = slate.names.index(name)
    signals[:, :, place] = values(signals[:, :, place])
    return replace(slate, signals=signals)


def measured(
    stage: Stage, names: tuple[str, ...], config: RankerConfig, lesson: Slate, slate: Slate
) -> Floats:
    """NDCG@10 of each household, by rankers trained on the lesson."""
    ranker = fit_rankers(names, lesson, config, 0)
    return list_ndcg(stage.measured, stage.candidates, ranker.score(slate))


def rows(stage: Stage) -> dict[str, Floats]:
    """The model with all of its parts, and with one left out or done more simply."""
    names, config = stage.lesson.names, PretrainConfig().ranker
    lesson, slate, near = stage.lesson, stage.slate, "source.neighbours"
    found = {ALL: measured(stage, names, config, lesson, slate)}
    for label, part in (
        ("without item-item weights", "neighbours"),
        ("without transitions", "follows"),
        ("without the tower", "tower"),
        ("without Item2Vec's affinities", "affinity"),
        ("without popularity", "popularity"),
    ):
        kept = tuple(name for name in names if part not in name)
        found[label] = measured(stage, kept, config, lesson, slate)
    found["one ranker instead of three"] = measured(stage, names, replace(config, members=1), lesson, slate)
    alike = replace(config, breadth=0.0)
    found["every slate counts alike"] = measured(stage, names, alike, lesson, slate)
    few = np.concatenate(
        [np.flatnonzero(stage.cuts.users == user)[:1] for user in np.unique(stage.cuts.users)]
    )
    found["one cut of each history"] = measured(stage, names, config, lesson.take(few), slate)
    raw = [column(one, near, lambda value: np.exp(value) - 0.03) for one in (lesson, slate)]
    found["item-item weights not in logs"] = measured(stage, names, config, raw[0], raw[1])
    for label, other in stage.others.items():
        shown = [
            column(one, near, lambda _, value=value: np.log(np.maximum(value, 0) + 0.03))  # type: ignore[misc]
            for one, value in zip((lesson, slate), other, strict=True)
        ]
        found[label] = measured(stage, names, config, *shown)
    found[ANSWERS] = knowing_answers(stage, names, config)
    return found


def knowing_answers(stage: Stage, names: tuple[str, ...], config: RankerConfig) -> Floats:
    """By rankers that also learned from what most of those who are measured took: no model can."""
    parts = np.random.default_rng(0).permutation(len(stage.measured)) % ANSWER_FOLDS
    found = np.zeros(len(parts))
    for part in range(ANSWER_FOLDS):
        told, asked = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
        ranker = fit_rankers(names, Slate.concatenate([stage.lesson, stage.slate.take(told)]), config, 0)
        scores = ranker.score(stage.slate.take(asked))
        found[asked] = list_ndcg(stage.measured.take(asked), stage.candidates[asked], scores)
    return found


def run(words: str | None, path: Path, measure: Callable[[], dict[str, Any]]) -> None:
    """A script: measure and keep what was found, unless only the page is asked for; then write the page."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true", help="the page's table only")
    if not parser.parse_args().render:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        for noisy in ("faiss", "gensim", "rectransfer"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        path.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    render(json.loads(path.read_text(encoding="utf-8")))


def results() -> dict[str, Any]:
    """All rehearsals."""
    data, start = rt.fetch("complete-journey"), time.perf_counter()
    config = PretrainConfig().seeded(0, deterministic=True)
    values: dict[str, dict[str, list[float]]] = {"stores": {}, "films": {}}
    users: dict[str, list[int]] = {"stores": [], "films": []}
    stages: list[tuple[str, Callable[[], Stage]]] = [
        *(("stores", partial(lambda seed: staged(rehearsal(data, seed), config), seed)) for seed in SEEDS),
        ("films", lambda: films(rt.fetch("ml-1m").log, config)),
    ]
    for kind, make in stages:
        found = rows(make())
        users[kind].append(len(found[ALL]))
        for name, each in found.items():
            logger.info("%s, %s: %.4f", kind, name, each.mean())
            values[kind].setdefault(name, []).extend(round(float(value), 4) for value in each)
    return record(values, users, start)


def recorded(tables: Iterable[tuple[str, dict[str, Floats]]]) -> dict[str, Any]:
    """What is kept of tables: their names, and of each the users' values by model."""
    start = time.perf_counter()
    values: dict[str, dict[str, list[float]]] = {}
    users: dict[str, list[int]] = {}
    for kind, found in tables:
        users[kind] = [len(found[ALL])]
        values[kind] = {name: [round(float(one), 4) for one in each] for name, each in found.items()}
        logger.info("%s: %s", kind, {name: round(float(each.mean()), 4) for name, each in found.items()})
    return record(values, users, start)


def record(
    values: dict[str, dict[str, list[float]]], users: dict[str, list[int]], start: float
) -> dict[str, Any]:
    """What is kept of a run: each user's values, and where and when they were measured."""
    return {
        "values": values,
        "users": users,
        "seconds": round(time.perf_counter() - start),
        **provenance(),
    }


def render(found: dict[str, Any]) -> None:
    """Put the tables between their marks in the page."""
    page = PAGE.read_text(encoding="utf-8")
    for kind, values in found["values"].items():
        before, _, rest = page.partition(f"<!-- {kind} -->")
        after = rest.partition(f"<!-- /{kind} -->")[2]
        body = "\n".join([f"<!-- {kind} -->", "", *_table(values), "", f"<!-- /{kind} -->"])
        page = f"{before}{body}{after}"
    PAGE.write_text(page, encoding="utf-8")


def _table(values: dict[str, list[float]]) -> list[str]:
    whole = np.array(values[ALL])
    lines = ["| model | NDCG@10 | difference | 95 % interval |", "|---|---|---|---|"]
    for name, each in values.items():
        gap = paired_bootstrap(np.array(each), whole)
        words = "| |" if name == ALL else f"{gap.mean:+.4f} | {gap.low:+.4f} to {gap.high:+.4f} |"
        lines.append(f"| {name} | {np.mean(each):.4f} | {words}")
    return lines


if __name__ == "__main__":
    run(__doc__, RESULTS, results)
