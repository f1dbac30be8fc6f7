"""Saved folders of every kind, small; each is made once."""

import sys
from pathlib import Path

import numpy as np
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import PlantedConfig, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.retrieval import FaissIndex

sys.path.insert(0, str(Path(__file__).parent))  # tests import tampering.py from there

INDEXES = ("flat", "hnsw", "ivf", "sq", "pq")


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    """A folder with a saved folder of each kind, and a file of each index."""
    home = tmp_path_factory.mktemp("saved")
    parts = {
        "item2vec": Item2Vec(dimensions=4, epochs=2),
        "tower": TowerConfig(hidden=4, width=2),
        "ranker": RankerConfig(hidden=2, epochs=2, members=1),
    }
    domains = plant(
        PlantedConfig(
            source_users=40, target_users=16, source_items=30, target_items=25, clusters=4, shared_users=0.5
        )
    )
    config = PretrainConfig(train=TrainConfig(epochs=1), neighbours_l2=(20.0,), **parts)
    source = pretrain(domains.source, config=config)
    source.items.save(home / "embedding_table")
    source.users.save(home / "user_table")
    source.save(home / "pretrained")
    fitting = RecommenderConfig(
        train=TrainConfig(epochs=1), fine_tune=TrainConfig(epochs=1), neighbours_l2=(20.0,), folds=2, **parts
    )
    model = Recommender(source, config=fitting).fit(domains.target)
    model.save(home / "recommender")
    vectors = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    for kind in INDEXES:
        FaissIndex(kind, links=8, threads=1).build(vectors).save(home / f"{kind}.index")
    return home
