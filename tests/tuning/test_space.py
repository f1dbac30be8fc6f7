"""Ranges and spaces take what a config takes, and say what they don't."""

from dataclasses import replace

import numpy as np
import pytest

from rectransfer.errors import InputError
from rectransfer.pretrained import PretrainConfig
from rectransfer.recommend import RecommenderConfig
from rectransfer.tuning import SearchSpace, choice, integer, log_float, log_integer, uniform
from rectransfer.tuning.space import Settings, overridden

ALONE = Settings(RecommenderConfig())
BOTH = Settings(RecommenderConfig(), PretrainConfig())


class Draws:
    """Gives the ends of what it is asked for, as `optuna.Trial` would."""

    def __init__(self, end):
        self.end = end

    def suggest_float(self, name, low, high, *, log=False):
        return (low, high)[self.end]

    def suggest_int(self, name, low, high, *, step=1, log=False):
        return (low, high)[self.end]

    def suggest_categorical(self, name, choices):
        return choices[self.end]


def test_a_draw_has_the_type_of_its_range():
    space = SearchSpace({"a": uniform(0, 0.5), "b": integer(1, 7, 3), "c": choice(None, (1.0, 2.0), "x")})

    assert space.draw(Draws(0)) == {"a": 0, "b": 1, "c": None}
    assert space.draw(Draws(1)) == {"a": 0.5, "b": 7, "c": (1.0, 2.0)}


def test_what_a_range_holds():
    assert log_float(1e-4, 1e-2).holds(1e-4)
    assert not log_float(1e-4, 1e-2).holds(1e-5)
    assert integer(10, 50, 20).holds(30)
    assert not integer(10, 50, 20).holds(40)
    assert not integer(0, 1).holds(True)
    assert choice(1, True).holds(True)
    assert not choice(1, 2).holds(True)
    assert not uniform(0, 1).holds(None)


@pytest.mark.parametrize("found", [uniform(0, 1), integer(1, 9), choice("a", ("b", 1), None)])
def test_a_value_comes_back_from_how_it_is_stored(found):
    for value in found.ends:
        assert found.decode(found.encode(value)) == value


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: uniform(1, 1), "to a larger one, got 1 to 1"),
        (lambda: uniform(0, float("inf")), "to a larger one"),
        (lambda: uniform("a", "b"), "got 'a' to 'b'"),
        (lambda: log_float(0, 1), "starts above 0, got 0"),
        (lambda: log_integer(0, 8), "starts above 0"),
        (lambda: integer(1, 6, 2), "a step that leads"),
        (lambda: integer(1.5, 3), "expected whole numbers"),
        (lambda: choice(1), "two values at least"),
        (lambda: choice(1, 1), "each once"),
        (lambda: SearchSpace({}), "the space is empty"),
        (lambda: SearchSpace({"folds": (2, 5)}), r"'folds' is \(2, 5\); expected log_float"),
    ],
)
def test_a_range_that_is_none(make, words):
    with pytest.raises(InputError, match=words):
        make()


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"trian.learning_rate": log_float(1e-4, 1e-2)}, "no 'trian' among item2vec"),
        ({"train.learning_rates": log_float(1e-4, 1e-2)}, "no 'learning_rates' among epochs, learning_rate"),
        ({"train.learning_rate.x": log_float(1e-4, 1e-2)}, "no 'x' among no fields of its own"),
        ({"train": choice("a", "b")}, "'train' is a group of fields; name one of them: epochs"),
        ({"seed": integer(0, 9)}, "luck and speed"),
        ({"item2vec.seed": integer(0, 9)}, "luck and speed"),
        ({"train.epochs": uniform(1, 5)}, r"'train.epochs' is int.*use integer"),
        ({"pulls": uniform(0, 2)}, r"'pulls' is tuple.*choice"),
        ({"train.optimiser": integer(0, 2)}, r"choice\(...\) for anything else"),
        ({"train.learning_rate": uniform(1, 20)}, r"'train.learning_rate' cannot be 20: learning_rate=20"),
        ({"train.optimiser": choice("adam", "adamm")}, "cannot be 'adamm'"),
        ({"pretrain.held_out": uniform(0.1, 0.2)}, "needs the source's log"),
    ],
)
def test_a_space_is_checked_against_the_config(ranges, words):
    with pytest.raises(InputError, match=words):
        SearchSpace(ranges).check(ALONE)


def test_the_default_spaces_fit_the_configs():
    SearchSpace.default(pretrains=False).check(ALONE)
    SearchSpace.default(pretrains=True).check(BOTH)


def test_an_optional_whole_number_may_be_searched():
    SearchSpace({"item2vec.window": integer(2, 20)}).check(ALONE)


def test_values_reach_the_nested_configs_and_nothing_else():
    found = BOTH.overridden(
        {"tower.dropout": 0.5, "tower.hidden": 8, "folds": 4, "pretrain.item2vec.window": 3}
    )

    assert found.config == replace(
        BOTH.config, tower=replace(BOTH.config.tower, dropout=0.5, hidden=8), folds=4
    )
    assert found.pretrain == replace(BOTH.pretrain, item2vec=replace(BOTH.pretrain.item2vec, window=3))
    assert overridden(BOTH.config, {}) is BOTH.config


def test_the_space_holds_the_defaults_that_lie_in_it():
    space = SearchSpace(
        {"train.l2": log_float(1, 5), "tower.dropout": uniform(0, 0.9), "ranker.hidden": choice(16, 0)}
    )

    assert space.holding(ALONE) == {
        "tower.dropout": ALONE.config.tower.dropout,
        "ranker.hidden": repr(ALONE.config.ranker.hidden),
    }


def test_ranges_are_numbers_of_python():
    with pytest.raises(InputError, match="a larger one"):
        uniform(np.array(1.0), np.array(2.0))
