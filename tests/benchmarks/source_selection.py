"""Do the scores of `select_source` put sources in the order of what they really gain?

    python tests/benchmarks/source_selection.py                 # every pair, about 20 minutes on one thread
    python tests/benchmarks/source_selection.py --domains 2     # a smoke test; writes no file without --json
    python tests/benchmarks/source_selection.py --render        # the page's table, from the JSON

Complete Journey is cut into domains in two ways, and every ordered pair of two domains is a transfer:

- stores: home stores in order of what a product costs there on average, cut into groups of growing size.
  Items are shared, households are not.
- departments: those with most rows, their 400 most bought products, a third of the households. Households
  are shared, items are not.

A source is what a domain's households did in weeks 1 to 43. A target is what 60 of its households did in
weeks 40 to 43 (departments, which are visited less often: 32 to 43), and the test what up to 1,000 of them,
those among them, did from week 44 on; what the others did up to week 43 is shown to the model as history.
The true lift of a pair is NDCG@10 on the test of a `Recommender` with the source, less that of one without;
found again with another seed, it says how much of an order there is to find.
Which score is the default is decided on the stores alone; how good it is, is reported on the departments.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path
from typing import Any, get_args

import polars as pl
from provenance import provenance
from source_selection_domains import (
    FIRST_WEEK,
    LEAST_DEPARTMENTS,
    LEAST_STORES,
    Domain,
    by_department,
    by_store,
    domain,
    groceries,
)

import rectransfer as rt
from rectransfer.embeddings import Item2Vec
from rectransfer.errors import InputError
from rectransfer.evaluation import evaluate
from rectransfer.pretrained import PretrainConfig
from rectransfer.ranking import TowerConfig, TrainConfig
from rectransfer.recommend import RecommenderConfig
from rectransfer.selection import Score, kendall_tau, select_source

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "source_selection.json"
PAGE = ROOT / "docs" / "source-selection.md"
BEGIN, END = "<!-- results: written by tests/benchmarks/source_selection.py -->", "<!-- end of results -->"
SCORES = (
    *("gain", "transferability", "lift", "probe", "neighbour_overlap", "interactions", "users"),
    *("size", "true_lift_again"),  # to compare with: how large a source's log is, and what could be reached
)
logger = logging.getLogger("source_selection")


def configs() -> tuple[PretrainConfig, RecommenderConfig]:
    """Smaller than the defaults, so that dozens of pairs take minutes; the gate ships the higher mean."""
    tower, train = TowerConfig(hidden=0), TrainConfig(epochs=3)
    table = Item2Vec(dimensions=32, epochs=5)
    return (
        PretrainConfig(item2vec=table, tower=tower, train=train),
        RecommenderConfig(
            item2vec=table,
            tower=tower,
            train=train,
            fine_tune=TrainConfig(epochs=2, learning_rate=1e-4),
            folds=2,
            per_user=2,
            confidence=0.5,
        ),
    )


def true_lifts(
    sources: dict[str, rt.Pretrained], one: Domain, fit: RecommenderConfig, seed: int
) -> dict[str, dict[str, Any]]:
    """What each source gains on the test, and how that was found."""

    def ndcg(model: rt.Recommender) -> float:
        return float(evaluate(model, one.test, histories=one.histories).means["ndcg@10"].mean)

    alone = ndcg(rt.Recommender(None, config=fit, seed=seed).fit(one.target))
    found = {}
    for name, source in sources.items():
        start = time.perf_counter()
        try:
            model = rt.Recommender(source, config=fit, seed=seed).fit(one.target)
        except InputError as error:
            logger.warning("%s to %s: %s", name, one.name, error)
            continue
        found[name] = {
            "true_lift": ndcg(model) - alone,
            "alone": alone,
            "ships": model.verdict.ships,
            "gate": model.verdict.difference,
            "fit_seconds": round(time.perf_counter() - start, 2),
        }
    return found


def pairs_of(kind: str, domains: list[Domain], seed: int) -> list[dict[str, Any]]:
    """Scores and true lift of every source for every target."""
    how, fit = configs()
    pretrained = {one.name: rt.pretrain(one.source, config=how, seed=seed) for one in domains}
    sizes = {one.name: len(one.source) for one in domains}
    found = []
    for one in domains:
        # a source with the target's own households (stores) or items (departments) is the domain itself
        candidates = {name: source for name, source in pretrained.items() if name != one.name}
        start = time.perf_counter()
        table = select_source(candidates, one.target, seed=seed).table
        seconds = (time.perf_counter() - start) / len(candidates)
        # other seeds than the score's: its folds aren't these
        true, again = (true_lifts(candidates, one, fit, seed + other) for other in (1, 2))
        for row in table.filter(pl.col("name").is_in([*true])).iter_rows(named=True):
            name = row["name"]
            found.append(
                {"kind": kind, "source": name, "target": one.name, **true[name]}
                | {score: row[score] for score in SCORES if score in row}
                | {"size": sizes[name], "true_lift_again": again[name]["true_lift"]}
                | {"probe_seconds": round(seconds, 2)}
            )
            logger.info("%s to %s: %+.4f", name, one.name, true[name]["true_lift"])
    return found


def taus(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """τ of each score, over all pairs and among the sources of each target."""
    found: dict[str, Any] = {}
    lifts, targets = [pair["true_lift"] for pair in pairs], [pair["target"] for pair in pairs]
    for score in SCORES:
        values = [pair[score] for pair in pairs]
        for name, groups in (("all", None), ("within", targets)):
            try:
                tau = kendall_tau(values, lifts, groups=groups)
                numbers = {"tau": tau.mean, "low": tau.low, "high": tau.high}
            except (InputError, TypeError):  # the score isn't there for this kind, or says the same of all
                numbers = None
            found.setdefault(score, {})[name] = numbers
    return found


def main() -> None:
    """Measure, and write JSON and table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--domains", type=int, default=7, help="of each kind")
    parser.add_argument("--households", type=int, default=60, help="of a target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help=f"by default {RESULTS.relative_to(ROOT)} for the whole run")
    parser.add_argument("--render", action="store_true", help="only write the table from the JSON")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    for name in ("gensim", "rectransfer"):
        logging.getLogger(name).setLevel(logging.WARNING)
    path = options.json or (RESULTS if options.domains == parser.get_default("domains") else None)
    if not options.render:
        start = time.perf_counter()
        journey = rt.fetch("complete-journey")
        pairs = []
        for kind, parts in (
            ("stores", by_store(groceries(journey, LEAST_STORES), options.domains)),
            ("departments", by_department(groceries(journey, LEAST_DEPARTMENTS), options.domains)),
        ):
            domains = [
                domain(name, part, FIRST_WEEK[kind], options.households, options.seed)
                for name, part in parts.items()
            ]
            pairs += pairs_of(kind, domains, options.seed)
        result = summary(pairs) | {"pairs": pairs, "seed": options.seed, "households": options.households}
        seconds = round(time.perf_counter() - start)
        result.update(provenance(), threads=os.environ.get("OMP_NUM_THREADS", "all"), seconds=seconds)
        logger.info("%s", json.dumps({name: result[name] for name in ("chosen", "taus")}, indent=1))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if path == RESULTS and path.exists():
        render(json.loads(path.read_text(encoding="utf-8")))


def summary(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """τ by kind, and the score that is best among the sources of a target, on the stores."""
    found = {
        kind: taus([pair for pair in pairs if pair["kind"] == kind]) for kind in ("stores", "departments")
    }
    stores = {score: found["stores"][score]["within"] for score in get_args(Score)}
    there = {score: tau["tau"] for score, tau in stores.items() if tau is not None}
    return {"taus": found, "chosen": max(there, key=lambda score: there[score]) if there else None}


def render(result: dict[str, Any]) -> None:
    """Write the table into the page, between its marks."""
    counts = {kind: sum(pair["kind"] == kind for pair in result["pairs"]) for kind in result["taus"]}
    lines = [
        BEGIN,
        "",
        f"| score | stores ({counts['stores']} pairs) | departments ({counts['departments']} pairs) | "
        "departments, all pairs |",
        "|---|---|---|---|",
    ]
    for score in SCORES:
        cells = [result["taus"]["stores"][score]["within"], result["taus"]["departments"][score]["within"]]
        cells.append(result["taus"]["departments"][score]["all"])
        mark = " (chosen on the stores)" if score == result["chosen"] else ""
        lines.append(f"| `{score}`{mark} | {' | '.join(cell(found) for found in cells)} |")
    lines += ["", provenance_line(result), "", END]
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + "\n".join(lines) + after, encoding="utf-8")


def cell(found: dict[str, float] | None) -> str:
    """τ and its interval."""
    return "–" if found is None else f"{found['tau']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def provenance_line(result: dict[str, Any]) -> str:
    """Where the numbers come from."""
    ties = sum(pair["true_lift"] == 0 for pair in result["pairs"])
    return (
        f"Seed {result['seed']}, targets of {result['households']} households; {ties} of "
        f"{len(result['pairs'])} pairs have a lift of exactly 0, because the gate kept the target alone. "
        f"Commit `{result['commit'][:7]}`, {result['date']}, {result['cores']} cores "
        f"({result['threads']} threads), {result['seconds']} s. "
        "The numbers of each pair are in `docs/results/source_selection.json`."
    )


if __name__ == "__main__":
    main()
