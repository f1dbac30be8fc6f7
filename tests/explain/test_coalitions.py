"""The kernel against its definition, coalition by coalition."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import pytest

from rectransfer.explain import Formula, Players
from rectransfer.explain.coalitions import pulls

Doubles = npt.NDArray[np.float64]


def formula(rng: np.random.Generator, n: int, hidden: int, size: float = 0.4) -> Formula:
    return Formula(
        names=tuple(f"a.s{place}" for place in range(n)),
        mean=np.zeros(n),
        scale=np.ones(n),
        line=rng.normal(size=n),
        first=rng.normal(size=(hidden, n)) * size,
        by_length=rng.normal(size=hidden),
        bias=rng.normal(size=hidden),
        last=rng.normal(size=hidden),
    )


def players(one: Formula, sizes: list[int]) -> Players:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return Players(tuple(f"g{place}" for place in range(len(sizes))), one.names, tuple(groups.tolist()))


def by_definition(one: Formula, group: Players, z: Doubles, others: Doubles, length: float) -> Doubles:
    """Shapley values of the groups, summed over coalitions as the definition says."""
    n = len(group)

    def worth(members: tuple[int, ...]) -> float:
        mixed = others.copy()
        for member in members:
            mixed[:, group.columns[member]] = z[group.columns[member]]
        return float(one.score(mixed, np.full(len(others), length)).mean())

    values = np.zeros(n)
    for player in range(n):
        rest = [other for other in range(n) if other != player]
        for size in range(n):
            for members in combinations(rest, size):
                gain = worth((*members, player)) - worth(members)
                values[player] += gain / (n * comb(n - 1, size))
    return values


@pytest.mark.parametrize("sizes", [[1], [1, 1], [1, 1, 1], [1, 1, 1, 1], [2, 1, 3], [6], [1] * 8])
@pytest.mark.parametrize(
    "size", [1e-9, 0.4, 6.0, 60.0, 1e4], ids=["flat", "usual", "steep", "far", "beyond exp"]
)
def test_groups_get_their_shapley_values(sizes: list[int], size: float) -> None:
    rng = np.random.default_rng(1)
    one = formula(rng, sum(sizes), 5, size)
    group, z, others = players(one, sizes), rng.normal(size=(3, sum(sizes))), rng.normal(size=(7, sum(sizes)))
    lengths = rng.uniform(1, 5, size=3)

    found = (pulls(one, group, z, others, lengths) * (z[:, :, None] - others.T)).sum(axis=2)

    for row in range(3):
        mine = np.array([found[row, columns].sum() for columns in group.columns])
        expected = by_definition(one, group, z[row], others, float(lengths[row]))
        np.testing.assert_allclose(mine, expected, atol=1e-13, rtol=0)


def over_all_coalitions(one: Formula, z: Doubles, others: Doubles, length: float) -> Doubles:
    """Shapley values of the signals, each for itself, with all coalitions at once."""
    n = len(z)
    members = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    worth = np.zeros(1 << n)
    for other in others:
        mixed = np.where(members == 1, z, other)
        worth += one.score(mixed, np.full(len(mixed), length)) / len(others)
    sizes, found = members.sum(axis=1), np.zeros(n)
    for player in range(n):
        without = np.flatnonzero(members[:, player] == 0)
        counts = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])[sizes[without]]
        found[player] = counts @ (worth[without + (1 << player)] - worth[without])
    return found


@pytest.mark.parametrize("n", range(1, 15))
def test_any_number_of_players(n: int) -> None:
    rng = np.random.default_rng(n)
    one = formula(rng, n, 7)
    z, others = rng.normal(size=(2, n)), rng.normal(size=(3, n))

    found = (pulls(one, players(one, [1] * n), z, others, np.ones(2)) * (z[:, :, None] - others.T)).sum(
        axis=2
    )

    for row in range(2):
        expected = over_all_coalitions(one, z[row], others, 1.0)
        np.testing.assert_allclose(found[row], expected, atol=3e-14, rtol=0)
        whole = (one.score(z[row], 1.0) - one.score(others, np.ones(3))).mean()
        assert abs(found[row].sum() - whole) < 1e-13


def test_some_far_and_some_near() -> None:
    """Units side by side: one is beyond exp, one is flat, and one gives a signal no weight."""
    rng = np.random.default_rng(7)
    one = formula(rng, 5, 9)
    one.first[2] *= 1e5
    one.first[3] *= 1e-12
    one.first[4, 1] = 0.0
    one.bias[5], one.bias[6] = 900.0, -900.0
    z, others = rng.normal(size=(1, 5)), rng.normal(size=(4, 5))
    z[0, 3] = others[2, 3]

    found = (pulls(one, players(one, [1] * 5), z, others, np.ones(1)) * (z[:, :, None] - others.T)).sum(
        axis=2
    )

    expected = over_all_coalitions(one, z[0], others, 1.0)
    np.testing.assert_allclose(found[0], expected, atol=1e-13, rtol=0)


def test_threads_side_by_side_find_the_same() -> None:
    rng = np.random.default_rng(8)
    one = formula(rng, 8, 6)
    group, z, others = players(one, [1] * 8), rng.normal(size=(40, 8)), rng.normal(size=(9, 8))
    parts = np.array_split(z, 8)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda part: pulls(one, group, part, others, np.ones(len(part))), parts))

    whole = pulls(one, group, z, others, np.ones(40))
    np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-13, rtol=0)


def test_within_a_group_signals_get_the_integral_of_their_slopes() -> None:
    rng = np.random.default_rng(2)
    one = formula(rng, 4, 6)
    group, z, others = players(one, [3, 1]), rng.normal(size=(1, 4)), rng.normal(size=(5, 4))
    length = 2.5

    found = (pulls(one, group, z, others, np.array([length])) * (z[:, :, None] - others.T)).sum(axis=2)[0]

    nodes, weights = np.polynomial.legendre.leggauss(40)
    expected = np.zeros(3)
    for other in others:
        for outside in (other[3], z[0, 3]):  # the other group is out, or in: each half of the time
            for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
                at = np.append(other[:3] + node * (z[0, :3] - other[:3]), outside)
                slope = one.line + (one.last * (1 - np.tanh(one.start(at, length)) ** 2)) @ one.first
                expected += weight / 2 * slope[:3] * (z[0, :3] - other[:3]) / len(others)
    np.testing.assert_allclose(found[:3], expected, atol=1e-12, rtol=0)


def test_a_signal_that_says_what_the_background_says_adds_nothing() -> None:
    rng = np.random.default_rng(3)
    one = formula(rng, 4, 6)
    z, others = rng.normal(size=(2, 4)), rng.normal(size=(5, 4))
    others[:, 1] = z[0, 1]

    found = pulls(one, players(one, [2, 2]), z[:1], others, np.ones(1)) * (z[:1, :, None] - others.T)

    assert np.abs(found[0, 1]).max() == 0


def test_signals_that_cancel_out_still_get_their_own_shares() -> None:
    rng = np.random.default_rng(4)
    one = formula(rng, 3, 1)
    one.first[0, 1] = -one.first[0, 0]
    z, others = np.array([[1.0, 1.0, 0.3]]), np.zeros((1, 3))

    found = pulls(one, players(one, [2, 1]), z, others, np.ones(1))[0, :, 0]

    network = found - one.line
    assert abs(network[0]) > 1e-3 * abs(one.last[0] * one.first[0, 0])
    assert network[0] == pytest.approx(-network[1])


@pytest.mark.parametrize("away", [0.0, 1e-12, 1e-7, 2e-4, 1.5e-3, 0.03], ids=str)
def test_where_a_group_hardly_moves_its_signals_pull_as_on_the_way(away: float) -> None:
    """A quotient of its value and its step would be rounding."""
    rng = np.random.default_rng(6)
    one = formula(rng, 4, 6)
    others = rng.normal(size=(3, 4))
    z = np.full((1, 4), 0.5)
    others[:, :2] = z[0, :2] - away  # they move together, by this much

    found = pulls(one, players(one, [2, 2]), z, others, np.ones(1))[0]

    nodes, weights = np.polynomial.legendre.leggauss(12)
    for row, other in enumerate(others):
        slope = np.zeros(4)
        for outside in (other[2:], z[0, 2:]):  # the other group is out, or in: each half of the time
            for node, weight in zip((nodes + 1) / 2, weights / 4, strict=True):
                at = np.append(other[:2] + node * away, outside)
                slope += weight * (one.line + (one.last * (1 - np.tanh(one.start(at, 1.0)) ** 2)) @ one.first)
        np.testing.assert_allclose(found[:2, row] * len(others), slope[:2], atol=1e-12, rtol=0)


def test_a_straight_line_needs_no_coalitions() -> None:
    rng = np.random.default_rng(5)
    one = formula(rng, 3, 0)

    found = pulls(one, players(one, [1, 2]), rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), np.ones(2))

    np.testing.assert_allclose(found, np.broadcast_to(one.line[:, None] / 4, (2, 3, 4)))
