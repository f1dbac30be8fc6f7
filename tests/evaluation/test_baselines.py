import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from rectransfer.errors import InputError, MissingExtraError, NotFittedError
from rectransfer.evaluation import Baseline, Ease, Ials, ItemKnn, Popularity
from rectransfer.evaluation.baselines import item_knn

PERSONAL = [
    ItemKnn(k=20),
    Ease(l2=1.0, form="primal"),
    Ease(l2=1.0, form="dual"),
    Ials(factors=2, regularization=0.01, workers=1),  # two kinds: more factors would learn the gaps by heart
]
ALL = [Popularity(), *PERSONAL]


def names(models):
    return [f"{m.name} {getattr(m, 'form', '')}" for m in models]


def some_matrix(seed=0, n_users=30, n_items=20, density=0.2):
    return csr_array(np.random.default_rng(seed).random((n_users, n_items)) < density).astype(np.float32)


@pytest.mark.parametrize("model", PERSONAL, ids=names(PERSONAL))
def test_checkerboard(model):
    """Users and items of two kinds; everyone took all of their kind but one, which each model must find."""
    n = 24
    board = (np.arange(n)[:, None] % 2 == np.arange(n) % 2).astype(np.float32)
    np.fill_diagonal(board, 0)
    history = csr_array(board)
    scores = model.fit(history).scores(history)
    scores[board > 0] = -np.inf
    assert scores.argmax(axis=1).tolist() == list(range(n))


@pytest.mark.parametrize("model", ALL, ids=names(ALL))
class TestContract:
    def test_is_a_baseline(self, model):
        assert isinstance(model, Baseline)
        assert model.fit(some_matrix()) is model

    def test_scores_are_dense_finite_float32(self, model):
        scores = model.fit(some_matrix()).scores(some_matrix(1)[:7])
        assert scores.shape == (7, 20)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_values_do_not_matter_but_places_do(self, model):
        plain = some_matrix()
        loud = plain * 7
        expected = model.fit(plain).scores(plain)
        np.testing.assert_allclose(model.fit(loud).scores(loud), expected, rtol=1e-5, atol=1e-6)

    def test_the_callers_matrices_stay_as_they_are(self, model):
        matrix = some_matrix() * 3
        before = matrix.copy()
        model.fit(matrix).scores(matrix)
        assert (matrix != before).nnz == 0

    def test_users_without_history_and_no_users(self, model):
        model.fit(some_matrix())
        assert np.isfinite(model.scores(csr_array((2, 20)))).all()
        assert model.scores(csr_array((0, 20))).shape == (0, 20)

    def test_items_that_nobody_took_do_no_harm(self, model):
        matrix = some_matrix().toarray()
        matrix[:, :3] = 0
        scores = model.fit(csr_array(matrix)).scores(some_matrix(1))
        assert np.isfinite(scores).all()

    def test_another_number_of_items_is_refused(self, model):
        with pytest.raises(InputError, match="fitted on 20 items, the history has 21"):
            model.fit(some_matrix()).scores(csr_array((1, 21)))


@pytest.mark.parametrize("model", [Popularity(), ItemKnn(), Ease(), Ials()], ids=lambda m: m.name)
def test_fit_comes_first(model):
    with pytest.raises(NotFittedError, match="call fit"):
        model.scores(some_matrix())


def test_popularity_counts_distinct_users():
    matrix = csr_array((np.ones(4), ([0, 0, 1, 1], [0, 0, 1, 0])), shape=(2, 3))  # user 0 took item 0 twice
    assert Popularity().fit(matrix).scores(csr_array((2, 3))).tolist() == [[2, 1, 0]] * 2


def naive_knn(matrix, history, k, shrinkage):
    n_items = matrix.shape[1]
    scores = np.zeros(history.shape)
    for item in range(n_items):
        similar = {}
        for other in range(n_items):
            together = float(sum(u[item] and u[other] for u in matrix))
            scale = np.sqrt(matrix[:, item].sum()) * np.sqrt(matrix[:, other].sum()) + shrinkage
            if other != item and together:
                similar[other] = together / scale
        for other in sorted(similar, key=lambda o: (-similar[o], o))[:k]:
            scores[history[:, item] > 0, other] += similar[other]
    return scores


@pytest.mark.parametrize(("k", "shrinkage"), [(3, 0.0), (5, 2.5), (100, 0.0)])
def test_item_knn_agrees_with_naive_loops(k, shrinkage, monkeypatch):
    monkeypatch.setattr(item_knn, "_VALUES_A_BLOCK", 100)  # several blocks
    matrix, history = some_matrix(2).toarray(), some_matrix(3).toarray()
    model = ItemKnn(k, shrinkage).fit(csr_array(matrix))
    expected = naive_knn(matrix.astype(np.float64), history, k, shrinkage)
    np.testing.assert_allclose(model.scores(csr_array(history)), expected, rtol=1e-5, atol=1e-6)


def naive_ease(matrix, history, l2):
    inverse = np.linalg.inv(matrix.T @ matrix + l2 * np.eye(matrix.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return history @ weights


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30), st.floats(0.5, 500))
def test_ease_dual_is_primal_is_the_formula(seed, n_users, n_items, l2):
    matrix = some_matrix(seed, n_users, n_items).astype(np.float64)
    history = some_matrix(seed + 1, 5, n_items)
    expected = naive_ease(matrix.toarray(), history.toarray(), l2)
    for form in ("primal", "dual", "auto"):
        np.testing.assert_allclose(Ease(l2, form).fit(matrix).scores(history), expected, rtol=1e-4, atol=1e-6)


def test_ease_with_many_items_and_few_users_never_makes_items_by_items():
    import tracemalloc

    matrix = csr_array(random_array((120, 20_000), density=0.005, rng=np.random.default_rng(0), format="csr"))
    tracemalloc.start()
    start = time.perf_counter()
    scores = Ease(l2=50.0).fit(matrix).scores(matrix[:20])
    assert time.perf_counter() - start < 10
    assert tracemalloc.get_traced_memory()[1] < 300e6  # items by items would be 3.2 GB
    tracemalloc.stop()
    assert np.isfinite(scores).all()


def test_ials_folds_users_in_by_the_closed_form():
    matrix = some_matrix(4)
    model = Ials(factors=5, regularization=0.3, alpha=7.0, iterations=3, workers=1).fit(matrix)
    items = model._model.item_factors.astype(np.float64)
    history = some_matrix(5)[:4]
    for taken, found in zip(history.toarray(), model.scores(history), strict=True):
        confidence = np.diag(1 + 7.0 * taken)
        user = np.linalg.solve(items.T @ confidence @ items + 0.3 * np.eye(5), items.T @ confidence @ taken)
        np.testing.assert_allclose(found, items @ user, rtol=1e-3, atol=1e-4)


def test_ials_has_one_seed_one_answer():
    def scores(seed):
        return Ials(factors=4, seed=seed, workers=1).fit(some_matrix()).scores(some_matrix())

    np.testing.assert_array_equal(scores(1), scores(1))
    assert not np.array_equal(scores(1), scores(2))


def test_ials_names_the_extra_where_implicit_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(MissingExtraError, match=r"rectransfer\[ials\]"):
        Ials().fit(some_matrix())


@pytest.mark.parametrize(
    "build",
    [
        lambda: ItemKnn(k=0),
        lambda: ItemKnn(shrinkage=-1),
        lambda: Ease(l2=0),
        lambda: Ease(l2=float("nan")),
        lambda: Ease(form="other"),
        lambda: Ials(factors=0),
        lambda: Ials(alpha=-1),
    ],
)
def test_settings_out_of_range_are_refused(build):
    with pytest.raises(InputError, match="got"):
        build()
