"""Pretraining on a log on disk gives what pretraining on the same log in memory gives, or as good."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rectransfer.columns import Columns
from rectransfer.embeddings import Item2Vec, User2Vec
from rectransfer.errors import InputError
from rectransfer.logs import PlantedConfig, plant, spill_log, spilled
from rectransfer.pretrained import Pretrained, load_pretrained, pretrain
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.ranking import TrainConfig
from rectransfer.recommend import Recommender

PLANTED = plant(PlantedConfig(source_users=300, source_items=60, target_items=50, target_users=40))
CONFIG = PretrainConfig(item2vec=Item2Vec(dimensions=16, epochs=3), train=TrainConfig(epochs=2))


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("log") / "source.parquet"
    PLANTED.source.frame.write_parquet(path)
    return path


@pytest.fixture(scope="module")
def large(file) -> Pretrained:
    patch = pytest.MonkeyPatch()
    patch.setattr(spilled, "_PART", 500)
    patch.setattr(spilled, "_BATCH", 1_000)
    with patch.context(), spill_log(file) as log:
        assert log.n_parts > 3
        found = pretrain(log, config=CONFIG, deterministic=True)
    patch.undo()
    return found


def test_all_rows_are_in_what_is_learned_from_all(large):
    whole = pretrain(PLANTED.source, config=CONFIG, deterministic=True)
    assert large.items.vocabulary == whole.items.vocabulary
    assert large.users.vocabulary == whole.users.vocabulary
    np.testing.assert_allclose(large.popularity, whole.popularity, rtol=1e-6)
    held_out = 60
    assert (
        whole.items.counts.sum()
        > large.items.counts.sum()
        > (1 - 2 * held_out / 300) * whole.items.counts.sum()
    )
    assert large.card["rows"] == len(PLANTED.source)


def test_profiles_are_those_of_the_log_in_memory(large):
    pooled = User2Vec().fit(PLANTED.source, large.items)
    assert pooled.vocabulary == large.users.vocabulary
    np.testing.assert_allclose(pooled.vectors, large.users.vectors, rtol=1e-6)


def test_a_sample_bounds_what_is_kept_of_users(file):
    config = replace(CONFIG, most_rows=len(PLANTED.source) // 3)
    with spill_log(file) as log:
        found = pretrain(log, config=config)
    assert 0.2 < len(found.histories) / len(PLANTED.source) < 0.45
    kept = found.taken
    assert kept.shape == (300, len(found.items))
    assert (np.diff(kept.indptr) > 0).sum() == found.histories.n_users == found.card["sample"]["users"]
    row = int(found.users.vocabulary.rows(found.histories.users.ids[:1])[0])
    own = found.histories.frame.filter(found.histories.frame[Columns.User] == found.histories.users.ids[0])
    assert kept[[row]].sum() == own.height


def test_a_path_is_pretrained_on_saved_and_fitted(file, tmp_path):
    found = pretrain(file, config=CONFIG, deterministic=True)
    found.save(tmp_path / "saved")
    model = Recommender(load_pretrained(tmp_path / "saved")).fit(PLANTED.target)
    assert model.recommend(k=3).height == 3 * 40


def test_private_sources_keep_nothing(file):
    with spill_log(file) as log:
        found = pretrain(log, config=replace(CONFIG, keep_histories=0))
    assert found.histories is found.taken is None
    assert found.weights is not None


def test_what_cannot_be_learned_on_disk_is_refused(file):
    with spill_log(file) as log:
        with pytest.raises(InputError, match="takes 'pooled'"):
            pretrain(log, config=replace(CONFIG, user2vec=User2Vec("pv-dbow")))
        with pytest.raises(InputError, match="takes 'pooled'"):
            User2Vec("pv-dbow").fit(log)
        with pytest.raises(InputError, match="raise most_rows"):
            pretrain(log, config=replace(CONFIG, most_rows=10))
