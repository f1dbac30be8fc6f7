"""Logs without any order, as where times were never written down: all that users took is of one moment."""

import numpy as np
import polars as pl
import pytest

from rectransfer.logs import InteractionLog
from rectransfer.pretrained import load_pretrained, pretrain
from rectransfer.ranking import Histories, cut_at_random, cut_at_share
from rectransfer.recommend import Recommender
from rectransfer.recommend.ground import prepare
from rectransfer.selection import select_source
from rectransfer.tuning import tune

KINDS, EACH = 5, 16


def fans(seed, n_users, *, times=None, prefix="u"):
    """Each takes nine things of a kind, and three of others."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        own = rng.choice(EACH, 9, replace=False) + EACH * (user % KINDS)
        taken = {*own.tolist(), *rng.choice(KINDS * EACH, 3, replace=False).tolist()}
        rows += [
            (f"{prefix}{user}", f"i{item:02}", 0 if times is None else times(rng)) for item in sorted(taken)
        ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return InteractionLog.from_frame(frame)


@pytest.fixture(scope="module")
def source():
    return pretrain(fans(0, 200), seed=0, deterministic=True)


@pytest.fixture(scope="module")
def target():
    return fans(1, 60, prefix="t")


def kind(item):
    return int(item[1:]) // EACH


def share_of_own_kind(lists):
    own = [
        kind(item) == int(user[1:]) % KINDS for user, item in lists.select("user_id", "item_id").iter_rows()
    ]
    return float(np.mean(own))


def test_source_and_target_are_learned_from_and_measured(source, target):
    assert source.card["held_out"]["users"] > 10
    assert source.card["held_out"]["ndcg@10"] > 0.25
    model = Recommender(source).fit(target)
    assert model.verdict.n_users == target.n_users
    assert model.verdict.contenders["transfer, averaged"] > 0.25
    assert share_of_own_kind(model.recommend(k=5)) > 0.9
    alone = Recommender(None).fit(target)
    assert alone.verdict.n_users == target.n_users


def test_a_target_of_first_visits_is_not_asked_for_the_rest_of_them(target):
    """Its source knows what is taken next; that nobody has come back yet is no reason to forget it."""
    ordered = pretrain(fans(0, 200, times=lambda rng: int(rng.integers(1, 5))), seed=0, deterministic=True)
    verdict = Recommender(ordered).fit(target).verdict
    assert verdict.ships == "transfer"
    assert verdict.n_users == 0


def test_a_random_part_is_the_history_and_the_rest_is_to_be_found():
    log = fans(2, 40)
    histories = Histories.from_log(log, log.items)
    assert histories.at_once
    drawn = histories.shuffled()
    for user in range(len(histories)):
        assert sorted(drawn.of(user)[0]) == sorted(histories.of(user)[0])
    assert any((drawn.of(user)[0] != histories.of(user)[0]).any() for user in range(len(histories)))
    for examples in (
        cut_at_random(drawn, len(log.items), np.random.default_rng(0)),
        cut_at_share(drawn, len(log.items)),
    ):
        assert len(examples) > 30
        assert (examples.ages == 1).all()
        assert not examples.seen.multiply(examples.relevant).nnz
    assert not len(cut_at_random(histories, len(log.items), np.random.default_rng(0)))


def test_histories_with_an_order_stay_as_they_are():
    """One in five came twice: these say what comes after what, and the others nothing."""
    log = fans(3, 40, times=lambda rng: int(rng.random() < 0.02))
    histories = Histories.from_log(log, log.items)
    assert not histories.at_once
    none = Histories.from_log(log, log.items, log.users.__class__.from_ids(["nobody"]))
    assert not none.at_once


def test_users_shared_all_at_once():
    """Other things of the same people: what is known of them there says what they take here."""
    log = fans(4, 120)
    here = pl.col("item_id").is_in([f"i{item:02}" for item in range(0, KINDS * EACH, 2)])
    known = pl.col("user_id").is_in([f"u{user}" for user in range(60)])
    elsewhere = pretrain(InteractionLog.from_frame(log.frame.filter(~here)), seed=0, deterministic=True)
    model = Recommender(elsewhere).fit(InteractionLog.from_frame(log.frame.filter(here & known)))
    assert model.verdict.n_users > 40
    lists = model.recommend([f"u{user}" for user in range(60, 120)], 5)
    assert share_of_own_kind(lists) > 0.8


def test_which_half_is_asked_for_does_not_depend_on_the_order_of_rows():
    """Of two things each took, one of many is hard to find, and one of three is easy."""
    rng = np.random.default_rng(0)
    pairs = [(f"u{user}", f"a{rng.integers(40)}", f"b{rng.integers(3)}") for user in range(150)]
    found = []
    for places in ((1, 2), (2, 1)):
        rows = [(pair[0], pair[place], 0) for pair in pairs for place in places]
        frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
        found.append(
            Recommender(None).fit(InteractionLog.from_frame(frame)).verdict.contenders["target alone"]
        )
    assert found[0] == pytest.approx(found[1], abs=0.1)  # 0.3 and 1 if the second row is always hidden


def test_all_users_are_cut_where_a_few_came_twice():
    """Whether there is an order is a question to the log, not to a fold of it."""
    log = fans(5, 100)
    twice = pl.col("user_id").is_in([f"u{user}" for user in range(4)]) & (pl.col("item_id") > "i40")
    log = log.with_frame(log.frame.with_columns(timestamp=pl.col("timestamp") + twice))
    source = pretrain(log, seed=0, deterministic=True)
    assert source.card["held_out"]["users"] == 10
    here = log.with_frame(log.frame.with_columns(user_id="t" + pl.col("user_id")))
    ground = prepare(here, [source], items=None, link=None, min_coverage=0.0)
    assert ground.at_once
    for user in range(4):
        one = here.users.__class__.from_ids([f"tu{user}"])
        assert not ground.histories(here, one).ordered


@pytest.mark.parametrize("late", [0, 7])
def test_one_moment_for_source_and_target(late):
    """Users and products are shared, and times aren't known: equal rows aren't the same, nor too late."""
    elsewhere = pretrain(fans(6, 100, times=lambda _: late), seed=0, deterministic=True)
    here = fans(6, 40)
    model = Recommender(elsewhere).fit(here)
    assert model.verdict.n_users == 40
    assert model._fitted.habits_elsewhere is not None
    lists = model.recommend([f"u{user}" for user in range(40, 100)], 5)
    assert share_of_own_kind(lists) > 0.7  # of what they had elsewhere three quarters are


def test_settings_are_tuned_and_sources_chosen_on_random_parts(source, target):
    found = tune(target, source, trials=1, folds=2)
    assert found is not None
    assert select_source({"one": source}, target) is not None


def test_sources_with_an_order_are_told_apart_on_random_parts_too(source, target):
    """All sources are measured on one cut, which is told from the target alone."""
    ordered = pretrain(fans(8, 100, times=lambda rng: int(rng.integers(9))), seed=0, deterministic=True)
    assert not ordered.at_once
    sources = {"one": source, "ordered": ordered}
    found = select_source(sources, target, by="transferability")
    assert found.table["rank"].to_list() == [1, 2]
    found = select_source(sources, target)  # with such a source there is no gate that could measure a model
    assert found.table["rank"].to_list() == [1, None]
    assert "by='probe' needs none" in found.table["reason"][1]


def test_loaded_sources_know_it(source, tmp_path):
    source.save(tmp_path / "source")
    assert source.at_once
    assert load_pretrained(tmp_path / "source").at_once
