"""Whether explanations name what the model looks at, on real households; docs/explanations.md.

    python tests/benchmarks/faithfulness.py [--model store-12]      # some minutes
    python tests/benchmarks/faithfulness.py --render

Items of the history are taken out of it, or put into an empty one, in the order of an explainer, and the
model scores again, averages, length and all. The same with groups of signals, which are put to what they are
in the background. Values are means of a household's recommendations; intervals resample households.
"""

import json
import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from explained_model import RESULTS, circumstances, model_of, parser, some_users
from explanations_page import render
from scipy.stats import spearmanr

from rectransfer.explain import (
    Curves,
    Explanations,
    history_curves,
    importance,
    lime_weights,
    permutation_importance,
    segments_of,
    signal_curves,
    transfer_share,
)
from rectransfer.metrics import bootstrap_mean, paired_bootstrap, top_k
from rectransfer.ranking import Examples, Histories, cut_at_share, uncut
from rectransfer.recommend import Recommender
from rectransfer.scene import list_ndcg
from rectransfer.vocabulary import Vocabulary

USERS, K, BESIDE, LEAST = 300, 3, 50, 10
SIZES, SEEDS = (16, 32, 64, 128), (0, 1, 2, 3)
MEASURES = ("comprehensiveness", "sufficiency", "insertion")
logger = logging.getLogger("faithfulness")

Doubles = npt.NDArray[np.float64]


def histories(model: Recommender, explained: Explanations) -> tuple[Examples, npt.NDArray[np.int64]]:
    """A history for each pair, and its item with some of the user's other candidates."""
    state, rng = model._fitted, np.random.default_rng(0)
    users = Vocabulary(explained.users.unique(maintain_order=True))
    examples = uncut(Histories.from_log(state.log, state.items, users), len(state.items))
    candidates = state.scene.candidates(examples, exclude=state.viewed(users, None))
    rows, items = users.rows(explained.users), state.items.rows(explained.items)
    others = []
    for row, item in zip(rows, items, strict=True):
        mine = candidates[row]
        others.append(rng.choice(mine[(mine >= 0) & (mine != item)], BESIDE, replace=False))
    return examples.take(rows), np.column_stack([items, others])


def of_history(model: Recommender, explained: Explanations) -> dict[str, Curves]:
    """Curves of our explanations, and of others that look at less."""
    state, rng = model._fitted, np.random.default_rng(1)
    examples, candidates = histories(model, explained)
    had = examples.counts.indices
    recommended = candidates[explained.told.pair, 0]
    table = state.scene.evidence[-2 if len(state.scene.evidence) > 1 else -1].vectors
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    strengths = {
        "ours": explained.told.totals,
        "random": rng.random(len(had)),
        "popularity": state.scene.evidence[-1].popularity[had],
        "similarity": np.einsum("hd,hd->h", unit[had], unit[recommended]),
    }
    found = {}
    for name, given in strengths.items():
        logger.info("history: %s", name)
        found[name] = history_curves(model.explainer(), examples, candidates, given)
    return found


def of_signals(model: Recommender, explained: Explanations) -> dict[str, Curves]:
    """The same over groups of signals; popularity and similarity take their own groups first."""
    rng, n = np.random.default_rng(2), len(explained.groups)
    z = model.explainer().formula.scaled(explained.values) - model.explainer()._others.mean(axis=0)
    of_group = np.stack([z[:, columns].mean(axis=1) for columns in explained.players.columns], axis=1)
    popular = np.array(["popularity" in name for name in explained.groups])
    alike = np.array(["taste" in name or "affinity" in name for name in explained.groups])
    strengths = {
        "ours": explained.by_group,
        "random": rng.random(of_group.shape),
        "popularity": of_group + 100 * popular,
        "similarity": of_group + 100 * alike,
    }
    return {
        name: signal_curves(model.explainer(), explained, given, range(1, n))
        for name, given in strengths.items()
    }


def table(curves: dict[str, Curves], users: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Means over households with intervals, and what ours has over each of the others."""

    def each(values: Doubles) -> Doubles:
        return np.bincount(users, values) / np.bincount(users)

    found: dict[str, Any] = {"shares": [round(share, 3) for share in curves["ours"].shares]}
    for name, one in curves.items():
        row: dict[str, Any] = {
            "deleted": [round(float(value), 4) for value in one.deleted.mean(axis=0)],
            "inserted": [round(float(value), 4) for value in one.inserted.mean(axis=0)],
            "whole": round(float(one.whole.mean()), 4),
            "empty": round(float(one.empty.mean()), 4),
        }
        for measure in MEASURES:
            mine = each(getattr(one, measure))
            row[measure] = interval(bootstrap_mean(mine))
            if name != "ours":
                row[f"ours less {measure}"] = interval(
                    paired_bootstrap(each(getattr(curves["ours"], measure)), mine)
                )
        found[name] = row
    return found


def interval(found: Any) -> list[float]:
    """Mean, low and high."""
    return [round(value, 4) for value in (found.mean, found.low, found.high)]


def stability(model: Recommender, users: list[Any]) -> dict[str, Any]:
    """How alike explanations are against backgrounds drawn anew, by their size."""
    state, found = model._fitted, {}
    examples = uncut(Histories.from_log(state.log, state.items, Vocabulary.from_ids(users)), len(state.items))
    viewed = state.viewed(Vocabulary.from_ids(users), None)
    for size in SIZES:
        logger.info("stability: %s rows", size)
        each = [
            Explanations.joined(
                list(
                    model.explainer(size, seed).best(examples, Vocabulary.from_ids(users), K, exclude=viewed)
                )
            )
            for seed in SEEDS
        ]
        pairs = [(a, b) for place, a in enumerate(each) for b in each[place + 1 :]]
        orders = [
            spearmanr(a.by_group[row], b.by_group[row]).statistic for a, b in pairs for row in range(len(a))
        ]
        off = [np.abs(a.by_group - b.by_group).mean() / np.abs(a.by_group).mean() for a, b in pairs]
        same = [_same_best(a, b) for a, b in pairs]
        found[str(size)] = {
            "rank_correlation_of_groups": round(float(np.mean(orders)), 4),
            "relative_difference": round(float(np.mean(off)), 4),
            "same_strongest_history_item": round(float(np.mean(same)), 4),
        }
    return found


def _same_best(a: Explanations, b: Explanations) -> float:
    def best(one: Explanations) -> npt.NDArray[np.int64]:
        order = np.lexsort((-one.told.totals, one.told.pair))
        return order[np.searchsorted(one.told.pair, np.unique(one.told.pair))]

    return float((best(a) == best(b)).mean())


def kept_without(model: Recommender, users: list[Any], transferred: bool) -> list[float]:
    """Share of the best ten that stays where some domains say what they say of a typical candidate."""
    state, explainer = model._fitted, model.explainer()
    ids = Vocabulary.from_ids(users)
    examples = uncut(Histories.from_log(state.log, state.items, ids), len(state.items))
    viewed, kept = state.viewed(ids, None), []
    away = np.array([name.startswith("target.") != transferred for name in model.signals])
    typical = explainer.background_signals.mean(axis=0)
    for start in range(0, len(ids), 50):
        rows = np.arange(start, min(start + 50, len(ids)))
        some = examples.take(rows)
        candidates = state.scene.candidates(some, exclude=viewed[rows])
        slate = state.scene.slate(some, candidates)
        signals = slate.columns(model.signals).astype(np.float64)
        for row in range(len(some)):
            there = slate.present[row]
            scores = explainer.scores_of(float(some.lengths[row]))
            mine = signals[row][there]
            before, after = scores(mine), scores(np.where(away, typical, mine))
            best = [set(top_k(one[None], 10)[1][0].tolist()) for one in (before, after)]
            kept.append(len(best[0] & best[1]) / 10)
    return interval(bootstrap_mean(kept))


def others(model: Recommender, explained: Explanations) -> dict[str, Any]:
    """How far LIME and permutation importance agree with ours."""
    explainer = model.explainer()
    typical, spread = explained.typical, explainer.background_signals.std(axis=0)
    lime, same_sign = [], []
    for pair in range(0, len(explained), max(1, len(explained) // 50)):
        weights = lime_weights(explainer, explained, pair)["weight"].to_numpy()
        theirs = weights * (explained.values[pair] - typical) / np.maximum(spread, 1e-9)
        ours = explained.contributions[pair]
        lime.append(spearmanr(theirs, ours).statistic)
        same_sign.append(
            float(np.sign(theirs[np.argmax(np.abs(ours))]) == np.sign(ours[np.argmax(np.abs(ours))]))
        )
    state = model._fitted
    own = Vocabulary.from_ids(model.users)
    examples = cut_at_share(
        Histories.from_log(state.log, state.items, own), len(state.items), 0.5, labels_in=state.scene.on_sale
    )
    candidates = state.scene.candidates(examples, exclude=examples.seen)
    slate = state.scene.slate(examples, candidates)

    def ndcg(scores: Doubles) -> float:
        return float(list_ndcg(examples, candidates, scores.astype(np.float32)).mean())

    losses = permutation_importance(state.ranker, slate, ndcg, repeats=3)
    sizes = importance(explained, by="signals").filter(segment="all")["mean"].to_numpy()
    return {
        "lime_rank_correlation": interval(bootstrap_mean(lime)),
        "lime_same_sign_of_the_largest": round(float(np.mean(same_sign)), 3),
        "permutation": {
            name: [round(loss, 4), round(spread, 4)] for name, loss, spread in losses.iter_rows()
        },
        "ours": dict(zip(model.signals, np.round(sizes, 4).tolist(), strict=True)),
        "permutation_rank_correlation": round(
            float(spearmanr(losses["loss"].to_numpy(), sizes).statistic), 3
        ),
    }


def results(model: Recommender) -> dict[str, Any]:
    """All measurements."""
    users = some_users(model, USERS)
    explained = model.explain(users, k=K)
    explained = explained.take(np.flatnonzero(explained.lengths >= LEAST))
    owner = explained.users.rank("dense").to_numpy().astype(np.int64) - 1
    ten = model.explain(users, k=10)
    segments = segments_of(ten, model.taken)
    return {
        "users": int(owner.max()) + 1,
        "pairs": len(explained),
        "beside": BESIDE,
        "history": table(of_history(model, explained), owner),
        "signals": table(of_signals(model, explained), owner),
        "stability": stability(model, users[:60]),
        "importance": importance(ten, segments).to_dicts(),
        "transfer": transfer_share(ten, segments).to_dicts(),
        "best_ten_kept_without_transfer": kept_without(model, users, transferred=True),
        "best_ten_kept_without_target": kept_without(model, users, transferred=False),
        "others": others(model, explained),
        **circumstances(model),
    }


def main() -> None:
    """Measure and write."""
    arguments = parser(__doc__).parse_args()
    if not arguments.render:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        logging.getLogger("rectransfer").setLevel(logging.WARNING)
        found = results(model_of(arguments.model))
        (RESULTS / "faithfulness.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    render()


if __name__ == "__main__":
    main()
