"""Exact Shapley values of groups of signals, and within a group the exact split along a straight path."""

from functools import lru_cache
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.explain.formula import Doubles, Formula
from rectransfer.explain.kernels import LEAST, pull
from rectransfer.explain.players import Players

__all__ = ["pulls"]

_SMALL: Final = 1e-3
"""Of what a group could give a hidden unit: a value over a smaller step would be mostly rounding."""


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
    found[:] = formula.line[:, None]
    if len(formula.last):
        g = max(len(players), LEAST)
        member = np.array(players.groups) == np.arange(g)[:, None]
        first = member[:, None, :] * formula.first  # of each group apart, shape (g, h, s)
        counts, alone = _counts(g)
        pull(
            formula.start(np.zeros((1, z.shape[1])), lengths),
            _given(z, first),
            _given(others, first),
            _SMALL * np.abs(first[: len(players)]).sum(axis=2),
            counts,
            alone,
            np.array(players.groups),
            np.ascontiguousarray((formula.last[:, None] * formula.first).T),
            found,
        )
    return np.asarray(found / len(others))


def _given(z: Doubles, first: Doubles) -> Doubles:
    """What each group gives each unit, shape `(n, g, h)`, row by row: loops are fast only then."""
    g, h, s = first.shape
    return np.ascontiguousarray((z @ first.reshape(g * h, s).T).reshape(len(z), g, h))


@lru_cache(maxsize=16)
def _counts(n: int) -> tuple[Doubles, Doubles]:
    """What `_play` and `_slope` count coalitions of n players, at least 3; they go by the members' bits."""
    alone = np.array([1 / (n * comb(n - 1, size)) for size in range(n)])
    both = np.array([0.0, *(alone[1:] + alone[:-1])])
    return both[_sizes(n - 3)[:, None] + np.arange(3)], alone[_sizes(n - 1)]


def _sizes(n: int) -> npt.NDArray[np.int64]:
    """Members of each coalition, shape `(2 ** n,)`."""
    return np.asarray(((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).sum(axis=1), dtype=np.int64)
