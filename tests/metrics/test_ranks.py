import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.metrics import RelevantRanks, label_lists, rank_relevant, ranks, ranks_from_lists


def naive_ranks(scores, relevant, exclude):
    found = []
    for user in range(len(scores)):
        candidates = [i for i in range(scores.shape[1]) if not exclude[user, i]]
        for item in np.flatnonzero(relevant[user]):
            others = [i for i in candidates if i != item]
            above = sum(scores[user, i] > scores[user, item] for i in others)
            same = sum(scores[user, i] == scores[user, item] for i in others)
            found.append(1 + above + same / 2)
    return found


def test_ranks_by_hand():
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]], dtype=np.float32)
    found = rank_relevant(scores, csr_array([[1, 1, 0], [0, 0, 1]]))
    assert found.ranks.tolist() == [3.0, 1.0, 3.0]
    assert found.offsets.tolist() == [0, 2, 3]
    assert found.n_candidates.tolist() == [3, 3]


@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_constant_scores_give_exactly_the_mid_rank(n):
    found = rank_relevant(np.full((1, n), 3.0, np.float32), csr_array(np.eye(1, n)))
    assert found.ranks.tolist() == [(n + 1) / 2]
    assert found.ties.tolist() == [n]


def test_excluded_items_leave_the_ranking():
    scores = np.array([[4.0, 3.0, 2.0, 1.0]])
    found = rank_relevant(scores, csr_array([[0, 0, 1, 0]]), csr_array([[1, 1, 0, 0]]))
    assert found.ranks.tolist() == [1.0]
    assert found.n_candidates.tolist() == [2]


def test_a_relevant_item_at_minus_infinity_does_not_tie_with_excluded_ones():
    scores = np.array([[9.0, -np.inf, -np.inf, 5.0]])
    found = rank_relevant(scores, csr_array([[0, 1, 0, 0]]), csr_array([[1, 0, 0, 0]]))
    assert found.ranks.tolist() == [2.5]  # after item 3, tied with item 2 alone
    assert found.ties.tolist() == [2]


def test_users_without_relevant_items_are_left_out():
    found = rank_relevant(np.ones((3, 2)), csr_array([[0, 0], [1, 0], [0, 0]]))
    assert found.users.tolist() == [1]
    assert len(found) == 1
    none = rank_relevant(np.ones((3, 2)), csr_array((3, 2)))
    assert len(none) == 0
    assert none.ranks.size == 0


def test_explicit_zeros_and_doubled_entries_are_read_as_one_pattern():
    relevant = csr_array((np.array([1.0, 1.0, 0.0]), np.array([2, 2, 0]), np.array([0, 3])), shape=(1, 3))
    found = rank_relevant(np.array([[3.0, 2.0, 1.0]]), relevant)
    assert found.ranks.tolist() == [3.0]
    assert relevant.nnz == 3  # the caller's matrix is as it was


def test_scores_are_left_as_they_were():
    scores = np.array([[3.0, 2.0, 1.0]])
    rank_relevant(scores, csr_array([[0, 1, 0]]), csr_array([[1, 0, 0]]))
    assert scores.tolist() == [[3.0, 2.0, 1.0]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 12), st.integers(1, 4))
def test_agrees_with_naive_loops(seed, n_users, n_items, levels):
    generator = np.random.default_rng(seed)
    scores = generator.integers(levels, size=(n_users, n_items)).astype(np.float32)
    relevant = generator.random((n_users, n_items)) < 0.3
    exclude = (generator.random((n_users, n_items)) < 0.3) & ~relevant
    found = rank_relevant(scores, csr_array(relevant), csr_array(exclude))
    assert found.ranks.tolist() == naive_ranks(scores, relevant, exclude)


def test_blocks_change_nothing(monkeypatch):
    generator = np.random.default_rng(0)
    scores = generator.integers(5, size=(20, 10)).astype(np.float32)
    relevant = csr_array(generator.random((20, 10)) < 0.2)
    whole = rank_relevant(scores, relevant)
    monkeypatch.setattr(ranks, "_VALUES_A_BLOCK", 30)
    small = rank_relevant(scores, relevant)
    assert small.ranks.tolist() == whole.ranks.tolist()
    joined = RelevantRanks.concatenate(
        [rank_relevant(scores[:7], relevant[:7]), rank_relevant(scores[7:], relevant[7:])], [7, 13]
    )
    assert joined.ranks.tolist() == whole.ranks.tolist()
    assert joined.offsets.tolist() == whole.offsets.tolist()
    assert joined.users.tolist() == whole.users.tolist()


@pytest.mark.parametrize(
    ("scores", "relevant", "exclude", "message"),
    [
        (np.array([[np.nan, 1.0]]), [[1, 0]], [[0, 0]], "1 users hold NaN"),
        (np.ones((1, 2)), [[1, 0]], [[1, 0]], "1 of 1 relevant items are excluded"),
        (np.ones((1, 3)), [[1, 0]], [[1, 0]], r"relevant has the shape \(1, 2\), the scores have \(1, 3\)"),
        (np.ones(3), [[1, 0]], [[1, 0]], r"shape \(n_users, n_items\)"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, relevant, exclude, message):
    with pytest.raises(InputError, match=message):
        rank_relevant(scores, csr_array(relevant), csr_array(exclude))


def test_inconsistent_ranks_are_refused():
    one, none = np.ones(1, np.int64), np.zeros(0, np.int64)
    with pytest.raises(InputError, match="1 users need 2 offsets"):
        RelevantRanks(np.ones(1), np.array([0]), one, one, one)
    with pytest.raises(InputError, match="offsets run from 0 to 2"):
        RelevantRanks(np.ones(1), np.array([0, 2]), one, one, one)
    with pytest.raises(InputError, match="at least one relevant item"):
        RelevantRanks(np.ones(0), np.array([0, 0]), one, one, none)
    with pytest.raises(InputError, match="1 parts and 2 sizes"):
        RelevantRanks.concatenate([rank_relevant(np.ones((1, 1)), csr_array([[1]]))], [1, 2])


def frame(**columns):
    return pl.DataFrame(columns)


def test_ranks_from_lists_by_hand():
    lists = frame(user_id=["b", "b", "a", "z"], item_id=["x", "y", "x", "x"], rank=[2, 1, 1, 1])
    test = frame(user_id=["b", "b", "a", "c", "b"], item_id=["x", "w", "q", "x", "x"])
    found = ranks_from_lists(lists, test)
    assert found.ranks.tolist() == [np.inf, np.inf, 2.0, np.inf]  # a: q; b: w, x; c: x
    assert found.offsets.tolist() == [0, 1, 3, 4]
    assert found.n_candidates.tolist() == [1, 2, 0]


def test_lists_agree_with_scores():
    generator = np.random.default_rng(3)
    scores = generator.permuted(np.tile(np.arange(15.0), (8, 1)), axis=1)
    relevant = generator.random((8, 15)) < 0.2
    order = np.argsort(-scores, axis=1)
    lists = frame(
        user_id=np.repeat(np.arange(8), 15), item_id=order.ravel(), rank=np.tile(np.arange(1, 16), 8)
    )
    users, items = np.nonzero(relevant)
    found = ranks_from_lists(lists, frame(user_id=users, item_id=items))
    assert found.ranks.tolist() == rank_relevant(scores, csr_array(relevant)).ranks.tolist()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (frame(user_id=["a"], rank=[1]), "recommended lacks the columns"),
        (frame(user_id=[1], item_id=["x"], rank=[1]), "user_id is Int64 in the lists and String"),
        (frame(user_id=["a", "a"], item_id=["x", "x"], rank=[1, 2]), "repeat a user's item_id"),
        (frame(user_id=["a", "a"], item_id=["x", "y"], rank=[1, 1]), "repeat a user's rank"),
        (frame(user_id=["a"], item_id=["x"], rank=[0]), "rank counts from 1"),
        (frame(user_id=["a"], item_id=["x"], rank=[None]), "1 of 1 are null"),
        (frame(user_id=["a"], item_id=["x"], rank=["1"]), r"'rank' is String, .* cast it: .*pl\.Int64"),
        (frame(user_id=["a"], item_id=["x"], rank=[[1]]), r"'rank' is List\(Int64\)"),
    ],
)
def test_bad_lists_are_refused(lists, message):
    with pytest.raises(InputError, match=message):
        ranks_from_lists(lists, frame(user_id=["a"], item_id=["x"]))


@pytest.mark.parametrize(
    ("words", "remedy", "said", "rank"),
    [
        (["2", "1"], pl.col("rank").cast(pl.Int64), "pl.col('rank').cast(pl.Int64)", 2),
        (
            ["first", "second"],
            pl.int_range(1, pl.len() + 1).over("user_id").alias("rank"),
            "pl.int_range(1, pl.len() + 1).over('user_id').alias('rank')",
            1,
        ),
    ],
)
def test_the_remedies_for_ranks_that_are_text_hold(words, remedy, said, rank):
    lists = frame(user_id=["a", "a"], item_id=["x", "y"], rank=words)
    test = frame(user_id=["a"], item_id=["x"])
    with pytest.raises(InputError, match=re.escape(f"frame.with_columns({said})")):
        ranks_from_lists(lists, test)

    assert ranks_from_lists(lists.with_columns(remedy), test).ranks.tolist() == [rank]


@pytest.mark.parametrize("ask", [ranks_from_lists, label_lists])
@pytest.mark.parametrize(
    ("kind", "change", "remedy"),
    [
        ("pandas.DataFrame", pl.DataFrame.to_pandas, "pl.from_pandas(frame)"),
        ("polars.LazyFrame", pl.DataFrame.lazy, "frame.collect()"),
        ("dict", pl.DataFrame.to_dict, "pl.DataFrame(data)"),
    ],
)
def test_frames_of_another_make_are_refused_with_the_remedy(ask, kind, change, remedy):
    lists, test = frame(user_id=["a"], item_id=["x"], rank=[1]), frame(user_id=["a"], item_id=["x"])
    for name, frames in (("recommended", (change(lists), test)), ("test", (lists, change(test)))):
        words = f"{name} is a {kind}; expected a polars.DataFrame: {remedy}"
        with pytest.raises(InputError, match=re.escape(words)):
            ask(*frames)


@pytest.mark.parametrize("kind", [pl.Null, pl.String, pl.Int64])
def test_no_rows_are_no_mistake_whatever_their_types(kind):
    nothing = pl.DataFrame(schema=dict.fromkeys(("user_id", "item_id", "rank"), kind))
    assert ranks_from_lists(nothing, frame(user_id=["a"], item_id=["x"])).ranks.tolist() == [np.inf]
