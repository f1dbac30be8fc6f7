"""Tuning: honest folds, the default first, budgets, studies that go on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.errors import ArtefactError, InputError, MissingExtraError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig
from rectransfer.recommend import RecommenderConfig
from rectransfer.tuning import choice, integer, log_float, tune, uniform
from rectransfer.tuning.folds import Part, parts
from rectransfer.tuning.tuned import gain_of_the_best

pytest.importorskip("optuna")

TINY = RecommenderConfig(
    item2vec=Item2Vec(dimensions=4, epochs=1),
    tower=TowerConfig(hidden=0, width=2),
    train=TrainConfig(epochs=0, l2=200.0),
    fine_tune=TrainConfig(epochs=0),
    ranker=RankerConfig(hidden=0, epochs=3, learning_rate=0.05),
    pulls=(1.0,),
    folds=2,
    per_user=1,
)


def at(l2: float) -> RecommenderConfig:
    """The same with another penalty."""
    return replace(TINY, train=replace(TINY.train, l2=float(l2)))


SPACE = {"train.l2": log_float(10, 1000), "ranker.hidden": choice(0, 4)}
DOMAINS = plant(
    PlantedConfig(source_users=60, target_users=60, source_items=40, target_items=40, target_steps=12, seed=2)
)
TARGET = DOMAINS.target


@pytest.fixture
def by_formula(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Measuring is a formula with its best at train.l2=100 instead of a fit; and a list of its calls."""
    calls: list[float] = []

    def ndcg(self, sources, config, fitting):
        calls.append(config.train.l2)
        users = self.later["user_id"].unique().sort()
        each = np.array([int(user[1:]) % 7 for user in users]) / 70
        return 0.5 - 0.1 * abs(np.log10(config.train.l2 / 100)) + each

    monkeypatch.setattr(Part, "ndcg", ndcg)
    return calls


def test_parts_hold_every_user_once_and_learn_from_the_others():
    found = parts(TARGET, 3, seed=0)

    inside = [part.later["user_id"].unique().sort().to_list() for part in found]
    assert sorted(user for users in inside for user in users) == TARGET.users.ids.to_list()
    assert {len(users) for users in inside} == {20}
    for part, users in zip(found, inside, strict=True):
        assert set(part.rest.users.ids) == set(TARGET.users.ids) - set(users)
        assert part.history.users.ids.to_list() == users


def test_what_is_measured_came_later_and_is_new():
    part = parts(TARGET, 2, seed=1)[0]
    times = TARGET.frame.group_by("user_id", "item_id").agg(pl.col("timestamp").min())
    last = part.history.frame.group_by("user_id").agg(pl.col("timestamp").max().alias("last"))

    later = part.later.join(times, on=["user_id", "item_id"]).join(last, on="user_id")

    assert later.height == part.later.height > 0
    assert (later["timestamp"] > later["last"]).all()
    # 3 sessions of 4 steps: two are shown, the last one is asked for
    assert part.history.frame.group_by("user_id").len()["len"].unique().to_list() == [8]


def test_users_with_one_visit_are_only_learned_from():
    once = TARGET.users.ids[:10]
    first = TARGET.frame.group_by("user_id", maintain_order=True).head(4)
    frame = pl.concat(
        [
            first.filter(pl.col("user_id").is_in(once.implode())),
            TARGET.frame.filter(~pl.col("user_id").is_in(once.implode())),
        ]
    )
    found = parts(InteractionLog.from_frame(frame), 2, seed=0)

    measured = pl.concat([part.later for part in found])["user_id"].unique()
    assert measured.len() == 50
    assert sorted(set(found[0].rest.users.ids) | set(found[1].rest.users.ids)) == TARGET.users.ids.to_list()


def test_too_few_users_keep_the_defaults():
    frame = TARGET.frame.filter(pl.col("user_id").is_in(TARGET.users.ids[:15].implode()))

    with pytest.raises(InputError, match=r"15 of 15 users have a later visit.*Keep the defaults"):
        tune(InteractionLog.from_frame(frame), space=SPACE, config=TINY)


def test_a_fold_is_measured_by_a_model_that_never_saw_its_users():
    found = tune(TARGET, space=SPACE, config=TINY, trials=3, folds=2)

    assert found.trials["state"][0] == "finished"
    assert found.trials["train.l2"][0] == TINY.train.l2
    assert found.trials["ndcg@10"][0] == pytest.approx(found.default_value)
    assert 0 < found.default_value < 1
    assert found.n_users == 60
    assert found.pretrain_config is None


def test_tuning_finds_what_was_broken():
    broken = replace(TINY, ranker=RankerConfig(hidden=0, epochs=0))
    space = {"per_user": integer(1, 3), "ranker.epochs": integer(0, 20)}

    found = tune(DOMAINS.source, space=space, config=broken, trials=4, folds=2)

    assert found.value >= found.default_value
    assert found.interval is not None
    assert found.won == (found.interval.low > 0)
    assert (found.config == broken) == (not found.won)


def test_the_best_is_found_and_taken_over(by_formula):
    found = tune(TARGET, space=SPACE, config=at(1000), trials=25)

    assert found.won
    assert found.value > found.default_value + 0.08
    assert 70 < found.config.train.l2 < 150
    assert set(found.settings) <= set(SPACE)
    assert found.interval.low > 0
    assert "tuned: NDCG@10" in str(found)
    assert f"train.l2={found.config.train.l2:.3g}" in str(found)


def test_hopeless_trials_end_early(by_formula):
    found = tune(TARGET, space=SPACE, config=TINY, trials=25, folds=3)

    pruned = found.trials.filter(pl.col("state") == "pruned")
    assert pruned.height > 3
    assert pruned["folds_done"].max() < 3
    assert found.trials.filter(pl.col("state") == "finished")["folds_done"].unique().to_list() == [3]
    assert found.trials["gain"][0] == 0
    assert pruned["gain"].max() < found.trials.filter(pl.col("state") == "finished")["gain"].max()
    assert len(by_formula) == found.trials["folds_done"].sum()


def test_a_default_that_cannot_be_beaten_stays(by_formula):
    base = at(100.0)
    found = tune(TARGET, space=SPACE, config=base, trials=10)

    assert not found.won
    assert found.config == base
    assert found.value == found.default_value
    assert str(found).startswith("the defaults stay")


def test_a_default_outside_the_space_is_trial_0_all_the_same(by_formula):
    tune(TARGET, space={"train.l2": log_float(10, 50)}, config=TINY, trials=3)

    assert by_formula[:3] == [TINY.train.l2] * 3
    assert all(10 <= value <= 50 for value in by_formula[3:])


def test_a_win_within_noise_is_not_taken_over(monkeypatch):
    draw = np.random.default_rng(0)
    monkeypatch.setattr(Part, "ndcg", lambda self, *_: draw.random(self.later["user_id"].n_unique()))

    found = tune(TARGET, space=SPACE, config=TINY, trials=20)

    assert found.interval.mean > 0
    assert not found.won
    assert found.config == TINY
    assert "may be luck" in str(found)


def test_equal_seeds_give_equal_trials(by_formula):
    first, second = (tune(TARGET, space=SPACE, config=TINY, trials=12, seed=3) for _ in range(2))
    other = tune(TARGET, space=SPACE, config=TINY, trials=12, seed=4)

    assert first.trials.drop("seconds").equals(second.trials.drop("seconds"))
    assert not first.trials.drop("seconds").equals(other.trials.drop("seconds"))


def test_a_study_goes_on_as_if_it_had_not_stopped(by_formula, tmp_path):
    whole = tune(TARGET, space=SPACE, config=TINY, trials=10)
    tune(TARGET, space=SPACE, config=TINY, trials=5, study=tmp_path / "new" / "study.db")
    calls = len(by_formula)

    again = tune(TARGET, space=SPACE, config=TINY, trials=10, study=tmp_path / "new" / "study.db")
    done = len(by_formula)
    nothing = tune(TARGET, space=SPACE, config=TINY, trials=10, study=tmp_path / "new" / "study.db")

    assert again.trials.drop("seconds").equals(whole.trials.drop("seconds"))
    assert (again.value, again.settings) == (pytest.approx(whole.value), whole.settings)
    assert done - calls < calls
    assert len(by_formula) == done
    assert nothing.trials.equals(again.trials)


@pytest.mark.parametrize("at", [1, 7])
def test_a_trial_that_was_cut_off_is_drawn_again(by_formula, tmp_path, monkeypatch, at):
    whole = tune(TARGET, space=SPACE, config=TINY, trials=6, folds=2)
    measured, left = Part.ndcg, [at]

    def interrupted(self, *given):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return measured(self, *given)

    monkeypatch.setattr(Part, "ndcg", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(TARGET, space=SPACE, config=TINY, trials=6, folds=2, study=tmp_path / "study.db")
    monkeypatch.setattr(Part, "ndcg", measured)
    again = tune(TARGET, space=SPACE, config=TINY, trials=6, folds=2, study=tmp_path / "study.db")

    assert again.trials.drop("seconds").equals(whole.trials.drop("seconds"))


KILLED = """
import os, signal, sys
from tests_tuning import SPACE, TARGET, TINY
from rectransfer.tuning import tune
from rectransfer.tuning.folds import Part

measured, left = Part.ndcg, [5]

def ndcg(self, *given):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return measured(self, *given)

Part.ndcg = ndcg
tune(TARGET, space=SPACE, config=TINY, trials=4, folds=2, study=sys.argv[1])
"""


def test_a_killed_run_loses_no_finished_trial(tmp_path):
    (tmp_path / "tests_tuning.py").write_text(Path(__file__).read_text())
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "study.db")],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )

    found = tune(TARGET, space=SPACE, config=TINY, trials=3, folds=2, study=tmp_path / "study.db")
    fresh = tune(TARGET, space=SPACE, config=TINY, trials=3, folds=2)

    assert done.returncode == -signal.SIGKILL
    assert found.trials.drop("seconds").equals(fresh.trials.drop("seconds"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": {"train.l2": log_float(10, 900)}}, "another space"),
        ({"target": DOMAINS.source}, "another target"),
        ({"config": replace(TINY, per_user=2)}, "another config"),
        ({"seed": 1}, "another number of folds or seed"),
        ({"min_coverage": 0.5, "folds": 2}, "another catalogue, link or coverage and number of folds"),
    ],
)
def test_a_study_of_something_else_is_refused(by_formula, tmp_path, change, words):
    first = {"target": TARGET, "space": SPACE, "config": TINY, "trials": 1, "study": tmp_path / "study.db"}
    tune(**first)

    with pytest.raises(InputError, match=f"study.db has a study with {words}.*name another file"):
        tune(**{**first, **change})


def test_a_file_of_something_else_is_refused(by_formula, tmp_path):
    (tmp_path / "notes.txt").write_text("not a study, " * 100)

    with pytest.raises(ArtefactError, match=r"notes.txt cannot be used as a study.*isn't there yet"):
        tune(TARGET, space=SPACE, config=TINY, study=tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "not a study, " * 100


def test_no_trial_starts_when_the_time_is_over(by_formula, monkeypatch):
    quick = Part.ndcg

    def slow(self, *given):
        time.sleep(0.05)
        return quick(self, *given)

    monkeypatch.setattr(Part, "ndcg", slow)
    found = tune(TARGET, space=SPACE, config=TINY, trials=500, seconds=0.01, folds=2)
    longer = tune(TARGET, space=SPACE, config=TINY, trials=500, seconds=0.5, folds=2)

    assert found.trials["state"].to_list() == ["finished"]
    assert found.interval is None
    assert "nothing else was measured" in str(found)
    assert 1 < longer.trials.height < 20


def test_settings_that_are_refused_together_fail_alone(by_formula, monkeypatch):
    measured = Part.ndcg

    def picky(self, sources, config, fitting):
        if config.train.l2 < 100:
            raise InputError("too small together with the rest")
        return measured(self, sources, config, fitting)

    monkeypatch.setattr(Part, "ndcg", picky)
    found = tune(TARGET, space=SPACE, config=TINY, trials=10)

    failed = found.trials.filter(pl.col("state") == "failed")
    assert failed.height > 0
    assert (failed["train.l2"] < 100).all()
    assert failed["ndcg@10"].null_count() == failed.height
    assert found.trials.height == 10
    with pytest.raises(InputError, match="too small together"):  # the default itself
        tune(TARGET, space=SPACE, config=at(50.0))


def test_pretraining_is_searched_where_the_source_is_there():
    small = PretrainConfig(
        item2vec=Item2Vec(dimensions=4, epochs=1),
        tower=TowerConfig(hidden=0, width=2),
        train=TrainConfig(epochs=1),
        ranker=RankerConfig(hidden=0, epochs=1),
    )
    space = {"pretrain.item2vec.epochs": integer(1, 4), "train.l2": log_float(10, 1000)}

    found = tune(
        TARGET, source=DOMAINS.source, space=space, config=TINY, pretrain_config=small, trials=3, folds=2
    )

    assert found.trials["pretrain.item2vec.epochs"][0] == 1
    assert found.trials["pretrain.item2vec.epochs"].n_unique() > 1
    assert found.pretrain_config is not None
    assert found.won == (found.pretrain_config != small or found.config != TINY)
    frozen = tune(
        TARGET, pretrain(DOMAINS.source, config=small, deterministic=True), space={"folds": integer(2, 3)},
        config=TINY, trials=1, folds=2,
    )  # fmt: skip
    assert frozen.default_value == pytest.approx(found.default_value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"trials": 0}, "at least one trial"),
        ({"seconds": 0}, "time above 0"),
        ({"folds": 1}, "1 folds were asked for"),
        ({"pretrain_config": PretrainConfig()}, "needs the log to pretrain on"),
        ({"space": {"pretrain.held_out": uniform(0.1, 0.2)}}, "needs the source's log"),
        ({"pretrained": TARGET}, "pretrained holds a InteractionLog"),
        ({"target": TARGET.frame}, r"tune\(target\) takes an InteractionLog"),
        ({"source": TARGET.frame}, r"tune\(source\) takes an InteractionLog"),
    ],
)
def test_arguments_that_cannot_be(wrong, words):
    with pytest.raises(InputError, match=words):
        tune(**{"target": TARGET, "config": TINY, "space": SPACE, **wrong})


def test_without_optuna_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(MissingExtraError, match=r"'optuna': pip install 'rectransfer\[tune\]'"):
        tune(TARGET, space=SPACE, config=TINY)


def test_one_model_has_an_ordinary_interval():
    draw = np.random.default_rng(1)
    default = draw.random(400)
    better = default + draw.normal(0.05, 0.2, 400)

    found = gain_of_the_best(default, [better], 0)

    gain = better - default
    assert found.mean == pytest.approx(gain.mean())
    error = 1.96 * gain.std() / 20
    assert (found.low, found.high) == pytest.approx((gain.mean() - error, gain.mean() + error), abs=0.002)
    assert found.p < 0.01


def test_the_interval_of_the_best_of_many_is_wider_and_rarely_fooled():
    draw = np.random.default_rng(2)
    fooled = naive = 0
    for _ in range(60):
        default = draw.random(100)
        noise = [default + draw.normal(0, 0.2, 100) for _ in range(15)]
        best = int(np.argmax([values.mean() for values in noise]))
        fooled += gain_of_the_best(default, noise, best, n=300).low > 0
        naive += gain_of_the_best(default, [noise[best]], 0, n=300).low > 0

    assert fooled <= 6  # 1.5 are expected
    assert naive > 12
