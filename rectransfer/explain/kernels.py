"""The compiled loop over coalitions. It lets go of the interpreter lock, so that threads run side by side."""

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["pull"]

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

_SAFE: Final = 20.0  # up to here exp(2 x) times exp(2 y) is finite in single precision
_FARTHEST: Final = 340.0  # and here exp(2 x) in double precision
_SMALL: Final = 1e-3  # of what a step could be
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1)
_FOUR: Final = np.float32(4)


def _compiled(function: Any) -> Any:
    return numba.njit(
        nogil=True, cache=True, error_model="numpy", fastmath={"nsz", "arcp", "contract", "reassoc", "nnan"}
    )(function)


@_compiled
def _play(
    start: float, steps: Doubles, quick: bool, bent: bool, counts: Singles, worth: Singles, found: Doubles
) -> None:  # pragma: no cover (compiled)
    """A game of n players, whose coalitions are worth `1 / (1 + exp(2 x))`: its tanh, turned and halved.

    A player gets `counts[0]` times the worth of each coalition that it is in and `counts[1]` times that of
    all. Coalitions are numbered by their members' bits: those with the last player are the upper half, and
    once they are added to the lower half, they are as if it weren't there.

    Args:
        start: x of the coalition of none, or `exp(2 x)` if quick.
        steps: What each player adds, or multiplies with, shape `(n,)`.
        quick: Whether sums are taken as products: all of them have to be finite.
        bent: Whether coalitions are worth tanh's slope there instead.
        counts: By the coalition's number, shape `(2, 2 ** n)`.
        worth: Room for `2 ** (n - 1)` numbers.
        found: Where it goes, shape `(n,)`.
    """
    n = len(steps)
    half = 1 << (n - 1)
    worth[0] = start
    for player in range(n - 1):
        size, step = 1 << player, np.float32(steps[player])
        lower, upper = worth[:size], worth[size : 2 * size]
        if quick:
            for one in range(size):
                upper[one] = lower[one] * step
        else:
            for one in range(size):
                upper[one] = lower[one] + step
    step = np.float32(steps[n - 1])
    within_out, within_in = counts[0, :half], counts[0, half:]
    always_out, always_in = counts[1, :half], counts[1, half:]
    whole, some = np.float32(0), np.float32(0)
    if quick and not bent:
        for one in range(half):
            without = _ONE + worth[one]
            with_it = _ONE + worth[one] * step
            both = _ONE / (without * with_it)
            lower_worth, upper_worth = both * with_it - _HALF, both * without - _HALF
            whole += always_out[one] * lower_worth + always_in[one] * upper_worth
            moved = within_in[one] * upper_worth
            some += moved
            worth[one] = within_out[one] * lower_worth + moved
    else:
        for one in range(half):
            if quick:
                lower_worth = _ONE / (_ONE + worth[one])
                upper_worth = _ONE / (_ONE + worth[one] * step)
            else:
                lower_worth = _HALF - _HALF * np.tanh(worth[one])
                upper_worth = _HALF - _HALF * np.tanh(worth[one] + step)
            if bent:
                lower_worth *= _FOUR * (_ONE - lower_worth)
                upper_worth *= _FOUR * (_ONE - upper_worth)
            whole += always_out[one] * lower_worth + always_in[one] * upper_worth
            moved = within_in[one] * upper_worth
            some += moved
            worth[one] = within_out[one] * lower_worth + moved
    found[n - 1] = whole + some
    for back in range(1, n):
        size, some = 1 << (n - 1 - back), np.float32(0)
        lower, upper = worth[:size], worth[size : 2 * size]
        for one in range(size):
            some += upper[one]
            lower[one] += upper[one]
        found[n - 1 - back] = whole + some


@_compiled
def pull(
    start: Doubles,
    own: Doubles,
    theirs: Doubles,
    size: Doubles,
    shares: Doubles,
    groups: npt.NDArray[np.int64],
    weights: Doubles,
    found: Doubles,
) -> None:  # pragma: no cover (compiled)
    """Add to the pulls of signals towards some pairs what a network's hidden units give.

    Each unit plays a game against each row of the background. A group's step there is what it gives as it is
    less what it gives in the background; its slope is its Shapley value over its step. Where the step is
    next to nothing the slope is the mean of the unit's slopes over the same coalitions, by the trapezoid rule
    with and without the group, as a quotient of two small numbers would be mostly rounding.

    Args:
        start: What units are given in the background, shape `(n, b, h)`.
        own: What groups give as they are, shape `(n, g, h)`.
        theirs: What they give in the background, shape `(g, b, h)`.
        size: How much they could give, shape `(g, h)`: steps are small or large beside it.
        shares: What a coalition counts for a group that is in it, and for one that isn't, by the coalition's
            number, shape `(2, 2 ** g)`.
        groups: The group of each signal, shape `(s,)`.
        weights: What a unit's slope counts for each signal, shape `(h, s)`.
        found: Where the pulls are added, shape `(n, s, b)`.
    """
    n, b, h = start.shape
    g = len(theirs)
    own_grown, theirs_grown, start_grown = np.exp(2 * own), np.exp(-2 * theirs), np.exp(2 * start)
    across, along = np.empty((2, 1 << g), np.float32), np.empty((2, 1 << g), np.float32)
    across[0], across[1] = shares[0] + shares[1], -shares[1]
    along[0], along[1] = (shares[0] - shares[1]) / 2, shares[1] / 2
    worth = np.empty(1 << g, np.float32)
    steps, grown, values, slopes = np.empty(g), np.empty(g), np.empty(g), np.empty(g)
    for pair in range(n):
        for row in range(b):
            for unit in range(h):
                first = start[pair, row, unit]
                last, reach, farthest, small = first, abs(first), abs(first), 0
                for group in range(g):
                    a, z = own[pair, group, unit], theirs[group, row, unit]
                    step = a - z
                    steps[group] = step
                    grown[group] = own_grown[pair, group, unit] * theirs_grown[group, row, unit]
                    last += step
                    reach += abs(step)
                    farthest = max(farthest, abs(a), abs(z))
                    small += abs(step) <= _SMALL * size[group, unit]
                quick = reach < _SAFE and farthest < _FARTHEST
                begin, moves = (start_grown[pair, row, unit], grown) if quick else (first, steps)
                if small:
                    _play(begin, moves, quick, True, along, worth, slopes)
                rest = np.tanh(last) - np.tanh(first)
                if small < g:
                    _play(begin, moves, quick, False, across, worth, values)
                    for group in range(g):
                        near = abs(steps[group]) <= _SMALL * size[group, unit]
                        rest -= slopes[group] * steps[group] if near else -2 * values[group]
                    rest /= g - small  # what rounding left over
                    for group in range(g):
                        if abs(steps[group]) > _SMALL * size[group, unit]:
                            slopes[group] = (rest - 2 * values[group]) / steps[group]
                for signal in range(len(groups)):
                    found[pair, signal, row] += slopes[groups[signal]] * weights[unit, signal]
