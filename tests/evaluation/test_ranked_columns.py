"""Some items are only in histories: models read them and rank the others."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation import Ease, Ials, ItemKnn, Popularity, Task, rank_by_model, tune
from rectransfer.evaluation.baselines import fit_eases, fit_item_knns
from rectransfer.logs import PlantedConfig, plant
from rectransfer.metrics import Ndcg

N_RANKED = 7


@pytest.fixture(scope="module")
def taken():
    return csr_array((np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Popularity(),
        lambda: Ease(5.0, "primal"),
        lambda: Ease(5.0, "dual"),
        lambda: ItemKnn(k=20, shrinkage=1.0),
        lambda: Ials(4, workers=1),
    ],
)
def test_the_ranked_items_have_the_scores_that_they_have_among_all(taken, make):
    part, whole = make().fit(taken, N_RANKED).scores(taken), make().fit(taken).scores(taken)
    assert part.shape == (30, N_RANKED)
    np.testing.assert_allclose(part, whole[:, :N_RANKED], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_models_that_share_work_rank_the_same(taken, form):
    eases = [Ease(l2, form) for l2 in (0.5, 1.0, 30.0, 1000.0)]
    knns = [ItemKnn(k, shrinkage) for k in (2, 5) for shrinkage in (0.0, 3.0)]
    both = zip(
        (*fit_eases(eases, taken, N_RANKED), *fit_item_knns(knns, taken, N_RANKED)),
        (*eases, *knns),
        strict=True,
    )
    for shared, alone in both:
        assert shared.scores(taken).shape == (30, N_RANKED)
        np.testing.assert_allclose(
            shared.scores(taken), alone.fit(taken, N_RANKED).scores(taken), rtol=1e-4, atol=1e-5
        )


def test_neighbours_are_sought_among_the_ranked_items():
    """Item 2 is the nearest of item 3, but isn't ranked: item 0 is its neighbour."""
    taken = csr_array([[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0]])
    scores = ItemKnn(k=1).fit(taken, 2).scores(csr_array([[0, 0, 0, 1]]))
    assert scores[0, 0] > 0 == scores[0, 1]


def test_who_has_no_history_gets_the_fallback(taken):
    history = csr_array(np.vstack([np.zeros((1, 20)), np.eye(20)[:1]]).astype(np.float32))
    relevant = csr_array(np.eye(N_RANKED)[[3, 3]].astype(np.float32))
    popular = np.zeros(N_RANKED, np.float32)
    popular[3] = 1.0
    model = Ease(5.0).fit(taken, N_RANKED)
    with_it, without = (
        Ndcg(1).per_user(rank_by_model(model, history, relevant, None, fallback))
        for fallback in (popular, None)
    )
    assert with_it[0] == 1.0 > without[0]
    assert with_it[1] == without[1]


def test_tuning_ranks_as_many_items_as_there_are_labels_for(taken):
    relevant = taken[:, :N_RANKED]
    tuned = tune([Ease(1.0), ItemKnn(3)], taken, taken, relevant)
    assert tuned.best.scores(taken).shape == relevant.shape


def test_more_labels_than_columns_are_refused(taken):
    with pytest.raises(InputError, match="relevant not more items"):
        rank_by_model(Popularity().fit(taken), taken[:, :5], taken)


def test_an_item_is_ranked_or_it_is_not():
    planted = plant(PlantedConfig(source_users=30, target_users=10, source_items=30, target_items=25))
    log, items = planted.target, planted.target_catalogue
    with pytest.raises(InputError, match="an item is ranked or it isn't"):
        Task("t", planted.source, log, log, log, items, "", context=items)
