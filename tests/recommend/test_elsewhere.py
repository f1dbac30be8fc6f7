"""What users have had elsewhere, and is on sale here, stands by habit among what is new to them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import ArtefactError, InputError
from rectransfer.explain import lime_weights, signal_curves
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.recommend import Recommender, RecommenderConfig, load_recommender
from rectransfer.scoring import read_scores

N_USERS, N_KNOWN, N_ITEMS, VISITS = 90, 40, 60, 12
STAPLES = 12
SENTENCE = "You choose it elsewhere, too."


def visits(seed, *, staples=True, first=0, n_users=N_USERS, n=VISITS):
    """Each visit they buy their staple, or it is left out, and three items that come and go."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, N_ITEMS - STAPLES + 1)
    rows = [
        (f"u{user:02}", f"i{item:02}", 100 * (first + visit) + seed)
        for user in range(n_users)
        for visit in range(n)
        for item in (
            *([user % STAPLES] if staples else []),
            *(STAPLES + rng.choice(len(weights), 3, replace=False, p=weights / weights.sum())),
        )
    ]
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


def staple(user):
    return f"i{int(user[1:]) % STAPLES:02}"


@pytest.fixture(scope="module")
def source():
    return pretrain(visits(0), seed=0, deterministic=True)


@pytest.fixture(scope="module")
def target():
    """Of forty of the users, after they had been elsewhere for a while."""
    return visits(1, first=6, n_users=N_KNOWN, n=6)


@pytest.fixture(scope="module")
def model(source, target):
    return Recommender(source).fit(target)


STRANGERS = [f"u{user:02}" for user in range(N_KNOWN, N_USERS)]


def test_who_is_new_here_gets_what_they_buy_elsewhere(model):
    found = model.recommend(STRANGERS, 3)
    first = found.filter(rank=1)
    assert (first["item_id"] == pl.Series([staple(user) for user in first["user_id"]])).mean() > 0.9
    assert found.height == 3 * len(STRANGERS)
    assert (np.diff(found["score"].to_numpy().reshape(-1, 3), axis=1) <= 0).all()


def test_what_nobody_buys_here_stands_behind_what_is_new(source):
    """They have their staples from elsewhere, and do not look for them here."""
    here = visits(1, staples=False, first=6, n_users=N_KNOWN, n=6)
    model = Recommender(source).fit(here, items=[f"i{item:02}" for item in range(N_ITEMS)])
    found = model.recommend(STRANGERS, 3)
    assert (found["item_id"] == pl.Series([staple(user) for user in found["user_id"]])).sum() == 0


def test_the_gate_measures_it(model, source, target, monkeypatch):
    monkeypatch.setattr("rectransfer.recommend.ground.Ground.had_elsewhere", None)
    without = Recommender(source).fit(target)
    assert without._fitted.habits_elsewhere is None
    gained = model.verdict.contenders["transfer, averaged"] - without.verdict.contenders["transfer, averaged"]
    assert gained > 0.005
    assert model.verdict.contenders["target alone"] == without.verdict.contenders["target alone"]


def test_what_they_take_here_does_not_tell_the_gate_what_they_take_here():
    """Everybody comes back for three of the twelve things they had elsewhere: for which, nothing tells."""
    rng = np.random.default_rng(0)
    had = [rng.choice(250, 12, replace=False) for _ in range(90)]
    then = [(f"u{user}", f"i{item}", day) for user, mine in enumerate(had) for day, item in enumerate(mine)]
    again = [rng.choice(mine, 3, replace=False) for mine in had]
    now = [
        (f"u{u}", f"i{item}", 100 + day) for u, mine in enumerate(again) for day in range(6) for item in mine
    ]
    new = [(f"u{user}", f"n{rng.integers(5)}", 100 + int(rng.integers(6))) for user in range(90)]
    schema = ["user_id", "item_id", "timestamp"]
    logs = [
        InteractionLog.from_frame(pl.DataFrame(rows, schema=schema, orient="row"))
        for rows in (then, now + new)
    ]
    verdict = Recommender(pretrain(logs[0], seed=0, deterministic=True)).fit(logs[1]).verdict
    assert verdict.contenders["transfer, averaged"] < 0.46  # 0.54 if their own return visits count


def test_what_is_new_keeps_its_order_and_its_scores(model):
    everything = model.recommend(STRANGERS, N_ITEMS)
    state = model._fitted
    had = state.log.frame.select("user_id", "item_id").unique()
    new = everything.join(had, on=["user_id", "item_id"], how="anti", maintain_order="left")
    plain = Recommender.of(replace(state, habits_elsewhere=None), model.config).recommend(STRANGERS, N_ITEMS)
    expected = plain.join(had, on=["user_id", "item_id"], how="anti", maintain_order="left")
    assert new.drop("rank").equals(expected.drop("rank"))
    assert everything.height == plain.height == N_ITEMS * len(STRANGERS)


def test_only_what_is_allowed_in_the_same_order(model):
    allowed = [f"i{item:02}" for item in range(0, N_ITEMS, 3)]
    whole = model.recommend(STRANGERS, N_ITEMS)
    some = model.recommend(STRANGERS, N_ITEMS, items=allowed)
    assert some.drop("rank").equals(whole.filter(pl.col("item_id").is_in(allowed)).drop("rank"))
    rest = model.recommend(STRANGERS, N_ITEMS, blocked=allowed)
    assert rest.drop("rank").equals(whole.filter(~pl.col("item_id").is_in(allowed)).drop("rank"))


def test_what_was_had_here_is_left_out_or_stands_by_its_own_habit(model, target):
    pairs = target.frame.select("user_id", "item_id").unique()
    found = model.recommend(k=N_ITEMS)
    assert found.join(pairs, on=["user_id", "item_id"], how="semi").height == 0
    everything = model.recommend(k=N_ITEMS, filter_viewed=False)
    assert everything.height == N_ITEMS * N_KNOWN
    rest = everything.join(pairs, on=["user_id", "item_id"], how="anti", maintain_order="left")
    assert rest.drop("rank").equals(found.drop("rank"))


def test_a_history_that_is_given_was_had_here(model):
    rows = [(user, staple(user), 10_000) for user in STRANGERS]
    history = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    found = model.recommend(history=history, k=N_ITEMS)
    assert found.height == (N_ITEMS - 1) * len(STRANGERS)


def test_explanations_are_of_the_lists(model):
    people = [*STRANGERS[:5], *(f"u{user:02}" for user in range(5))]
    lists, told = model.recommend(people, 8), model.explain(people, k=8)
    rows = pl.DataFrame(
        [told.users.alias("user_id"), told.items.alias("item_id"), pl.Series("rank", told.ranks)]
    )
    assert rows.equals(lists.drop("score"))
    assert np.allclose(told.scores, lists["score"], atol=1e-4)
    assert np.allclose(told.base + told.contributions.sum(axis=1), told.scores)
    had = told.values[:, told.signals.index("elsewhere.habit")]
    state = model._fitted
    times = state.log.frame.group_by("user_id", "item_id").len()
    seen = rows.join(times, on=["user_id", "item_id"], how="left", maintain_order="left")["len"].fill_null(0)
    assert (had == seen.to_numpy()).all()
    assert (had > 0).any()
    assert (had == 0).any()


def test_explanations_where_the_source_knows_only_some_of_what_is_on_sale(source):
    """What a domain doesn't know gets the mean of the user's other candidates: the same ones in both."""
    here = visits(1, first=6, n_users=N_KNOWN, n=6).frame
    late = pl.when(pl.col("item_id") > "i44").then("x" + pl.col("item_id")).otherwise("item_id")
    model = Recommender(source).fit(InteractionLog.from_frame(here.with_columns(item_id=late)))
    lists, told = model.recommend(STRANGERS, 20), model.explain(STRANGERS, k=20)
    assert told.items.equals(lists["item_id"])
    assert np.allclose(told.scores, lists["score"], atol=1e-4)


def test_other_explainers_leave_the_habit_out(model):
    told = model.explain(STRANGERS[:4], k=6)
    habit = told.signals.index("elsewhere.habit")
    new = np.flatnonzero(told.values[:, habit] == 0)
    assert told.groups[-1] == told.signals[-1] == "elsewhere.habit"
    assert told.groups[:-1] == model.explainer().players.names
    some = told.take(new)
    curves = signal_curves(model.explainer(), some, np.abs(some.by_group), (1, 2))
    assert np.isfinite(curves.deleted).all()
    weights = lime_weights(model.explainer(), told, int(new[0]), samples=200)
    assert tuple(weights["part"]) == model.explainer().ranker.names
    with pytest.raises(InputError, match="isn't there by habit alone"):
        lime_weights(model.explainer(), told, int(np.flatnonzero(told.values[:, habit])[0]))


def test_nobody_s_list_depends_on_who_else_is_asked(source, target):
    own = visits(2, first=6, n_users=20, n=6).frame.with_columns(user_id="v" + pl.col("user_id"))
    both = InteractionLog.from_frame(pl.concat([target.frame, own]))
    model = Recommender(source, config=RecommenderConfig(depth=5)).fit(both)
    strangers = [f"vu{user:02}" for user in range(20)]
    alone = model.recommend(strangers, 10)
    assert model.recommend([*strangers, *STRANGERS], 10).head(alone.height).equals(alone)


def test_a_source_without_habits_is_passed_over(source, target):
    other = pretrain(visits(5), seed=1, deterministic=True)
    for sources in ([replace(other, habits=None), source], [source, replace(other, habits=None)]):
        assert Recommender(sources).fit(target)._fitted.habits_elsewhere is not None


def test_the_reason_is_that_they_take_it_elsewhere(model, tmp_path):
    said = model.reasons(STRANGERS[:9], k=5)
    own = said.filter(pl.col("item_id") == pl.Series([staple(user) for user in said["user_id"]]))
    assert own["reason"].to_list() == [SENTENCE] * 9
    assert own["parts"].to_list() == ["elsewhere.habit"] * 9
    done = model.score(pl.Series("user_id", STRANGERS[:9]), tmp_path, 5, reasons=True)
    rows = read_scores(done.folder).collect()
    had = rows.join(model._fitted.log.frame, on=["user_id", "item_id"], how="semi")
    assert had.height >= 9
    assert had["reasons"].to_list() == [[SENTENCE]] * had.height
    new = rows.join(model._fitted.log.frame, on=["user_id", "item_id"], how="anti")
    assert SENTENCE not in new["reasons"].explode().to_list()


def test_scoring_gives_the_same_lists(model, tmp_path):
    people = [*STRANGERS, *(f"u{user:02}" for user in range(N_KNOWN))]
    for viewed in (True, False):
        done = model.score(pl.Series("user_id", people), tmp_path / str(viewed), 5, filter_viewed=viewed)
        true = model.recommend(people, 5, filter_viewed=viewed)
        both = read_scores(done.folder).collect().join(true, on=["user_id", "rank"])
        assert both.height == true.height
        assert (both["item_id"] == both["item_id_right"]).mean() > 0.95


def test_saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model")
    again = load_recommender(tmp_path / "model")
    assert again.recommend(STRANGERS, 9).equals(model.recommend(STRANGERS, 9))
    habits = model._fitted.habits_elsewhere
    few = replace(habits, returns=habits.returns.moved(np.arange(5)))
    Recommender.of(replace(model._fitted, habits_elsewhere=few), model.config).save(tmp_path / "other")
    with pytest.raises(ArtefactError, match=r"the habits are for 5 items, not 60"):
        load_recommender(tmp_path / "other")


@pytest.mark.parametrize("without", ["habits", "histories"])
def test_sources_that_do_not_tell(source, target, without):
    """Older ones have no habits, others keep no histories: it ranks like the rest, if it is known at all."""
    known = replace(source, habits=None)
    if without == "histories":
        known = pretrain(visits(0), config=PretrainConfig(keep_histories=0), seed=0, deterministic=True)
    model = Recommender(known).fit(target)
    assert model._fitted.habits_elsewhere is None
    assert model.recommend(STRANGERS[:3], 4).height == 12


def test_other_products_are_no_habit_here(source):
    frame = visits(1, first=6, n_users=N_KNOWN, n=6).frame
    other = InteractionLog.from_frame(frame.with_columns(item_id="x" + pl.col("item_id")))
    assert Recommender(source).fit(other)._fitted.habits_elsewhere is None
    alone = Recommender(None).fit(InteractionLog.from_frame(frame))
    assert alone._fitted.habits_elsewhere is None
