"""Lists of any ids against naive loops: dense, spread, negative and huge integers, and text."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectransfer.metrics import ranks_from_lists
from rectransfer.metrics.matching import Lists, Taken, match
from rectransfer.metrics.pairs import number_together

IDS = {
    "small": st.integers(0, 12),
    "negative": st.integers(-6, 6),
    "spread": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 2**63 - 1, -(2**63), 2**31, 2**62]),
    "text": st.text(max_size=2) | st.sampled_from(["", "a", "b", "é", "a\x00"]),
}


@pytest.mark.parametrize("kind", IDS)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_numbers_keep_equality_and_order(kind, data):
    dtype = pl.String if kind == "text" else pl.Int64
    first, second = (data.draw(st.lists(IDS[kind], max_size=15)) for _ in range(2))
    one, two = number_together(pl.Series(first, dtype=dtype), pl.Series(second, dtype=dtype))
    ids, numbers = [*first, *second], [*one.tolist(), *two.tolist()]
    assert len(ids) == len(numbers)
    assert all(0 <= number < 2**31 for number in numbers)
    by_bytes = [text.encode() for text in ids] if kind == "text" else ids
    for a, x in zip(by_bytes, numbers, strict=True):
        for b, y in zip(by_bytes, numbers, strict=True):
            assert (a < b) == (x < y)


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("kind", IDS)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_lists_agree_with_naive_loops(kind, grouped, data):
    dtype = pl.String if kind == "text" else pl.Int64
    pairs = st.tuples(IDS[kind], IDS[kind])
    wanted = data.draw(st.lists(pairs, min_size=1, max_size=25))
    listed = data.draw(st.lists(pairs, max_size=25, unique=True))
    if grouped:
        for pairs in (listed, wanted):
            pairs.sort(key=lambda pair: pair[0].encode() if kind == "text" else pair[0])
    ranks: dict = {}
    rows = []
    for user, item in listed:
        ranks[user] = ranks.get(user, 0) + 1
        rows.append((user, item, ranks[user]))
    schema = {"user_id": dtype, "item_id": dtype, "rank": pl.Int64}
    found = ranks_from_lists(
        pl.DataFrame(rows, schema=schema, orient="row"),
        pl.DataFrame(wanted, schema={"user_id": dtype, "item_id": dtype}, orient="row"),
    )
    place = {(user, item): rank for user, item, rank in rows}
    users = sorted({user for user, _ in wanted}, key=lambda user: user.encode() if kind == "text" else user)
    of = {user: sorted(place.get(pair, np.inf) for pair in set(wanted) if pair[0] == user) for user in users}
    got = [sorted(part.tolist()) for part in np.split(found.ranks, found.offsets[1:-1])]
    assert got == [of[user] for user in users]
    assert found.n_candidates.tolist() == [ranks.get(user, 0) for user in users]


PAIRS = st.tuples(st.integers(0, 9), st.integers(0, 9))


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("further", [0, 2**20, 2**30])
@settings(max_examples=80, deadline=None)
@given(st.lists(PAIRS, max_size=25), st.lists(PAIRS, max_size=25), st.data())
def test_what_was_taken_is_found_wherever_it_is(further, grouped, listed, taken, data):
    """Ids far apart take more bits than one number has; lists in order go by way of a table."""
    ranks = data.draw(st.lists(st.integers(1, 9 + further), min_size=len(listed), max_size=len(listed)))
    if grouped:
        listed.sort(key=lambda pair: pair[0])
        taken.sort(key=lambda pair: pair[0])
    columns = [np.array(pairs, np.int64).reshape(-1, 2).T for pairs in (listed, taken)]
    (users, items), (takers, wanted) = columns
    items[items == 9] += further
    wanted[wanted == 9] += further
    lists = Lists(users, items, np.array(ranks, np.int64))
    found = match(lists, Taken(takers, wanted))
    assert found.repeated == sum(listed.count(pair) > 1 for pair in listed)
    assert found.users.tolist() == [user for user, _ in sorted(set(taken))]
    placed = list(zip([user for user, _ in listed], ranks, strict=True))
    assert lists.repeated_ranks == sum(placed.count(pair) > 1 for pair in placed)
    rank = dict(zip(listed, ranks, strict=True))
    if not found.repeated:
        assert found.ranks.tolist() == [rank.get(pair, 0) for pair in sorted(set(taken))]
    different = np.unique(takers)
    assert lists.lengths(different).tolist() == [users.tolist().count(user) for user in different]


def test_rows_that_are_all_different_and_ranks_that_count_through_them():
    """Numbers of users, items and ranks that together take more bits than one number has."""
    n = 2_200_000
    each = np.arange(n)
    found = match(Lists(each, each[::-1].copy(), each + 1), Taken(each[:5], each[::-1][:5].copy()))
    assert found.users.tolist() == [0, 1, 2, 3, 4]
    assert found.ranks.tolist() == [1, 2, 3, 4, 5]
    assert found.repeated == 0
