"""Logs without any order, as where times were never written down: all that users took is of one moment."""

import numpy as np
import polars as pl
import pytest

from rectransfer.logs import InteractionLog
from rectransfer.pretrained import pretrain
from rectransfer.ranking import Histories, cut_at_random, cut_at_share
from rectransfer.recommend import Recommender

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
    drawn = histories.to_cut()
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
    assert histories.to_cut() is histories
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
