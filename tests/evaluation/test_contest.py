import logging

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.evaluation import (
    BASELINES,
    Contest,
    Ease,
    Entry,
    ItemKnn,
    Task,
    contest,
    cut_last_steps,
    run_baselines,
    tune,
    tuning,
)
from rectransfer.evaluation.baselines import Ials, fit_eases, fit_item_knns
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.metrics import top_k


@pytest.fixture(scope="module")
def task():
    planted = plant(
        PlantedConfig(source_users=600, target_users=60, source_items=60, target_items=50, target_steps=16)
    )
    cut = cut_last_steps(planted.target, share=0.4)
    return Task(
        "planted",
        planted.source,
        cut.earlier,
        cut.earlier,
        cut.later,
        planted.target_catalogue,
        "by construction",
    )


@pytest.fixture(scope="module")
def baselines(task):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "_IALS_SMALL", [(4, l2, 1.0) for l2 in (1.0, 2.0, 5.0, 10.0)])  # quick
        return run_baselines(task)


def test_all_baselines_on_the_same_users(task, baselines):
    assert baselines.names == BASELINES
    assert {entry.values.height for entry in baselines.entries} == {len(task.users)}
    for entry in baselines.entries:
        assert len(entry.tried) == (1 if entry.name == "popularity" else 4)
        assert entry.settings == max(entry.tried, key=lambda pair: pair[1])[0]
        assert entry.seconds > 0
    means = {name: values.mean() for name, values in baselines.values().items()}
    assert means["ease_pooled"] > means["popularity"]  # tastes were planted, in both domains


def test_settings_never_come_from_the_test(task, baselines):
    """Another test, the same choices."""
    shuffled = task.test.frame.with_columns(item_id=pl.col("item_id").shuffle(seed=5))
    other = Task(
        "t", task.source, task.target, task.histories, task.test.with_frame(shuffled), task.items, ""
    )
    names = ("ease_target", "itemknn_pooled")
    again = run_baselines(other, names)
    for name in names:
        assert again[name].tried == baselines[name].tried


def test_without_implicit_its_models_are_left_out(task, monkeypatch, caplog):
    def missing(*_, **__):
        raise MissingExtraError("implicit", extra="ials")

    monkeypatch.setattr(Ials, "fit", missing)
    with caplog.at_level(logging.WARNING):
        found = run_baselines(task, ("popularity", "ials_target"))
    assert found.names == ("popularity",)
    assert "ials_target is left out" in caplog.text


def test_unknown_names_are_refused(task):
    with pytest.raises(InputError, match=r"no baselines are called \['svd'\]"):
        run_baselines(task, ["svd"])
    with pytest.raises(InputError, match="may be there once"):
        run_baselines(task, ["popularity"] * 2)
    with pytest.raises(InputError, match="budget is"):
        run_baselines(task, ["popularity"], budget="huge")


def lists_of(task, scores, k=10):
    scores = np.where(task.matrices.history.toarray() > 0, -np.inf, scores)
    values, columns = top_k(scores, k)
    return pl.DataFrame(
        {
            "user_id": task.users.ids.gather(np.repeat(np.arange(len(scores)), k)),
            "item_id": task.items.ids.gather(columns.ravel()),
            "score": values.ravel(),
            "rank": np.tile(np.arange(1, k + 1), len(scores)),
        }
    )


def test_lists_and_scores_of_one_model_have_one_value(task):
    scores = np.random.default_rng(0).random((len(task.users), len(task.items))).astype(np.float32)
    lists = lists_of(task, scores)
    stranger = lists.head(1).with_columns(user_id=pl.lit("stranger"))
    both = Contest(task).add("scores", scores=scores)
    both = both.add("lists", lists=pl.concat([stranger, lists.sample(fraction=1, shuffle=True, seed=1)]))
    assert both["scores"].values.equals(both["lists"].values)
    assert both.compare("scores")["lists"].difference.mean == 0


def test_a_user_without_a_list_gets_zero(task):
    scores = np.random.default_rng(0).random((len(task.users), len(task.items)))
    lists = lists_of(task, scores)
    whole, part = (
        Entry.from_lists("m", task, frame)["recall@10"]
        for frame in (lists, lists.filter(pl.col("user_id") != task.users.ids[2]))
    )
    assert part[2] == 0
    assert np.delete(whole, 2).tolist() == np.delete(part, 2).tolist()


def test_lists_that_cheat_are_refused(task):
    user = task.users.ids[0]
    had = task.histories.frame.filter(pl.col("user_id") == user)["item_id"][0]
    for item in (had, "elsewhere"):
        lists = pl.DataFrame({"user_id": [user], "item_id": [item], "rank": [1]})
        with pytest.raises(InputError, match="of 1 recommended rows"):
            Entry.from_lists("m", task, lists)


def test_a_contest_keeps_its_entries_apart(task, baselines):
    with pytest.raises(InputError, match="in the contest already"):
        baselines.with_entry(baselines["popularity"])
    with pytest.raises(InputError, match="values of 1 users"):
        baselines.with_entry(Entry("short", baselines["popularity"].values.head(1)))
    with pytest.raises(InputError, match="one of the two"):
        baselines.add("neither")
    with pytest.raises(InputError, match="'svd' is not in the contest"):
        baselines["svd"]
    with pytest.raises(InputError, match="'ndcg@7' was not measured"):
        baselines.values("ndcg@7")
    table = baselines.table()
    assert table.columns == ["name", "ndcg@10", "recall@10", "low", "high"]
    assert ((table["low"] <= table["ndcg@10"]) & (table["ndcg@10"] <= table["high"])).all()
    assert "ease_pooled" in repr(baselines)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_a_shared_spectrum_gives_the_same_scores(form):
    random = np.random.default_rng(0).random((30, 20)) < 0.2
    taken = contest.csr_array(random).astype(np.float32)
    models = [Ease(l2, form) for l2 in (0.5, 1.0, 30.0, 1000.0)]
    for model, alone in zip(fit_eases(models, taken), models, strict=True):
        assert model == alone
        np.testing.assert_allclose(model.scores(taken), alone.fit(taken).scores(taken), rtol=1e-4, atol=1e-5)


def test_shared_neighbours_are_the_same():
    random = np.random.default_rng(0).random((30, 20)) < 0.3
    taken = contest.csr_array(random).astype(np.float32)
    models = [ItemKnn(k, shrinkage) for k in (2, 5, 50) for shrinkage in (0.0, 3.0)]
    for model, alone in zip(fit_item_knns(models, taken), models, strict=True):
        assert (model.scores(taken) == alone.fit(taken).scores(taken)).all()


def test_tuning_mixes_families_too():
    taken = contest.csr_array(np.eye(4)[[0, 0, 1, 1]] + np.eye(4)[[1, 1, 0, 2]])
    relevant = contest.csr_array(np.roll(np.eye(4), 1, axis=1))
    tuned = tune([Ease(1.0), ItemKnn(2)], taken, contest.csr_array(np.eye(4)), relevant)
    assert len(tuned.tried) == 2


def test_repeats_in_a_log_change_nothing(task):
    twice = InteractionLog.from_frame(pl.concat([task.test.frame] * 2))
    other = Task("t", task.source, task.target, task.histories, twice, task.items, "")
    assert (other.matrices.relevant != task.matrices.relevant).nnz == 0
