"""The tower's score as a sum over the history."""

import numpy as np
import pytest
import torch

from rectransfer.ranking import (
    RECENT,
    STEADY,
    Evidence,
    Examples,
    TowerConfig,
    Towers,
    UserInputs,
    tower_slopes,
)

N, D = 20, 5


def evidence(rng: np.random.Generator) -> Evidence:
    vectors, contexts = (rng.normal(size=(N, D)).astype(np.float32) for _ in range(2))
    prior = rng.normal(size=N).astype(np.float32)
    return Evidence("a", vectors, contexts, prior, prior, np.ones(N, np.bool_))


def examples() -> Examples:
    none = np.zeros(0, np.int64)
    owner, items, ages = [0, 0, 0, 1, 1], [3, 4, 3, 9, 1], [3, 2, 1, 2, 1]
    return Examples(np.arange(2), N, *(np.array(part) for part in (owner, items, ages)), none, none)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "silu", "leaky_relu"])
@pytest.mark.parametrize("hidden", [0, 7])
def test_slopes_times_averages_are_what_the_history_adds(hidden: int, activation: str) -> None:
    rng = np.random.default_rng(0)
    one, some = evidence(rng), examples()
    towers = Towers(one, TowerConfig(hidden=hidden, width=3, activation=activation), n=2)
    with torch.no_grad():
        for tower in towers.members:
            for parameter in tower.parameters():
                parameter.add_(torch.from_numpy(rng.normal(size=parameter.shape).astype(np.float32)) * 0.5)
    users, items = np.array([0, 0, 1]), np.array([5, 6, 7])

    slopes = tower_slopes(towers, some, users, np.hstack([one.vectors, one.contexts])[items])

    averages = np.hstack([some.pooled(half) @ one.vectors for half in (RECENT, STEADY)])
    found = (averages[users] * slopes).sum(axis=1)
    expected = np.zeros(3)
    for tower in towers.members:
        inputs = UserInputs.of(some, one.vectors)
        nothing = UserInputs(inputs.pooled * 0, inputs.lengths)
        with torch.no_grad():
            rise = (tower.eval()(inputs) - tower(nothing)).numpy()
        expected += rise[users, items] / len(towers)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
