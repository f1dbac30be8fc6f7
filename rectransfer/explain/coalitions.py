"""Exact Shapley values of groups of signals, and within a group the exact split along a straight path."""

from functools import lru_cache
from math import comb

import numpy as np

from rectransfer.explain.formula import Doubles, Formula
from rectransfer.explain.kernels import pull
from rectransfer.explain.players import Players

__all__ = ["pulls"]


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
        weighed = np.stack(
            [np.where(np.array(players.groups) == group, 1.0, 0.0) for group in range(len(players))]
        )
        first = weighed[:, None, :] * formula.first  # of each group apart, shape (g, h, s)
        pull(
            formula.start(others, lengths[:, None]),
            np.einsum("ns,ghs->ngh", z, first, optimize=True),
            np.einsum("bs,ghs->gbh", others, first, optimize=True),
            np.abs(first).sum(axis=2),
            _shares(len(players)),
            np.array(players.groups),
            formula.last[:, None] * formula.first,
            found,
        )
    return np.asarray(found / len(others))


@lru_cache(maxsize=16)
def _shares(n: int) -> Doubles:
    """What each coalition counts for a player that is in it, and for one that isn't, shape `(2, 2 ** n)`.

    Coalitions are numbered by their members' bits.
    """
    sizes = ((np.arange(1 << n) >> np.arange(n)[:, None]) & 1).sum(axis=0)
    each = np.array([0.0, *(1 / (n * comb(n - 1, size)) for size in range(n)), 0.0])
    return np.stack([each[sizes], each[sizes + 1]])
