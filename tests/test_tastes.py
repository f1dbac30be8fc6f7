"""Leanings are what a ridge regression on the users' places says, and unknown users have none."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer import tastes
from rectransfer.errors import ArtefactError, InputError
from rectransfer.tastes import Leanings, find_tastes, learn_leanings


def two_camps(n_users=60, n_source=20, n_target=6, seed=0):
    """Users of two camps; each camp has source items and target items of its own. Target items come last."""
    rng = np.random.default_rng(seed)
    camp = np.arange(n_users) % 2
    theirs = np.arange(n_source) % 2 == camp[:, None]
    source = (rng.random((n_users, n_source)) < np.where(theirs, 0.6, 0.1)) * rng.integers(1, 5, n_source)
    also = np.arange(n_target) % 2 == camp[:, None]
    target = rng.random((n_users, n_target)) < np.where(also, 0.7, 0.2)
    past = np.hstack([source, np.zeros((n_users, n_target))]).astype(np.float32)
    taken = np.hstack([np.zeros((n_users, n_source)), target]).astype(np.float32)
    return csr_array(past), csr_array(taken), camp


def test_places_are_projections_of_damped_rare_and_even_rows():
    past, _, _ = two_camps()
    space = find_tastes(past, k=4)
    dense = past.toarray()
    rarity = np.log(len(dense) / np.maximum((dense > 0).sum(axis=0), 1)) * (dense > 0).any(axis=0)
    rows = np.sqrt(np.log1p(dense)) * rarity
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)

    found = space.of(past)
    np.testing.assert_allclose(space.rarity, rarity, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    # the subspace is that of the whole decomposition; its basis may turn
    true = rows @ axes[:4].T
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, true @ true.T, atol=1e-2)


def test_a_leaning_is_a_ridge_regression():
    past, taken, _ = two_camps()
    space = find_tastes(past, k=3)
    found = learn_leanings(space, past, taken)
    place, y = space.of(past).astype(np.float64), taken.toarray()
    apart = place - place.mean(axis=0)
    slopes = np.linalg.solve(apart.T @ apart + tastes._DOUBT * np.eye(3), apart.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(found.calls, slopes.T, atol=1e-5)
    np.testing.assert_allclose(found.common, y.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.lifts, slopes.T / (y.mean(axis=0) + tastes._RARE)[:, None], atol=1e-4)


def test_each_camp_leans_to_its_own():
    past, taken, camp = two_camps()
    found = learn_leanings(find_tastes(past, k=2), past[:40], taken[:40])
    lifts = found.of(csr_array(past[40:])) @ found.lifts.T
    own = np.arange(20, 26) % 2 == camp[40:, None]
    assert lifts[:, 20:][own].mean() > 0.1
    assert lifts[:, 20:][~own].mean() < -0.1
    assert not lifts[:, :20].any()  # nobody took them in the target


def test_who_has_taken_nothing_leans_nowhere_and_teaches_nothing():
    past, taken, _ = two_camps()
    space = find_tastes(past)
    more = csr_array(np.vstack([past.toarray(), np.zeros((5, 26))]).astype(np.float32))
    rest = csr_array(np.vstack([taken.toarray(), np.ones((5, 26))]).astype(np.float32))
    found, plain = learn_leanings(space, more, rest), learn_leanings(space, past, taken)
    np.testing.assert_array_equal(found.calls, plain.calls)
    assert not found.of(csr_array(more[-5:])).any()


def test_nobody_to_learn_from_gives_no_leaning():
    past, _, _ = two_camps()
    nothing = csr_array((3, 26), dtype=np.float32)
    found = learn_leanings(find_tastes(past), nothing, nothing)
    assert not found.calls.any()
    assert np.isfinite(found.lifts).all()


def test_who_lies_across_all_axes_stands_nowhere():
    """Rounding is not blown up to a place."""
    group = np.repeat([0, 1, 2], [12, 9, 3])
    counts = csr_array(np.kron(np.eye(3), np.ones((1, 4)))[group].astype(np.float32))
    sizes = np.linalg.norm(find_tastes(counts, k=2).of(counts), axis=1)
    np.testing.assert_allclose(sizes, np.where(group == 2, 0, 1), atol=1e-5)


def test_rarity_counts_users_who_took_anything():
    past, _, _ = two_camps()
    more = csr_array(np.vstack([past.toarray(), np.zeros((100, 26))]).astype(np.float32))
    np.testing.assert_array_equal(find_tastes(more).rarity, find_tastes(past).rarity)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 2), (40, 5)])
def test_small_logs_have_fewer_axes(shape):
    counts = csr_array(np.ones(shape, np.float32))
    space = find_tastes(counts)
    assert space.axes.shape == (shape[1], min(16, *shape))
    assert np.isfinite(space.of(counts)).all()


def test_the_same_twice():
    past, _, _ = two_camps()
    np.testing.assert_array_equal(find_tastes(past).axes, find_tastes(past).axes)


@pytest.mark.parametrize(("counts", "k"), [(csr_array((3, 4)), 2), (csr_array(np.eye(3)), 0)])
def test_nothing_to_find_axes_in(counts, k):
    with pytest.raises(InputError, match="expected at least one of each"):
        find_tastes(counts, k)


def test_arrays_there_and_back():
    past, taken, _ = two_camps()
    found = learn_leanings(find_tastes(past), past, taken)
    again = Leanings.from_arrays(found.arrays())
    np.testing.assert_array_equal(again.of(past), found.of(past))
    np.testing.assert_array_equal(again.lifts, found.lifts)
    for name in found.arrays():
        with pytest.raises(ArtefactError, match=name):
            Leanings.from_arrays({key: value for key, value in found.arrays().items() if key != name})
    with pytest.raises(ArtefactError, match="calls"):
        Leanings.from_arrays(found.arrays() | {"calls": found.calls[:-1]})
