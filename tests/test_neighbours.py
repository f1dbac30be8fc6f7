"""The closed form agrees with a regression of each item on all others, from both sides."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer.errors import ArtefactError, InputError
from rectransfer.neighbours import ItemWeights, Neighbours, UserKernel, item_weights, solve_neighbours


def logs(n_users, n_items, seed=0, share=0.3):
    return csr_array((np.random.default_rng(seed).random((n_users, n_items)) < share).astype(np.float32))


def regressed(interactions, l2):
    """Column by column: the ridge regression of an item on the others. `l2` may be one penalty an item."""
    x = interactions.toarray().astype(np.float64)
    n = x.shape[1]
    l2 = np.broadcast_to(l2, n)
    weights = np.zeros((n, n))
    for item in range(n):
        others = np.delete(np.arange(n), item)
        gram = x[:, others].T @ x[:, others] + np.diag(l2[others])
        weights[others, item] = np.linalg.solve(gram, x[:, others].T @ x[:, item])
    return weights


@pytest.mark.parametrize(("n_users", "n_items"), [(60, 25), (25, 60), (30, 30), (1, 7), (7, 1)])
@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_is_the_regression(n_users, n_items, l2):
    interactions = logs(n_users, n_items)
    found = item_weights(interactions, l2, keep=n_items)
    np.testing.assert_allclose(found.weights.toarray(), regressed(interactions, l2), atol=2e-5)
    assert found.l2 == l2
    assert not found.weights.diagonal().any()


@pytest.mark.parametrize(("n_users", "n_items"), [(60, 25), (25, 60)])
def test_keeps_the_largest_of_each_row(n_users, n_items):
    interactions = logs(n_users, n_items)
    whole, found = regressed(interactions, 5.0), item_weights(interactions, 5.0, keep=4)
    kept = found.weights.toarray()
    for item in range(n_items):
        places = np.flatnonzero(kept[item])
        assert len(places) <= 4
        np.testing.assert_allclose(kept[item, places], whole[item, places], atol=2e-5)
        left = np.delete(np.abs(whole[item]), places)
        assert left.max() <= np.abs(kept[item, places]).min() + 2e-5


@pytest.mark.parametrize(("n_users", "n_items"), [(60, 25), (25, 60)])
def test_blocks_change_nothing(monkeypatch, n_users, n_items):
    interactions = logs(n_users, n_items)
    whole = item_weights(interactions, 5.0, keep=6).weights.toarray()
    monkeypatch.setattr("rectransfer.neighbours.weights._BLOCK", 7)
    np.testing.assert_allclose(item_weights(interactions, 5.0, keep=6).weights.toarray(), whole, atol=1e-6)


def test_an_item_nobody_took_has_no_weights():
    interactions = logs(40, 10).toarray()
    interactions[:, 3] = 0
    found = item_weights(csr_array(interactions), 1.0).weights.toarray()
    assert not found[3].any()
    assert not found[:, 3].any()


def test_what_was_given_stays_as_it_was():
    interactions = logs(20, 10)
    before = interactions.toarray()
    item_weights(interactions)
    np.testing.assert_array_equal(interactions.toarray(), before)
    assert interactions.dtype == np.float32


@pytest.mark.parametrize("settings", [{"l2": 0.0}, {"l2": -1.0}, {"keep": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="both must be positive"):
        item_weights(logs(5, 4), **settings)


def counted(n_users, n_items, seed=0, mean=0.4):
    """How often users took items: some never, some several times, some users and items without any."""
    return csr_array(np.random.default_rng(seed).poisson(mean, (n_users, n_items)).astype(np.float32))


def by_hand(counts, l2):
    """Damped counts, long rows held back, regressed column by column with two in five items thought away."""
    c = counts.toarray().astype(np.float64)
    lengths = (c > 0).sum(axis=1)
    typical = lengths[lengths > 0].mean()

    def strengths(rows):
        long = (np.maximum((rows > 0).sum(axis=1), 1) / typical) ** -0.25
        return np.sqrt(np.log1p(rows)) * long[:, None]

    x = strengths(c)
    weights = regressed(csr_array(x), l2 + 0.4 / 0.6 * (x**2).sum(axis=0))
    return lambda rows: strengths(rows.toarray().astype(np.float64)) @ weights


SHAPES = [(60, 25), (25, 60), (30, 30), (1, 7), (7, 1)]


class TestSolved:
    @pytest.mark.parametrize(("n_users", "n_items"), SHAPES)
    @pytest.mark.parametrize("l2", [2.0, 30.0])
    def test_is_the_regression_of_damped_counts(self, n_users, n_items, l2):
        counts, others = counted(n_users, n_items), counted(9, n_items, seed=1)
        found = solve_neighbours(counts, l2)
        assert isinstance(found.solution, UserKernel if n_users < n_items else ItemWeights)
        for asked in (counts, others):
            scores = found.scores(asked)
            assert scores.dtype == np.float32
            np.testing.assert_allclose(scores, by_hand(counts, l2)(asked), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("seed", range(3))
    def test_both_forms_give_the_same_scores_of_the_own_items_too(self, seed):
        taken = csr_array(np.random.default_rng(seed).random((30, 50), dtype=np.float32))
        taken.data[taken.data < 0.7] = 0
        taken.eliminate_zeros()
        dual, primal = UserKernel.solve(taken, 3.0), item_weights(taken, 3.0, keep=50)
        found, expected = dual.scores(taken), primal.scores(taken)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
        own = taken.toarray() > 0
        assert np.abs(expected[own]).max() > 0.1  # so that there is something to agree on
        np.testing.assert_allclose(found[own], expected[own], rtol=1e-3, atol=1e-4)

    def test_does_best_when_items_of_histories_are_thought_away(self):
        counts, rng = counted(60, 8), np.random.default_rng(0)
        found = solve_neighbours(counts, 1e-6)
        x = found.strengths(counts).toarray() / found.rarity
        left = np.concatenate([(rng.random(x.shape) >= 0.4) / 0.6 * x for _ in range(4000)])
        whole = np.tile(x, (4000, 1))
        for item in range(8):
            others = np.delete(np.arange(8), item)
            weights = np.linalg.lstsq(left[:, others], whole[:, item])[0]
            asked = x[:, others] @ weights
            np.testing.assert_allclose(found.scores(counts)[:, item], asked, atol=0.02)

    def test_an_item_says_nothing_about_itself(self):
        counts = csr_array(np.diag(np.arange(1, 6)).astype(np.float32))  # nothing is taken together
        padded = csr_array(np.hstack([counts.toarray(), np.zeros((5, 3), np.float32)]))
        for one in (counts, padded):  # item-item weights, and users' kernel
            np.testing.assert_allclose(solve_neighbours(one, 1.0).scores(one), 0, atol=1e-6)

    def test_blocks_change_nothing(self, monkeypatch):
        counts = counted(25, 60)
        whole = solve_neighbours(counts, 5.0).solution.explained
        monkeypatch.setattr("rectransfer.neighbours.weights._VALUES_AT_ONCE", 7 * 60)
        np.testing.assert_allclose(solve_neighbours(counts, 5.0).solution.explained, whole, atol=1e-6)

    @pytest.mark.parametrize(("n_users", "n_items"), [(60, 25), (25, 60)])
    def test_equal_histories_get_equal_scores(self, n_users, n_items):
        counts = counted(n_users, n_items)
        found = solve_neighbours(counts, 5.0)
        rows = np.array([3, 7, 3, 1, 3])
        scores = found.scores(csr_array(counts[rows]))
        alone = found.scores(csr_array(counts[[3]]))
        for place in np.flatnonzero(rows == 3):
            np.testing.assert_allclose(scores[place], alone[0], rtol=1e-5, atol=1e-6)
        assert not np.allclose(scores[1], alone[0], atol=1e-3)

    def test_an_empty_history_calls_for_nothing(self):
        for shape in ((60, 25), (25, 60)):
            found = solve_neighbours(counted(*shape), 5.0)
            assert not found.scores(csr_array((2, shape[1]), dtype=np.float32)).any()
            assert found.scores(csr_array((0, shape[1]), dtype=np.float32)).shape == (0, shape[1])

    def test_nobody_took_anything(self):
        for shape in ((6, 4), (4, 6)):
            none = csr_array(shape, dtype=np.float32)
            assert not solve_neighbours(none, 1.0).scores(none).any()

    def test_what_was_given_stays_as_it_was(self):
        for shape in ((60, 25), (25, 60)):
            counts = counted(*shape)
            before = counts.toarray()
            solve_neighbours(counts, 5.0).scores(counts)
            np.testing.assert_array_equal(counts.toarray(), before)

    @pytest.mark.parametrize("settings", [{"l2": 0.0}, {"l2": -1.0}, {"l2": 1.0, "keep": 0}])
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match="both must be positive"):
            solve_neighbours(counted(5, 4), **settings)


class TestDrawn:
    """Where both sides are too large, so many users are drawn."""

    def test_as_many_as_fit(self, monkeypatch):
        monkeypatch.setattr("rectransfer.neighbours.neighbours.LARGEST_GRAM", 30)
        counts = counted(50, 40)
        found = solve_neighbours(counts, 5.0, seed=4)
        assert isinstance(found.solution, UserKernel)
        assert found.solution.taken.shape == (30, 40)
        drawn = np.sort(np.random.default_rng(4).choice(50, 30, replace=False))
        expected = solve_neighbours(csr_array(counts[drawn]), 5.0)
        np.testing.assert_array_equal(found.scores(counts), expected.scores(counts))
        again, other = (solve_neighbours(counts, 5.0, seed=seed).scores(counts) for seed in (4, 5))
        np.testing.assert_array_equal(found.scores(counts), again)
        assert not np.allclose(other, again)

    @pytest.mark.parametrize("shape", [(50, 30), (30, 50)])
    def test_all_where_one_side_fits(self, monkeypatch, shape):
        counts = counted(*shape)
        whole = solve_neighbours(counts, 5.0).scores(counts)
        monkeypatch.setattr("rectransfer.neighbours.neighbours.LARGEST_GRAM", 30)
        np.testing.assert_array_equal(solve_neighbours(counts, 5.0).scores(counts), whole)


class TestPruned:
    def test_with_all_weights_it_agrees(self):
        counts, others = counted(25, 60), counted(9, 60, seed=1)
        whole = solve_neighbours(counts, 5.0)
        pruned = whole.pruned(keep=60)
        assert isinstance(pruned.solution, ItemWeights)
        for asked in (counts, others):
            np.testing.assert_allclose(pruned.scores(asked), whole.scores(asked), rtol=1e-3, atol=1e-4)

    def test_it_keeps_the_largest_and_no_user(self):
        pruned = solve_neighbours(counted(25, 60), 5.0).pruned(keep=4)
        assert np.diff(pruned.solution.weights.indptr).max() == 4
        assert pruned.solution.weights.shape == (60, 60)
        assert not {"inverse", "explained"} & pruned.arrays().keys()

    def test_what_is_pruned_stays(self):
        found = solve_neighbours(counted(60, 25), 5.0, keep=3)
        assert found.pruned() is found
        assert np.diff(found.solution.weights.indptr).max() == 3

    def test_none_where_there_are_too_many_items(self, monkeypatch):
        monkeypatch.setattr("rectransfer.neighbours.neighbours._LARGEST_PRUNED", 59)
        assert solve_neighbours(counted(25, 60), 5.0).pruned() is None
        assert solve_neighbours(counted(25, 59), 5.0).pruned() is not None


class TestArrays:
    @pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
    def test_there_and_back(self, shape):
        counts = counted(*shape)
        found = solve_neighbours(counts, 5.0)
        back = Neighbours.from_arrays(found.arrays())
        assert type(back.solution) is type(found.solution)
        assert (back.l2, back.typical) == (found.l2, found.typical)
        np.testing.assert_array_equal(back.rarity, found.rarity)
        np.testing.assert_array_equal(back.scores(counts), found.scores(counts))

    @pytest.mark.parametrize("shape", [(60, 25), (25, 60)])
    def test_arrays_that_do_not_fit_are_refused(self, shape):
        arrays = solve_neighbours(counted(*shape), 5.0).arrays()
        with pytest.raises(ArtefactError, match=r"'(indptr|indices|explained)'"):
            Neighbours.from_arrays({**arrays, "rarity": arrays["rarity"][:-1]})
        for name in ("scalars", "rarity", "data"):
            with pytest.raises(ArtefactError, match=f"no array '{name}'"):
                Neighbours.from_arrays({key: value for key, value in arrays.items() if key != name})

    def test_a_kernel_of_other_users_is_refused(self):
        arrays = solve_neighbours(counted(25, 60), 5.0).arrays()
        with pytest.raises(ArtefactError, match=r"'indptr' is int32 of shape \(26,\)"):
            Neighbours.from_arrays({**arrays, "inverse": arrays["inverse"][:-1, :-1]})


class TestMoved:
    ROWS = np.array([4, -1, 0, 2, -1, 3])  # row 1 is left behind, two of the new items are unknown

    @pytest.mark.parametrize("shape", [(30, 5), (4, 5)])
    def test_histories_of_the_known_items_get_their_scores(self, shape):
        found = solve_neighbours(counted(*shape, mean=1.0), 2.0).pruned()
        moved = found.moved(self.ROWS)
        there = counted(7, 5, seed=3, mean=1.0).toarray()
        there[:, 1] = 0  # nobody had what is left behind
        here = np.zeros((7, 6), np.float32)
        known = self.ROWS >= 0
        here[:, known] = there[:, self.ROWS[known]]
        scores, expected = moved.scores(csr_array(here)), found.scores(csr_array(there))
        np.testing.assert_allclose(scores[:, known], expected[:, self.ROWS[known]], rtol=1e-5, atol=1e-6)
        assert np.abs(expected).max() > 0.01
        assert not scores[:, ~known].any()

    def test_an_unknown_item_calls_for_nothing(self):
        moved = solve_neighbours(counted(30, 5, mean=1.0), 2.0).moved(self.ROWS)
        strange = csr_array(np.eye(6, dtype=np.float32)[[1, 4]])
        assert not moved.scores(strange).any()

    def test_two_items_of_one_do_not_call_for_each_other(self):
        moved = solve_neighbours(counted(30, 5, mean=1.0), 2.0).moved(np.array([2, 2, 3]))
        scores = moved.scores(csr_array(np.eye(3, dtype=np.float32)))
        assert scores[0, 1] == scores[1, 0] == 0
        assert scores[0, 2] == scores[1, 2] != 0

    def test_a_kernel_cannot_be_moved(self):
        with pytest.raises(InputError, match="pruned"):
            solve_neighbours(counted(4, 6), 2.0).moved(self.ROWS)
