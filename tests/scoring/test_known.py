"""What the model's log has already counts once, however often it is told."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.logs import PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import pretrain
from rectransfer.recommend import Recommender
from rectransfer.scoring import read_scores


@pytest.fixture(scope="module")
def domains() -> PlantedDomains:
    return plant(PlantedConfig(source_users=60, target_users=60, source_items=40, target_items=30, seed=2))


@pytest.fixture(scope="module")
def model(domains: PlantedDomains) -> Recommender:
    return Recommender(pretrain(domains.source)).fit(domains.target)


def rows_of(model: Recommender, users: pl.DataFrame | pl.Series, out: Path) -> pl.DataFrame:
    return read_scores(model.score(users, out, 30, filter_viewed=False).folder).collect()


def test_the_models_own_log_says_nothing_new(
    model: Recommender, domains: PlantedDomains, tmp_path: Path
) -> None:
    log = domains.target.frame
    told = model.recommend(model.users, 30, history=log, filter_viewed=False)
    scored = rows_of(model, log, tmp_path / "told")

    assert told.equals(model.recommend(model.users, 30, filter_viewed=False))
    assert scored.equals(rows_of(model, pl.Series(model.users), tmp_path / "asked"))


def test_what_is_new_counts_beside_it(model: Recommender, domains: PlantedDomains, tmp_path: Path) -> None:
    log = domains.target.frame
    later = log.group_by("user_id", maintain_order=True).first()
    later = later.with_columns(timestamp=log["timestamp"].max() + pl.duration(days=1)).select(log.columns)
    both = pl.concat([log, later]).sort("user_id", "timestamp")

    assert model.recommend(history=both).equals(model.recommend(history=later))
    assert not model.recommend(history=both, filter_viewed=False).equals(
        model.recommend(model.users, filter_viewed=False)
    )
    assert rows_of(model, both, tmp_path / "a").equals(rows_of(model, later, tmp_path / "b"))
    assert not rows_of(model, both, tmp_path / "c").equals(rows_of(model, log, tmp_path / "d"))


def test_what_was_bought_twice_at_one_moment_stays_twice(model: Recommender) -> None:
    new = pl.DataFrame({"user_id": ["new"] * 3, "item_id": model.catalogue.ids[[3, 3, 4]]})
    new = new.with_columns(timestamp=pl.lit("2024-06-01").str.to_datetime())

    twice = model.recommend(["new"], 30, history=new)
    once = model.recommend(["new"], 30, history=new[1:])

    assert not twice["score"].equals(once["score"])
