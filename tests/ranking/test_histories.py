"""What each user took, visit by visit, and where histories are cut; all by hand."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.ranking import Examples, Histories, cut_at_random, cut_at_share, every, uncut
from rectransfer.ranking.cuts import LONGEST_HISTORY
from rectransfer.vocabulary import Vocabulary

# Row by row: user, item, timestamp. Items a..f have the rows 0..5.
ROWS = [
    ("u", "a", 1),
    ("u", "b", 1),
    ("u", "c", 2),
    ("u", "a", 3),
    ("u", "d", 4),
    ("v", "e", 1),
    ("w", "f", 5),
    ("w", "b", 6),
]


def log_of(rows, **more):
    users, items, times = zip(*rows, strict=True)
    frame = {"user_id": users, "item_id": items, "timestamp": times}
    return InteractionLog.from_frame(pl.DataFrame({**frame, **more}))


def owned(rows, items):
    """Histories in which some items are the domain's own."""
    log = log_of(rows)
    own = log.with_frame(log.frame.filter(pl.col("item_id").is_in(list(items))))
    return Histories.from_log(log, log.items, own=own)


LOG = log_of(ROWS)
HISTORIES = Histories.from_log(LOG, LOG.items)


class TestHistories:
    def test_by_hand(self):
        assert HISTORIES.users.ids.to_list() == ["u", "v", "w"]
        assert HISTORIES.offsets.tolist() == [0, 5, 6, 8]
        assert HISTORIES.items.tolist() == [0, 1, 2, 0, 3, 4, 5, 1]
        assert HISTORIES.steps.tolist() == [0, 0, 1, 2, 3, 0, 0, 1]
        assert HISTORIES.lengths.tolist() == [5, 1, 2]
        items, steps = HISTORIES.of(2)
        assert (items.tolist(), steps.tolist()) == ([5, 1], [0, 1])
        assert {HISTORIES.items.dtype, HISTORIES.steps.dtype, HISTORIES.offsets.dtype} == {np.dtype("int64")}

    def test_sessions_are_visits_where_the_log_has_them(self):
        log = log_of(ROWS[:5], session_id=["s1", "s1", "s1", "s2", "s2"])
        assert Histories.from_log(log, log.items).steps.tolist() == [0, 0, 0, 1, 1]

    def test_two_users_with_one_session_name_do_not_share_a_visit(self):
        log = log_of([("u", "a", 1), ("v", "b", 1), ("v", "c", 2)], session_id=["s", "s", "s"])
        histories = Histories.from_log(log, log.items)
        assert histories.of(0)[1].tolist() == [0]
        assert histories.of(1)[1].tolist() == [0, 0]

    def test_items_outside_the_vocabulary_leave_no_empty_visit(self):
        histories = Histories.from_log(LOG, Vocabulary.from_ids(["a", "b", "d"]))
        assert histories.of(0)[0].tolist() == [0, 1, 0, 2]
        assert histories.of(0)[1].tolist() == [0, 0, 1, 2]
        assert histories.of(1)[0].tolist() == []
        assert histories.lengths.tolist() == [4, 0, 1]

    def test_users_keep_the_order_asked_for_and_strangers_are_empty(self):
        wanted = Vocabulary(pl.Series(["w", "nobody", "u"]))
        histories = Histories.from_log(LOG, LOG.items, wanted)
        assert histories.of(0)[0].tolist() == [5, 1]
        assert histories.of(1)[0].tolist() == []
        assert histories.of(2)[0].tolist() == [0, 1, 2, 0, 3]
        assert len(histories) == 3

    def test_ids_of_another_type_are_refused(self):
        with pytest.raises(InputError, match="Int64"):
            Histories.from_log(LOG, Vocabulary.from_ids([1, 2]))

    def test_datetimes_and_numbers_give_the_same(self):
        dated = log_of([(user, item, datetime(2024, 1, day)) for user, item, day in ROWS])
        histories = Histories.from_log(dated, dated.items)
        assert histories.items.tolist() == HISTORIES.items.tolist()
        assert histories.steps.tolist() == HISTORIES.steps.tolist()


def example(owner, items, ages, n=1, n_items=6):
    owner, items, ages = (np.array(part, dtype=np.int64) for part in (owner, items, ages))
    none = np.zeros(0, np.int64)
    return Examples(np.arange(n), n_items, owner, items, ages, none, none)


class TestPooled:
    def test_half_life_by_hand(self):
        # item 2 on the last visit (age 1: weight 1), item 0 three visits before (age 4: half at half-life 3)
        pooled = example([0, 0], [0, 2], [4, 1]).pooled(3.0).toarray()[0]
        fresh, old = np.log1p(1.0), np.log1p(0.5)
        np.testing.assert_allclose(pooled, np.array([old, 0, fresh, 0, 0, 0]) / (old + fresh), rtol=1e-6)

    def test_repeats_add_up_damped(self):
        pooled = example([0, 0, 0], [0, 0, 1], [1, 2, 1]).pooled(1.0).toarray()[0]
        twice, once = np.log1p(1 + 0.5), np.log1p(1.0)
        np.testing.assert_allclose(pooled[:2], np.array([twice, once]) / (twice + once), rtol=1e-6)

    def test_rows_add_up_to_one_and_empty_ones_to_zero(self):
        rng = np.random.default_rng(0)
        owner = np.sort(rng.integers(0, 19, 200))
        many = example(owner, rng.integers(0, 30, 200), rng.integers(1, 50, 200), n=20, n_items=30)
        sums = many.pooled(3.0).sum(axis=1)
        np.testing.assert_allclose(sums[:19], 1, rtol=1e-5)
        assert sums[19] == 0

    def test_very_old_entries_stay_finite(self):
        pooled = example([0, 0], [0, 1], [4000, 4000]).pooled(3.0).toarray()
        assert np.isfinite(pooled).all()

    def test_lengths_count_different_items(self):
        many = example([0, 0, 0], [0, 0, 1], [1, 2, 1], n=2)
        np.testing.assert_allclose(many.lengths, np.log([3, 1]))
        assert many.seen.toarray().tolist() == [[1, 1, 0, 0, 0, 0], [0] * 6]


class TestCutAtShare:
    def test_by_hand(self):
        cut = cut_at_share(HISTORIES, 6, 0.75)  # u: 3 of 4 visits; v: one visit only; w: 1 of 2
        assert cut.users.tolist() == [0, 2]
        assert cut.owner.tolist() == [0, 0, 0, 0, 1]
        assert cut.items.tolist() == [0, 1, 2, 0, 5]
        assert cut.ages.tolist() == [3, 3, 2, 1, 1]
        assert cut.label_owner.tolist() == [0, 1]
        assert cut.labels.tolist() == [3, 1]
        assert cut.relevant.toarray()[0].tolist() == [0, 0, 0, 1, 0, 0]

    def test_what_the_user_had_is_no_label_again(self):
        cut = cut_at_share(HISTORIES, 6, 0.5)  # u: a, b, c | a, d
        assert cut.labels[cut.label_owner == 0].tolist() == [3]

    def test_a_user_without_new_items_gives_no_example(self):
        histories = Histories.from_log(log := log_of([("u", "a", 1), ("u", "a", 2)]), log.items)
        assert len(cut_at_share(histories, 1)) == 0

    def test_labels_in(self):
        allowed = np.array([True, True, True, False, True, True])
        assert cut_at_share(HISTORIES, 6, labels_in=allowed).users.tolist() == [2]

    def test_users(self):
        assert cut_at_share(HISTORIES, 6, users=[2, 1]).users.tolist() == [2]

    @pytest.mark.parametrize("share", [0.01, 0.99])
    def test_both_sides_keep_a_visit(self, share):
        cut = cut_at_share(HISTORIES, 6, share).take(np.array([0]))
        assert len(cut.items) >= 2 if share > 0.5 else cut.items.tolist() == [0, 1]
        assert len(cut.labels) >= 1

    @pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
    def test_a_share_out_of_range_is_refused(self, share):
        with pytest.raises(InputError, match="share="):
            cut_at_share(HISTORIES, 6, share)


def long_log(n_users=30, n_visits=12, n_items=40, seed=0):
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{user:02d}", f"i{rng.integers(n_items):02d}", visit)
        for user in range(n_users)
        for visit in range(n_visits)
        for _ in range(rng.integers(1, 4))
    ]
    return log_of(rows)


class TestCutAtRandom:
    def test_labels_come_after_the_history_and_are_new(self):
        log = long_log()
        histories = Histories.from_log(log, log.items)
        cuts = cut_at_random(histories, log.n_items, np.random.default_rng(1), per_user=8)
        assert len(cuts) > 150
        for row in range(len(cuts)):
            one = cuts.take(np.array([row]))
            items, steps = histories.of(int(one.users[0]))
            # the history is a run of visits that ends right before some cut; find it by its ages
            visits = {
                cut
                for cut in range(1, steps[-1] + 1)
                if (lo := cut - one.ages.max()) >= 0
                and items[(steps >= lo) & (steps < cut)].tolist() == one.items.tolist()
                and (cut - steps[(steps >= lo) & (steps < cut)]).tolist() == one.ages.tolist()
            }
            assert visits
            assert not set(one.labels) & set(one.items)
            assert any(set(one.labels) <= set(items[steps >= cut]) for cut in visits)

    def test_every_example_has_history_and_labels(self):
        cuts = cut_at_random(HISTORIES, 6, np.random.default_rng(0), per_user=50)
        assert set(cuts.users) == {0, 2}
        assert set(cuts.owner) == set(cuts.label_owner) == set(range(len(cuts)))
        assert (cuts.ages >= 1).all()

    def test_labels_in_is_respected(self):
        allowed = np.zeros(6, dtype=bool)
        allowed[3] = True
        cuts = cut_at_random(HISTORIES, 6, np.random.default_rng(0), per_user=50, labels_in=allowed)
        assert set(cuts.labels) == {3}
        assert set(cuts.users) == {0}
        assert {0, 1, 2} & set(cuts.items)  # histories are not cut down

    def test_strangers_have_had_nothing_of_the_domains_own(self):
        """What they take again is a label like others."""
        rows = [(user, item, time) for user in "uv" for time, item in enumerate("xyxy")]
        histories = owned(rows, "x")
        first = np.array([True, False])
        cuts = cut_at_random(histories, 2, np.random.default_rng(0), per_user=400, strangers=first)
        met: dict[int, set[frozenset[int]]] = {0: set(), 1: set()}
        for row, user in enumerate(cuts.users):
            history, labels = cuts.items[cuts.owner == row], cuts.labels[cuts.label_owner == row]
            assert len(history) == len(cuts.ages[cuts.owner == row])
            assert labels.tolist() == [0]
            met[int(user)].add(frozenset(history.tolist()))
        assert met == {0: {frozenset(), frozenset({1})}, 1: {frozenset({1})}}

    def test_one_in_three_examples_of_strangers_is_all_they_did(self):
        """What is taken first, and once, is asked for: no cut could have it as a label."""
        histories = owned([("u", item, time) for time, item in enumerate("xyzy")], "x")
        everybody, x = np.array([True]), np.array([True, False, False])
        cuts = cut_at_random(histories, 3, np.random.default_rng(0), per_user=7, strangers=everybody)
        assert len(cuts) == 3  # of seven the first, the fourth and the last; the others have no label
        np.testing.assert_array_equal(cuts.labels, [0, 0, 0])
        np.testing.assert_array_equal(cuts.items.reshape(3, 3), [[1, 2, 1]] * 3)
        np.testing.assert_array_equal(cuts.ages.reshape(3, 3), [[3, 2, 1]] * 3)
        rng = np.random.default_rng(0)
        assert not len(cut_at_random(histories, 3, rng, per_user=7, strangers=everybody, labels_in=~x))

    def test_strangers_are_met_as_familiar_too(self):
        rows = [(user, item, time) for user in "uv" for time, item in enumerate("xyzx")]
        histories, first = owned(rows, "xz"), np.array([True, False])
        alone = cut_at_random(histories, 3, np.random.default_rng(0), per_user=20, strangers=first)
        both = cut_at_random(
            histories, 3, np.random.default_rng(0), per_user=20, strangers=first, familiar=20
        )
        strangers, familiar = (
            [set(found.items[found.owner == row]) for row in np.flatnonzero(found.users == 0)]
            for found in (alone, both)
        )
        assert familiar[: len(strangers)] == strangers
        assert all(history <= {1} for history in strangers)
        assert {0} in familiar[len(strangers) :]
        # who isn't a stranger gets no more than before
        assert (both.users == 1).sum() <= 20

    def test_familiar_is_who_has_been_here(self):
        late = owned([("u", item, time) for time, item in enumerate("yyxzz")], "xz")
        rng, everybody = np.random.default_rng(0), np.array([True])
        cuts = cut_at_random(late, 3, rng, per_user=1, strangers=everybody, familiar=40)
        assert len(cuts) > 10
        assert cuts.labels[cuts.label_owner == 0].tolist() == [0, 2]  # the stranger
        assert (cuts.labels[cuts.label_owner > 0] == 2).all()  # x has been met by then

    def test_what_is_sold_elsewhere_too_is_known_from_there_and_asked_for_here(self):
        """An item may be in the history by one domain, and a label by the other."""
        log = log_of([("u", "x", 1), ("u", "y", 2), ("u", "x", 3), ("u", "z", 4), ("u", "y", 5)])
        own = log.with_frame(log.frame.filter(pl.col("timestamp").is_in([3, 4])))
        histories = Histories.from_log(log, log.items, own=own)
        assert histories.own_of(0).tolist() == [False, False, True, True, False]
        rng, everybody = np.random.default_rng(0), np.array([True])
        strangers = cut_at_random(histories, 3, rng, per_user=60, strangers=everybody)
        assert not strangers.had.nnz
        assert not strangers.own.any()
        assert set(strangers.labels) == {0, 2}  # y was never taken here
        both = strangers.seen.multiply(strangers.relevant)
        assert both[:, [0]].nnz > 0
        known = cut_at_random(histories, 3, rng, per_user=60)
        assert not known.had.multiply(known.relevant).nnz
        assert known.had.nnz < known.seen.nnz
        few = known.take(np.arange(5, 9))
        assert (few.had != known.had[5:9]).nnz == 0
        lost = known.without(np.array([True, False, False]), np.ones(len(known), np.bool_))
        assert not lost.had[:, [0]].nnz

    def test_strangers_to_everything_have_no_history(self):
        rows = {"user_id": list("uuuuvvvv"), "item_id": list("xyxy") * 2, "timestamp": [1, 2, 3, 4] * 2}
        histories = Histories.from_log(log := InteractionLog.from_frame(pl.DataFrame(rows)), log.items)
        strangers = np.array([True, False])
        cuts = cut_at_random(histories, 2, np.random.default_rng(0), per_user=200, strangers=strangers)
        known = np.diff(cuts.seen.indptr) > 0
        assert set(cuts.users) == {0, 1}
        np.testing.assert_array_equal(known, cuts.users == 1)

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9, 1.0])
    def test_strangers_are_a_share_evenly_spread(self, share):
        found = every(100, share)
        assert found.sum() == round(100 * share)
        assert np.abs(np.cumsum(found) - share * np.arange(1, 101)).max() < 1

    def test_users_and_per_user(self):
        cuts = cut_at_random(HISTORIES, 6, np.random.default_rng(0), users=[2], per_user=4)
        assert cuts.users.tolist() == [2] * 4
        assert cuts.items.tolist() == [5] * 4
        assert cuts.labels.tolist() == [1] * 4

    def test_short_histories_are_as_common_as_long_ones(self):
        log = log_of([("u", f"i{visit:03d}", visit) for visit in range(256)])
        histories = Histories.from_log(log, log.items)
        cuts = cut_at_random(histories, log.n_items, np.random.default_rng(0), per_user=600)
        sizes = np.bincount(cuts.owner)
        share = np.mean(sizes <= 8)
        assert 0.3 < share < 0.75  # log-uniform: about log(8) of log(cut)
        ratio = np.bincount(cuts.label_owner)[sizes >= 8] / sizes[sizes >= 8]
        assert ratio.max() <= 3.01

    def test_one_seed_gives_one_answer(self):
        log = long_log()
        histories = Histories.from_log(log, log.items)
        first, again = (cut_at_random(histories, log.n_items, np.random.default_rng(3)) for _ in range(2))
        assert first.items.tolist() == again.items.tolist()
        assert first.labels.tolist() == again.labels.tolist()

    def test_one_visit_each_gives_none(self):
        histories = Histories.from_log(log := log_of([("u", "a", 1), ("v", "b", 1)]), log.items)
        cuts = cut_at_random(histories, 2, np.random.default_rng(0))
        assert len(cuts) == 0
        assert cuts.pooled(3.0).shape == cuts.seen.shape == (0, 2)

    def test_a_long_history_keeps_its_latest(self):
        n = LONGEST_HISTORY + 50
        log = log_of([*(("u", f"i{place:04d}", 1) for place in range(n)), ("u", "last", 2)])
        histories = Histories.from_log(log, log.items)
        cuts = cut_at_random(histories, log.n_items, np.random.default_rng(0), per_user=1)
        assert cuts.items.tolist() == list(range(50, n))


class TestUncut:
    def test_everything_and_no_labels(self):
        whole = uncut(HISTORIES, 6)
        assert whole.items.tolist() == HISTORIES.items.tolist()
        assert whole.ages.tolist() == [4, 4, 3, 2, 1, 1, 2, 1]
        assert whole.relevant.nnz == 0

    def test_the_latest_only(self):
        whole = uncut(HISTORIES, 6, longest=2)
        assert whole.items.tolist() == [0, 3, 4, 5, 1]
        assert whole.ages.tolist() == [2, 1, 1, 2, 1]
        assert uncut(HISTORIES, 6, longest=None).items.tolist() == HISTORIES.items.tolist()

    def test_a_user_without_history_is_there(self):
        histories = Histories.from_log(LOG, LOG.items, Vocabulary(pl.Series(["nobody", "w"])))
        whole = uncut(histories, 6)
        assert len(whole) == 2
        assert whole.owner.tolist() == [1, 1]


class TestTake:
    @pytest.mark.parametrize("rows", [[3, 0, 7, 7], [], list(range(10))])
    def test_is_what_slicing_gives(self, rows):
        log = long_log()
        cuts = cut_at_random(Histories.from_log(log, log.items), log.n_items, np.random.default_rng(1))
        rows = np.array(rows, dtype=np.int64)
        some = cuts.take(rows)
        assert some.users.tolist() == cuts.users[rows].tolist()
        assert some.seen.toarray().tolist() == cuts.seen.toarray()[rows].tolist()
        assert some.relevant.toarray().tolist() == cuts.relevant.toarray()[rows].tolist()
        assert some.lengths.tolist() == cuts.lengths[rows].tolist()
        assert some.counts.toarray().tolist() == cuts.counts.toarray()[rows].tolist()
        np.testing.assert_array_equal(some.pooled(3.0).toarray(), cuts.pooled(3.0).toarray()[rows])

    def test_an_empty_history_in_the_middle(self):
        some = example([0, 2], [1, 4], [1, 1], n=3).take(np.array([1, 2]))
        assert (some.owner.tolist(), some.items.tolist()) == ([1], [4])


class TestCounts:
    def test_by_hand(self):
        counts = uncut(HISTORIES, 6).counts
        assert counts.dtype == np.float32
        assert counts.toarray().tolist() == [[2, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]]
        assert counts.nnz == len(counts.data) == 7

    def test_they_are_above_0_where_seen_is_1(self):
        log = long_log()
        cuts = cut_at_random(Histories.from_log(log, log.items), log.n_items, np.random.default_rng(1))
        assert ((cuts.counts.toarray() > 0) == (cuts.seen.toarray() > 0)).all()
        assert cuts.counts.toarray().sum() == len(cuts.items)
        assert cuts.counts.toarray().max() > 1


class TestWithout:
    def test_by_hand(self):
        cuts = example([0, 0, 1, 1, 2], [1, 4, 1, 4, 1], [3, 1, 2, 2, 1], n=3)
        lost = cuts.without(np.arange(6) == 1, np.array([True, False, True]))
        assert lost.owner.tolist() == [0, 1, 1]
        assert lost.items.tolist() == [4, 1, 4]
        assert lost.ages.tolist() == [1, 2, 2]
        assert cuts.items.tolist() == [1, 4, 1, 4, 1]  # as it was
        np.testing.assert_allclose(lost.lengths, np.log([2, 3, 1]))
        assert not lost.pooled(3.0).toarray()[2].any()

    def test_labels_and_users_stay(self):
        log = long_log()
        cuts = cut_at_random(Histories.from_log(log, log.items), log.n_items, np.random.default_rng(1))
        rows = np.arange(len(cuts)) % 2 == 1
        lost = cuts.without(np.ones(log.n_items, bool), rows)
        assert len(lost) == len(cuts)
        assert lost.labels.tolist() == cuts.labels.tolist()
        assert lost.label_owner.tolist() == cuts.label_owner.tolist()
        assert lost.who is cuts.who
        assert not lost.seen.toarray()[rows].any()
        assert lost.seen.toarray()[~rows].tolist() == cuts.seen.toarray()[~rows].tolist()
