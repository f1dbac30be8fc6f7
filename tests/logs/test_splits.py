from datetime import date, datetime
from itertools import pairwise

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import (
    InteractionLog,
    hold_out_users,
    k_folds_of_users,
    share_of_users,
    split_by_time,
)


def many_users(n=100):
    frame = pl.DataFrame(
        {"user_id": list(range(n)) * 2, "item_id": [1] * n + [2] * n, "timestamp": [0] * 2 * n}
    )
    return InteractionLog.from_frame(frame, name="shop")


def test_time_cuts_before_the_moment():
    frame = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "c"], "timestamp": [10, 20, 30]})
    split = split_by_time(InteractionLog.from_frame(frame), 20)
    assert split.before.items.ids.to_list() == ["a"]
    assert split.after.items.ids.to_list() == ["b", "c"]
    assert split.guarantee == (
        "every one of the 1 rows in `before` happened before 20, and every one of the 2 rows in `after` "
        "at 20 or later, for all users alike"
    )


def test_time_cuts_at_a_date():
    frame = pl.DataFrame(
        {"user_id": [1, 1], "item_id": [1, 2], "timestamp": [date(2024, 1, 1), date(2024, 1, 2)]}
    )
    split = split_by_time(InteractionLog.from_frame(frame), date(2024, 1, 2))
    assert split.at == datetime(2024, 1, 2)
    assert len(split.before) == len(split.after) == 1


@pytest.mark.parametrize(("at", "side"), [(0, "before 0"), (1, "at or after 1")])
def test_an_empty_side_is_refused(at, side):
    with pytest.raises(InputError, match=f"none of its 200 rows lies {side}; they go from 0 to 0"):
        split_by_time(many_users(), at)


def test_held_out_users_are_not_kept():
    log = many_users()
    split = hold_out_users(log, 0.2, seed=3)
    kept, held_out = set(split.kept.users.ids), set(split.held_out.users.ids)
    assert len(held_out) == 20
    assert not kept & held_out
    assert kept | held_out == set(range(100))
    assert len(split.kept) + len(split.held_out) == len(log)
    assert "none of the 20 users in `held_out`" in split.guarantee
    assert "all rows of the other 80 (seed 3)" in split.guarantee


def test_a_seed_decides_who_is_held_out():
    log = many_users()
    drawn = [set(hold_out_users(log, n=10, seed=seed).held_out.users.ids) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(users) == 10 for users in drawn)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "one of the two"),
        ({"share": 0.5, "n": 3}, "one of the two"),
        ({"share": 1.0}, r"lies in \(0, 1\), got 1.0"),
        ({"n": 100}, "100 users cannot be held out of 100; from 1 to 99 can"),
        ({"n": 0}, "0 users cannot"),
        ({"n": 1, "seed": -1}, "a seed is 0 or more"),
    ],
)
def test_what_cannot_be_held_out(kwargs, message):
    with pytest.raises(InputError, match=message):
        hold_out_users(many_users(), **kwargs)


def test_one_user_cannot_be_held_out():
    with pytest.raises(InputError, match="1 users cannot be held out of 1"):
        hold_out_users(many_users(1), 0.5)


def test_shares_are_nested():
    log = many_users()
    samples = [share_of_users(log, share, seed=5) for share in (0.02, 0.05, 0.1, 0.3, 1.0)]
    users = [set(sample.log.users.ids) for sample in samples]
    assert [len(some) for some in users] == [2, 5, 10, 30, 100]
    assert all(small < large for small, large in pairwise(users))
    assert samples[1].guarantee == (
        "5 of 100 users with all of their rows; a larger share with seed 5 has these users, too"
    )
    assert len(samples[2].log) == 20
    assert set(share_of_users(log, 0.1, seed=6).log.users.ids) != users[2]


def test_a_share_of_users_is_never_nobody():
    assert share_of_users(many_users(3), 0.001).log.n_users == 1
    for share in (0, 1.01):
        with pytest.raises(InputError, match=r"lies in \(0, 1\]"):
            share_of_users(many_users(3), share)


def test_holding_out_and_sampling_draw_apart():
    log = many_users()
    held_out = set(hold_out_users(log, n=50, seed=0).held_out.users.ids)
    sampled = set(share_of_users(log, 0.5, seed=0).log.users.ids)
    assert 10 < len(held_out & sampled) < 40


class TestFolds:
    @pytest.mark.parametrize("k", [2, 3, 7, 100])
    def test_every_user_is_held_out_once_with_all_of_the_rows(self, k):
        log = many_users()
        folds = k_folds_of_users(log, k, seed=4)
        held_out = [set(fold.held_out.users.ids) for fold in folds]
        assert len(folds) == k
        assert sorted(user for users in held_out for user in users) == list(range(100))
        assert max(map(len, held_out)) - min(map(len, held_out)) <= 1
        for fold, users in zip(folds, held_out, strict=True):
            assert not users & set(fold.kept.users.ids)
            assert len(fold.held_out) == 2 * len(users)
            assert len(fold.kept) == 200 - 2 * len(users)

    def test_the_guarantee_names_both_sides(self):
        assert k_folds_of_users(many_users(), 4, seed=9)[3].guarantee == (
            "none of the 25 users in `held_out` has a row in `kept`, which has all rows of the other 75 "
            "(seed 9)"
        )

    def test_a_seed_decides_the_folds_apart_from_other_draws(self):
        log = many_users()
        first, again, other = (set(k_folds_of_users(log, 2, seed=s)[0].held_out.users.ids) for s in (1, 1, 2))
        assert first == again != other
        assert first != set(hold_out_users(log, 0.5, seed=1).held_out.users.ids)

    @pytest.mark.parametrize("k", [1, 0, -3, 101, 2.5, True])
    def test_too_few_or_too_many_folds_are_refused(self, k):
        with pytest.raises(InputError, match=rf"shop: 100 users cannot be cut into k={k} folds; .* 2 to 100"):
            k_folds_of_users(many_users(), k)
