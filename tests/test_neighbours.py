"""The closed form agrees with a regression of each item on all others, from both sides."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer import neighbours
from rectransfer.errors import InputError
from rectransfer.neighbours import item_weights


def logs(n_users, n_items, seed=0, share=0.3):
    return csr_array((np.random.default_rng(seed).random((n_users, n_items)) < share).astype(np.float32))


def regressed(interactions, l2):
    """Column by column: the ridge regression of an item on the others."""
    x = interactions.toarray().astype(np.float64)
    n = x.shape[1]
    weights = np.zeros((n, n))
    for item in range(n):
        others = np.delete(np.arange(n), item)
        gram = x[:, others].T @ x[:, others] + l2 * np.eye(n - 1)
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
    monkeypatch.setattr(neighbours, "_BLOCK", 7)
    np.testing.assert_allclose(item_weights(interactions, 5.0, keep=6).weights.toarray(), whole, atol=1e-6)


def test_none_where_both_sides_are_too_large(monkeypatch):
    monkeypatch.setattr(neighbours, "LARGEST_GRAM", 30)
    assert item_weights(logs(31, 40)) is None
    assert item_weights(logs(40, 31)) is None
    for small in (logs(30, 60), logs(60, 30)):
        assert item_weights(small) is not None


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
