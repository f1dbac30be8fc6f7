import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectransfer.errors import InputError
from rectransfer.metrics import bootstrap_mean, holm, intervals, paired_bootstrap


def test_the_mean_is_the_mean_of_the_differences():
    found = paired_bootstrap([0.5, 0.2, 0.9], [0.4, 0.4, 0.4])
    assert found.mean == pytest.approx((0.1 - 0.2 + 0.5) / 3)
    assert found.low <= found.mean <= found.high
    assert found.n_users == 3


def test_intervals_cover_a_known_difference_as_often_as_they_say():
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        ease = generator.random(100)  # what makes a user easy is common to both models
        found = paired_bootstrap(ease + generator.normal(0.3, 1.0, 100), ease, n=300, seed=seed)
        covered += found.low <= 0.3 <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_width_agrees_with_the_normal_approximation():
    values = np.random.default_rng(1).normal(size=2000)
    found = bootstrap_mean(values, n=4000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(2000), rel=0.06)
    assert found.p is None


def test_pairing_cancels_what_both_share():
    generator = np.random.default_rng(2)
    shared = generator.normal(0, 10, 200)
    found = paired_bootstrap(shared + 0.1 + generator.normal(0, 0.01, 200), shared)
    assert found.excludes_zero
    assert found.p == pytest.approx(2 / 2001)


def test_no_difference_is_no_evidence():
    same = paired_bootstrap([0.1, 0.5, 0.9], [0.1, 0.5, 0.9])
    assert (same.mean, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    assert not same.excludes_zero


def test_swapping_the_models_turns_the_sign_only():
    a, b = np.random.default_rng(3).random((2, 50))
    there, back = paired_bootstrap(a, b, seed=4), paired_bootstrap(b, a, seed=4)
    assert there.mean == pytest.approx(-back.mean)
    assert there.low == pytest.approx(-back.high)
    assert there.p == back.p


def test_one_seed_one_answer_whatever_the_block(monkeypatch):
    a, b = np.random.default_rng(5).random((2, 30))
    whole = paired_bootstrap(a, b, seed=1)
    assert whole == paired_bootstrap(a, b, seed=1)
    assert whole != paired_bootstrap(a, b, seed=2)
    monkeypatch.setattr(intervals, "_DRAWS_A_BLOCK", 100)
    assert paired_bootstrap(a, b, seed=1) == whole


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([1, 2, 3], [1, 2], {}, "a has 3 users and b has 2"),
        ([1, np.nan], [1, 2], {}, "a: 1 of 2 users have no finite value"),
        ([1], [1], {}, "at least two users"),
        ([1, 2], [1, 2], {"level": 1.0}, "level=1.0"),
        ([1, 2], [1, 2], {"level": "high"}, "level='high'; expected a number between 0 and 1"),
        ([1, 2], [1, 2], {"n": 0}, "n=0"),
        ([1, 2], [1, 2], {"n": 1.5}, "n=1.5; expected a whole number from 1"),
        ([1, 2], [1, 2], {"seed": -1}, "seed=-1; expected a whole number from 0"),
        ([1, 2], [1, 2], {"seed": "a"}, "seed='a'; expected a whole number from 0"),
        (["good", "bad"], [1, 2], {}, "a holds something that isn't a number: .*'good'"),
        ([1, 2], [1, {}], {}, "b holds something that isn't a number"),
        ([1, 2], [[1], [1, 2]], {}, "b holds something that isn't a number"),
        ([10**400, 2], [1, 2], {}, "a holds something that isn't a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, options, message):
    with pytest.raises(InputError, match=message):
        paired_bootstrap(a, b, **options)


def test_a_mean_is_of_numbers():
    with pytest.raises(InputError, match="seed=-1; expected a whole number from 0"):
        bootstrap_mean([1, 2], seed=-1)
    for words in (["good", "bad"], pl.Series(["good", "bad"]), "good"):
        with pytest.raises(InputError, match="values holds something that isn't a number"):
            bootstrap_mean(words)
    assert bootstrap_mean([1, 2], np.int64(10), np.float64(0.9), np.int64(0)).n_users == 2


def test_holm_by_hand():
    # ordered: .005*4 = .02, .01*3 = .03, .03*2 = .06, .04*1 = .04 -> .06 by monotony
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)
    assert holm([0.7, 0.8]).tolist() == [1.0, 1.0]
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        holm([0.1, np.nan])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["likely"], "p_values holds something that isn't a number"),
        ([[0.1, 0.2]], r"p_values needs the shape \(m,\), got \(1, 2\)"),
    ],
)
def test_holm_takes_a_list_of_numbers(given, message):
    with pytest.raises(InputError, match=message):
        holm(given)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_the_order(p_values):
    adjusted = holm(p_values)
    assert ((adjusted >= np.array(p_values)) & (adjusted <= 1)).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()
