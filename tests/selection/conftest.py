"""A target, and sources that fit it better and worse: the same log with its items' ids shuffled."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import InteractionLog, PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import PretrainConfig, Pretrained, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig

CONFIG = PretrainConfig(
    item2vec=Item2Vec(dimensions=16, epochs=10),
    tower=TowerConfig(hidden=0, width=2),
    train=TrainConfig(epochs=0),
    ranker=RankerConfig(hidden=0, epochs=2),
)


@pytest.fixture(scope="session")
def domains() -> PlantedDomains:
    """Most of the target's items are in the source."""
    return plant(PlantedConfig(source_users=200, target_users=150, seed=3))


@pytest.fixture(scope="session")
def shuffled() -> Callable[[InteractionLog, float], InteractionLog]:
    """A log in which a share of the items are called by each other's ids."""

    def shuffle(log: InteractionLog, share: float) -> InteractionLog:
        ids, draw = log.items.ids, np.random.default_rng(0)
        chosen = draw.permutation(len(ids))[: round(share * len(ids))]
        other = np.arange(len(ids))
        other[np.sort(chosen)] = chosen
        renamed = dict(zip(ids.to_list(), ids.gather(other).to_list(), strict=True))
        return log.with_frame(log.frame.with_columns(pl.col("item_id").replace_strict(renamed)))

    return shuffle


@pytest.fixture(scope="session")
def learn() -> Callable[[InteractionLog], Pretrained]:
    """Pretraining that takes a second."""
    return lambda log: pretrain(log, config=CONFIG, deterministic=True)


@pytest.fixture(scope="session")
def sources(
    domains: PlantedDomains, learn: Callable[..., Pretrained], shuffled: Callable[..., InteractionLog]
) -> dict[str, Pretrained]:
    """By how much of them is shuffled, the worst first."""
    return {name: learn(shuffled(domains.source, float(name))) for name in ("1.0", "0.5", "0.0")}
