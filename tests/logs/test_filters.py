from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import (
    InteractionLog,
    between,
    deduplicate,
    drop_rare_items,
    drop_rare_users,
    k_core,
    only_items,
    only_users,
)
from rectransfer.vocabulary import Vocabulary


def log_of(rows, columns=("user_id", "item_id", "timestamp")):
    return InteractionLog.from_frame(pl.DataFrame(rows, schema=list(columns), orient="row"), name="shop")


def test_between_takes_the_start_and_leaves_the_end():
    log = log_of([(1, "a", 10), (1, "b", 20), (2, "c", 30)])
    assert between(log, 10, 30).items.ids.to_list() == ["a", "b"]
    assert between(log, start=20).items.ids.to_list() == ["b", "c"]
    assert between(log, end=20).items.ids.to_list() == ["a"]
    assert len(between(log)) == 3


def test_between_compares_dates_in_utc():
    log = log_of([(1, "a", datetime(2024, 5, 1, 9)), (1, "b", datetime(2024, 5, 2))])
    assert between(log, date(2024, 5, 2)).items.ids.to_list() == ["b"]
    ten_in_berlin = datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=2)))  # 8 in UTC
    assert between(log, ten_in_berlin, datetime(2024, 5, 1, 9, 1, tzinfo=UTC)).items.ids.to_list() == ["a"]


@pytest.mark.parametrize("when", [date(2024, 1, 1), "10", 1.5, True])
def test_a_moment_of_another_kind_is_refused(when):
    with pytest.raises(InputError, match="shop: its timestamps are Int64, so a moment is an integer"):
        between(log_of([(1, "a", 10)]), when)


def test_a_number_among_dates_is_refused():
    with pytest.raises(InputError, match="a moment is a datetime or a date, got 3"):
        between(log_of([(1, "a", date(2024, 1, 1))]), 3)


def test_nothing_left_says_what_there_was():
    log = log_of([(1, "a", 10), (2, "a", 20)])
    with pytest.raises(
        InputError, match=r"nothing is left.*2 rows \(2 users, 1 items, from 10 to 20\).*30 <="
    ):
        between(log, 30)


def test_k_core_goes_round_until_nothing_changes():
    # a-b-c and 1-2-3 all met each other; user 4 has two items, but one of them is rare, and so falls too.
    core = [(user, item, 0) for user in (1, 2, 3) for item in "abc"]
    log = log_of([*core, (4, "a", 0), (4, "z", 0)])
    left = k_core(log, users=2, items=2)
    assert left.users.ids.to_list() == [1, 2, 3]
    assert left.items.ids.to_list() == ["a", "b", "c"]
    assert len(left) == 9


def test_k_core_counts_different_items_and_keeps_repeats():
    log = log_of([(1, "a", 0), (1, "b", 1), (1, "a", 2), (2, "a", 0), (2, "b", 1), (3, "a", 0), (3, "a", 1)])
    left = k_core(log, users=2, items=2)
    assert left.frame.rows() == [(1, "a", 0), (1, "b", 1), (1, "a", 2), (2, "a", 0), (2, "b", 1)]
    with pytest.raises(InputError, match="nothing is left"):
        k_core(log, users=3, items=1)
    with pytest.raises(InputError, match="users is at least 1, got 0"):
        k_core(log, users=0)


def test_rare_items_and_users_are_dropped_once():
    log = log_of([(1, "a", 0), (1, "a", 1), (1, "b", 2), (2, "b", 0)])
    assert drop_rare_items(log, users=2).frame.rows() == [(1, "b", 2), (2, "b", 0)]
    assert drop_rare_users(log, items=2).users.ids.to_list() == [1]
    assert len(drop_rare_users(log, items=2)) == 3


def test_only_some_users_or_items():
    log = log_of([(1, "a", 0), (2, "b", 1), (3, "c", 2)])
    assert only_users(log, [3, 1, 99]).users.ids.to_list() == [1, 3]
    assert only_items(log, Vocabulary.from_ids(["b"])).frame.rows() == [(2, "b", 1)]
    assert only_items(log, pl.Series(["c", "c"])).frame.rows() == [(3, "c", 2)]
    with pytest.raises(InputError, match=r"String ids.*Int64 ids"):
        only_users(log, ["1"])
    with pytest.raises(InputError, match="nothing is left"):
        only_users(log, [99])


def test_deduplicate_keeps_one_row_a_pair():
    columns = ("user_id", "item_id", "timestamp", "weight", "session_id")
    log = log_of([(1, "a", 1, 2.0, "s"), (1, "b", 2, 1.0, "s"), (1, "a", 3, 0.5, "t")], columns)
    first, last, total = (deduplicate(log, keep).frame.rows() for keep in ("first", "last", "sum"))
    assert first == [(1, "a", 1, 2.0, "s"), (1, "b", 2, 1.0, "s")]
    assert last == [(1, "b", 2, 1.0, "s"), (1, "a", 3, 0.5, "t")]
    assert total == [(1, "b", 2, 1.0, "s"), (1, "a", 3, 2.5, "t")]
    with pytest.raises(InputError, match="got 'any'"):
        deduplicate(log, "any")


def test_deduplicate_without_weights_counts_rows_only_for_the_sum():
    log = log_of([(1, "a", 1), (1, "a", 1), (2, "a", 1)])
    assert deduplicate(log).frame.rows() == [(1, "a", 1), (2, "a", 1)]
    assert deduplicate(log, "sum").frame.rows() == [(1, "a", 1, 2.0), (2, "a", 1, 1.0)]
