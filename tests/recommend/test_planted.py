"""Answers that are known beforehand: what transfer must bring, and when it must not ship."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.metrics import Ndcg, paired_bootstrap, ranks_from_lists
from rectransfer.pretrained import pretrain
from rectransfer.recommend import Recommender


def halves(log):
    """What users did first, and what was new to them afterwards."""
    place = pl.int_range(pl.len()).over("user_id")
    half = (pl.len().over("user_id") // 2).alias("half")
    early = log.with_frame(log.frame.filter(place < half))
    late = log.frame.filter(place >= half).select("user_id", "item_id").unique()
    return early, late.join(early.frame, on=["user_id", "item_id"], how="anti")


def ndcg(model, early, late, k=10):
    """Of each user who has something to find, users ascending."""
    found = model.recommend(history=early, k=k)
    return Ndcg(k).per_user(ranks_from_lists(found, late.sort("user_id", "item_id")))


class TestTransfer:
    def test_it_beats_the_target_alone_on_new_users(self, model, alone, strangers):
        early, late = halves(strangers)
        gap = paired_bootstrap(ndcg(model, early, late), ndcg(alone, early, late))
        assert gap.mean > 0.03
        assert gap.low > 0.01

    def test_the_gate_says_so(self, model):
        verdict = model.verdict
        assert verdict.ships == "transfer"
        assert verdict.contender.startswith("transfer, ")
        assert verdict.difference > 0
        assert verdict.low < verdict.difference < verdict.high
        assert verdict.n_users == 60
        assert verdict.contenders.keys() == {
            "target alone",
            "transfer, as it comes",
            "transfer, averaged",
            *(f"transfer, fine-tuned (pull {pull:g})" for pull in model.config.pulls),
        }
        best = max(value for name, value in verdict.contenders.items() if name != "target alone")
        assert verdict.difference == pytest.approx(best - verdict.contenders["target alone"], abs=0.02)
        assert str(verdict) == verdict.reason
        assert "the transfer ships" in verdict.reason
        assert f"{verdict.difference:+.4f}" in verdict.reason
        assert "60 users" in verdict.reason
        assert ("it may be chance" in verdict.reason) == (verdict.low <= 0)
        assert ("because the transfer helps" in verdict.reason) == (verdict.low > 0)

    def test_users_get_their_own_cluster(self, model, strangers, domains):
        tastes = domains.users.select("user_id", "taste")
        clusters = domains.items.select("item_id", "target_cluster")
        found = (
            model.recommend(history=strangers, k=5).join(tastes, on="user_id").join(clusters, on="item_id")
        )
        own = (found["taste"] == found["target_cluster"]).mean()
        assert own > 3 / 6  # chance: one of six, less what users have had already

    def test_coverage(self, model, alone):
        assert model.coverage.interactions == 1.0
        assert model.coverage.items == 1.0
        assert alone.coverage is None

    def test_tables_never_move(self, model, pretrained, config, target):
        """The whole of fit on top of a source leaves it bit for bit as it was."""
        digests = pretrained.items.digest(), pretrained.users.digest()
        layers = {name: value.copy() for name, value in pretrained.tower.items()}
        ranker = pretrained.ranker.arrays()
        Recommender(pretrained, config=replace(config, pulls=(1.0,))).fit(target)
        assert (pretrained.items.digest(), pretrained.users.digest()) == digests
        assert all(np.array_equal(value, pretrained.tower[name]) for name, value in layers.items())
        assert all(np.array_equal(value, pretrained.ranker.arrays()[name]) for name, value in ranker.items())
        source = model._state.scene.evidence[0]
        rows = pretrained.items.vocabulary.rows(model._state.items.ids)
        np.testing.assert_array_equal(source.vectors, pretrained.items.vectors[rows])
        np.testing.assert_array_equal(source.contexts, pretrained.items.contexts[rows])
        for tower in model._state.scene.towers["source"].members:
            np.testing.assert_array_equal(tower.vectors.numpy(), source.vectors)
            np.testing.assert_array_equal(tower.contexts.numpy(), source.contexts)

    def test_its_signals(self, model, alone):
        """The source's, the joint ones, and all of the target's: towers of both."""
        by_domain = {domain: set() for domain in ("source", "joint", "target")}
        for name in model._state.scene.names:
            domain, _, signal = name.partition(".")
            by_domain[domain].add(signal)
        follows = {"follows_last", "follows_recent"}
        own = {"affinity_recent", "affinity_steady", "neighbours", *follows, "popularity", "unknown"}
        assert by_domain == {"source": {*own, "tower"}, "joint": own, "target": {*own, "tower"}}
        assert {name.partition(".")[2] for name in alone.signals} == {*own, "tower"}

    def test_without_a_source(self, alone):
        verdict = alone.verdict
        assert verdict.ships == "target"
        assert verdict.contender == "target alone"
        assert verdict.contenders.keys() == {"target alone"}
        assert np.isnan([verdict.difference, verdict.low, verdict.high]).all()
        assert "there is no source" in verdict.reason
        assert all(name.startswith("target.") for name in alone.signals)

    def test_a_log_that_nobody_came_back_to_is_called_unmeasured(self, pretrained, tiny, target):
        frame = target.frame.group_by("user_id", maintain_order=True).first().head(3)
        log = target.with_frame(frame.select(target.frame.columns))
        alone = Recommender(None, config=tiny).fit(log).verdict
        assert alone.reason == "there is no source: the target alone ships (unmeasured: nobody came twice)"
        assert (
            Recommender(pretrained, config=tiny).fit(log).verdict.reason.startswith("no user has two visits")
        )

    def test_twice_gives_the_same_rows_and_nothing_global_moves(self, pretrained, tiny, target):
        torch.random.manual_seed(1)
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        first = Recommender(pretrained, config=tiny).fit(target).recommend(k=7)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        torch.random.manual_seed(2)
        again = Recommender(pretrained, config=tiny).fit(target).recommend(k=7)
        assert first.equals(again)
        own, other = (Recommender(None, config=tiny, seed=seed).fit(target).recommend(k=7) for seed in (0, 9))
        assert not own.equals(other)


class TestMisleadingSource:
    def test_it_does_no_harm(self, config, source_config, only):
        domains = plant(
            PlantedConfig(
                source_users=300,
                target_users=300,
                source_items=60,
                target_items=60,
                shared_items=1.0,
                agreement=0.0,
                source_steps=15,
                target_steps=10,
                taste=0.8,
                drift=0.1,
                zipf=0.3,
                seed=4,
            )
        )
        users = domains.target.users.ids.to_list()
        target, early_late = only(domains.target, users[:100]), halves(only(domains.target, users[100:]))
        source = pretrain(domains.source, config=source_config, deterministic=True)
        model = Recommender(source, config=config).fit(target)
        alone = Recommender(None, config=config).fit(target)
        if model.verdict.ships == "target":
            assert model.verdict.low <= 0
            assert "the target alone ships" in model.verdict.reason
            assert model.recommend(k=5).equals(alone.recommend(k=5))
        gap = paired_bootstrap(ndcg(model, *early_late), ndcg(alone, *early_late))
        assert gap.high >= 0  # equal where the target alone ships
        assert gap.mean > -0.02


class TestCheckerboard:
    """Even users take even items, odd users odd ones; each user's last item is withheld."""

    N = 24

    def log(self, prefix="u", items=12, diagonal=True):
        rows = [
            (f"{prefix}{user:02d}", f"i{item:02d}", (item + user) % items)
            for user in range(self.N)
            for item in range(items)
            if item % 2 == user % 2 and (diagonal or item != user % items)
        ]
        return InteractionLog.from_frame(
            pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
        )

    @pytest.mark.parametrize("transferred", [True, False])
    def test_the_diagonal_comes_first(self, config, source_config, transferred):
        source = pretrain(self.log("s"), config=source_config) if transferred else None
        model = Recommender(source, config=config).fit(self.log(diagonal=False))
        found = model.recommend(k=1)
        assert found["user_id"].to_list() == [f"u{user:02d}" for user in range(self.N)]
        assert found["item_id"].to_list() == [f"i{user % 12:02d}" for user in range(self.N)]


class TestSeveralSources:
    def test_each_has_its_signals_and_its_contenders(
        self, domains, source_config, pretrained, tiny, target, only
    ):
        half = only(domains.source, domains.source.users.ids[:150].to_list())
        second = pretrain(half, config=source_config, deterministic=True)
        model = Recommender([pretrained, second], config=tiny).fit(target)
        names = set(model.verdict.contenders)
        assert {"transfer from source1, as it comes", "transfer from source2, as it comes"} <= names
        assert model._state.coverage.keys() == {"source1", "source2"}
        found = {name.partition(".")[0] for name in model._state.scene.names}
        assert {"source1", "source2", "target"} <= found
        assert model.recommend(k=3).height == 3 * 60

    def test_what_is_no_source_is_refused(self):
        with pytest.raises(InputError, match="holds a str"):
            Recommender(["folder/"])


@pytest.fixture(scope="module")
def other():
    return plant(
        PlantedConfig(
            source_users=240,
            target_users=200,
            source_items=40,
            target_items=40,
            clusters=4,
            shared_items=0.0,
            shared_users=1.0,
            source_steps=15,
            target_steps=6,
            taste=0.8,
            drift=0.0,
            zipf=0.3,
            seed=5,
        )
    )


@pytest.fixture(scope="module")
def source(other, source_config):
    return pretrain(other.source, config=source_config, deterministic=True)


@pytest.fixture(scope="module")
def known(other, source, config, only):
    return Recommender(source, config=config).fit(only(other.target, other.target.users.ids[:120].to_list()))


class TestSharedUsers:
    """Nothing on sale in both, but half of the users are known."""

    def test_only_the_targets_items_are_recommended(self, known, other):
        found = known.recommend(k=50)
        assert set(found["item_id"]) <= set(other.target.items.ids)
        assert known.coverage.users == 1  # no item is shared: what is crossed is the bridge of users

    def test_known_users_without_a_target_history_get_their_cluster(self, known, other):
        if known.verdict.ships != "transfer":
            pytest.fail(f"shared users should have shipped the transfer: {known.verdict}")
        users = other.target.users.ids[120:].to_list()
        found = known.recommend(users=users, k=5, on_unknown_users="raise")
        tastes = other.users.select("user_id", "taste")
        clusters = other.items.select("item_id", "target_cluster")
        found = found.join(tastes, on="user_id").join(clusters, on="item_id")
        assert (found["taste"] == found["target_cluster"]).mean() > 0.5  # chance: a quarter

    def test_saved_they_are_still_known(self, known, other, tmp_path):
        from rectransfer.recommend import load_recommender

        known.save(tmp_path / "model")
        users = other.target.users.ids[100:140].to_list()
        loaded = load_recommender(tmp_path / "model")
        assert loaded.recommend(users=users, k=5).equals(known.recommend(users=users, k=5))


class TestSharedUsersSpeltDifferently:
    """Only users are shared; what they bring may not stand beside the target's log."""

    @pytest.fixture
    def few(self, other, only):
        return only(other.target, other.target.users.ids[:40].to_list())

    def test_other_timestamps_are_said_aloud(self, other, source, tiny, few, caplog):
        log = InteractionLog.from_frame(few.frame.with_columns(pl.col("timestamp").dt.epoch("s")))
        model = Recommender(source, config=tiny).fit(log)
        assert "timestamp is Datetime" in caplog.text
        assert "shared users don't bring their histories" in caplog.text
        assert set(model.recommend(k=40)["item_id"]) <= set(log.items.ids)

    @pytest.mark.parametrize(("times", "warned"), [(1_000, True), (1, False)])
    def test_other_units_of_time_are_said_aloud(self, other, source_config, tiny, few, caplog, times, warned):
        seconds = pl.col("timestamp").dt.epoch("s")
        log = InteractionLog.from_frame(other.source.frame.with_columns(seconds))
        small = replace(source_config, item2vec=tiny.item2vec)
        source = pretrain(log, config=small)
        Recommender(source, config=tiny).fit(few.with_frame(few.frame.with_columns(seconds * times)))
        assert ("do both count in the same unit" in caplog.text) is warned

    def test_other_item_ids_too(self, source, tiny, few, caplog):
        numbers = pl.col("item_id").rank("dense").cast(pl.Int64)
        log = InteractionLog.from_frame(few.frame.with_columns(numbers))
        model = Recommender(source, config=tiny).fit(log)
        assert "item_id is String in the source and Int64 in the target" in caplog.text
        assert model.recommend(k=3).schema["item_id"] == pl.Int64


class TestBridges:
    def test_none_is_a_coverage_error_with_a_remedy(self, pretrained, tiny, target):
        frame = target.frame.with_columns(item_id="x" + pl.col("item_id"))
        with pytest.raises(CoverageError, match="link=") as raised:
            Recommender(pretrained, config=tiny).fit(InteractionLog.from_frame(frame))
        assert "min_coverage" in str(raised.value)
        assert "'xi" in str(raised.value)

    def test_a_link_table_gives_what_equal_ids_give(self, pretrained, tiny, target):
        model = Recommender(pretrained, config=tiny).fit(target)
        new = {item: f"new-{item}" for item in target.items.ids.to_list()}
        frame = target.frame.with_columns(pl.col("item_id").replace_strict(new))
        renamed = Recommender(pretrained, config=tiny).fit(
            InteractionLog.from_frame(frame), link={there: here for here, there in new.items()}
        )
        expected = model.recommend(k=6).with_columns(pl.col("item_id").replace_strict(new))
        found = renamed.recommend(k=6)
        assert found.drop("score").equals(expected.drop("score"))
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-4)
        assert renamed.coverage.interactions == model.coverage.interactions == 1

    def test_an_accidental_overlap_is_under_the_threshold(self, pretrained, tiny, target):
        one = target.frame["item_id"][0]
        other = pl.when(pl.col("item_id") == one).then("item_id").otherwise("x" + pl.col("item_id"))
        log = InteractionLog.from_frame(target.frame.with_columns(item_id=other))
        with pytest.raises(CoverageError, match="min_coverage"):
            Recommender(pretrained, config=tiny).fit(log)
        model = Recommender(pretrained, config=tiny).fit(log, min_coverage=0.0)
        assert 0 < model.coverage.interactions < 0.05

    def test_ids_of_another_type_share_nothing(self, pretrained, tiny, target):
        numbers = target.frame.with_columns(pl.col("item_id").rank("dense").cast(pl.Int64))
        with pytest.raises(CoverageError, match="Cast ids"):
            Recommender(pretrained, config=tiny).fit(InteractionLog.from_frame(numbers))


class TestBothBridges:
    """Users and items are shared: what a user took in the source may be a label in the target."""

    def test_all_contenders_are_measured_on_the_same_users(self, source_config, config):
        domains = plant(
            PlantedConfig(
                source_users=100,
                target_users=50,
                source_items=30,
                target_items=30,
                clusters=3,
                shared_items=1.0,
                shared_users=1.0,
                source_steps=25,
                target_steps=12,
            )
        )
        source = pretrain(domains.source, config=source_config, deterministic=True)
        model = Recommender(source, config=replace(config, pulls=(1.0,))).fit(domains.target)
        assert model.verdict.n_users == 50
        assert np.isfinite(model.verdict.difference)
        # what was had in the source only may be recommended: nobody has it in the target yet
        assert model.recommend(k=30).height == 50 * 30 - domains.target.frame.height
