"""Known customers, new items: what their past says of them, when ranked, saved, scored and explained."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import rectransfer as rt
from rectransfer.compression import Compression
from rectransfer.compression.shrink import shrunk
from rectransfer.embeddings import User2Vec
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import pretrain
from rectransfer.ranking import LEANING, Histories, uncut
from rectransfer.recommend import Recommender
from rectransfer.recommend.fit import _popular, _start, _views
from rectransfer.recommend.ground import prepare
from rectransfer.recommend.learn import Chosen, learn
from rectransfer.recommend.profiles import as_they_were
from rectransfer.report import build_report
from rectransfer.scoring import read_scores
from rectransfer.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def department():
    """All users are shared, no item is."""
    return plant(
        PlantedConfig(
            source_users=120,
            target_users=120,
            source_items=40,
            target_items=25,
            clusters=4,
            shared_items=0.0,
            shared_users=1.0,
            source_steps=12,
            target_steps=5,
            taste=0.8,
            drift=0.1,
            seed=4,
        )
    )


@pytest.fixture(scope="module")
def source(department, source_config):
    return pretrain(department.source, config=source_config, deterministic=True)


@pytest.fixture(scope="module")
def few(department):
    """Some of them have been there; the others are known from the source only."""
    ids = department.target.users.ids.head(40).implode()
    return department.target.with_frame(department.target.frame.filter(pl.col("user_id").is_in(ids)))


@pytest.fixture(scope="module")
def fitted(source, few, tiny):
    return Recommender(source, config=tiny).fit(few)


@pytest.fixture(scope="module")
def lesson(source, few, tiny):
    ground = prepare(few, [source], items=None, link=None, min_coverage=0.0)
    return ground, learn(ground, tiny, few.users, Chosen(), 0)


def test_fine_tuning_starts_from_tastes_and_best_sellers(lesson):
    ground, learned = lesson
    view = ground.sources[0]
    assert not view.knows_any(ground.on_sale)
    slate = learned.transferred.slate(*_asked(ground, learned.transferred))
    ranker = _start(view, learned, ground)(slate)
    place = [slate.names.index(name) for name in ("target.popularity", LEANING)]
    expected = slate.signals[:, :, place].sum(axis=2)
    apart = (ranker.score(slate) - expected)[slate.present]
    np.testing.assert_allclose(apart, apart.mean(), atol=1e-3)  # a constant changes no order


def _asked(ground, scene):
    from rectransfer.recommend.measured import measured

    examples = measured(ground, ground.merged, ground.target.users).examples
    return examples, scene.candidates(examples, exclude=examples.seen)


def test_best_sellers_alone_are_best_sellers(lesson, tiny):
    ground, learned = lesson
    slate = learned.alone.slate(*_asked(ground, learned.alone))
    scores = _popular(learned.alone.names, tiny)(slate).score(slate)
    popularity = slate.signals[:, :, slate.names.index("target.popularity")]
    apart = (scores - popularity)[slate.present]
    np.testing.assert_allclose(apart, apart.mean(), atol=1e-4)


def test_users_lean_to_what_they_will_take(lesson, department):
    """Users who were never there, by what they really took there."""
    ground, learned = lesson
    leanings = learned.transferred.profiles.leanings
    users = ground.sources[0].pretrained.users.vocabulary
    new = np.flatnonzero(ground.target.users.rows(users.ids) < 0)
    lifts = leanings.of(ground.sources[0].taken[new]) @ leanings.lifts.T
    took = Histories.from_log(department.target, ground.items, Vocabulary(users.take(new)))
    taken = uncut(took, len(ground.items), longest=None).seen.toarray() > 0
    on_sale = np.broadcast_to(ground.on_sale, taken.shape)
    assert lifts[taken].mean() > lifts[~taken & on_sale].mean() + 0.05


def test_the_source_is_not_asked_to_rank_what_it_does_not_know(fitted):
    assert LEANING in fitted.state.scene.names
    assert "transfer, as it comes" not in fitted.verdict.contenders
    assert "transfer, averaged" in fitted.verdict.contenders


def test_saved_and_loaded_gives_the_same_rows(fitted, department, tmp_path):
    fitted.save(tmp_path / "model")
    again = rt.load_recommender(tmp_path / "model")
    users = department.target.users.ids
    assert again.recommend(users, k=5).equals(fitted.recommend(users, k=5))


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_smaller_keeps_leanings(fitted, precision):
    state = shrunk(fitted.state, Compression(precision=precision))
    found, true = state.scene.profiles.leanings, fitted.state.scene.profiles.leanings
    np.testing.assert_allclose(found.lifts, true.lifts, atol=0.01 * np.abs(true.lifts).max())
    assert found.lifts.shape == true.lifts.shape


def test_scored_as_recommended(fitted, department, tmp_path):
    users = department.source.users.ids
    rows = read_scores(fitted.score(users, tmp_path, 5).folder).collect()
    both = rows.join(fitted.recommend(users, k=5), on=["user_id", "item_id"], suffix="_true")
    assert rows.height == 5 * users.len()
    assert both.height > 0.95 * rows.height


def test_explanations_add_up_and_can_be_said(fitted, department):
    users = department.source.users.ids.tail(20)
    explained = fitted.explain(users, k=3)
    total = explained.base + explained.contributions.sum(axis=1)
    np.testing.assert_allclose(total, explained.scores, atol=1e-6)
    assert fitted.verdict.ships == "transfer"
    assert LEANING in explained.signals
    assert fitted.reasons(users, k=3).height == 60


def test_coverage_is_that_of_the_bridge_that_is_crossed(fitted):
    assert fitted.coverage.users == 1.0
    assert fitted.coverage.n_users == 40


def test_known_customers_are_not_reported_as_new(fitted, department):
    day = pl.duration(days=300)
    later = department.target.with_frame(department.target.frame.with_columns(pl.col("timestamp") + day))
    titles = pl.DataFrame({"item_id": fitted.state.items.ids}).with_columns(title=pl.col("item_id"))
    report = build_report(fitted, later, titles)
    assert not any("have no history" in limit for limit in report.limits)


def test_who_has_had_everything_is_explained_beside_that(source, few, tiny):
    one = few.users.ids[0]
    log = few.with_frame(few.frame.filter(pl.col("user_id") == one))
    model = Recommender(source, config=tiny).fit(log)
    users = source.users.vocabulary.ids.filter(source.users.vocabulary.ids != one).head(5)
    found = model.explain(users, k=3)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), found.scores, atol=1e-6)
    assert len(found) == model.recommend(users, k=3).height


@pytest.mark.parametrize("why", ["timestamp", "item_id", "no histories"])
def test_histories_that_are_not_beside_the_targets_bring_no_profile(
    department, source, source_config, few, tiny, why
):
    """Their vectors would be multiplied with those of another space, and the gate couldn't have seen it."""
    if why == "no histories":
        config = replace(source_config, keep_histories=0)
        source, other = pretrain(department.source, config=config, deterministic=True), few
    else:
        number = pl.col(why).dt.epoch("d") if why == "timestamp" else pl.col(why).str.slice(1)
        other = InteractionLog.from_frame(few.frame.with_columns(number.cast(pl.Int64)))
    ground = prepare(other, [source], items=None, link=None, min_coverage=0.0)
    assert ground.sharing is not None
    assert not ground.sharing.carried
    learned = learn(ground, tiny, other.users, Chosen(), 0)
    assert learned.transferred.profiles is None
    assert as_they_were(learned.transferred, ground) is learned.transferred
    model = Recommender(source, config=tiny).fit(other)
    users = department.source.users.ids
    assert model.recommend(users, k=3).height == 3 * len(users)


def test_both_sides_of_the_gate_are_measured_on_the_same_users(source, few, tiny):
    """However many there are, and though some have been here once and elsewhere often."""
    once = pl.col("user_id").is_in(few.users.ids.head(15).implode())
    first = pl.col("timestamp") == pl.col("timestamp").min().over("user_id")
    target = few.with_frame(few.frame.filter(~once | first))
    ground = prepare(target, [source], items=None, link=None, min_coverage=0.0)
    config = replace(tiny, most_cuts=30)
    learned = learn(ground, config, few.users, Chosen(), 0)
    alone, transferred = _views(ground, config, learned, few.users)
    assert 0 < len(alone.examples) <= 15
    assert alone.examples.who == transferred.examples.who
    np.testing.assert_array_equal(alone.examples.users, transferred.examples.users)


def test_a_source_that_shares_users_brings_leanings_wherever_it_stands(
    source, department, few, tiny, source_config, lesson
):
    """Beside one named before it, that shares items only."""
    others = department.target.frame.filter(~pl.col("user_id").is_in(few.users.ids.implode()))
    others = department.target.with_frame(others.with_columns(user_id=pl.lit("x") + pl.col("user_id")))
    first = pretrain(others, config=source_config, deterministic=True)
    ground = prepare(few, [first, source], items=None, link=None, min_coverage=0.0)
    assert [view.bridges.kind for view in ground.sources] == ["items", "users"]
    learned = learn(ground, tiny, few.users, Chosen(), 0)
    assert LEANING in learned.transferred.names
    found, alone = learned.transferred.profiles, lesson[1].transferred.profiles
    assert found.users == source.users.vocabulary
    np.testing.assert_allclose(found.leanings.calls, alone.leanings.calls, atol=1e-6)


class TestProfilesAsTheyWere:
    def past(self, ground, log, users):
        return uncut(Histories.from_log(log, ground.items, users), len(ground.items))

    def test_of_all_that_was_done_they_are_those_of_the_source(self, source, lesson):
        ground, learned = lesson
        users = source.users.vocabulary
        examples = self.past(ground, ground.merged, users)
        vectors, known = as_they_were(learned.transferred, ground).profiles.of(examples)
        np.testing.assert_allclose(vectors, source.users.vectors, atol=1e-6)
        assert known.all()

    def test_of_a_history_that_is_cut_they_know_nothing_of_the_rest(self, source, lesson):
        ground, learned = lesson
        log, (first, last) = source.histories, source.histories.span
        before = log.with_frame(log.frame.filter(pl.col("timestamp") < first + (last - first) / 2))
        pooled = User2Vec().fit(before, source.items)
        assert 0 < len(pooled.vocabulary) <= len(source.users.vocabulary)
        users = source.users.vocabulary
        rows = pooled.vocabulary.rows(users.ids)
        vectors, known = as_they_were(learned.transferred, ground).profiles.of(
            self.past(ground, before, users)
        )
        np.testing.assert_array_equal(known, rows >= 0)
        np.testing.assert_allclose(vectors[known], pooled.vectors[rows[known]], atol=1e-6)
        assert not vectors[~known].any()
        now, _ = learned.transferred.profiles.of(self.past(ground, before, users))
        assert np.abs(now[known] - vectors[known]).max() > 0.01

    def test_the_gate_looks_at_those_and_what_ships_does_not(self, lesson, few, tiny, fitted):
        ground, learned = lesson
        _, fold = _views(ground, tiny, learned, few.users)
        vectors, _ = as_they_were(learned.transferred, ground).profiles.of(fold.examples)
        there = fold.here[0].slate.present
        contexts = learned.transferred.profiles.contexts[fold.here[0].candidates]
        expected = np.einsum("ud,umd->um", vectors, contexts)[there]
        found = fold.here[0].slate.signals[:, :, fold.here[0].slate.names.index("profile.affinity")]
        np.testing.assert_allclose(found[there], expected, atol=1e-5)
        assert type(fitted.state.scene.profiles) is type(learned.transferred.profiles)

    @pytest.mark.parametrize("how", ["learned", "items are shared"])
    def test_what_cannot_be_taken_back_stays(self, how, department, few, tiny, source_config):
        log, config = department.source, source_config
        if how == "learned":
            user2vec = User2Vec(method="pv-dbow", dimensions=config.item2vec.dimensions, epochs=2)
            config = replace(config, user2vec=user2vec)
        else:
            others = ~pl.col("user_id").is_in(few.users.ids.implode())
            there = department.target.frame.filter(others).select(log.frame.columns)
            log = log.with_frame(pl.concat([log.frame, there]).sort("user_id", "timestamp"))
        ground = prepare(
            few, [pretrain(log, config=config, deterministic=True)], items=None, link=None, min_coverage=0.0
        )
        scene = learn(ground, tiny, few.users, Chosen(), 0).transferred
        assert scene.profiles is not None
        assert as_they_were(scene, ground) is scene
