"""A fitted model that the folder shares, on planted domains whose tastes are known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.explain import Explanations
from rectransfer.logs import PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import (
    Histories,
    RankerConfig,
    TowerConfig,
    TrainConfig,
    cut_at_random,
    fit_rankers,
)
from rectransfer.recommend import Recommender, RecommenderConfig

PLANTED = PlantedConfig(
    source_users=200, target_users=80, source_items=50, target_items=50, clusters=5, shared_items=0.9, seed=3
)


@pytest.fixture(scope="session")
def domains() -> PlantedDomains:
    return plant(PLANTED)


@pytest.fixture(scope="session")
def model(domains: PlantedDomains) -> Recommender:
    """With a source: more signals than play alone."""
    small = PretrainConfig(
        item2vec=Item2Vec(dimensions=12, epochs=15),
        tower=TowerConfig(hidden=12, width=6),
        train=TrainConfig(epochs=2, learning_rate=3e-3),
        ranker=RankerConfig(hidden=6, epochs=8, members=2),
        neighbours_l2=(20.0, 100.0),
    )
    config = RecommenderConfig(
        item2vec=replace(small.item2vec, epochs=8),
        tower=small.tower,
        train=small.train,
        fine_tune=TrainConfig(epochs=1, learning_rate=1e-4),
        ranker=small.ranker,
        pulls=(1.0,),
        folds=2,
        neighbours_l2=(20.0, 100.0),
        confidence=0.999,
    )
    found = Recommender(pretrain(domains.source, config=small, deterministic=True), config=config)
    return with_all_signals(found.fit(domains.target), small.ranker)


def with_all_signals(model: Recommender, config: RankerConfig) -> Recommender:
    """Whatever the gate has shipped: the model with a ranker over every signal of its scene."""
    state = model._fitted
    histories = Histories.from_log(state.log, state.items)
    rng = np.random.default_rng(0)
    lesson = state.scene.lesson(cut_at_random(histories, len(state.items), rng), rng)
    model._state = replace(state, ranker=fit_rankers(state.scene.names, lesson, config))
    return model


@pytest.fixture(scope="session")
def alone(domains: PlantedDomains) -> Recommender:
    """Without one: few signals, each for itself."""
    config = RecommenderConfig(
        item2vec=Item2Vec(dimensions=6, epochs=5),
        tower=TowerConfig(hidden=4, width=2),
        train=TrainConfig(epochs=1),
        ranker=RankerConfig(hidden=3, epochs=5, members=1),
        folds=2,
        neighbours_l2=(20.0,),
    )
    return Recommender(None, config=config).fit(domains.target)


@pytest.fixture(scope="session")
def explained(model: Recommender) -> Explanations:
    return model.explain(model.users[:30], k=5)


@pytest.fixture(scope="session")
def titles(model: Recommender) -> pl.DataFrame:
    """Every second item has a title."""
    ids = model.catalogue.ids
    return pl.DataFrame({"item_id": ids, "title": "Jar " + ids}).gather_every(2)
