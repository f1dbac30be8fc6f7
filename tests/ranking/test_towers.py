"""Several towers are one retriever: vectors side by side, scores the mean."""

import numpy as np
import pytest

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking import TowerConfig, Towers, TrainConfig, cut_at_share, fit_tower
from rectransfer.ranking.train import Trained

SMALL = TowerConfig(hidden=4, width=3)


@pytest.fixture
def examples(histories):
    return cut_at_share(histories, 30)


def shaken(towers, seed=2):
    """Layers that differ from member to member."""
    rng = np.random.default_rng(seed)
    for tower in towers.members:
        layers = tower.layers()
        tower.load_layers(
            {
                name: value + rng.normal(size=value.shape).astype(np.float32) / 5
                for name, value in layers.items()
            }
        )
    return towers


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_scores_are_the_mean_of_the_members(evidence, examples, n):
    towers = shaken(Towers(evidence, SMALL, n))
    users, items = towers.encode_users(examples), towers.encode_items()
    assert len(towers) == n
    assert users.dtype == items.dtype == np.float32
    each = [tower.encode_users(examples) @ tower.encode_items().T for tower in towers.members]
    np.testing.assert_allclose(users @ items.T, np.mean(each, axis=0), rtol=1e-4, atol=1e-5)
    assert n == 1 or np.std(each, axis=0).max() > 0.1


def test_members_start_from_seeds_of_their_own(evidence):
    first, second = (tower.layers() for tower in Towers(evidence, SMALL, 2, seed=3).members)
    assert not np.array_equal(first["user_net.0.weight"], second["user_net.0.weight"])
    (alone,) = Towers(evidence, SMALL, 1, seed=4).members
    for name, value in alone.layers().items():
        np.testing.assert_array_equal(value, second[name])


def test_each_is_trained_with_its_place_and_the_epochs_are_averaged(evidence):
    towers = Towers(evidence, SMALL, 3)
    seen = []

    def train(tower, place):
        seen.append((tower, place))
        return Trained((1, 2, 5)[place], (), ())

    assert towers.train(train) == 3  # 8 / 3
    assert seen == [(tower, place) for place, tower in enumerate(towers.members)]


def test_trained_they_are_apart_and_the_tables_stay(evidence, histories):
    towers = Towers(evidence, SMALL, 2)
    config = TrainConfig(epochs=1)
    towers.train(
        lambda tower, place: fit_tower(tower, histories, config, popularity=evidence.popularity, seed=place)
    )
    first, second = (tower.layers() for tower in towers.members)
    assert not np.array_equal(first["mix"], second["mix"])
    for tower in towers.members:
        np.testing.assert_array_equal(tower.vectors.numpy(), evidence.vectors)


class TestLayers:
    @pytest.mark.parametrize("n", [1, 2, 11])
    def test_there_and_back(self, evidence, examples, n):
        towers = shaken(Towers(evidence, SMALL, n))
        layers = towers.layers()
        assert {name.partition(".")[0] for name in layers} == {str(place) for place in range(n)}
        back = Towers.load(evidence, towers.config, layers)
        assert len(back) == n
        np.testing.assert_array_equal(back.encode_users(examples), towers.encode_users(examples))
        np.testing.assert_array_equal(back.encode_items(), towers.encode_items())

    def test_layers_that_do_not_fit_are_refused(self, evidence):
        layers = Towers(evidence, SMALL, 3).layers()
        gap = {name: value for name, value in layers.items() if not name.startswith("1.")}
        bare = {name.partition(".")[2]: value for name, value in layers.items()}
        for wrong, got in ((gap, "got 0, 2"), (bare, "expected places from 0"), ({}, "got none")):
            with pytest.raises(ArtefactError, match=got):
                Towers.load(evidence, SMALL, wrong)

    def test_a_missing_layer_or_another_size_is_refused(self, evidence):
        layers = Towers(evidence, SMALL, 2).layers()
        with pytest.raises(ArtefactError, match="do not fit"):
            Towers.load(evidence, SMALL, {name: layers[name] for name in layers if name != "1.mix"})
        with pytest.raises(ArtefactError, match="do not fit"):
            Towers.load(evidence, TowerConfig(hidden=5, width=3), layers)


def test_none_is_refused(evidence):
    with pytest.raises(InputError, match="n=0 towers"):
        Towers(evidence, SMALL, 0)
