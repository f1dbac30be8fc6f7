"""Recommending: who is asked for, what they may get, and inputs of every kind."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError, NotFittedError, RectransferError, UnknownUserError
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import pretrain
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.recommend.inputs import in_visits_of
from rectransfer.scoring import read_scores
from rectransfer.testing import check_model

WHOLE = 60  # items of the planted target


def log_of(rows):
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


def lists(found):
    """The items of each user, in the order of the frame."""
    return dict(found.group_by("user_id", maintain_order=True).agg("item_id").iter_rows())


@pytest.fixture(scope="module")
def had(target):
    return {user: set(items) for user, items in target.frame.group_by("user_id").agg("item_id").iter_rows()}


class TestContract:
    def test_with_a_source(self, model, target):
        check_model(model, target)

    def test_without_one(self, alone, target):
        check_model(alone, target, k=3)

    def test_names_and_types(self, model):
        found = model.recommend(k=2)
        assert dict(found.schema) == {
            "user_id": pl.String,
            "item_id": pl.String,
            "score": pl.Float32,
            "rank": pl.Int64,
        }


class TestUsers:
    def test_none_means_all_of_the_target(self, model, target):
        found = model.recommend(k=3)
        assert found["user_id"].to_list() == [user for user in target.users.ids for _ in range(3)]
        assert found["rank"].to_list() == [1, 2, 3] * 60
        assert model.users == target.users.ids.to_list()

    def test_the_order_is_kept_and_duplicates_count_once(self, model, target):
        a, b, c = target.users.ids[:3]
        found = model.recommend(users=[c, a, c, b, a], k=2)
        assert found["user_id"].to_list() == [c, c, a, a, b, b]
        assert lists(found)[a] == lists(model.recommend(k=2))[a]

    @pytest.mark.parametrize("kind", [tuple, pl.Series, np.array, iter])
    def test_any_iterable_will_do(self, model, target, kind):
        users = target.users.ids[:2].to_list()
        assert model.recommend(users=kind(users), k=1)["user_id"].to_list() == users

    def test_one_string_is_a_mistake(self, model):
        with pytest.raises(InputError, match=r"pass a list of ids: \['u1'\]"):
            model.recommend(users="u1")

    @pytest.mark.parametrize("make", [pl.DataFrame, pl.DataFrame.to_pandas, pl.DataFrame.to_dict])
    @pytest.mark.parametrize("name", ["users", "items", "blocked"])
    def test_tables_of_ids_are_refused_wherever_ids_come_in(self, model, target, tiny, make, name):
        given = {name: make(pl.DataFrame({"user_id": target.users.ids[:1]}))}
        calls = [model.recommend, *([] if name == "blocked" else [model.explain, model.reasons])]
        for call in calls:
            with pytest.raises(InputError, match=rf"{name} is a \w+; pass its column of ids"):
                call(**given)
        if name == "items":
            with pytest.raises(InputError, match="items is a"):
                Recommender(config=tiny).fit(target, **given)

    def test_ids_of_another_type_are_refused(self, model):
        with pytest.raises(InputError, match=r"Int64 ids .*are String"):
            model.recommend(users=[1, 2])

    def test_nobody(self, model):
        found = model.recommend(users=[])
        assert found.height == 0
        assert dict(found.schema)["user_id"] == pl.String


class TestUnknownUsers:
    def test_popular_are_the_best_sellers(self, model, target):
        known = target.users.ids[0]
        found = model.recommend(users=["nobody", known], k=4)
        buyers = target.frame.group_by("item_id").agg(pl.col("user_id").n_unique().alias("n"))
        most = dict(buyers.iter_rows())
        mine = found.filter(pl.col("user_id") == "nobody")
        counts = [most[item] for item in mine["item_id"]]
        assert counts == sorted(most.values(), reverse=True)[:4]
        np.testing.assert_allclose(mine["score"], np.log1p(counts), rtol=1e-6)
        assert mine["rank"].to_list() == [1, 2, 3, 4]
        assert found["user_id"].to_list() == ["nobody"] * 4 + [known] * 4

    def test_skip_gives_no_rows(self, model, target):
        known = target.users.ids[0]
        found = model.recommend(users=["nobody", known], k=4, on_unknown_users="skip")
        assert found["user_id"].to_list() == [known] * 4
        assert model.recommend(users=["nobody"], on_unknown_users="skip").height == 0

    def test_raise_names_one(self, model, target):
        with pytest.raises(
            UnknownUserError, match="1 of the users have no history here, for example 'nobody'"
        ):
            model.recommend(users=[target.users.ids[0], "nobody"], on_unknown_users="raise")
        with pytest.raises(KeyError):
            model.recommend(users=["nobody"], on_unknown_users="raise")

    def test_who_is_unknown(self, model, target, strangers):
        known, new = target.users.ids[0], strangers.users.ids[0]
        assert model.unknown().to_list() == []
        assert model.unknown(["nobody", known, new]).to_list() == ["nobody", new]
        assert model.unknown(["nobody", known, new], history=strangers).to_list() == ["nobody"]
        with pytest.raises(NotFittedError):
            Recommender().unknown()

    def test_another_word_is_refused(self, model):
        with pytest.raises(InputError, match="on_unknown_users='ignore'"):
            model.recommend(on_unknown_users="ignore")

    def test_all_unknown(self, model):
        found = model.recommend(users=["p", "q"], k=2)
        assert lists(found)["p"] == lists(found)["q"]


class TestHistory:
    def test_of_new_users(self, model, strangers):
        users = strangers.users.ids[:3].to_list()
        history = strangers.frame.filter(pl.col("user_id").is_in(users))
        found = model.recommend(history=history, k=5, on_unknown_users="raise")
        assert list(lists(found)) == users
        seen = history.group_by("user_id").agg("item_id")
        assert all(not set(lists(found)[user]) & set(items) for user, items in seen.iter_rows())
        popular = lists(model.recommend(users=users, k=5))
        assert lists(found) != popular

    def test_a_log_and_a_frame_give_the_same(self, model, strangers):
        frame = model.recommend(history=strangers.frame, k=3)
        assert frame.equals(model.recommend(history=strangers, k=3))
        assert frame.equals(model.recommend(history=strangers.frame.to_pandas(), k=3))

    def test_of_a_known_user_adds_to_what_was_there(self, model, target, had):
        user = target.users.ids[0]
        before = model.recommend(users=[user], k=WHOLE)
        new = before["item_id"][0]
        more = pl.DataFrame({"user_id": [user], "item_id": [new], "timestamp": [datetime(2024, 5, 1)]})
        after = model.recommend(history=more, k=WHOLE)
        assert after.height == before.height - 1
        assert not set(after["item_id"]) & (had[user] | {new})
        assert after["item_id"].to_list() != before["item_id"][1:].to_list()

    def test_only_its_users_are_asked_for_unless_told(self, model, target, strangers):
        one = strangers.users.ids[0]
        history = strangers.frame.filter(pl.col("user_id") == one)
        assert list(lists(model.recommend(history=history))) == [one]
        both = [target.users.ids[0], one]
        found = model.recommend(users=both, history=history, k=2)
        assert list(lists(found)) == both
        assert lists(found)[both[0]] == lists(model.recommend(users=both[:1], k=2))[both[0]]

    def test_a_new_user_is_scored_as_a_known_one_with_the_same_history(self, model, target):
        user = target.users.ids[4]
        twin = target.frame.filter(pl.col("user_id") == user).with_columns(user_id=pl.lit("twin"))
        known, new = model.recommend(users=[user], k=6), model.recommend(history=twin, k=6)
        assert known["item_id"].to_list() == new["item_id"].to_list()
        np.testing.assert_allclose(known["score"], new["score"], rtol=1e-4)

    def test_items_nobody_knows_leave_a_user_without_history(self, model):
        history = pl.DataFrame(
            {"user_id": ["x"], "item_id": ["mystery"], "timestamp": [datetime(2024, 4, 1)]}
        )
        assert model.recommend(history=history, on_unknown_users="skip").height == 0
        assert model.recommend(history=history, k=3).height == 3

    def test_timestamps_of_another_type_are_refused(self, model):
        history = pl.DataFrame({"user_id": ["x"], "item_id": ["y"], "timestamp": [1]})
        with pytest.raises(InputError, match="history: timestamp is Int64"):
            model.recommend(history=history)

    def test_ids_of_another_type_are_refused(self, model):
        for column in ("user_id", "item_id"):
            row = {"user_id": ["x"], "item_id": ["y"], "timestamp": [datetime(2024, 4, 1)], column: [7]}
            with pytest.raises(InputError, match="Int64"):
                model.recommend(history=pl.DataFrame(row))

    @pytest.mark.parametrize(
        "types",
        [
            {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Datetime("us")},
            {"user_id": pl.Null, "item_id": pl.Null, "timestamp": pl.Null},
            {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.String, "weight": pl.String},
            {"user_id": pl.Int64, "item_id": pl.Float64, "timestamp": pl.Boolean},
        ],
    )
    def test_one_without_rows_counts_as_none(self, model, target, types):
        empty, users = pl.DataFrame(schema=types), target.users.ids[:2].to_list()
        for given in (empty, empty.to_pandas(), empty.lazy()):
            found = model.recommend(users=[*users, "nobody"], k=3, history=given)
            assert found.equals(model.recommend(users=[*users, "nobody"], k=3))
        assert model.recommend(k=1, history=empty).equals(model.recommend(k=1))
        for missing in ("user_id", "item_id", "timestamp"):
            with pytest.raises(InputError, match=f"history: no column '{missing}'"):
                model.recommend(users=users, history=empty.drop(missing))

    def test_a_bad_frame_is_refused(self, model):
        with pytest.raises(InputError, match="history"):
            model.recommend(history=pl.DataFrame({"user_id": ["x"]}))


class TestItems:
    def test_only_those(self, model, target, had):
        wanted = target.items.ids[10:20].to_list()
        found = lists(model.recommend(items=wanted, k=20))
        assert all(set(items) == set(wanted) - had[user] for user, items in found.items())

    def test_in_the_order_of_the_whole(self, model, target):
        wanted = set(target.items.ids[:25].to_list())
        whole, some = lists(model.recommend(k=WHOLE)), lists(model.recommend(items=wanted, k=WHOLE))
        assert all([item for item in whole[user] if item in wanted] == items for user, items in some.items())

    def test_unknown_users_too(self, model, target):
        wanted = target.items.ids[:3].to_list()
        assert set(model.recommend(users=["nobody"], items=wanted)["item_id"]) == set(wanted)

    def test_ids_off_sale_are_passed_over_unless_all_are(self, model, target):
        one = target.items.ids[3]
        assert set(model.recommend(items=[one, "mystery"])["item_id"]) == {one}
        with pytest.raises(InputError, match="none of the 1 ids in items is on sale, for example 'mystery'"):
            model.recommend(items=["mystery"])
        with pytest.raises(InputError, match="items is empty"):
            model.recommend(items=[])

    def test_blocked_items_go_to_nobody_and_make_room_for_others(self, model):
        whole = model.recommend(k=WHOLE)
        banned = whole.filter(pl.col("rank") <= 2)["item_id"].unique().to_list()
        found = model.recommend(k=WHOLE, blocked=[*banned, "mystery"])
        expected = whole.filter(~pl.col("item_id").is_in(banned))
        assert found.select("user_id", "item_id").equals(expected.select("user_id", "item_id"))
        stranger = model.recommend(users=["nobody"], blocked=banned, k=WHOLE)
        assert not set(stranger["item_id"]) & set(banned)
        assert stranger.height
        with pytest.raises(InputError, match="leave nothing"):
            model.recommend(items=banned[:1], blocked=banned)

    def test_a_catalogue_larger_than_the_log(self, pretrained, tiny, domains, only, target):
        users = target.users.ids[:20].to_list()
        few = only(target, users)
        missing = [item for item in domains.target_catalogue.ids if item not in few.items]
        assert len(few.items) < WHOLE
        plain = Recommender(pretrained, config=tiny).fit(few).recommend(k=WHOLE)
        assert not set(plain["item_id"]) & set(missing)
        model = Recommender(pretrained, config=tiny).fit(few, items=domains.target_catalogue.ids)
        found = model.recommend(k=WHOLE)
        assert set(missing) <= set(found["item_id"])
        check_model(model, few)
        with pytest.raises(InputError, match="items holds Int64 ids"):
            Recommender(pretrained, config=tiny).fit(few, items=[1, 2])


class TestViewed:
    def test_filtered_unless_told(self, model, had):
        assert all(not set(items) & had[user] for user, items in lists(model.recommend(k=WHOLE)).items())
        everything = lists(model.recommend(k=WHOLE + 20, filter_viewed=False))
        assert all(len(items) == WHOLE for items in everything.values())

    def test_fewer_rows_rather_than_a_wrong_one(self, model, had):
        found = model.recommend(k=10**6)
        sizes = {user: len(items) for user, items in lists(found).items()}
        assert sizes == {user: WHOLE - len(items) for user, items in had.items()}
        assert found["score"].is_finite().all()
        starts = found.group_by("user_id", maintain_order=True).agg(pl.col("rank").max())
        assert dict(starts.iter_rows()) == sizes

    def test_who_had_everything_gets_nothing(self, alone, target):
        ids = target.items.ids
        history = pl.DataFrame({"user_id": ["all"] * len(ids), "item_id": ids}).with_columns(
            timestamp=pl.lit(datetime(2024, 4, 1)) + pl.duration(days=pl.int_range(pl.len()))
        )
        assert alone.recommend(history=history).height == 0
        assert alone.recommend(history=history, filter_viewed=False, k=5).height == 5

    @pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
    def test_k_has_to_be_a_whole_number(self, model, k):
        with pytest.raises(InputError, match="expected a whole number from 1"):
            model.recommend(k=k)

    def test_a_shorter_list_is_the_start_of_a_longer(self, model):
        long, short = lists(model.recommend(k=20)), lists(model.recommend(k=4))
        assert all(long[user][:4] == items for user, items in short.items())


class TestKindsOfLogs:
    """The same log, spelt differently, gives the same recommendations."""

    @pytest.fixture(scope="class", autouse=False)
    @classmethod
    def spelt(cls, target):
        """The target with numbers as ids, in the same order."""
        number = {
            "user_id": pl.col("user_id").rank("dense").cast(pl.Int64),
            "item_id": pl.col("item_id").rank("dense").cast(pl.Int64),
        }
        return target.frame.with_columns(**number)

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, tiny, target):
        return Recommender(None, config=tiny).fit(target).recommend(k=4)

    def same(self, found, expected, target):
        users = {user: row for row, user in enumerate(target.users.ids, 1)}
        items = {item: row for row, item in enumerate(target.items.ids, 1)}
        assert found["user_id"].to_list() == [users[user] for user in expected["user_id"]]
        assert found["item_id"].to_list() == [items[item] for item in expected["item_id"]]

    @pytest.mark.parametrize("kind", [pl.Int64, pl.UInt16, pl.Int32])
    def test_numbers_as_ids(self, tiny, spelt, expected, target, kind):
        log = InteractionLog.from_frame(spelt.with_columns(pl.col("user_id", "item_id").cast(kind)))
        model = Recommender(None, config=tiny).fit(log)
        found = model.recommend(k=4)
        assert found.schema["user_id"] == found.schema["item_id"] == pl.Int64
        self.same(found, expected, target)
        assert model.recommend(users=[3, 1], k=1)["user_id"].to_list() == [3, 1]
        with pytest.raises(InputError, match="String ids"):
            model.recommend(users=["3"])

    def test_whole_numbers_as_timestamps(self, tiny, spelt, expected, target):
        log = InteractionLog.from_frame(spelt.with_columns(pl.col("timestamp").dt.epoch("s")))
        self.same(Recommender(None, config=tiny).fit(log).recommend(k=4), expected, target)

    def test_rows_in_another_order(self, tiny, spelt, expected, target):
        log = InteractionLog.from_frame(spelt.sample(fraction=1.0, shuffle=True, seed=1))
        self.same(Recommender(None, config=tiny).fit(log).recommend(k=4), expected, target)

    def test_a_source_with_other_timestamps_is_carried_over(self, pretrained, tiny, target):
        log = InteractionLog.from_frame(target.frame.with_columns(pl.col("timestamp").dt.epoch("s")))
        model = Recommender(pretrained, config=tiny).fit(log)
        check_model(model, log, k=3)

    def test_duplicate_rows(self, tiny, target):
        twice = InteractionLog.from_frame(pl.concat([target.frame, target.frame]))
        check_model(Recommender(None, config=tiny).fit(twice), twice, k=3)


def outcome(pretrained, log, tiny):
    """Either a model whose recommendations keep the contract, or one clear error of ours."""
    try:
        model = Recommender(pretrained, config=tiny).fit(log)
    except InputError:
        return None
    found = model.recommend(k=3)
    seen = found.join(log.frame, on=["user_id", "item_id"], how="semi")
    assert seen.height == 0
    assert model.verdict.reason
    model.recommend(users=["nobody"], k=2)
    return model


CASES = {
    "one row": [("u", 0)],
    "one user": [("u", 0), ("u", 1), ("u", 2)],
    "one item": [("u", 0), ("v", 0), ("w", 0)],
    "one item, one user, often": [("u", 0)] * 5,
    "two users": [("u", 0), ("u", 1), ("v", 1), ("v", 2)],
    "two users, one visit each": [("u", 0), ("v", 1)],
    "everybody once": [(f"u{n}", n % 5) for n in range(12)],
    "everybody the same": [(f"u{n:02d}", item) for n in range(12) for item in (0, 1)],
    "four users": [(f"u{n}", item) for n in range(4) for item in (n, n + 1, n + 2)],
}


class TestTinyTargets:
    START = datetime(2024, 1, 1)

    def rows(self, pairs, items):
        days = (self.START + timedelta(days=n) for n in range(1000))
        return log_of([(user, items[item], day) for (user, item), day in zip(pairs, days, strict=False)])

    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("transferred", [True, False])
    def test_the_outcome_is_clear(self, case, transferred, pretrained, tiny, target, tmp_path):
        log = self.rows(CASES[case], target.items.ids.to_list())
        model = outcome(pretrained if transferred else None, log, tiny)
        if model is None:
            return
        model.save(tmp_path / "model")
        from rectransfer.recommend import load_recommender

        loaded = load_recommender(tmp_path / "model")
        assert loaded.recommend(k=3).equals(model.recommend(k=3))
        assert str(loaded.verdict) == str(model.verdict)

    def test_with_a_source_a_single_user_gets_something(self, pretrained, tiny, target):
        log = self.rows(CASES["one user"], target.items.ids.to_list())
        model = Recommender(pretrained, config=tiny).fit(log, items=target.items.ids)
        found = model.recommend(k=5)
        assert found.height == 5
        assert model.verdict.ships == "transfer"
        assert "too few to measure" in model.verdict.reason
        assert np.isnan(model.verdict.difference)

    def test_a_source_of_one_user(self, tiny, source_config, target):
        items = target.items.ids.to_list()
        source = pretrain(self.rows([("s", 0), ("s", 1), ("s", 2)], items), config=source_config)
        model = Recommender(source, config=tiny).fit(target, min_coverage=0.0)
        check_model(model, target, k=3)


class TestNotFitted:
    @pytest.mark.parametrize(
        "use",
        [
            lambda model: model.recommend(),
            lambda model: model.verdict,
            lambda model: model.users,
            lambda model: model.signals,
            lambda model: model.coverage,
            lambda model: model.save("somewhere"),
        ],
    )
    def test_fit_comes_first(self, use):
        with pytest.raises(NotFittedError, match=r"call fit\(target\)"):
            use(Recommender())

    def test_it_says_so(self, pretrained):
        assert repr(Recommender(pretrained)) == "Recommender(1 sources, not fitted)"
        assert issubclass(NotFittedError, RectransferError)

    def test_fitted_it_says_what_ships(self, model):
        assert repr(model) == f"Recommender(60 items, ships {model.verdict.contender!r})"


class TestConfig:
    @pytest.mark.parametrize(
        "settings",
        [
            {"folds": 1},
            {"per_user": 0},
            {"most_cuts": 0},
            {"depth": 0},
            {"pulls": ()},
            {"pulls": (-1.0,)},
            {"neighbours_l2": 0.0},
            {"neighbours_l2": ()},
            {"neighbours_l2": (10.0, -1.0)},
            {"towers": 0},
            {"confidence": 0.4},
            {"confidence": 1.0},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match=next(iter(settings))):
            RecommenderConfig(**settings)

    def test_the_seed_reaches_the_table(self):
        config = RecommenderConfig(seed=4)
        assert (config.item2vec.seed, config.item2vec.deterministic) == (4, True)
        assert Recommender(seed=8).config.item2vec.seed == 8

    def test_progress_may_be_shown(self, tiny, target, capsys):
        Recommender(None, config=tiny).fit(target, progress=True)
        assert "at the gate" in capsys.readouterr().err
        Recommender(None, config=tiny).fit(target)
        assert capsys.readouterr().err == ""


class TestVisits:
    """What a visit is says the model's log, whatever histories are added."""

    def test_somebody_elses_history_changes_nobodys_list(self, alone, target):
        assert target.has_sessions
        users, plain = target.users.ids, alone.recommend(target.users.ids, k=5)
        row = {"user_id": ["nobody"], "item_id": [target.items.ids[0]], "timestamp": [target.span[1]]}
        for more in ({}, {"session_id": ["z"]}, {"session_id": [7]}):
            history = pl.DataFrame({**row, **more})
            assert alone.recommend(users, k=5, history=history).equals(plain)

    @pytest.mark.parametrize("sessions", ["text", "numbers"])
    def test_sessions_of_another_type_are_sessions(self, alone, strangers, sessions):
        frame = strangers.frame
        if sessions == "numbers":
            frame = frame.with_columns(pl.col("session_id").rank("dense").cast(pl.Int64))
        expected = alone.recommend(history=strangers.frame, k=5)
        assert alone.recommend(history=frame, k=5).equals(expected)
        moments = alone.recommend(history=frame.drop("session_id"), k=5)
        assert not moments.equals(expected)

    def test_numbered_sessions_beside_moments(self, target):
        numbered = target.frame.with_columns(pl.col("session_id").rank("dense").cast(pl.Int64))
        log = InteractionLog.from_frame(numbered)
        added = InteractionLog.from_frame(target.frame.drop("session_id").head(9))
        found = in_visits_of(log, added).frame["session_id"]
        assert found.dtype == pl.Int64
        assert found.n_unique() == added.frame["timestamp"].n_unique()
        assert not set(found) & set(numbered["session_id"])

    def test_scored_alone_or_beside_a_known_user(self, config, target, strangers, tmp_path):
        """A model whose log has no sessions looks at moments, in every part of a job."""
        moments = target.with_frame(target.frame.drop("session_id"))
        model = Recommender(None, config=config).fit(moments)
        both = pl.concat([strangers.frame, target.frame.head(5)]).sort("user_id", maintain_order=True)
        jobs = [model.score(frame, tmp_path / str(len(frame)), 5) for frame in (strangers.frame, both)]
        by = ["user_id", "rank"]
        apart, beside = (read_scores(job.folder).collect().sort(by) for job in jobs)
        here = pl.col("user_id").is_in(strangers.users.ids.implode())
        assert apart["item_id"].equals(beside.filter(here)["item_id"])
