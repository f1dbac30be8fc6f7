"""Planted logs as files, and what the commands make of them, once for all tests."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.cli import main
from rectransfer.logs import PlantedConfig, PlantedDomains, plant


@pytest.fixture(scope="session")
def small() -> PlantedDomains:
    """Two domains that are learned in seconds."""
    return plant(PlantedConfig(source_users=60, target_users=30, source_items=30, target_items=25))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, small: PlantedDomains) -> Path:
    """`source.parquet`, `target.parquet`, `later.parquet` (what the target's users did next); and of them
    `pretrained` and `model`, through the command line. Nothing else may be written here.
    """
    folder = tmp_path_factory.mktemp("home")
    small.source.frame.write_parquet(folder / "source.parquet")
    small.target.frame.write_parquet(folder / "target.parquet")
    later(small).write_parquet(folder / "later.parquet")
    source, target = str(folder / "source.parquet"), str(folder / "target.parquet")
    pretrained, model = str(folder / "pretrained"), str(folder / "model")
    assert main(["pretrain", source, "-o", pretrained, "--no-progress"]) == 0
    assert main(["fit", target, "--pretrained", pretrained, "-o", model, "--no-progress"]) == 0
    return folder


def later(domains: PlantedDomains) -> pl.DataFrame:
    """Two likely items for each of the target's users, after all that they did."""
    target = domains.target.frame
    items = target["item_id"].unique().sort()
    last = target.group_by("user_id", maintain_order=True).last().select("user_id", "timestamp")
    pairs = last.join(items.to_frame(), how="cross").join(target, on=["user_id", "item_id"], how="anti")
    return (
        pairs.group_by("user_id", maintain_order=True)
        .head(2)
        .with_columns(pl.col("timestamp") + pl.duration(days=1))
    )
