"""Kendall's τ agrees with scipy's, and its interval with what is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rectransfer.errors import InputError
from rectransfer.selection import kendall_tau

VALUES = st.lists(st.integers(0, 4), min_size=3, max_size=12)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_tau_is_scipys_with_ties_and_without(data):
    x = data.draw(VALUES)
    y = data.draw(st.lists(st.integers(0, 4), min_size=len(x), max_size=len(x)))
    expected = kendalltau(x, y).statistic
    if np.isnan(expected) or len(set(x)) == 1 or len(set(y)) == 1 or expected == 0:
        return

    assert kendall_tau(x, y, n=5).mean == pytest.approx(expected)


def test_the_interval_holds_tau_and_shrinks_with_more_pairs():
    draw = np.random.default_rng(0)
    x = draw.normal(size=400)
    y = x + draw.normal(size=400)

    few, many = kendall_tau(x[:30], y[:30], n=500), kendall_tau(x, y, n=500)

    assert few.low < few.mean < few.high
    assert many.low < 0.5 < many.high  # 2/pi asin(1/sqrt(2)) is 1/2
    assert many.high - many.low < (few.high - few.low) / 2
    assert many.p < 1e-6
    assert many.n_users == 400


def test_groups_compare_sources_of_one_target_only():
    scores = np.array([1, 2, 3, 1, 2, 3.0])
    lifts = np.array([1, 2, 3, -5, -4, -6.0])  # the second target is harder, and its last source is misjudged

    apart = kendall_tau(scores, lifts, groups=["a"] * 3 + ["b"] * 3)

    assert apart.mean == pytest.approx((3 + 1 - 2) / 6)
    assert (apart.n_users, apart.p) == (2, None)
    assert apart.low == pytest.approx(-1 / 3)  # both draws are the second target
    assert apart.high == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("scores", "lifts", "options", "words"),
    [
        ([1, 2], [1, 2], {}, "three pairs"),
        ([1, 2, 3], [1, 2], {}, r"shape \(3,\) and lifts of shape \(2,\)"),
        ([1, 2, np.nan], [1, 2, 3], {}, "one finite value"),
        ([1, 1, 1], [1, 2, 3], {}, "there is no order"),
        ([1, 2, 3], [1, 2, 3], {"groups": ["a", "b", "c"]}, "there is no order"),
        ([1, 2, 3], [1, 2, 3], {"groups": ["a"]}, "groups name 1 pairs, and there are 3"),
        ([1, 2, 3], [1, 2, 3], {"n": 0}, "n=0; expected a whole number from 1"),
        ([1, 2, 3], [1, 2, 3], {"n": 2.5}, r"n=2\.5"),
        ([1, 2, 3], [1, 2, 3], {"seed": -1}, "seed=-1"),
        ([1, 2, 3], [1, 2, 3], {"level": "high"}, "level='high'"),
    ],
)
def test_what_has_no_order(scores, lifts, options, words):
    with pytest.raises(InputError, match=words):
        kendall_tau(scores, lifts, **options)
