from datetime import date, datetime, timedelta, timezone

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, read_log

ROWS = {"user_id": [2, 1, 1, 2], "item_id": ["b", "b", "a", "c"], "timestamp": [5, 9, 3, 5]}
SORTED = [(1, "a", 3), (1, "b", 9), (2, "b", 5), (2, "c", 5)]


def log_of(**columns):
    return InteractionLog.from_frame(pl.DataFrame({**ROWS, **columns}, strict=False))


@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame, pd.DataFrame, pa.table])
def test_every_make_of_table_gives_the_same_log(make):
    log = InteractionLog.from_frame(make(ROWS))
    assert log.frame.rows() == SORTED
    assert log.frame.schema == {"user_id": pl.Int64, "item_id": pl.String, "timestamp": pl.Int64}
    assert (len(log), log.n_users, log.n_items, log.span) == (4, 2, 3, (3, 9))
    assert log.users.ids.to_list() == [1, 2]
    assert log.items.ids.to_list() == ["a", "b", "c"]
    assert not log.has_weight
    assert not log.has_sessions


def test_rows_of_one_moment_keep_their_order():
    frame = pl.DataFrame({"user_id": [1] * 4, "item_id": [4, 3, 2, 1], "timestamp": [1, 1, 0, 1]})
    assert InteractionLog.from_frame(frame).frame["item_id"].to_list() == [2, 4, 3, 1]


def test_columns_are_renamed_and_others_dropped():
    frame = pl.DataFrame(
        {"who": ["x"], "what": [1], "basket": [9], "when": [3], "stars": [2], "user_id": ["another"]}
    )
    names = {
        "who": "user_id",
        "what": "item_id",
        "when": "timestamp",
        "stars": "weight",
        "basket": "session_id",
    }
    log = InteractionLog.from_frame(frame, columns=names)
    assert log.frame.rows(named=True) == [
        {"user_id": "x", "item_id": 1, "timestamp": 3, "weight": 2.0, "session_id": 9}
    ]
    assert log.has_weight
    assert log.has_sessions


def test_ids_stay_as_they_were():
    log = log_of(user_id=pl.Series(["0042", "42", "042", " 42"], dtype=pl.Categorical))
    assert set(log.users.ids) == {"0042", "42", "042", " 42"}


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (pl.Series([datetime(2024, 5, 1, 12)] * 4, dtype=pl.Datetime("ns")), datetime(2024, 5, 1, 12)),
        (pl.Series([date(2024, 5, 1)] * 4), datetime(2024, 5, 1)),
        (
            pl.Series([datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))] * 4),
            datetime(2024, 5, 1, 10),
        ),
        (
            pl.Series([datetime(2024, 5, 1, 12)] * 4).dt.replace_time_zone("Asia/Tokyo"),
            datetime(2024, 5, 1, 3),
        ),
        (pl.Series([7] * 4, dtype=pl.UInt8), 7),
        (pl.Series([7.0] * 4), 7),
    ],
)
def test_times_of_every_kind(moment, expected):
    log = log_of(timestamp=moment)
    assert log.span == (expected, expected)
    assert log.frame.schema["timestamp"] in (pl.Datetime("us"), pl.Int64)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "user_id",
            [1, None, 3, None],
            "log: column 'user_id' has 2 nulls in 4 rows, the first in rows 1, 3; drop",
        ),
        ("timestamp", [1, 2, 3, None], "column 'timestamp' has 1 nulls in 4 rows, the first in row 3"),
        ("weight", [1.0, None, 1.0, 1.0], "column 'weight' has 1 nulls"),
        ("session_id", [None] * 4, "column 'session_id' has 4 nulls"),
        ("item_id", [1.5, 2.0, 3.0, 4.0], "column 'item_id' holds Float64 .*for example 1.5.*cast it"),
        ("item_id", pl.Series([1, "a", 2, 3], dtype=pl.Object), "column 'item_id' holds Object"),
        ("timestamp", ["2024-01-01"] * 4, "timestamp.* String .*str.to_datetime.*parse_timestamps=True"),
        ("timestamp", [1.0, 2.5, float("nan"), 3.0], "whole number in 2 of 4 rows, the first in rows 1, 2"),
        ("timestamp", [True] * 4, "Boolean"),
        (
            "weight",
            [float("nan"), -1.0, 0.0, float("inf")],
            "1 NaN, 1 infinite, 1 negative, 1 zero among 4 weights, the first in rows 0, 1, 2, 3",
        ),
        ("weight", ["1"] * 4, "column 'weight' holds String"),
    ],
)
def test_bad_values_are_named_with_their_rows(column, values, message):
    with pytest.raises(InputError, match=message):
        log_of(**{column: values})


def test_an_empty_table_is_refused():
    with pytest.raises(InputError, match="mine: the log is empty: 0 rows"):
        InteractionLog.from_frame(pl.DataFrame(ROWS).clear(), name="mine")


def test_missing_columns_are_named_and_guessed():
    frame = pl.DataFrame({"household_id": [1], "productId": [1], "transaction_timestamp": [1]})
    with pytest.raises(InputError) as caught:
        InteractionLog.from_frame(frame)
    assert str(caught.value) == (
        "log: no column 'user_id', 'item_id', 'timestamp'; the columns are 'household_id', 'productId', "
        "'transaction_timestamp'; name them where the log is read: read_log(..., columns={'household_id': "
        "'user_id', 'productId': 'item_id', 'transaction_timestamp': 'timestamp'}), and so spill_log, or on "
        "the command line --columns household_id=user_id,productId=item_id,transaction_timestamp=timestamp"
    )
    with pytest.raises(InputError, match=r"no column 'item_id'; .*columns={'your_name': 'item_id'}"):
        InteractionLog.from_frame(pl.DataFrame({"user_id": [1], "xyz": [2], "timestamp": [1]}))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": "household"}, "turn it round: {'household': 'user_id'}"),
        ({"user_id": "person"}, "turn it round"),
        ({"item_id": "thing", "timestamp": "user_id"}, "columns maps to 'thing'"),
        ({"nobody": "user_id"}, "columns names 'nobody', which the data don't have"),
        ({"item_id": "user_id", "timestamp": "user_id"}, "maps two names to one"),
        (["user_id"], "columns is a list; it maps your names to ours: columns={'household_id': 'user_id'}"),
    ],
)
def test_a_wrong_mapping_is_refused(columns, message):
    with pytest.raises(InputError, match=message):
        InteractionLog.from_frame(pl.DataFrame(ROWS), columns=columns)


def test_pandas_columns_that_mix_types_are_refused():
    with pytest.raises(InputError, match=r"column 'user_id' .*mixes types: int, str"):
        InteractionLog.from_frame(pd.DataFrame({**ROWS, "user_id": [1, "a", 2, 3]}))
    with pytest.raises(InputError, match="1 nulls in 4 rows, the first in row 1"):
        InteractionLog.from_frame(pd.DataFrame({**ROWS, "item_id": ["a", None, "b", "c"]}))


def test_other_data_are_refused():
    with pytest.raises(InputError, match=r"got builtins.dict; polars.DataFrame\(data\)"):
        InteractionLog.from_frame(ROWS)
    with pytest.raises(InputError, match="lazy frame cannot be collected"):
        InteractionLog.from_frame(pl.LazyFrame(ROWS).with_columns(pl.col("item_id").cast(pl.Int64)))


def test_a_log_is_one_already():
    log = InteractionLog.from_frame(pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1]}))
    for read in (InteractionLog.from_frame, read_log):
        with pytest.raises(InputError, match="it is an InteractionLog already; use it as it is"):
            read(log)


def test_two_columns_of_one_name_are_refused():
    frame = pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1]}).to_pandas()
    with pytest.raises(InputError, match="several columns are called 'user_id'"):
        read_log(frame[["user_id", "user_id", "item_id", "timestamp"]])


def test_the_constructor_checks_as_well():
    with pytest.raises(InputError, match=r"expected .*from_frame"):
        InteractionLog(pl.DataFrame({"item_id": [1], "user_id": [1], "timestamp": [1]}))
    assert InteractionLog(pl.DataFrame(ROWS)).frame.rows() == SORTED


def test_with_frame_keeps_the_name_and_the_types():
    log = InteractionLog.from_frame(pl.DataFrame(ROWS), name="shop")
    assert log.with_frame(log.frame.head(2)).frame.rows() == SORTED[:2]
    assert log.with_frame(log.frame.head(1)).name == "shop"
    with pytest.raises(InputError, match="shop: the log is empty"):
        log.with_frame(log.frame.clear())
    with pytest.raises(InputError, match="'user_id' was Int64 and would become String"):
        log.with_frame(log.frame.with_columns(pl.col("user_id").cast(pl.String)))


def test_one_user_and_one_item_are_enough():
    log = InteractionLog.from_frame(pl.DataFrame({"user_id": ["a"], "item_id": ["x"], "timestamp": [0]}))
    assert log.describe().density == 1.0
    assert log.describe().single_row_users == 1
    assert repr(log) == "InteractionLog('log': 1 rows, 1 users, 1 items, from 0 to 0)"


def test_describe_counts_repeats_and_duplicate_rows():
    frame = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 1, 2],
            "item_id": ["a", "a", "a", "b", "a"],
            "timestamp": [1, 1, 2, 3, 4],
            "session_id": [1, 1, 1, 2, 1],
        }
    )
    summary = InteractionLog.from_frame(frame).describe()
    assert summary.rows == 5
    assert (summary.users, summary.items, summary.sessions) == (2, 2, 3)  # session 1 of two users is two
    assert (summary.first, summary.last) == (1, 4)
    assert summary.duplicate_rows == 1
    assert summary.repeats == 2
    assert summary.median_rows_per_user == 2.5
    assert summary.median_rows_per_item == 2.5
    assert summary.single_row_users == 1
    assert summary.density == 0.75
    assert summary.as_dict()["density"] == 0.75
    assert "5 interactions of 2 users with 2 items in 3 sessions, from 1 to 4" in str(summary)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(-2, 2)), min_size=1))
def test_the_order_is_that_of_a_stable_sort(rows):
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    log = InteractionLog.from_frame(frame)
    assert log.frame.rows() == sorted(rows, key=lambda row: (row[0], row[2]))
    assert InteractionLog.from_frame(log.frame).frame.equals(log.frame)
    assert log.describe().repeats == len(rows) - len({row[:2] for row in rows})


def test_at_one_moment():
    frame = pl.DataFrame(
        {
            "user_id": ["u", "u", "v"],
            "item_id": ["a", "b", "a"],
            "timestamp": [1, 5, 3],
            "session_id": ["x", "y", "z"],
            "weight": [1.0, 2.0, 3.0],
        }
    )
    log = InteractionLog.from_frame(frame)
    found = log.at_one_moment()
    assert found.frame.columns == ["user_id", "item_id", "timestamp", "weight"]
    assert found.frame["timestamp"].to_list() == [5, 5, 5]
    assert (
        found.frame.drop("timestamp")
        .sort(["user_id", "item_id"])
        .equals(log.frame.drop("timestamp", "session_id").sort(["user_id", "item_id"]))
    )
    assert found.span == (5, 5)
