"""SHAP's own explainers agree, its plots draw, LIME and permutation are there for those who ask."""

import builtins
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.explain import Explanations, GroupMasker, lime_weights, permutation_importance
from rectransfer.ranking import Histories, cut_at_share
from rectransfer.recommend import Recommender
from rectransfer.scene import list_ndcg

warnings.filterwarnings("ignore")  # what SHAP, LIME and their parts warn of when they are imported
shap = pytest.importorskip("shap")
pytestmark = pytest.mark.filterwarnings("ignore")


def one_user(explained: Explanations) -> tuple[Explanations, float]:
    mine = explained.take(np.flatnonzero(explained.users == explained.users[0]))
    return mine, float(np.log1p(mine.lengths[0]))


def test_shap_exact_agrees(model: Recommender, explained: Explanations) -> None:
    mine, length = one_user(explained)
    explainer = model.explainer()

    theirs = shap.explainers.Exact(explainer.scores_of(length), GroupMasker(explainer))(mine.values)

    np.testing.assert_allclose(theirs.values, mine.by_group, atol=2e-6)
    np.testing.assert_allclose(theirs.base_values, mine.base, atol=2e-6)


def test_shap_exact_agrees_where_every_signal_plays(alone: Recommender) -> None:
    """With SHAP's own masker, so that nothing of ours is in it but the scores."""
    mine, length = one_user(alone.explain(alone.users[:1], k=4))
    explainer = alone.explainer()
    masker = shap.maskers.Independent(explainer.background_signals, max_samples=1000)

    theirs = shap.explainers.Exact(explainer.scores_of(length), masker)(mine.values)

    np.testing.assert_allclose(theirs.values, mine.contributions, atol=2e-6)


def test_shap_permutation_agrees_within_its_error(model: Recommender, explained: Explanations) -> None:
    mine, length = one_user(explained)
    explainer = model.explainer()

    theirs = shap.explainers.Permutation(explainer.scores_of(length), GroupMasker(explainer), seed=0)(
        mine.values, max_evals=20_000
    )

    np.testing.assert_allclose(theirs.values, mine.by_group, atol=0.02 * np.abs(mine.by_group).max())


@pytest.mark.parametrize("by", ["groups", "signals"])
def test_shaps_plots_draw(explained: Explanations, by: Any) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    whole = explained.shap(by)

    assert whole.values.shape == (
        len(explained),
        len(explained.groups if by == "groups" else explained.signals),
    )
    np.testing.assert_allclose(whole.base_values + whole.values.sum(axis=1), explained.scores, atol=1e-6)
    shap.plots.waterfall(whole[0], show=False)
    shap.plots.beeswarm(whole, show=False)
    shap.plots.bar(whole, show=False)
    labels = {text.get_text() for text in pyplot.gca().get_yticklabels()}
    assert labels & set(whole.feature_names)
    pyplot.close("all")


def test_without_the_extra_an_error_names_it(
    model: Recommender, explained: Explanations, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in {"shap", "lime"}:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"rectransfer\[explain\]"):
        explained.shap()
    with pytest.raises(MissingExtraError, match=r"rectransfer\[explain\]"):
        lime_weights(model.explainer(), explained, 0)


def test_lime_finds_the_slopes(model: Recommender, explained: Explanations) -> None:
    explainer, pair = model.explainer(), 2

    found = lime_weights(explainer, explained, pair, samples=3_000)

    assert found["part"].to_list() == list(explained.signals)
    scores = explainer.scores_of(float(np.log1p(explained.lengths[pair])))
    spread = explainer.background_signals.std(axis=0)
    step = 1e-3 * np.diag(spread)
    slopes = (scores(explained.values[pair] + step) - scores(explained.values[pair] - step)) / 2e-3
    assert spearmanr(found["weight"].to_numpy(), slopes).statistic > 0.7
    with pytest.raises(InputError, match="pair=999"):
        lime_weights(explainer, explained, 999)


def test_permutation_importance(model: Recommender) -> None:
    state = model._fitted
    examples = cut_at_share(Histories.from_log(state.log, state.items, None), len(state.items), 0.5)
    candidates = state.scene.candidates(examples, exclude=examples.seen)
    slate = state.scene.slate(examples, candidates)

    def ndcg(scores: Any) -> float:
        return float(list_ndcg(examples, candidates, scores.astype(np.float32)).mean())

    found = permutation_importance(state.ranker, slate, ndcg, repeats=2)

    assert found["part"].to_list() == list(model.signals)
    assert found["loss"].max() > 0.01
    assert found["loss"].max() > found["loss"].abs().median()
    with pytest.raises(InputError, match="repeats=0"):
        permutation_importance(state.ranker, slate, ndcg, repeats=0)
