"""A fitted model whose whole ranking serving is held against."""

import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import PlantedConfig, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import Histories, RankerConfig, TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.recommend.state import State
from rectransfer.serving import Prepared, Server, prepare

ITEMS = 400


@pytest.fixture(scope="session")
def state() -> State:
    """Three domains' evidence and two towers over 400 items, some of which a domain doesn't know."""
    planted = plant(
        PlantedConfig(
            source_users=300,
            target_users=150,
            source_items=ITEMS,
            target_items=300,
            clusters=10,
            shared_items=0.9,
            seed=4,
        )
    )
    layers = {"tower": TowerConfig(hidden=8, width=4), "train": TrainConfig(epochs=2)}
    ranker = RankerConfig(hidden=4, epochs=8, members=2)
    source = pretrain(
        planted.source,
        config=PretrainConfig(item2vec=Item2Vec(dimensions=8, epochs=8), ranker=ranker, **layers),
        deterministic=True,
    )
    config = RecommenderConfig(
        item2vec=Item2Vec(dimensions=8, epochs=5), ranker=ranker, folds=2, pulls=(10.0,), depth=60, **layers
    )
    model = Recommender(source, config=config).fit(planted.target)
    found = model._state
    assert found is not None
    return found


@pytest.fixture(scope="session")
def users(state: State) -> Prepared:
    """All users of the log."""
    return prepare(Histories.from_log(state.log, state.items), len(state.items))


@pytest.fixture(scope="session")
def server(state: State, users: Prepared) -> Server:
    """Laid out by some of them."""
    return Server.of(state.scene, state.ranker, users.between(0, 60))
