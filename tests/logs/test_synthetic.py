import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, PlantedConfig, plant


def test_the_sizes_are_those_that_were_asked_for():
    planted = plant(PlantedConfig(shared_items=0.5, shared_users=0.25))
    assert (planted.source.n_users, planted.target.n_users) == (400, 100)
    assert (len(planted.source), len(planted.target)) == (400 * 20, 100 * 8)
    assert (len(planted.source_catalogue), len(planted.target_catalogue)) == (120, 100)
    shared = set(planted.source_catalogue.ids) & set(planted.target_catalogue.ids)
    assert len(shared) == 50
    assert len(set(planted.source.users.ids) & set(planted.target.users.ids)) == 25
    assert planted.users.filter("in_source", "in_target").height == 25
    assert planted.source.has_sessions
    assert planted.source.describe().sessions == 400 * 5


def test_nothing_is_shared_where_nothing_was_asked_for():
    planted = plant(PlantedConfig(shared_items=0, shared_users=0))
    assert not set(planted.source.items.ids) & set(planted.target.items.ids)
    assert not set(planted.source.users.ids) & set(planted.target.users.ids)


def test_a_seed_decides_everything():
    one, again, other = (
        plant(PlantedConfig(seed=1)),
        plant(PlantedConfig(seed=1)),
        plant(PlantedConfig(seed=2)),
    )
    assert one.target.frame.equals(again.target.frame)
    assert one.items.equals(again.items)
    assert not one.target.frame.equals(other.target.frame)


def test_nobody_takes_an_item_twice():
    assert plant().source.describe().repeats == 0


def test_agreement_is_the_share_of_items_that_keep_their_cluster():
    for agreement in (0.0, 0.5, 1.0):
        shared = plant(PlantedConfig(agreement=agreement, shared_items=1.0)).items.drop_nulls()
        kept = (shared["source_cluster"] == shared["target_cluster"]).mean()
        assert kept == agreement


def test_the_logs_follow_the_rules():
    config = PlantedConfig(
        source_users=3000, source_items=600, source_steps=2, clusters=5, taste=0.6, drift=0.3
    )
    planted = plant(config)
    walks = (
        planted.source.frame.join(planted.items.select("item_id", "source_cluster"), on="item_id")
        .join(planted.users.select("user_id", "taste"), on="user_id")
        .sort("user_id", "timestamp")
        .group_by("user_id", "taste", maintain_order=True)
        .agg("source_cluster")
    )
    first = walks["source_cluster"].list.get(0).to_numpy()
    second = walks["source_cluster"].list.get(1).to_numpy()
    taste = walks["taste"].to_numpy()
    # First step: 0.6 + 0.4 / 5. Second: 0.6 for the taste, 0.3 for the successor, 0.1 / 5 for each cluster.
    assert np.mean(first == taste) == pytest.approx(0.68, abs=0.03)
    apart = (first + 1) % 5 != taste
    assert np.mean(second[apart] == taste[apart]) == pytest.approx(0.62, abs=0.03)
    assert np.mean(second[apart] == (first[apart] + 1) % 5) == pytest.approx(0.32, abs=0.03)


def test_the_best_distribution_by_hand():
    config = PlantedConfig(
        source_items=4, target_items=4, shared_items=1.0, clusters=2, target_steps=1, source_steps=1, zipf=1.0
    )
    planted = plant(config)  # taste 0.5, drift 0.3, so 0.1 of noise for each of the clusters
    user = planted.users.filter("in_target").row(0, named=True)
    items = planted.items.sort("popularity", descending=True)
    clusters, weights = items["target_cluster"].to_numpy(), items["popularity"].to_numpy()
    assert weights.tolist() == [1.0, 1.0, 0.5, 0.5]  # two items a cluster: 1 and 1/2
    last = items["item_id"][0]
    history = InteractionLog.from_frame(
        pl.DataFrame({"user_id": [user["user_id"]], "item_id": [last], "timestamp": [0]})
    )
    chance = {
        cluster: 0.1 + 0.5 * (cluster == user["taste"]) + 0.3 * (cluster != clusters[0]) for cluster in (0, 1)
    }
    inside = [
        weight / weights[clusters == cluster].sum() for weight, cluster in zip(weights, clusters, strict=True)
    ]
    free = np.array([chance[cluster] * part for cluster, part in zip(clusters, inside, strict=True)])
    free[0] = 0  # taken already
    order = planted.target_catalogue.rows(items["item_id"])
    assert planted.best_next(history)[0, order] == pytest.approx(free / free.sum())


def test_the_best_distribution_beats_popularity():
    planted = plant(PlantedConfig(seed=4, target_users=300))
    frame = planted.target.frame.with_columns(step=pl.int_range(pl.len()).over("user_id"))
    history = planted.target.with_frame(frame.filter(pl.col("step") < 7))
    truth = frame.filter(pl.col("step") == 7).sort("user_id")
    rows = planted.target_catalogue.rows(truth["item_id"])
    best = planted.best_next(history)
    everyone = np.arange(len(rows))
    assert best.shape == (300, 100)
    assert (best[everyone, rows] > 0).all()
    popularity = np.bincount(planted.target_catalogue.rows(history.frame["item_id"]), minlength=100) + 1.0
    popular = np.where(best > 0, popularity, 0.0)
    popular /= popular.sum(axis=1, keepdims=True)
    assert np.log(best[everyone, rows]).mean() > np.log(popular[everyone, rows]).mean() + 0.3


def test_without_noise_a_used_up_cluster_does_not_stop_anyone():
    config = PlantedConfig(
        source_items=6, target_items=6, clusters=3, target_steps=5, source_steps=5, taste=1.0, drift=0.0
    )
    planted = plant(config)
    assert planted.target.describe().repeats == 0
    assert np.isfinite(planted.best_next(planted.target)).all()


def test_unknown_users_and_items_are_refused():
    planted = plant(PlantedConfig(shared_users=0.0))
    with pytest.raises(InputError, match="not planted in the target"):
        planted.best_next(planted.source)
    assert planted.best_next(planted.source, "source").shape == (400, 120)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shared_items": 1.5}, r"shared_items is a share in \[0, 1\], got 1.5"),
        ({"taste": 0.8, "drift": 0.3}, "add up to 1"),
        ({"clusters": 1}, "clusters"),
        ({"target_users": 0}, "at least 1"),
        ({"target_steps": 100}, "below the number of items"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_what_cannot_be_planted(wrong, message):
    with pytest.raises(InputError, match=message):
        PlantedConfig(**wrong)
