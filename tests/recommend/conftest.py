"""Fitted models that the folder shares: each is fitted once."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import InteractionLog, PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import PretrainConfig, Pretrained, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig

PLANTED = PlantedConfig(
    source_users=400,
    target_users=320,  # 60 to fit on, the others to test on
    source_items=60,
    target_items=60,
    clusters=6,
    shared_items=1.0,
    source_steps=15,
    target_steps=8,
    taste=0.7,
    drift=0.1,
    zipf=0.3,
    seed=3,
)
N_FITTED = 60


@pytest.fixture(scope="session")
def source_config() -> PretrainConfig:
    """Small layers, few epochs."""
    return PretrainConfig(
        item2vec=Item2Vec(dimensions=16, epochs=20),
        tower=TowerConfig(hidden=16, width=8),
        train=TrainConfig(epochs=3, learning_rate=3e-3),
        ranker=RankerConfig(hidden=4, epochs=10, members=2),
        neighbours_l2=(20.0, 100.0),
    )


@pytest.fixture(scope="session")
def config(source_config: PretrainConfig) -> RecommenderConfig:
    """Likewise."""
    return RecommenderConfig(
        item2vec=replace(source_config.item2vec, epochs=10),
        tower=source_config.tower,
        train=source_config.train,
        fine_tune=TrainConfig(epochs=2, learning_rate=1e-4, patience=2),
        ranker=source_config.ranker,
        folds=2,
        neighbours_l2=(20.0, 100.0),
    )


@pytest.fixture(scope="session")
def tiny() -> RecommenderConfig:
    """As small as it gets, for tests of behaviour and not of quality."""
    return RecommenderConfig(
        item2vec=Item2Vec(dimensions=4, epochs=2),
        tower=TowerConfig(hidden=4, width=2),
        train=TrainConfig(epochs=1),
        fine_tune=TrainConfig(epochs=1),
        ranker=RankerConfig(hidden=2, epochs=2, members=1),
        pulls=(1.0,),
        neighbours_l2=(100.0,),
        folds=2,
        per_user=1,
    )


@pytest.fixture(scope="session")
def domains() -> PlantedDomains:
    """Two domains with the same items and the same tastes."""
    return plant(PLANTED)


@pytest.fixture(scope="session")
def only() -> Callable[[InteractionLog, list[str]], InteractionLog]:
    """A log's rows of some users."""
    return lambda log, users: log.with_frame(log.frame.filter(pl.col("user_id").is_in(users)))


@pytest.fixture(scope="session")
def target(domains: PlantedDomains, only: Callable[..., InteractionLog]) -> InteractionLog:
    """The users that the models are fitted on."""
    return only(domains.target, domains.target.users.ids[:N_FITTED].to_list())


@pytest.fixture(scope="session")
def strangers(domains: PlantedDomains, only: Callable[..., InteractionLog]) -> InteractionLog:
    """The target's other users."""
    return only(domains.target, domains.target.users.ids[N_FITTED:].to_list())


@pytest.fixture(scope="session")
def pretrained(domains: PlantedDomains, source_config: PretrainConfig) -> Pretrained:
    """The mature domain."""
    return pretrain(domains.source, config=source_config, deterministic=True)


@pytest.fixture(scope="session")
def model(pretrained: Pretrained, config: RecommenderConfig, target: InteractionLog) -> Recommender:
    """With the source."""
    return Recommender(pretrained, config=config).fit(target)


@pytest.fixture(scope="session")
def alone(config: RecommenderConfig, target: InteractionLog) -> Recommender:
    """Without it."""
    return Recommender(None, config=config).fit(target)
