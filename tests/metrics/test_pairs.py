"""Lists of any ids against naive loops: dense, spread, negative and huge integers, and text."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectransfer.metrics import ranks_from_lists
from rectransfer.metrics.pairs import number_together, sorted_pairs, sorted_pairs_with

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
    n, one, two = number_together(pl.Series(first, dtype=dtype), pl.Series(second, dtype=dtype))
    ids, numbers = [*first, *second], [*one.tolist(), *two.tolist()]
    assert len(ids) == len(numbers)
    assert all(0 <= number < n for number in numbers)
    by_bytes = [text.encode() for text in ids] if kind == "text" else ids
    for a, x in zip(by_bytes, numbers, strict=True):
        for b, y in zip(by_bytes, numbers, strict=True):
            assert (a < b) == (x < y)


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("kind", IDS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_lists_agree_with_naive_loops(kind, grouped, data):
    dtype = pl.String if kind == "text" else pl.Int64
    pairs = st.tuples(IDS[kind], IDS[kind])
    wanted = data.draw(st.lists(pairs, min_size=1, max_size=25))
    listed = data.draw(st.lists(pairs, max_size=25, unique=True))
    if grouped:
        listed.sort(key=lambda pair: pair[0].encode() if kind == "text" else pair[0])
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


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([3, 2**20, 2**40]), st.booleans())
def test_pairs_are_sorted_with_what_stands_beside_them(seed, largest, grouped):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 2**20, 40), rng.integers(0, 9, 40)
    users[:20] = users[0]
    beside = rng.integers(0, largest, 40)
    if grouped:
        users.sort()
    kept = users.copy(), items.copy()
    pairs, others = sorted_pairs_with(users, items, 9, beside)
    expected = sorted(zip((users * 9 + items).tolist(), beside.tolist(), strict=True))
    assert list(zip(pairs.tolist(), others.tolist(), strict=True)) == expected
    assert sorted_pairs(users, items, 9).tolist() == [pair for pair, _ in expected]
    assert (kept[0] == users).all()
    assert (kept[1] == items).all()
