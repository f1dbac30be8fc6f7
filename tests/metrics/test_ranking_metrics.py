import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import average_precision_score, ndcg_score

from rectransfer.errors import InputError
from rectransfer.metrics import (
    HitRate,
    Map,
    Metric,
    Mrr,
    Ndcg,
    Precision,
    Recall,
    RelevantRanks,
    rank_relevant,
)

ALL = [Ndcg, Recall, Precision, HitRate, Mrr, Map]


def at(*places, n=10):
    """One user whose relevant items have these ranks, without ties."""
    relevant = np.zeros((1, n))
    relevant[0, np.array(places) - 1] = 1
    return rank_relevant(-np.arange(n, dtype=float)[None], csr_array(relevant))


@pytest.mark.parametrize(
    ("metric", "places", "expected"),
    [
        (Map(3), (1, 3), 1 / 2 * (1 / 1 + 2 / 3)),
        (Map(3), (2, 3, 5, 6), 1 / 3 * (1 / 2 + 2 / 3)),
        (Map(10), (2, 5, 9), 1 / 3 * (1 / 2 + 2 / 5 + 3 / 9)),
        (Ndcg(3), (1, 3, 7), (1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2)),
        (Ndcg(2), (3,), 0.0),
        (Ndcg(10), (2,), 1 / np.log2(3)),
        (Recall(3), (1, 3, 7, 8), 2 / 4),
        (Recall(3, capped=True), (1, 3, 7, 8), 2 / 3),
        (Precision(5), (1, 3, 7), 2 / 5),
        (HitRate(2), (3,), 0.0),
        (HitRate(3), (3, 4), 1.0),
        (Mrr(10), (4, 6), 1 / 4),
        (Mrr(3), (4, 6), 0.0),
    ],
)
def test_values_by_hand(metric, places, expected):
    assert metric.per_user(at(*places)) == pytest.approx([expected])


def test_names():
    assert [metric(5).name for metric in ALL] == [
        "ndcg@5",
        "recall@5",
        "precision@5",
        "hit_rate@5",
        "mrr@5",
        "map@5",
    ]
    assert Recall(5, capped=True).name == "capped_recall@5"
    assert all(isinstance(metric(), Metric) for metric in ALL)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "10"])
def test_k_is_a_positive_whole_number(k):
    with pytest.raises(InputError, match="whole number from 1"):
        Ndcg(k)


def random_case(seed, n_users=12, n_items=40, share=0.15):
    generator = np.random.default_rng(seed)
    scores = generator.permuted(np.tile(np.arange(1.0, n_items + 1), (n_users, 1)), axis=1)
    relevant = generator.random((n_users, n_items)) < share
    relevant[:, 0] = True
    return scores, relevant


def naive(name, order, relevant, k):
    """The textbook formulas, read off one user's ordered list."""
    hits = [bool(relevant[item]) for item in order[:k]]
    first = next((place for place, hit in enumerate(hits, start=1) if hit), None)
    return {
        "recall": sum(hits) / relevant.sum(),
        "precision": sum(hits) / k,
        "hit_rate": float(any(hits)),
        "mrr": 1 / first if first else 0.0,
        "map": sum(sum(hits[:p]) / p for p, hit in enumerate(hits, start=1) if hit) / min(k, relevant.sum()),
    }[name]


@pytest.mark.parametrize("metric", [Recall(10), Precision(10), HitRate(10), Mrr(10), Map(10)])
def test_agrees_with_the_textbook(metric):
    scores, relevant = random_case(1)
    expected = [
        naive(metric.label, np.argsort(-s), y, metric.k) for s, y in zip(scores, relevant, strict=True)
    ]
    np.testing.assert_allclose(metric.per_user(rank_relevant(scores, csr_array(relevant))), expected)


def test_agrees_with_scikit_learn():
    scores, relevant = random_case(2)
    ranks = rank_relevant(scores, csr_array(relevant))
    ours = Ndcg(10).per_user(ranks)
    theirs = [ndcg_score([y], [s], k=10) for y, s in zip(relevant.astype(int), scores, strict=True)]
    np.testing.assert_allclose(ours, theirs)
    precision = [average_precision_score(y, s) for y, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(Map(40).per_user(ranks), precision)


def test_ndcg_with_ties_agrees_with_scikit_learn():
    generator = np.random.default_rng(5)
    scores = generator.integers(4, size=(20, 15)).astype(float)
    relevant = generator.random((20, 15)) < 0.3
    relevant[:, 0] = True
    theirs = [ndcg_score([y], [s], k=5) for y, s in zip(relevant.astype(int), scores, strict=True)]
    np.testing.assert_allclose(Ndcg(5).per_user(rank_relevant(scores, csr_array(relevant))), theirs)


def over_all_orders(metric, scores, relevant):
    """The mean of a metric when ties are broken in every possible way."""
    shuffles = np.array(list(itertools.permutations(range(len(scores)))))
    broken = scores + shuffles / 100
    every = csr_array(np.tile(relevant, (len(shuffles), 1)))
    return metric.per_user(rank_relevant(broken, every)).mean()


@pytest.mark.parametrize("relevant", [(1, 1, 0, 0, 0), (0, 1, 1, 0, 1), (1, 0, 1, 1, 1)])
@pytest.mark.parametrize("scores", [(1, 1, 1, 1, 1), (2, 1, 1, 1, 0), (2, 2, 1, 1, 1)])
def test_ties_get_the_mean_over_all_orders(scores, relevant):
    scores, relevant = np.array(scores), np.array(relevant)
    ranks = rank_relevant(scores[None].astype(float), csr_array(relevant[None]))
    for k, metric in itertools.product((1, 2, 3, 5), (Ndcg, Recall, Precision, Map)):
        assert metric(k).per_user(ranks)[0] == pytest.approx(over_all_orders(metric(k), scores, relevant))
    for k, metric in itertools.product((1, 2, 3), (HitRate, Mrr)):
        assert metric(k).per_user(ranks)[0] <= over_all_orders(metric(k), scores, relevant) + 1e-12


def test_constant_scores_look_no_better_than_chance_even_in_a_small_catalogue():
    ranks = rank_relevant(np.zeros((1, 19)), csr_array(np.eye(1, 19)))
    assert ranks.ranks.tolist() == [10.0]  # the mid rank stands within the cut, but not all of the tie does
    assert Recall(10).per_user(ranks) == pytest.approx([10 / 19])
    assert HitRate(10).per_user(ranks) == pytest.approx([10 / 19])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 5), st.integers(1, 15))
def test_values_stay_between_zero_and_one(seed, n_items, levels, k):
    generator = np.random.default_rng(seed)
    scores = generator.integers(levels, size=(5, n_items)).astype(float)
    relevant = csr_array(generator.random((5, n_items)) < 0.5)
    ranks = rank_relevant(scores, relevant)
    for metric in ALL:
        values = metric(k).per_user(ranks)
        assert values.shape == (ranks.n_users,)
        assert ((values >= 0) & (values <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 15))
def test_a_better_score_for_a_relevant_item_never_hurts(seed, k):
    scores, relevant = random_case(seed, n_users=3, n_items=10)
    better = np.where(np.arange(10) == 0, scores + 3.5, scores)  # item 0 is relevant for everyone
    before, after = (rank_relevant(s, csr_array(relevant)) for s in (scores, better))
    for metric in ALL:
        assert (metric(k).per_user(after) >= metric(k).per_user(before) - 1e-12).all()


def test_nobody_to_measure_gives_no_values():
    nobody = rank_relevant(np.ones((2, 3)), csr_array((2, 3)))
    assert all(metric(5).per_user(nobody).shape == (0,) for metric in ALL)


def test_items_outside_a_list_are_worth_nothing():
    ranks = RelevantRanks(
        np.array([np.inf, np.inf]), np.array([0, 2]), np.array([0]), np.array([0]), np.array([1, 1])
    )
    assert all(metric(5).per_user(ranks).tolist() == [0.0] for metric in ALL)
