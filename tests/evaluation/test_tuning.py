import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer.errors import InputError, NotFittedError
from rectransfer.evaluation import (
    Baseline,
    Ease,
    ItemKnn,
    Popularity,
    default_grid,
    evaluate_scores,
    rank_by_model,
    score,
    tune,
)
from rectransfer.metrics import Ndcg, Recall, rank_relevant


def blocks(seed, n_users):
    """Users keep to one of two halves of the items; history and future come from the same half."""
    generator = np.random.default_rng(seed)
    half = generator.integers(2, size=(n_users, 1)) == (np.arange(20) >= 10)
    taken = half & (generator.random((n_users, 20)) < 0.6)
    later = taken & (generator.random((n_users, 20)) < 0.3)
    return csr_array(taken & ~later).astype(np.float32), csr_array(later).astype(np.float32)


TRAIN = blocks(0, 60)[0]
HISTORY, RELEVANT = blocks(1, 30)


def test_the_best_on_validation_wins():
    tuned = tune([Popularity(), ItemKnn(k=20), Ease(l2=10.0)], TRAIN, HISTORY, RELEVANT, exclude=HISTORY)
    values = dict(tuned.tried)
    assert tuned.best.name == max(values, key=values.get) != "popularity"
    assert tuned.value == max(values.values())
    assert tuned.frame()["name"][0] == tuned.best.name
    assert tuned.frame().columns == ["name", "ndcg@10"]
    own = Ndcg(10).per_user(rank_relevant(tuned.best.scores(HISTORY), RELEVANT, HISTORY)).mean()
    assert tuned.value == pytest.approx(own)


def test_candidates_stay_unfitted_and_the_first_of_equals_wins():
    first, second = Ease(l2=10.0), Ease(l2=10.0)
    tuned = tune([first, second], TRAIN, HISTORY, RELEVANT, metric=Recall(5))
    assert tuned.metric == "recall@5"
    assert tuned.best == first
    with pytest.raises(NotFittedError):
        first.scores(HISTORY)


def test_nothing_to_choose_from_or_by():
    with pytest.raises(InputError, match="one candidate"):
        tune([], TRAIN, HISTORY, RELEVANT)
    with pytest.raises(InputError, match="none of the 30 validation users"):
        tune([Popularity()], TRAIN, HISTORY, csr_array(HISTORY.shape))


@pytest.mark.parametrize("name", ["popularity", "item_knn", "ease", "ials"])
def test_grids_hold_distinct_models_of_the_name(name):
    grid = default_grid(name, seed=3)
    assert len({model.name for model in grid}) == len(grid)
    assert all(isinstance(model, Baseline) and model.name.startswith(name) for model in grid)


def test_an_unknown_grid_is_refused():
    with pytest.raises(InputError, match="no baseline is called 'svd'"):
        default_grid("svd")


def test_blocks_of_users_change_nothing(monkeypatch):
    model = Ease(l2=10.0).fit(TRAIN)
    whole = rank_relevant(model.scores(HISTORY), RELEVANT, HISTORY)
    monkeypatch.setattr(score, "_VALUES_A_BLOCK", 140)
    found = rank_by_model(model, HISTORY, RELEVANT, HISTORY)
    assert found.ranks.tolist() == whole.ranks.tolist()
    assert found.users.tolist() == whole.users.tolist()
    with pytest.raises(InputError, match="need the same"):
        rank_by_model(model, HISTORY, RELEVANT[:3])


def test_evaluate_scores_by_hand():
    found = evaluate_scores(
        np.array([[3.0, 2.0, 1.0]] * 2), csr_array([[0, 0, 0], [0, 1, 0]]), metrics=[Ndcg(5), Recall(1)]
    )
    assert found.columns == ["row", "ndcg@5", "recall@1"]
    assert found.rows() == [(1, pytest.approx(1 / np.log2(3)), 0.0)]
    with pytest.raises(InputError, match="each metric may be there once"):
        evaluate_scores(np.ones((1, 2)), csr_array([[0, 1]]), metrics=[Ndcg(5), Ndcg(5)])
