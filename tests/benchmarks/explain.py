"""How fast exact explanations are, beside shap.KernelExplainer on the same inputs; docs/explanations.md.

    python tests/benchmarks/explain.py [--model store-12]
    python tests/benchmarks/explain.py --render

In one run, in turns, medians: recommending and explaining 100 households' ten items each, and, for some of
them, KernelExplainer on the same scores, signals and background: over the signals, with its default number
of samples and with all coalitions; and over the groups of signals, which it can enumerate as we do. Errors
are against SHAP's Exact explainer (for the groups), and against all coalitions of the signals (for those).
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from explained_model import RESULTS, circumstances, model_of, parser, some_users
from explanations_page import render

from rectransfer.explain import Explainer, Explanations, GroupMasker, Players
from rectransfer.explain.coalitions import pulls
from rectransfer.explain.history import Entries
from rectransfer.ranking import Histories, uncut
from rectransfer.recommend import Recommender
from rectransfer.vocabulary import Vocabulary

USERS, K, ROUNDS = 100, 10, 5
KERNEL_PAIRS, FULL_PAIRS = 10, 2

Doubles = npt.NDArray[np.float64]


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


def attribution(model: Recommender, explained: Explanations) -> Callable[[], None]:
    """All that an explanation costs beyond the signals: contributions, and the history's items."""
    explainer, state = model.explainer(), model._fitted
    users = Vocabulary(explained.users.unique(maintain_order=True))
    examples = uncut(Histories.from_log(state.log, state.items, users), len(state.items))
    candidates = state.scene.candidates(examples, exclude=state.viewed(users, None))
    rows, items = users.rows(explained.users), state.items.rows(explained.items)

    def run() -> None:
        entries = Entries.of(examples, rows, items)
        z, lengths = explainer.formula.scaled(explained.values), examples.lengths[rows].astype(np.float64)
        pull = pulls(explainer.formula, explainer.players, z, explainer._others, lengths)
        moved = pull * (z[:, :, None] - explainer._others.T)
        moved.sum(axis=2)
        explainer._told(entries, candidates, explained.values, moved)

    return run


def kernel(explainer: Explainer, pair: Explanations, *, groups: bool, samples: Any) -> Callable[[], Doubles]:
    """KernelExplainer on a pair, set up beforehand."""
    import shap
    from shap.utils._legacy import DenseData

    scores = explainer.scores_of(float(np.log1p(pair.lengths[0])))
    background: Any = explainer.background_signals
    if groups:
        columns = [part.tolist() for part in explainer.players.columns]
        background = DenseData(background, list(explainer.players.names), columns)
    theirs = shap.KernelExplainer(scores, background)
    # its own default keeps ten signals and drops the others, whatever they contribute
    return lambda: theirs.shap_values(pair.values, nsamples=samples, l1_reg=False, silent=True)[0]


def every_coalition(explainer: Explainer, pair: Explanations) -> Doubles:
    """Shapley values of the signals, each for itself: 2 ** s coalitions."""
    alone = Players(explainer.players.signals, explainer.players.signals, tuple(range(len(pair.signals))))
    z, others = explainer.formula.scaled(pair.values), explainer._others
    lengths = np.log1p(pair.lengths.astype(np.float64))
    return np.asarray(
        (pulls(explainer.formula, alone, z, others, lengths) * (z[:, :, None] - others.T)).sum(2)[0]
    )


def results(model: Recommender) -> dict[str, Any]:
    """All measurements."""
    import shap

    users = some_users(model, USERS)
    first = timed(model.explainer)[0]
    explained = model.explain(users, k=K)
    run = attribution(model, explained)
    times: dict[str, list[tuple[float, float]]] = {}
    errors: dict[str, list[float]] = {}
    explainer = model.explainer()
    picked = np.random.default_rng(0).choice(len(explained), KERNEL_PAIRS, replace=False)
    for _ in range(ROUNDS):
        for name, call in (
            ("recommend", lambda: model.recommend(users, k=K)),
            ("explain", lambda: model.explain(users, k=K)),
            ("attribution", run),
        ):
            times.setdefault(name, []).append(timed(call)[:2])
        for pair in picked[: KERNEL_PAIRS // 2]:
            one = explained.take([pair])
            for name, groups in (("kernel, signals", False), ("kernel, groups", True)):
                call = kernel(explainer, one, groups=groups, samples="auto")
                times.setdefault(name, []).append(timed(call)[:2])
    for place, pair in enumerate(picked):
        one = explained.take([pair])
        scores = explainer.scores_of(float(np.log1p(one.lengths[0])))
        exact = shap.explainers.Exact(scores, GroupMasker(explainer))(one.values).values[0]
        errors.setdefault("ours, groups", []).append(np.abs(one.by_group[0] - exact).max())
        theirs = kernel(explainer, one, groups=True, samples="auto")()
        errors.setdefault("kernel, groups", []).append(np.abs(theirs - exact).max())
        if place < FULL_PAIRS:
            whole = every_coalition(explainer, one)
            quick = kernel(explainer, one, groups=False, samples="auto")()
            errors.setdefault("kernel, signals", []).append(np.abs(quick - whole).max())
            wall, cpu, full = timed(kernel(explainer, one, groups=False, samples=2 ** len(one.signals)))
            times.setdefault("kernel, signals, all coalitions", []).append((wall, cpu))
            errors.setdefault("kernel, signals, all coalitions", []).append(np.abs(full - whole).max())
    found = medians(times)
    n = len(explained)
    return {
        "pairs": n,
        "users": USERS,
        "history_items": len(explained.told.pair),
        "rounds": ROUNDS,
        "kernel_pairs": KERNEL_PAIRS,
        "first_call_background_seconds": round(first, 3),
        "additivity": float(np.abs(explained.base + explained.contributions.sum(1) - explained.scores).max()),
        "times": found,
        "ratios": {
            name: {
                clock: round(found[name][clock] / (found["attribution"][clock] / n), 1)
                for clock in ("seconds", "cpu")
            }
            for name in found
            if name.startswith("kernel")
        },
        "errors": {name: float(max(each)) for name, each in errors.items()},
        "size": float(np.abs(explained.by_group).mean()),
        **circumstances(model),
    }


def main() -> None:
    """Measure and write."""
    arguments = parser(__doc__).parse_args()
    if not arguments.render:
        warnings.filterwarnings("ignore")  # of SHAP's
        found = results(model_of(arguments.model))
        (RESULTS / "explain.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    render()


if __name__ == "__main__":
    main()
