"""The compiled loops give what numpy gives."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from rectransfer.metrics import top_k
from rectransfer.serving import candidates, kernels


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

    candidates.best(rows, scores, found, values)

    assert found.tolist() == [[4, 6, 9]]
    assert values.tolist() == [[3.0, 3.0, 2.0]]


def test_fewer_than_asked_for_are_filled_up() -> None:
    found, values = np.zeros((1, 3), np.int64), np.zeros((1, 3), np.float32)

    candidates.best(np.array([[5, -1]]), np.array([[1.0, 0.0]], np.float32), found, values)

    assert found.tolist() == [[5, -1, -1]]


def test_tanh() -> None:
    values = np.random.default_rng(0).normal(0, 4, (50, 48)).astype(np.float32)
    found = values.copy()

    candidates.squash(found)

    assert np.abs(found - np.tanh(values)).max() < 2e-6


def test_a_history_is_merged() -> None:
    offsets, items, ages = np.array([0, 3, 3, 4]), np.array([7, 2, 7, 5]), np.array([3, 2, 1, 1])

    starts, rows, counts, weights = kernels.merge(offsets, items, ages, np.array([1.0], np.float32))

    assert starts.tolist() == [0, 2, 2, 3]
    assert rows.tolist() == [2, 7, 5]
    assert counts.tolist() == [1, 2, 1]
    raw = np.log1p([0.5, 0.25 + 1.0])  # half as much for each visit
    assert weights[0] == pytest.approx([*(raw / raw.sum()), 1.0])


def test_the_mth_largest_is_that_of_a_sort() -> None:
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(0, 1e3, 625),
        rng.integers(-3, 3, 200),
        np.full(9, -np.inf),
        [-0.0, 0.0, 2e-40],
    ):
        given = np.array(values, np.float32)
        for m in (1, len(given) // 2, len(given)):
            assert kernels._mth_largest(given.copy(), len(given), m) == np.sort(given)[-m]


def test_what_comes_after_is_summed_for_candidates_only() -> None:
    rng = np.random.default_rng(1)
    chain = random_array((60, 60), density=0.3, rng=rng, dtype=np.float32, format="csr")
    had = random_array((5, 60), density=0.2, rng=rng, dtype=np.float32, format="csr")
    rows = np.array([np.sort(rng.choice(60, 8, replace=False)) for _ in range(5)])
    rows[0, 3:] = -1
    weights = np.stack([had.data, had.data**2])
    found = np.zeros((2, 5, 8), np.float32)

    candidates.after(
        rows,
        (had.indptr, had.indices, weights),
        (chain.indptr, chain.indices.astype(np.uint16), chain.data),
        np.float32(0),
        found,
    )

    for power, one in zip((1, 2), found, strict=True):
        true = np.take_along_axis((had.power(power) @ chain).toarray(), rows, axis=1)
        assert one == pytest.approx(np.where(rows >= 0, true, 0), abs=1e-5)


def test_a_shortlist_is_that_of_the_whole_sums() -> None:
    rng = np.random.default_rng(2)
    n, m, step = 300, 12, 1 / 32_767
    matrices = [random_array((n, n), density=0.1, rng=rng, format="csr") for _ in range(2)]
    numbers = [np.rint(one.toarray() / step).astype(np.int16) for one in matrices]
    had = random_array((4, n), density=0.03, rng=rng, dtype=np.float32, format="csr")
    strengths = np.stack([had.data, had.data * 2])
    scores, gains = rng.normal(size=(4, n)).astype(np.float32), np.array([0, 0.5, 1, 2], np.float32)
    both = np.stack(numbers, axis=1).reshape(2 * n, n)
    flat = csr_array(both)
    weights = flat.indptr, flat.indices.astype(np.uint16), flat.data, np.full(2 * n, step, np.float32)
    shut = np.array([0, 1, 1, 1, 1]), np.array([int(scores[0].argmax())])
    rows, called = np.zeros((4, m), np.int64), np.zeros((4, m, 2), np.float32)

    kernels.shortlist(
        scores.copy(),
        (had.indptr, had.indices, strengths),
        weights,
        gains,
        shut,
        np.arange(n),
        (rows, called),
    )

    sums = [had @ (numbers[0] * step), 2 * (had @ (numbers[1] * step))]
    whole = scores + gains[:, None] * np.log1p(np.maximum(sums[0], 0) / kernels.FAINT)
    whole[0, shut[1]] = -np.inf
    for user in range(4):
        assert set(rows[user]) == set(np.argsort(-whole[user])[:m])
    for place, one in enumerate(sums):
        assert called[:, :, place] == pytest.approx(np.take_along_axis(one, rows, axis=1), abs=1e-4)
