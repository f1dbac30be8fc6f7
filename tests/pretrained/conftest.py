"""One small pretraining that the folder shares."""

import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import PretrainConfig, Pretrained, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig


@pytest.fixture(scope="session")
def quick() -> PretrainConfig:
    """Small layers and few epochs."""
    return PretrainConfig(
        item2vec=Item2Vec(dimensions=8, epochs=30),
        tower=TowerConfig(hidden=8, width=4),
        train=TrainConfig(epochs=2, learning_rate=3e-3),
        ranker=RankerConfig(hidden=4, epochs=5, members=2),
        neighbours_l2=(20.0, 100.0),
    )


@pytest.fixture(scope="session")
def domains() -> PlantedDomains:
    """120 users of 40 items in the source; all of the target's items are there."""
    return plant(
        PlantedConfig(
            source_users=120,
            target_users=30,
            source_items=40,
            target_items=30,
            clusters=4,
            shared_items=1.0,
            source_steps=10,
            target_steps=6,
            seed=2,
        )
    )


@pytest.fixture(scope="session")
def pretrained(domains: PlantedDomains, quick: PretrainConfig) -> Pretrained:
    """What the source teaches."""
    return pretrain(domains.source, config=quick, deterministic=True, seed=5)
