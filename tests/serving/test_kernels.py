"""The compiled loops give what numpy gives."""

import numpy as np
import pytest

from rectransfer.metrics import top_k
from rectransfer.serving import kernels


@pytest.mark.parametrize(("n", "m"), [(20_000, 50), (300, 50), (30, 10), (30, 30), (7, 5)])
@pytest.mark.parametrize("decimals", [6, 0])  # with few decimals many are equal
def test_the_largest_are_those_of_a_sort(n: int, m: int, decimals: int) -> None:
    rng = np.random.default_rng(n)
    scores = np.round(rng.normal(size=(3, n)), decimals).astype(np.float32)

    found = kernels.largest(scores.copy(), m)

    assert np.array_equal(found, np.sort(top_k(scores, m)[1], axis=1))


def test_what_is_minus_infinity_is_not_taken() -> None:
    scores = np.full((1, 40), -np.inf, np.float32)
    scores[0, [3, 8]] = 1.0

    assert kernels.largest(scores, 5).tolist() == [[3, 8, -1, -1, -1]]


def test_the_best_come_first_and_equal_ones_by_row() -> None:
    rows = np.array([[2, 4, 6, 9, -1]])
    scores = np.array([[1.0, 3.0, 3.0, 2.0, 9.0]], np.float32)
    found, values = np.zeros((1, 3), np.int64), np.zeros((1, 3), np.float32)

    kernels.best(rows, scores, found, values)

    assert found.tolist() == [[4, 6, 9]]
    assert values.tolist() == [[3.0, 3.0, 2.0]]


def test_fewer_than_asked_for_are_filled_up() -> None:
    found, values = np.zeros((1, 3), np.int64), np.zeros((1, 3), np.float32)

    kernels.best(np.array([[5, -1]]), np.array([[1.0, 0.0]], np.float32), found, values)

    assert found.tolist() == [[5, -1, -1]]


def test_tanh() -> None:
    values = np.random.default_rng(0).normal(0, 4, (50, 48)).astype(np.float32)
    found = values.copy()

    kernels.squash(found)

    assert np.abs(found - np.tanh(values)).max() < 2e-6


def test_a_history_is_merged() -> None:
    offsets, items, ages = np.array([0, 3, 3, 4]), np.array([7, 2, 7, 5]), np.array([3, 2, 1, 1])

    starts, rows, counts, weights = kernels.merge(offsets, items, ages, np.array([1.0], np.float32))

    assert starts.tolist() == [0, 2, 2, 3]
    assert rows.tolist() == [2, 7, 5]
    assert counts.tolist() == [1, 2, 1]
    raw = np.log1p([0.5, 0.25 + 1.0])  # half as much for each visit
    assert weights[0] == pytest.approx([*(raw / raw.sum()), 1.0])
