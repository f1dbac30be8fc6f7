"""What is learned from a ground: pooled counts, penalties chosen once, shared users as strangers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import pretrain
from rectransfer.ranking import Histories, every, uncut
from rectransfer.recommend import fit as fitting
from rectransfer.recommend import measured as room
from rectransfer.recommend.fit import _carried, _views
from rectransfer.recommend.ground import prepare
from rectransfer.recommend.learn import Chosen, learn
from rectransfer.recommend.measured import measured
from rectransfer.recommend.pooled import pooled
from rectransfer.transitions import count_transitions
from rectransfer.vocabulary import Vocabulary


def log_of(rows):
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


@pytest.fixture(scope="module")
def both():
    """Users and items are shared, and neither side has all of either."""
    return plant(
        PlantedConfig(
            source_users=80,
            target_users=40,
            source_items=30,
            target_items=25,
            clusters=3,
            shared_items=0.8,
            shared_users=0.5,
            source_steps=12,
            target_steps=8,
            seed=1,
        )
    )


@pytest.fixture(scope="module")
def source(both, source_config):
    return pretrain(both.source, config=source_config, deterministic=True)


@pytest.fixture(scope="module")
def ground(both, source):
    return prepare(both.target, [source], items=None, link=None, min_coverage=0.05)


@pytest.fixture(scope="module")
def lesson(ground, tiny):
    return learn(ground, tiny, ground.target.users, Chosen(), 0)


FOLLOWED = count_transitions(np.array([0, 0]), np.array([0, 1]), np.array([0, 1]), 3)
NEVER = count_transitions(np.array([0]), np.array([0]), np.array([0]), 3)


def view_of(taken, users, kind="both"):
    return SimpleNamespace(
        evidence=SimpleNamespace(transitions=FOLLOWED),
        pretrained=SimpleNamespace(l2=10.0),
        taken=None if taken is None else csr_array(np.array(taken, np.float32)),
        users=Vocabulary(pl.Series(users)),
        bridges=SimpleNamespace(by_users=kind in ("users", "both")),
    )


def counts_of(view, own, users):
    return pooled(view, own, NEVER, users).counts


class TestPooled:
    TAKEN = ((2, 0, 1), (0, 3, 0), (0, 0, 0))
    OWN = csr_array(np.array([[1, 1, 0], [0, 0, 4]], np.float32))

    def test_rows_of_a_shared_user_are_added_up(self):
        view = view_of(self.TAKEN, ["ann", "bob", "cat"])
        found = counts_of(view, self.OWN, Vocabulary(pl.Series(["dan", "bob"])))
        assert found.toarray().tolist() == [
            [2, 0, 1],
            [0, 3, 4],
            [1, 1, 0],
        ]  # ann, bob, dan; cat had nothing

    def test_one_item_in_both_counts_once_and_more(self):
        view = view_of(self.TAKEN, ["ann", "bob", "cat"])
        found = counts_of(view, self.OWN, Vocabulary(pl.Series(["ann", "eve"])))
        assert found.toarray().tolist() == [[3, 1, 1], [0, 3, 0], [0, 0, 4]]
        assert found.nnz == 5

    def test_where_only_items_are_shared_equal_ids_are_other_people(self):
        view = view_of(self.TAKEN, ["ann", "bob", "cat"], kind="items")
        found = counts_of(view, self.OWN, Vocabulary(pl.Series(["ann", "bob"])))
        assert found.toarray().tolist() == [[2, 0, 1], [0, 3, 0], [1, 1, 0], [0, 0, 4]]

    def test_without_counts_the_targets_are_all(self):
        found = pooled(view_of(None, ["ann"]), self.OWN, NEVER, Vocabulary(pl.Series(["dan", "bob"])))
        assert found.counts is self.OWN
        assert found.transitions is NEVER

    def test_what_came_after_what_is_added_up(self):
        view = view_of(self.TAKEN, ["ann", "bob", "cat"])
        found = pooled(view, self.OWN, FOLLOWED, Vocabulary(pl.Series(["dan", "bob"])))
        assert found.transitions.totals.tolist() == (2 * FOLLOWED.totals).tolist()

    def test_what_goes_in_stays_as_it_was(self):
        view = view_of(self.TAKEN, ["ann", "bob", "cat"])
        counts_of(view, self.OWN, Vocabulary(pl.Series(["ann", "eve"])))
        assert tuple(map(tuple, view.taken.toarray())) == self.TAKEN
        assert self.OWN.toarray().tolist() == [[1, 1, 0], [0, 0, 4]]

    def test_the_joint_popularity_counts_the_users_of_either_once(self, both, ground, lesson):
        joint = next(one for one in lesson.transferred.evidence if one.name == "joint")
        pairs = pl.concat(
            log.frame.select("user_id", "item_id") for log in (both.source, both.target)
        ).unique()
        buyers = dict(pairs.group_by("item_id").len().iter_rows())
        expected = [np.log1p(buyers.get(item, 0)) for item in ground.items.ids]
        np.testing.assert_allclose(joint.popularity, expected, rtol=1e-6)
        shared = set(both.source.users.ids) & set(both.target.users.ids)
        assert shared  # otherwise adding rows up would not have been seen

    def test_users_left_out_bring_their_past_and_not_their_target(self, both, ground, tiny):
        some = Vocabulary(ground.target.users.ids[:20])
        joint = next(
            one for one in learn(ground, tiny, some, Chosen(), 0).transferred.evidence if one.name == "joint"
        )
        own = both.target.frame.filter(pl.col("user_id").is_in(some.ids.to_list()))
        pairs = pl.concat(
            [both.source.frame.select("user_id", "item_id"), own.select("user_id", "item_id")]
        ).unique()
        buyers = dict(pairs.group_by("item_id").len().iter_rows())
        expected = [np.log1p(buyers.get(item, 0)) for item in ground.items.ids]
        np.testing.assert_allclose(joint.popularity, expected, rtol=1e-6)


class TestChosen:
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_the_source_that_foresees_the_target_leads(self, both, source, source_config, tiny, order):
        """Wherever it stands; the other one's ranker keeps to its own signals."""
        shuffled = dict(
            zip(ids := both.source.items.ids, ids.sample(fraction=1, shuffle=True, seed=3), strict=True)
        )
        other = both.source.frame.with_columns(
            pl.col("item_id").replace_strict(shuffled), user_id=pl.lit("x") + pl.col("user_id")
        )
        misleading = pretrain(both.source.with_frame(other), config=source_config)
        sources = [(source, misleading)[place] for place in order]
        ground = prepare(both.target, sources, items=None, link=None, min_coverage=0.0)
        some = Vocabulary(ground.target.users.ids[:20])
        lesson = learn(ground, tiny, some, Chosen(), 0)
        assert lesson.lead.pretrained is source
        slate = lesson.transferred.slate(
            examples := measured(ground, ground.merged, some).examples,
            lesson.transferred.candidates(examples, exclude=examples.seen),
        )
        for view in ground.sources:
            names = _carried(view, lesson, grow=False)(slate).names
            led = any(name.startswith("joint.") for name in names)
            assert led == (view is lesson.lead)
            assert led or {name.partition(".")[0] for name in names} == {view.name}

    def test_what_is_chosen_first_is_kept(self, ground, config):
        chosen, users = Chosen(), ground.target.users
        learn(ground, config, Vocabulary(users.ids[:20]), chosen, 0)
        assert chosen.l2["target"] in config.neighbours_l2
        assert chosen.epochs.keys() == {"source", "target"}
        before = dict(chosen.l2), dict(chosen.epochs)
        chosen.l2["target"], chosen.epochs["target"] = 77.0, 0
        found = learn(ground, config, Vocabulary(users.ids[20:]), chosen, 0)
        (target,) = found.alone.evidence
        assert target.weights.l2 == 77.0
        assert (dict(chosen.l2), dict(chosen.epochs)) == ({"target": 77.0}, {**before[1], "target": 0})

    def test_with_nobody_left_out_the_middle_one(self, ground, config, lesson):
        chosen = Chosen()
        learn(ground, config, ground.target.users, chosen, 0)
        assert chosen.l2 == {"target": config.neighbours_l2[1]}
        assert set(chosen.epochs.values()) == {0}


class TestMeasured:
    """The gate takes a share of each user's visits to the target as history: here a third, or half."""

    TARGET = log_of(
        [("six", item, day) for day, item in enumerate("abcdae", 11)]
        + [("two", "a", 11), ("two", "b", 11), ("two", "c", 15)]
        + [("one", "a", 11), ("one", "b", 11)]
        + [("bored", "a", 11), ("bored", "a", 12)]
    )
    PAST = log_of([("six", "x", 1), ("six", "x", 12), ("six", "y", 13), ("two", "y", 2), ("one", "x", 1)])
    # What is known of `six`, what is to be found, and what is known with the past.
    SHARES = (
        (1 / 3, ["a", "b"], {"c", "d", "e"}, ["x", "a", "b", "x"]),
        (0.5, ["a", "b", "c"], {"d", "e"}, ["x", "a", "b", "x", "c", "y"]),
    )

    def measured(self, merged, strangers=0.0):
        items = Vocabulary.from_ids(list("abcdexy"))
        ground = SimpleNamespace(
            target=self.TARGET,
            items=items,
            on_sale=self.TARGET.items.rows(items.ids) >= 0,
            at_once=False,
            met_as_new=lambda users: every(len(users), strangers),
        )
        found = measured(ground, merged, self.TARGET.users).examples
        name = items.ids.to_list()
        return {
            str(found.who.ids[int(user)]): (
                sorted(name[item] for item in found.items[found.owner == row]),
                {name[item] for item in found.labels[found.label_owner == row]},
            )
            for row, user in enumerate(found.users)
        }

    @pytest.mark.parametrize(("share", "known", "wanted", "_"), SHARES)
    def test_by_hand(self, monkeypatch, share, known, wanted, _):
        monkeypatch.setattr(room, "_HISTORY", share)
        # One visit leaves nothing to be found, and what was had before is no label.
        assert self.measured(self.TARGET) == {"six": (known, wanted), "two": (["a", "b"], {"c"})}

    @pytest.mark.parametrize(("share", "_", "wanted", "known"), SHARES)
    def test_what_shared_users_did_elsewhere_before(self, monkeypatch, share, _, wanted, known):
        """But not what they did there on the day of the first visit that is to be found, or later."""
        monkeypatch.setattr(room, "_HISTORY", share)
        both = InteractionLog.from_frame(pl.concat([self.PAST.frame, self.TARGET.frame]))
        assert self.measured(both) == {"six": (sorted(known), wanted), "two": (["a", "b", "y"], {"c"})}

    def test_some_shared_users_are_new_here(self):
        """It has had nothing of the target, so what it takes again is to be found, too."""
        both = InteractionLog.from_frame(pl.concat([self.PAST.frame, self.TARGET.frame]))
        met = self.measured(both, strangers=1.0)
        assert list(met) == ["bored", "six", "two"]
        assert met["six"] == (["x", "x", "y"], {"a", "d", "e"})
        assert met["two"] == (["y"], {"c"})

    def test_one_in_three_of_these_with_all_they_did(self, monkeypatch):
        """Even on the day of the first visit that is to be found, and all of their visits are to be found."""
        monkeypatch.setattr(room, "_HISTORY", 1 / 3)
        both = InteractionLog.from_frame(pl.concat([self.PAST.frame, self.TARGET.frame]))
        assert self.measured(both, strangers=1.0)["six"] == (["x", "x"], {"a", "c", "d", "e"})
        met = self.measured(both, strangers=0.5)
        assert list(met) == ["six", "two"]  # the first of three, who is known here, took nothing new
        assert met["six"] == (["x", "x", "y"], set("abcde"))
        assert met["two"] == (["a", "b", "y"], {"c"})
        assert self.measured(self.TARGET, strangers=0.5)["six"] == ([], set("abcde"))

    def test_but_nothing_on_sale_that_they_had_elsewhere_only_later(self):
        """They may have come to know it here."""
        later = log_of([("six", "e", 10), ("six", "a", 12), ("six", "d", 11), ("six", "y", 13)])
        both = InteractionLog.from_frame(pl.concat([later.frame, self.TARGET.frame]))
        assert self.measured(both, strangers=0.5)["six"] == (["e", "y"], set("abcde"))


class TestStrangers:
    """Where users are shared, some are met as if new in the target."""

    @pytest.mark.parametrize("n", [40, 20, 2])
    def test_as_many_as_are_known_from_the_source_only(self, both, source, n):
        """At least half, as some will be new, and at most nine of ten, as some come back."""
        ids = both.target.users.ids.head(n)
        log = both.target.with_frame(both.target.frame.filter(pl.col("user_id").is_in(ids.implode())))
        ground = prepare(log, [source], items=None, link=None, min_coverage=0.0)
        new = len(set(both.source.users.ids) - set(ids))
        assert 0.5 < ground.strangers == pytest.approx(min(new / both.source.n_users, 0.9))

    def test_whom_no_source_knows_is_met_as_he_is(self, both, ground):
        users = both.target.users
        shared = both.source.users.rows(users.ids) >= 0
        met = ground.met_as_new(users)
        assert 0 < shared.sum() < len(users)
        assert met.sum() == round(ground.strangers * shared.sum())
        assert not (met & ~shared).any()

    def test_those_who_met_everybody_still_meet_some(self, both, source, ground):
        log = InteractionLog.from_frame(pl.concat([both.source.frame, both.target.frame]).unique())
        assert replace(ground, target=log, merged=both.source).strangers == 0.5

    def test_their_histories_are_only_from_elsewhere(self, both, ground, lesson, tiny):
        users = ground.target.users
        _, fold = _views(ground, tiny, lesson, users)
        examples = fold.examples
        assert len(examples) > 20
        elsewhere = both.source.frame.select("user_id", "item_id").unique()
        ids, items = examples.who.ids, ground.items.ids
        history = pl.DataFrame(
            {
                "place": examples.users[examples.owner],
                "user_id": ids.gather(examples.users[examples.owner]),
                "item_id": items.gather(examples.items),
            }
        )
        only_here = history.join(elsewhere, on=["user_id", "item_id"], how="anti")["place"]
        strange = ground.met_as_new(Vocabulary(ids))
        assert not strange[only_here].any()  # nothing that strangers had in the target only is in theirs
        assert set(strange[history["place"]]) == {False, True}  # what they did elsewhere is still known

    def test_what_they_had_in_the_target_is_no_candidate(self, ground, lesson, tiny):
        users = ground.target.users
        _, fold = _views(ground, tiny, lesson, users)
        had = measured(ground, ground.target, users).examples
        assert had.labels.tolist() == fold.examples.labels.tolist()
        for row, seen in zip(fold.here[0].candidates, had.seen.toarray() > 0, strict=True):
            assert not seen[row[row >= 0]].any()
            assert ground.on_sale[row[row >= 0]].all()

    def test_without_shared_users_nobody_is(self, both, source_config, tiny):
        frame = both.target.frame.with_columns(user_id=pl.format("new-{}", "user_id"))
        log = InteractionLog.from_frame(frame)
        source = pretrain(both.source, config=source_config)
        ground = prepare(log, [source], items=None, link=None, min_coverage=0.05)
        found = learn(ground, tiny, log.users, Chosen(), 0)
        _, fold = _views(ground, tiny, found, log.users)
        assert not ground.shares_users
        assert fold.examples.seen.toarray().any(axis=1).all()


class TestManyUsers:
    """`most_cuts` bounds what the ranker learns from and what the gate measures on, in all folds together."""

    def fold(self, ground, lesson, tiny, **settings):
        config = replace(tiny, folds=2, **settings)
        return _views(ground, config, lesson, ground.target.users)[1]

    def test_first_users_give_fewer_cuts_each(self, ground, lesson, tiny):
        assert len(ground.target.users) == 40
        strangers = int(ground.met_as_new(ground.target.users).sum())
        all_of_them = self.fold(ground, lesson, tiny, per_user=3)
        fewer = self.fold(ground, lesson, tiny, per_user=3, most_cuts=160)
        assert len(all_of_them.learn.signals) > 80 + strangers >= len(fewer.learn.signals) > 40
        assert len(all_of_them.examples) == len(fewer.examples)

    def test_then_users_are_drawn(self, ground, lesson, tiny):
        fold = self.fold(ground, lesson, tiny, per_user=3, most_cuts=20)
        assert 5 < len(fold.learn.signals) <= 10 + 10
        assert 5 < len(fold.examples) <= 10
        assert fold.here[0].slate.signals.shape[0] == len(fold.here[0].candidates) == len(fold.examples)

    def test_who_is_met_as_new_is_met_as_familiar_too(self, ground, lesson, tiny, monkeypatch):
        with_them = self.fold(ground, lesson, tiny, per_user=2).learn
        monkeypatch.setattr(fitting, "FAMILIAR", 0)
        without = self.fold(ground, lesson, tiny, per_user=2).learn
        more = len(with_them.signals) - len(without.signals)
        strangers = int(ground.met_as_new(ground.target.users).sum())
        assert strangers / 2 < more < strangers * 1.5  # cuts without anything new after them don't count


def test_a_sources_counts_are_laid_out_in_the_grounds_items(both, source, ground):
    (view,) = ground.sources
    assert view.taken.shape == (80, len(ground.items))
    histories = Histories.from_log(both.source, ground.items)
    expected = uncut(histories, len(ground.items), longest=None).counts
    np.testing.assert_array_equal(view.taken.toarray(), expected.toarray())
    assert view.evidence.weights.l2 == source.l2


class TestCarried:
    """What the source's ranker knows is said of the joint signals."""

    @pytest.fixture(scope="class")
    @classmethod
    def slate(cls, ground, lesson, tiny):
        return _views(ground, tiny, lesson, ground.target.users)[1].learn

    def test_as_it_comes(self, ground, source, lesson, slate):
        own = _carried(ground.sources[0], lesson, grow=False)(slate)
        said_of = {name.partition(".")[2]: name for name in own.names}
        assert said_of.pop("tower") == "source.tower"  # there is no joint one
        assert set(said_of.values()) == {f"joint.{name}" for name in said_of}
        learned = source.ranker.arrays()
        assert all(np.array_equal(value, learned[name]) for name, value in own.arrays().items())
        assert own.names == tuple(
            name if name.endswith(".tower") else name.replace("source.", "joint.")
            for name in source.ranker.names
        )

    def test_grown_it_starts_from_the_same_scores(self, ground, lesson, slate):
        own = _carried(ground.sources[0], lesson, grow=False)(slate)
        grown = _carried(ground.sources[0], lesson, grow=True)(slate)
        assert grown.names == lesson.transferred.names
        assert {"target.tower", "source.tower", "target.neighbours", "joint.neighbours"} <= set(grown.names)
        there = slate.present
        np.testing.assert_allclose(grown.score(slate)[there], own.score(slate)[there], rtol=1e-3, atol=1e-4)
        new = [name not in own.names for name in grown.names]
        assert not grown.arrays()["line"][new].any()
        assert np.std(own.score(slate)[there]) > 0.1

    def test_the_source_stays_as_it_was(self, ground, source, lesson, slate):
        before = source.ranker.arrays()
        ranker = _carried(ground.sources[0], lesson, grow=False)(slate)
        ranker.line.data += 1
        assert all(np.array_equal(value, before[name]) for name, value in source.ranker.arrays().items())
