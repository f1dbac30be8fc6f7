"""Exact Shapley values of groups of signals, and within a group the exact split along a straight path."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.explain.formula import Doubles, Formula
from rectransfer.explain.players import Players

__all__ = ["pulls"]

_VALUES_AT_ONCE: Final = 65_536
"""Of all coalitions in one block: it stays in a core's cache."""

_PAIRS_AT_ONCE: Final = 8
_SAFE: Final = {np.float32: 40.0, np.float64: 340.0}  # up to here exp(2 x) is finite
_SMALL: Final = 1e-3
_FLAT: Final = 1e-7


def pulls(formula: Formula, players: Players, z: Doubles, others: Doubles, lengths: Doubles) -> Doubles:
    """How strongly the score is pulled by each signal's distance from each row of the background.

    A signal contributes `sum(pulls * (z - others))`. The game: a coalition's worth is the mean score when the
    groups in it are as they are and the other groups are as in a row of the background (Lundberg and Lee
    2017, "A unified approach to interpreting model predictions", section 4). A group gets its Shapley
    value, over all coalitions. Within a group the signals move together from the row to where they are, and
    each gets its Aumann-Shapley value, the integral of its slope along the way (Sundararajan et al. 2017,
    "Axiomatic attribution for deep networks", section 3), in closed form: a hidden unit is a function of one
    sum.

    Args:
        formula: The ranker, of s signals and h hidden units.
        players: Groups of the signals, g of them.
        z: What is explained, on the common scale, shape `(n, s)`.
        others: The background, likewise, shape `(b, s)`.
        lengths: `log(1 + items in the history)` of the explained, shape `(n,)`: the same in every coalition.

    Returns:
        Shape `(n, s, b)`.
    """
    found = np.empty((*z.shape, len(others)))
    found[:] = formula.line[:, None] / len(others)
    if not len(formula.last):
        return found

    def explain(first: int) -> None:
        for row in range(first, min(first + _PAIRS_AT_ONCE, len(z))):
            start = formula.start(others, lengths[row])
            found[row] += _of_network(formula, players, z[row] - others, start) / len(others)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(_cores()) as pool:
        list(pool.map(explain, range(0, len(z), _PAIRS_AT_ONCE)))
    return found


def _of_network(formula: Formula, players: Players, away: Doubles, start: Doubles) -> Doubles:
    """The network's part of the pulls towards one explained row, shape `(s, b)`.

    Args:
        formula: The ranker.
        players: Groups of its signals.
        away: How far the signals are from each row of the background, shape `(b, s)`.
        start: What the hidden units are given in the background, shape `(b, h)`.
    """
    steps = np.stack([away[:, columns] @ formula.first[:, columns].T for columns in players.columns])
    together = np.array([len(columns) > 1 for columns in players.columns])
    values = _unit_values(start.ravel(), steps.reshape(len(players), -1), together).reshape(steps.shape)
    flat = np.abs(steps) < _FLAT  # what a group's signals do cancels out, or they don't move
    slopes = np.divide(values, steps, out=np.empty_like(steps), where=~flat)
    if flat.any():
        group, row, unit = np.nonzero(flat)
        ends = np.stack([start, start + steps.sum(axis=0)])[:, row, unit]
        slopes[group, row, unit] = 1 - (np.tanh(ends) ** 2).mean(axis=0)
    slopes *= formula.last
    found = np.empty((len(players.signals), len(away)))
    for columns, slope in zip(players.columns, slopes, strict=True):
        found[columns] = (slope @ formula.first[:, columns]).T
    return found


def _unit_values(start: Doubles, steps: Doubles, together: npt.NDArray[np.bool_]) -> Doubles:
    """Shapley values of the groups in `tanh(start + sum of the steps of a coalition)`, shape `(g, c)`.

    Args:
        start: c games, shape `(c,)`.
        steps: What each group adds, shape `(g, c)`.
        together: Which groups hold several signals, shape `(g,)`: their values will be divided by their
            steps, so where those are small single precision will not do.
    """
    values = _enumerated(start, steps, np.float32)
    small = (np.abs(steps[together]) < _SMALL).any(axis=0)
    if small.any():
        values[:, small] = _enumerated(start[small], steps[:, small], np.float64)
    rest = np.tanh(start + steps.sum(axis=0)) - np.tanh(start) - values.sum(axis=0)
    return np.asarray(values + rest / len(steps), dtype=np.float64)  # what rounding left over


def _enumerated(start: Doubles, steps: Doubles, precision: type[np.floating]) -> Doubles:
    """The same, all coalitions, in single or double precision."""
    n, c = steps.shape
    reach = (np.abs(start) + np.abs(steps).sum(axis=0)).max(initial=0.0)
    if reach > _SAFE[precision]:
        precision = np.float64
    quick = bool(reach < _SAFE[precision])
    if quick:  # tanh(x) is 1 - 2 / (1 + exp(2 x)), and exp of a sum is a product
        start, steps = np.exp(2 * start), np.exp(2 * steps)
    grow = np.multiply if quick else np.add
    start, steps, weights = (part.astype(precision) for part in (start, steps, _weights(n)))
    found = np.empty((n, c))
    width = max(1, _VALUES_AT_ONCE >> n)
    worth = np.empty((1 << n, min(width, c)), precision)
    for first in range(0, c, width):
        part = slice(first, first + width)
        block = worth[:, : len(start[part])]
        block[0] = start[part]
        for player, step in enumerate(steps[:, part]):
            grow(block[: 1 << player], step, out=block[1 << player : 2 << player])
        if quick:
            np.add(block, 1, out=block)
            np.reciprocal(block, out=block)
        else:
            np.tanh(block, out=block)
        found[:, part] = weights @ block
    return np.asarray(-2 * found if quick else found)


@lru_cache(maxsize=16)
def _weights(n: int) -> Doubles:
    """What each coalition's worth counts in each player's Shapley value, shape `(n, 2 ** n)`.

    Coalitions are numbered by their members' bits.
    """
    numbers = np.arange(1 << n)
    member = (numbers >> np.arange(n)[:, None]) & 1
    others = member.sum(axis=0) - member
    shares = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])
    return np.asarray(np.where(member == 1, 1.0, -1.0) * shares[others])


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
