"""What users have had may be recommended again: habits put it among what is new."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import ArtefactError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import load_pretrained, pretrain
from rectransfer.ranking import HABIT_SIGNALS, Habits, fit_habits
from rectransfer.recommend import Recommender, RecommenderConfig, load_recommender
from rectransfer.scoring import read_scores

N_USERS, N_ITEMS, VISITS = 80, 60, 10


def shoppers(seed, n_users=N_USERS, prefix="u"):
    """Each visit they buy their staple, one of twelve, and two items that come and go."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{prefix}{user:02}", f"i{item:02}", 100 * visit + seed)
        for user in range(n_users)
        for visit in range(VISITS)
        for item in (user % 12, *(12 + rng.choice(N_ITEMS - 12, 2, replace=False, p=popular())))
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return InteractionLog.from_frame(frame)


def popular():
    weights = 1 / np.arange(1, N_ITEMS - 11)
    return weights / weights.sum()


@pytest.fixture(scope="module")
def source():
    return pretrain(shoppers(0), seed=0, deterministic=True)


@pytest.fixture(scope="module")
def model(source):
    return Recommender(source).fit(shoppers(1, 30, "t"))


def staple(user):
    return f"i{int(user[1:]) % 12:02}"


def test_what_is_bought_each_time_comes_first(model):
    found = model.recommend(k=3, filter_viewed=False)
    first = found.filter(rank=1)
    assert (first["item_id"] == pl.Series([staple(user) for user in first["user_id"]])).mean() > 0.9
    assert found.group_by("user_id").len()["len"].to_list() == [3] * 30
    scores = found["score"].to_numpy().reshape(30, 3)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_what_is_new_keeps_its_order_and_its_scores(model):
    new = model.recommend(k=N_ITEMS).select("user_id", "item_id", "score")
    everything = model.recommend(k=N_ITEMS, filter_viewed=False)
    kept = everything.join(new, on=["user_id", "item_id"], how="semi", maintain_order="left")
    assert everything.height == 30 * N_ITEMS
    assert kept.select("user_id", "item_id", "score").equals(new)


def test_only_what_is_allowed_in_the_same_order(model):
    allowed = [f"i{item:02}" for item in range(0, N_ITEMS, 3)]
    whole = model.recommend(k=N_ITEMS, filter_viewed=False)
    some = model.recommend(k=N_ITEMS, filter_viewed=False, items=allowed)
    expected = whole.filter(pl.col("item_id").is_in(allowed))
    assert some.drop("rank").equals(expected.drop("rank"))
    rest = model.recommend(k=N_ITEMS, filter_viewed=False, blocked=allowed)
    assert rest.height == whole.height - some.height


@pytest.mark.parametrize("items", [None, range(0, 40, 3)])
def test_what_is_new_keeps_them_where_users_are_shared(items):
    """What they had in the source, and it is on sale here, is new here, with either setting."""
    planted = plant(PlantedConfig(source_users=60, target_users=40, shared_users=0.8, seed=3))
    model = Recommender(pretrain(planted.source)).fit(planted.target)
    allowed = None if items is None else planted.target_catalogue.ids.gather(list(items)).to_list()
    new = model.recommend(k=100, items=allowed).drop("rank")
    everything = model.recommend(k=100, items=allowed, filter_viewed=False)
    kept = everything.join(new, on=["user_id", "item_id"], how="semi", maintain_order="left")
    assert kept.drop("rank").equals(new)
    assert everything.height > new.height


def test_what_was_had_long_ago_is_still_had():
    """More than a thousand rows ago: it is no longer in the history that signals see."""
    rows = [("old", "i00", day) for day in range(3)] + [("old", "i01", 10 + day) for day in range(1_100)]
    rows += [(f"u{user}", f"i{(user * day) % 7:02}", day) for user in range(20) for day in range(6)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    model = Recommender(None).fit(InteractionLog.from_frame(frame))
    new = set(model.recommend(["old"], 20)["item_id"])
    found = model.recommend(["old"], 20, filter_viewed=False)
    assert not {"i00", "i01"} & new
    assert found["item_id"][0] == "i01"
    assert set(found["item_id"]) == new | {"i00", "i01"}


def test_users_who_took_nothing_new_teach_habits():
    """Where next to nobody tries anything, what was had comes first, though the few who do are the gate's."""
    rows = [
        (f"u{user:03}", f"i{(user + (user < 20) * day) % 30:02}", day)
        for user in range(150)
        for day in range(8)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    model = Recommender(None).fit(InteractionLog.from_frame(frame))
    first = model.recommend([f"u{user:03}" for user in range(20, 150)], 1, filter_viewed=False)
    assert first["item_id"].to_list() == [f"i{user % 30:02}" for user in range(20, 150)]
    level, few = (HABIT_SIGNALS.index("new"), fit_habits([], model._fitted.habits.returns))
    assert model._fitted.habits.weights[level] < few.weights[level]


def test_who_has_had_all_there_is_gets_it_again():
    rows = [(f"u{user}", item, day) for user in range(30) for day in range(4) for item in "ab"]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    model = Recommender(None).fit(InteractionLog.from_frame(frame))
    assert model.recommend(k=5).height == 0
    assert model.recommend(k=5, filter_viewed=False).height == 60


def test_habits_are_learned_from_those_who_had_a_choice():
    """Users who are met as if new take only what is new; that says nothing of those who come back."""
    log = shoppers(1, 40, "t")
    earlier = "s" + pl.col("item_id"), pl.col("timestamp") - 5_000
    logs = [one.frame.with_columns(*earlier) for one in (log, shoppers(2, 200, "o"))]
    known = pretrain(InteractionLog.from_frame(pl.concat(logs, how="diagonal")))
    config = RecommenderConfig(confidence=0.99)
    shared = Recommender(known, config=config).fit(log)
    level = HABIT_SIGNALS.index("new")
    assert shared.verdict.ships == "transfer"
    assert shared._fitted.habits.weights[level] < -1.5
    first = shared.recommend(k=1, filter_viewed=False)
    assert (first["item_id"] == pl.Series([staple(user) for user in first["user_id"]])).mean() > 0.9


def test_a_stranger_s_history_counts(model):
    rows = [("zz", "i50", day) for day in range(8)] + [("zz", "i20", 3)]
    history = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    found = model.recommend(history=history, k=N_ITEMS, filter_viewed=False)
    ranks = dict(found.select("item_id", "rank").iter_rows())
    assert ranks["i50"] == 1 < ranks["i20"]
    assert model.recommend(["nobody"], 3, filter_viewed=False).height == 3


def test_scoring_gives_the_same_lists(model, tmp_path):
    rows = read_scores(model.score(pl.Series(model.users), tmp_path, 5, filter_viewed=False).folder).collect()
    true = model.recommend(k=5, filter_viewed=False)
    both = rows.join(true, on=["user_id", "rank"])
    assert (both["item_id"] == both["item_id_right"]).mean() > 0.95
    assert np.abs((both["score"] - both["score_right"]).to_numpy()).max() < 0.05


def test_the_reason_is_the_habit(model, tmp_path):
    frame = shoppers(1, 30, "t").frame
    for viewed in (True, False):
        out = tmp_path / str(viewed)
        done = model.score(pl.Series(model.users), out, 5, filter_viewed=viewed, reasons=True)
        rows = read_scores(done.folder).collect()
        times = rows.join(frame.group_by("user_id", "item_id").len(), on=["user_id", "item_id"], how="left")
        said = dict(times.group_by("len").agg(pl.col("reasons").list.first().unique()).iter_rows())
        habits = {"You often buy it.", "You have bought it before."}
        assert not habits & set(said.pop(None) or [])
        assert said == {n: ["You often buy it." if n >= 3 else "You have bought it before."] for n in said}
        assert bool(said) is not viewed


def test_the_target_alone_has_habits_too(source):
    model = Recommender(None).fit(shoppers(1, 30, "t"))
    first = model.recommend(k=1, filter_viewed=False)
    assert (first["item_id"] == pl.Series([staple(user) for user in first["user_id"]])).mean() > 0.9


def test_one_user_with_one_visit_stays_at_the_rule_of_thumb():
    frame = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["i", "j"], "timestamp": [1, 1]})
    found = Recommender(None).fit(InteractionLog.from_frame(frame)).recommend(filter_viewed=False)
    assert sorted(found["item_id"]) == ["i", "j"]
    assert found["score"].is_finite().all()


def test_where_nobody_takes_anything_twice_it_stands_behind(source):
    log = shoppers(1, 30, "t")
    once = log.with_frame(log.frame.unique(["user_id", "item_id"], maintain_order=True))
    model = Recommender(None).fit(once)
    new = model.recommend(k=5)
    assert (
        model.recommend(k=5, filter_viewed=False).join(new, on=["user_id", "item_id"], how="semi").height
        > 120
    )


def test_saved_and_loaded(model, source, tmp_path):
    model.save(tmp_path / "model")
    true = model.recommend(k=9, filter_viewed=False)
    assert load_recommender(tmp_path / "model").recommend(k=9, filter_viewed=False).equals(true)
    source.save(tmp_path / "source")
    again = Recommender(load_pretrained(tmp_path / "source")).fit(shoppers(1, 30, "t"))
    assert again.recommend(k=9, filter_viewed=False).equals(true)


def test_what_older_versions_saved_ranks_all_alike(model, source):
    old = Recommender.of(replace(model._fitted, habits=None), model.config)
    assert old.recommend(k=9).equals(model.recommend(k=9))
    assert old.recommend(k=9, filter_viewed=False).height == 9 * 30
    without = Recommender(replace(source, habits=None)).fit(shoppers(1, 30, "t"))
    assert without.recommend(k=9).equals(model.recommend(k=9))


def test_habits_of_other_items_are_refused(model, source, tmp_path):
    few = replace(model._fitted.habits, returns=model._fitted.habits.returns.moved(np.arange(5)))
    Recommender.of(replace(model._fitted, habits=few), model.config).save(tmp_path / "model")
    with pytest.raises(ArtefactError, match=r"the habits are for 5 items, not 60"):
        load_recommender(tmp_path / "model")
    few = replace(source.habits, returns=source.habits.returns.moved(np.arange(5)))
    replace(source, habits=few).save(tmp_path / "source")
    with pytest.raises(ArtefactError, match="habits of 5 items, and 60 vectors"):
        load_pretrained(tmp_path / "source")


def test_habits_that_cannot_be_are_refused(model):
    arrays = model._fitted.habits.arrays()
    for wrong in (arrays["takers"] + 1, arrays["returners"] - arrays["takers"].max() - 1):
        with pytest.raises(ArtefactError, match="more users come back for an item than took it"):
            Habits.from_arrays({**arrays, "returners": wrong})
