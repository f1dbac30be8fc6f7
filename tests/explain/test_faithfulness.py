"""Curves: what is taken away is what was named, and a good explanation's fall is steeper."""

import numpy as np
import pytest

from rectransfer.errors import InputError
from rectransfer.explain import Explanations, history_curves, signal_curves
from rectransfer.metrics import paired_bootstrap
from rectransfer.ranking import Histories, uncut
from rectransfer.recommend import Recommender
from rectransfer.vocabulary import Vocabulary


def setting(model: Recommender, explained: Explanations):  # type: ignore[no-untyped-def]
    state = model._fitted
    users = Vocabulary(explained.users.unique(maintain_order=True))
    examples = uncut(Histories.from_log(state.log, state.items, users), len(state.items))
    rows, items = users.rows(explained.users), state.items.rows(explained.items)
    rng = np.random.default_rng(0)
    others = np.stack(
        [rng.choice(np.setdiff1d(state.scene.shelf, [item]), 12, replace=False) for item in items]
    )
    return examples.take(rows), np.column_stack([items, others])


def test_our_explanations_beat_chance(model: Recommender, explained: Explanations) -> None:
    examples, candidates = setting(model, explained)
    chance = np.random.default_rng(1).random(len(explained.told.pair))

    ours = history_curves(model.explainer(), examples, candidates, explained.told.totals)
    theirs = history_curves(model.explainer(), examples, candidates, chance)

    assert paired_bootstrap(ours.comprehensiveness, theirs.comprehensiveness).low > 0
    assert paired_bootstrap(ours.insertion, theirs.insertion).low > 0
    assert paired_bootstrap(ours.sufficiency, theirs.sufficiency).high < 0
    np.testing.assert_allclose(ours.whole, theirs.whole)
    np.testing.assert_allclose(ours.empty, theirs.empty)


def test_the_ends_of_the_curves(model: Recommender, explained: Explanations) -> None:
    examples, candidates = setting(model, explained)

    found = history_curves(model.explainer(), examples, candidates, explained.told.totals, shares=(0.0, 1.0))

    np.testing.assert_allclose(found.deleted, np.stack([found.whole, found.empty], axis=1))
    np.testing.assert_allclose(found.inserted, np.stack([found.empty, found.whole], axis=1))


def test_the_strongest_goes_first(model: Recommender, explained: Explanations) -> None:
    examples, candidates = setting(model, explained)
    pair = int(np.argmax(explained.lengths))
    mine = explained.told.pair == pair
    strengths = np.zeros(len(mine))
    strengths[np.flatnonzero(mine)[2]] = 1.0
    gone = int(examples.counts.indices[np.flatnonzero(mine)[2]])

    least = 0.5 / explained.lengths[pair]  # of all its items, one
    found = history_curves(model.explainer(), examples, candidates, strengths, shares=(least,))

    only = np.zeros(examples.n_items, np.bool_)
    only[gone] = True
    left = examples.take(np.array([pair])).without(only, np.ones(1, np.bool_))
    slate = model.explainer().scene.slate(left, candidates[[pair]])
    scores = model.explainer().ranker.score(slate)[0]
    assert found.deleted[pair, 0] == pytest.approx(scores[0] - scores[1:].mean(), abs=1e-5)


def test_groups_go_in_the_order_of_their_contributions(model: Recommender, explained: Explanations) -> None:
    chance = np.random.default_rng(1).random(explained.by_group.shape)
    explainer, n = model.explainer(), len(explained.groups)

    ours = signal_curves(explainer, explained, explained.by_group, range(n + 1))
    theirs = signal_curves(explainer, explained, chance, range(n + 1))

    np.testing.assert_allclose(ours.deleted[:, 0], explained.scores)
    np.testing.assert_allclose(ours.deleted[:, n], explained.base)
    np.testing.assert_allclose(ours.inserted[:, n], explained.scores)
    assert paired_bootstrap(ours.comprehensiveness, theirs.comprehensiveness).low > 0
    assert paired_bootstrap(ours.insertion, theirs.insertion).low > 0


def test_strengths_of_something_else(model: Recommender, explained: Explanations) -> None:
    examples, candidates = setting(model, explained)

    with pytest.raises(InputError, match="3 strengths"):
        history_curves(model.explainer(), examples, candidates, [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="candidates"):
        history_curves(model.explainer(), examples, candidates[:, :1], explained.told.totals)
    with pytest.raises(InputError, match=r"\(3,\)"):
        signal_curves(model.explainer(), explained, [1.0, 2.0, 3.0], [1])
