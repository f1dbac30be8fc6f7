"""What popular and rare items count."""

import numpy as np
import pytest

from rectransfer.ranking import TrainConfig
from rectransfer.ranking.imbalance import draw_negatives, label_weights

USERS = np.array([0, 1, 3, 10, 1000])
POPULARITY = np.log1p(USERS).astype(np.float32)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_items_are_drawn_by_popularity_to_the_power_and_the_log_says_how_often(power):
    rows, log_q = draw_negatives(POPULARITY, 50_000, power, np.random.default_rng(0))
    expected = (1.0 + USERS) ** power
    expected *= 50_000 / expected.sum()
    counts = np.bincount(rows.numpy(), minlength=5)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 1).all()
    np.testing.assert_allclose(np.exp(log_q.numpy()), expected[rows.numpy()], rtol=1e-4)


def test_labels_count_alike_by_default():
    assert label_weights(POPULARITY, TrainConfig()).tolist() == [1.0] * 5


def test_labels_by_a_power_of_their_users():
    weights = label_weights(POPULARITY, TrainConfig(label_weighting=0.5)).numpy()
    np.testing.assert_allclose(weights, (1.0 + USERS) ** -0.5, rtol=1e-5)


@pytest.mark.parametrize("beta", [0.5, 0.99, 0.9999])
def test_labels_by_the_effective_number_of_their_users(beta):
    weights = label_weights(POPULARITY, TrainConfig(effective_number=beta)).numpy()
    users = np.maximum(USERS, 1)
    np.testing.assert_allclose(weights, (1 - beta) / (1 - beta**users), rtol=1e-3)
    # the effective number is a sum: 1 + β + β² for three users
    assert weights[2] == pytest.approx(1 / (1 + beta + beta**2), rel=1e-5)


def test_next_to_1_labels_weigh_1_by_their_users():
    weights = label_weights(POPULARITY, TrainConfig(effective_number=1 - 1e-9)).numpy()
    np.testing.assert_allclose(weights, 1 / np.maximum(USERS, 1), rtol=1e-4)
