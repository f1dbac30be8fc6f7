"""How fast exact explanations are, beside shap.KernelExplainer on the same inputs; docs/explanations.md.

    python tests/benchmarks/explain.py [--model store-12]
    python tests/benchmarks/explain.py --render

In one run, in turns: recommending and explaining 100 households' ten items each, and, for ten of these pairs,
KernelExplainer in the same game: same scores, background and groups of signals, all coalitions. How many
times as fast ours is, is found in each round and stands as a median. Beside it KernelExplainer over the
signals, as a user would call it, with all signals kept, and with more samples. Errors are the largest of any
contribution: over groups against all coalitions added up in extended precision, which is neither's way, and
against SHAP's Exact explainer; over signals against all of their coalitions. And what the reasons speak of.
Minutes.
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from explained_model import RESULTS, circumstances, model_of, parser, some_users
from explanations_page import render

import rectransfer as rt
from rectransfer.evaluation import store_launch
from rectransfer.explain import Explainer, Explanations, GroupMasker, reason_frame, reasons_for
from rectransfer.explain.coalitions import pulls
from rectransfer.explain.history import Entries
from rectransfer.explain.workers import side_by_side
from rectransfer.ranking import Histories, uncut
from rectransfer.recommend import Recommender
from rectransfer.vocabulary import Vocabulary

USERS, K, ROUNDS = 100, 10, 9
KERNEL_PAIRS, FULL_PAIRS = 10, 1
AT_ONCE = 50  # users, as in `rectransfer.explain.lists`
SAME = "kernel, groups"
MORE = "kernel, signals, more samples"
OURS = ("signals", "attribution")

# Over groups or signals, and how. Left to itself it keeps ten signals and drops the others (`l1_reg`).
KERNELS: dict[str, tuple[bool, dict[str, Any]]] = {
    SAME: (True, {"l1_reg": False}),
    "kernel, signals, as it comes": (False, {}),
    "kernel, signals": (False, {"l1_reg": False}),
    MORE: (False, {"l1_reg": False, "nsamples": 2**14}),
}

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, seconds of all cores, and what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def medians(times: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Of the seconds of each."""
    return {
        name: {
            "seconds": round(statistics.median(wall for wall, _ in each), 4),
            "least": round(min(wall for wall, _ in each), 4),
            "cpu": round(statistics.median(cpu for _, cpu in each), 4),
        }
        for name, each in times.items()
    }


def attribution(model: Recommender, explained: Explanations) -> tuple[Callable[[], None], ...]:
    """All that an explanation costs beyond the signals: contributions, and those with the history's items."""
    explainer, state = model.explainer(), model.state
    users = Vocabulary(explained.users.unique(maintain_order=True))
    examples = uncut(Histories.from_log(state.log, state.items, users), len(state.items))
    candidates = state.scene.candidates(examples, exclude=state.viewed(users, None))
    owner, items = users.rows(explained.users), state.items.rows(explained.items)
    parts = [np.arange(start, min(start + AT_ONCE, len(users))) for start in range(0, len(users), AT_ONCE)]

    def moved(pairs: Rows) -> tuple[Doubles, Doubles]:
        values = explained.values[pairs]
        z = explainer.formula.scaled(values)
        lengths = np.log1p(explained.lengths[pairs])
        pull = pulls(explainer.formula, explainer.players, z, explainer._others, lengths)
        found = pull * (z[:, :, None] - explainer._others.T)
        found.sum(axis=2)
        return values, found

    def run(some: Rows, history: bool) -> None:
        pairs, mine = np.flatnonzero(np.isin(owner, some)), examples.take(some)
        rows = np.searchsorted(some, owner[pairs])
        values, found = moved(pairs)
        if history:
            explainer._told(Entries.of(mine, rows, items[pairs]), candidates[some], values, found)

    def all_of(history: bool) -> Callable[[], None]:
        return lambda: list(side_by_side(lambda some: run(some, history), parts)) and None

    return all_of(False), all_of(True)


def kernel(explainer: Explainer, pair: Explanations, name: str) -> Callable[[], Doubles]:
    """KernelExplainer on a pair, set up beforehand, in one of the ways of `KERNELS`."""
    import shap
    from shap.utils._legacy import DenseData

    groups, options = KERNELS[name]
    scores = explainer.scores_of(float(np.log1p(pair.lengths[0])))
    background: Any = explainer.background_signals
    if groups:
        columns = [part.tolist() for part in explainer.players.columns]
        background = DenseData(background, list(explainer.players.names), columns)
    theirs = shap.KernelExplainer(scores, background)
    return lambda: theirs.shap_values(pair.values, silent=True, **options)[0]


def enumerated(explainer: Explainer, pair: Explanations) -> Doubles:
    """Shapley values of the groups by their definition, all coalitions added up in extended precision."""
    formula, wide = explainer.formula, np.longdouble
    n = len(explainer.players)
    members = _members(n).T > 0
    inside = members[:, np.array(explainer.players.groups)]
    z, start = (
        formula.scaled(pair.values)[0],
        formula.start(np.zeros(len(formula.line)), np.log1p(pair.lengths))[0],
    )
    worth = np.zeros(len(members), wide)
    for other in explainer._others:
        mixed = np.where(inside, z, other).astype(wide)
        worth += mixed @ formula.line + np.tanh(mixed @ formula.first.T.astype(wide) + start) @ formula.last
    sizes, found = members.sum(axis=1), np.zeros(n, wide)
    for player in range(n):
        out = np.flatnonzero(~members[:, player])
        counts = np.array([wide(1) / (n * comb(n - 1, int(size))) for size in sizes[out]])
        found[player] = counts @ (worth[out + (1 << player)] - worth[out])
    return (found / len(explainer._others)).astype(np.float64)


def every_coalition(explainer: Explainer, pair: Explanations) -> Doubles:
    """Shapley values of the signals, each for itself, over all coalitions of those that vary.

    Coalitions of the first half are added to one of the other half after another, in double precision.
    """
    formula, others = explainer.formula, explainer._others
    away = formula.scaled(pair.values) - others
    vary = np.flatnonzero(np.abs(away).max(axis=0) > 0)
    n, b, h = len(vary), len(others), len(formula.last)
    steps = (away.T[vary, :, None] * formula.first.T[vary, None, :]).reshape(n, b * h)
    start = formula.start(others, np.log1p(float(pair.lengths[0]))).ravel()
    low, high = steps[: n // 2], steps[n // 2 :]
    low_in, high_in = _members(len(low)), _members(len(high))
    sums = start + low_in.T @ low
    counts = np.array([0.0, *(1 / (n * comb(n - 1, size)) for size in range(n)), 0.0])
    found = np.zeros((n, b * h))
    for members in high_in.T:
        worth = np.tanh(sums + members @ high)
        sizes = (low_in.sum(axis=0) + members.sum()).astype(int)
        within, without = counts[sizes], counts[sizes + 1]
        found[: len(low)] += np.where(low_in > 0, within, -without) @ worth
        found[len(low) :] += np.where(members[:, None] > 0, within @ worth, -(without @ worth))
    values = formula.line * away.mean(axis=0)
    values[vary] += (found.reshape(n, b, h) @ formula.last).mean(axis=1)
    return np.asarray(values)


def _members(n: int) -> Doubles:
    """Who is in each coalition, shape `(n, 2 ** n)`."""
    return ((np.arange(1 << n) >> np.arange(n)[:, None]) & 1).astype(np.float64)


def worded(explained: Explanations, titles: pl.DataFrame) -> dict[str, Any]:
    """What the reasons speak of, and how many different ones there are."""
    reasons = reasons_for(explained, titles=titles)
    frame = reason_frame(explained, reasons)
    n = len(reasons)
    general = [any(not one.because for one in mine) for mine in reasons]
    named = [any("Because" in one.text for one in mine) for mine in reasons]
    return {
        "general": sum(general) / n,
        "history": sum(any(one.because for one in mine) for mine in reasons) / n,
        "named": sum(named) / n,
        "without": sum(not mine for mine in reasons) / n,
        "sentences": len({one.text for mine in reasons for one in mine}),
        "reasons": frame["reason"].drop_nulls().n_unique(),
        "of_ten": float(frame.group_by("user_id").agg(pl.col("reason").n_unique())["reason"].mean() or 0),
    }


def side_by_side_ratios(rounds: list[dict[str, list[tuple[float, float]]]], n: int) -> dict[str, Any]:
    """How many times as fast ours is as KernelExplainer in the same game: by the clock, and of all cores."""
    found: dict[str, Any] = {}
    for name in OURS:
        for place, clock in enumerate(("seconds", "cpu")):
            each = [
                statistics.median(time[place] for time in one[SAME]) / (one[name][0][place] / n)
                for one in rounds
            ]
            found.setdefault(name, {})[clock] = [
                round(value, 1) for value in (statistics.median(each), min(each), max(each))
            ]
    return found


def errors_of(explainer: Explainer, pairs: list[Explanations]) -> dict[str, dict[str, float]]:
    """The largest errors, against what."""
    import shap

    found: dict[str, dict[str, list[float]]] = {}
    for place, one in enumerate(pairs):
        scores = explainer.scores_of(float(np.log1p(one.lengths[0])))
        exact = shap.explainers.Exact(scores, GroupMasker(explainer))(one.values).values[0]
        references = {"definition": enumerated(explainer, one), "exact": exact}
        values = {"ours": one.by_group[0], SAME: kernel(explainer, one, SAME)()}
        for name, mine in values.items():
            for what, true in references.items():
                found.setdefault(name, {}).setdefault(what, []).append(float(np.abs(mine - true).max()))
        if place < FULL_PAIRS:
            whole = every_coalition(explainer, one)
            for name in (name for name, (groups, _) in KERNELS.items() if not groups):
                off = np.abs(kernel(explainer, one, name)() - whole).max()
                found.setdefault(name, {}).setdefault("definition", []).append(float(off))
    return {name: {what: max(each) for what, each in row.items()} for name, row in found.items()}


def results(model: Recommender, titles: pl.DataFrame) -> dict[str, Any]:
    """All measurements."""
    users = some_users(model, USERS)
    first = timed(model.explainer)[0]
    explained = model.explain(users, k=K)
    signals_alone, whole_attribution = attribution(model, explained)
    explainer, n = model.explainer(), len(explained)
    drawn = np.random.default_rng(0).choice(n, KERNEL_PAIRS, replace=False)
    picked = [explained.take([pair]) for pair in drawn]
    rounds: list[dict[str, list[tuple[float, float]]]] = []
    for turn in range(ROUNDS):
        calls = [
            ("recommend", lambda: model.recommend(users, k=K)),
            ("explain", lambda: model.explain(users, k=K)),
            ("signals", signals_alone),
            ("attribution", whole_attribution),
            *((SAME, kernel(explainer, one, SAME)) for one in picked),
            *(
                (name, kernel(explainer, one, name))
                for one in picked[turn % KERNEL_PAIRS :][:1]
                for name in KERNELS
                if name not in (SAME, MORE)
            ),
        ]
        rounds.append({})
        for name, call in calls:
            rounds[-1].setdefault(name, []).append(timed(call)[:2])
    rounds[-1][MORE] = [timed(kernel(explainer, picked[0], MORE))[:2]]  # that takes seconds
    times = {name: [time for one in rounds for time in one.get(name, [])] for name in rounds[-1]}
    found = medians(times)
    return {
        "pairs": n,
        "users": USERS,
        "history_items": len(explained.told.pair),
        "rounds": ROUNDS,
        "kernel_pairs": KERNEL_PAIRS,
        "first_call_background_seconds": round(first, 3),
        "additivity": float(np.abs(explained.base + explained.contributions.sum(1) - explained.scores).max()),
        "times": found,
        "same_game": side_by_side_ratios(rounds, n),
        "ratios": {
            name: {of: round(found[name]["seconds"] / (found[of]["seconds"] / n), 1) for of in OURS}
            for name in KERNELS
        },
        "errors": errors_of(explainer, picked),
        "reasons": worded(explained, titles),
        "size": float(np.abs(explained.by_group).mean()),
        **circumstances(model),
    }


def main() -> None:
    """Measure and write."""
    arguments = parser(__doc__).parse_args()
    if not arguments.render:
        warnings.filterwarnings("ignore")  # of SHAP's
        titles = store_launch(rt.fetch("complete-journey")).titles
        assert titles is not None
        found = results(model_of(arguments.model), titles)
        (RESULTS / "explain.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    render()


if __name__ == "__main__":
    main()
