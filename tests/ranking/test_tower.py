"""The tower begins where skip-gram ends, and its tables never move."""

import numpy as np
import pytest
import torch

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking import RECENT, STEADY, Tower, TowerConfig, UserInputs, cut_at_share

SMALL = TowerConfig(hidden=8, width=4, dropout=0.5)


@pytest.fixture
def examples(histories):
    return cut_at_share(histories, 30)


def shaken(tower):
    """The same tower with layers that are no longer at their start."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(5)
        for parameter in tower.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return tower


@pytest.mark.parametrize("config", [SMALL, TowerConfig(hidden=0), TowerConfig()])
def test_before_training_it_scores_as_skip_gram_does(evidence, examples, config):
    tower = Tower(evidence, config)
    scores = tower.encode_users(examples) @ tower.encode_items().T
    pooled = (examples.pooled(RECENT) + examples.pooled(STEADY)) @ evidence.vectors / 2
    prior = evidence.log_prior - evidence.log_prior.mean()
    np.testing.assert_allclose(scores, pooled @ evidence.contexts.T + prior, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [SMALL, TowerConfig(hidden=0)])
def test_scores_are_inner_products(evidence, examples, config):
    tower = shaken(Tower(evidence, config)).eval()
    inputs = UserInputs.of(examples, evidence.vectors)
    with torch.no_grad():
        scores = tower(inputs)
        torch.testing.assert_close(scores, tower.users(inputs) @ tower.items().T)
        some = torch.tensor([7, 2, 2])
        torch.testing.assert_close(tower.items(some), tower.items()[some])
        part = inputs.take(np.array([3, 1]))
        torch.testing.assert_close(tower(part), scores[[3, 1]])
    np.testing.assert_allclose(
        tower.encode_users(examples) @ tower.encode_items().T, scores, rtol=1e-5, atol=1e-5
    )


def test_tables_are_buffers_and_no_parameters(evidence):
    tower = Tower(evidence, SMALL)
    frozen = {"vectors", "contexts", "log_prior"}
    assert frozen == {name for name, _ in tower.named_buffers()}
    assert not frozen & {name for name, _ in tower.named_parameters()}
    assert not frozen & set(tower.layers())
    assert tower.dimensions == 8


def test_the_evidence_is_copied(evidence):
    tower = Tower(evidence, SMALL)
    tower.vectors[0] = 99
    assert evidence.vectors[0].max() < 99


def test_a_seed_gives_the_same_layers_and_leaves_the_global_state_alone(evidence):
    state = torch.get_rng_state()
    first, again, other = (Tower(evidence, SMALL, seed).layers() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


class TestLayers:
    def test_carried_over_they_score_the_same(self, evidence, examples):
        tower = shaken(Tower(evidence, SMALL, seed=1))
        other = Tower(evidence, SMALL, seed=2).load_layers(tower.layers())
        np.testing.assert_array_equal(other.encode_users(examples), tower.encode_users(examples))
        np.testing.assert_array_equal(other.encode_items(), tower.encode_items())

    def test_they_are_copies(self, evidence):
        tower = Tower(evidence, SMALL)
        layers = tower.layers()
        layers["mix"][:] = 7
        assert tower.layers()["mix"].max() < 7
        other = Tower(evidence, SMALL).load_layers(layers)
        layers["mix"][:] = 9
        assert other.layers()["mix"].max() == 7

    def test_a_mismatch_lists_the_names(self, evidence):
        tower = Tower(evidence, SMALL)
        before = tower.layers()
        layers = {**tower.layers(), "stranger": np.zeros(3, np.float32)}
        layers["mix"] = np.zeros((4, 2), np.float32)
        del layers["prior_weight.bias"]
        with pytest.raises(ArtefactError) as raised:
            tower.load_layers(layers)
        differing = str(raised.value).rpartition("differing:")[2]
        for name in ("stranger", "mix", "prior_weight.bias"):
            assert name in differing
        assert "strength" not in differing
        assert all(np.array_equal(before[name], value) for name, value in tower.layers().items())

    def test_layers_of_another_size_do_not_fit(self, evidence):
        with pytest.raises(ArtefactError, match=r"user_net\.0\.weight"):
            Tower(evidence, SMALL).load_layers(Tower(evidence, TowerConfig(hidden=9, width=4)).layers())


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        ("relu", torch.nn.ReLU),
        ("gelu", torch.nn.GELU),
        ("tanh", torch.nn.Tanh),
        ("silu", torch.nn.SiLU),
        ("leaky_relu", torch.nn.LeakyReLU),
    ],
)
def test_activations(evidence, examples, activation, kind):
    tower = shaken(Tower(evidence, TowerConfig(hidden=8, width=4, activation=activation)))
    assert isinstance(tower.user_net[1], kind)
    assert np.isfinite(tower.encode_users(examples)).all()


def test_dropout_acts_in_training_only(evidence, examples):
    tower = shaken(Tower(evidence, SMALL))
    inputs = UserInputs.of(examples, evidence.vectors)
    tower.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        assert not torch.equal(tower.users(inputs), tower.users(inputs))
    np.testing.assert_array_equal(tower.encode_users(examples), tower.encode_users(examples))


@pytest.mark.parametrize(
    "settings",
    [{"hidden": -1}, {"width": 0}, {"dropout": 1.0}, {"dropout": -0.1}, {"activation": "swish"}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        TowerConfig(**settings)
