"""The compiled loop over coalitions. It lets go of the interpreter lock, so that threads run side by side.

A hidden unit plays against a row of the background: a coalition S is worth `tanh x`, or `1 - 2 / (1 + E)`
with `E = exp(2 x)`, a product of what its members give. S and all the others, S', count alike. So a player's
Shapley value is the sum of `W(S) (worth(S) - worth(S')) / 2` over the S with it, W being what S counts with
the player and without, and of something that is the same for all players. `E(S) E(S')` is the same for all
S, say k squared; with `e = E / k` and `c = k + 1 / k`

    1 / (1 + E(S)) - 1 / (1 + E(S')) = (1 - e^2) / (1 + c e + e^2)

so that one division does for two coalitions, and of each two the one without the last player is visited.
"""

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["LEAST", "pull"]

Doubles = npt.NDArray[np.float64]

LEAST: Final = 3
"""Players at least; ones that do nothing change nothing."""

_NEAR: Final = 100.0  # up to here a product of two divisors, below exp(4 x), is finite
_FAR: Final = 150.0  # from here on tanh is 1


def _compiled(function: Any) -> Any:
    return numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"nsz", "contract", "reassoc"})(
        function
    )


@_compiled
def _play(
    empty: Doubles, between: Doubles, grown: Doubles, counts: Doubles, room: Doubles, found: Doubles
) -> None:  # pragma: no cover (compiled)
    """Games of n players side by side, one a unit: Shapley values of `1 / (1 + E)`.

    Of a coalition and its counterpart that without the last player is visited. The first two players are
    taken in turn within the loop; the coalitions of those between are numbered by their members' bits.

    Args:
        empty: e of the coalition of none, shape `(h,)`.
        between: c, shape `(h,)`.
        grown: What e is multiplied with by each player, shape `(n, h)`.
        counts: W of a coalition of the players between, and of it and one or two more, `(2 ** (n - 3), 3)`.
        room: For numbers, shape `(2 ** (n - 3), h)`.
        found: Where the values go, shape `(n, h)`.
    """
    n, h = grown.shape
    for unit in range(h):
        room[0, unit] = empty[unit]
    for player in range(2, n - 1):
        size = 1 << (player - 2)
        for one in range(size):
            for unit in range(h):
                room[size + one, unit] = room[one, unit] * grown[player, unit]
    for player in range(n):
        for unit in range(h):
            found[player, unit] = 0.0
    for one in range(len(room)):
        none, single, both = counts[one, 0], counts[one, 1], counts[one, 2]
        for unit in range(h):
            c, e0 = between[unit], room[one, unit]
            e1, e2 = e0 * grown[0, unit], e0 * grown[1, unit]
            e3 = e1 * grown[1, unit]
            d0, d1 = 1 + e0 * (e0 + c), 1 + e1 * (e1 + c)
            d2, d3 = 1 + e2 * (e2 + c), 1 + e3 * (e3 + c)
            v0, v3 = none * (1 - e0 * e0) / d0, both * (1 - e3 * e3) / d3
            shared = single / (d1 * d2)
            v1, v2 = (1 - e1 * e1) * d2 * shared, (1 - e2 * e2) * d1 * shared
            found[0, unit] += v1 + v3
            found[1, unit] += v2 + v3
            room[one, unit] = v0 + v1 + (v2 + v3)
    player = n - 2
    while player > 2:  # coalitions with it are the upper half, added to the lower; two players at a time
        size = 1 << (player - 3)
        for one in range(size):
            for unit in range(h):
                before, last = room[size + one, unit], room[2 * size + one, unit]
                two = room[3 * size + one, unit]
                found[player - 1, unit] += before + two
                found[player, unit] += last + two
                room[one, unit] += before + (last + two)
        player -= 2
    if player == 2:
        for unit in range(h):
            found[2, unit] += room[1, unit]
    for unit in range(h):  # what is the same for all: values add up to the difference that all make
        e = empty[unit]
        empty[unit] = (e * e - 1) / (1 + e * (e + between[unit]))
    for player in range(n):
        for unit in range(h):
            empty[unit] -= found[player, unit]
    part = 1 / n
    for player in range(n):
        for unit in range(h):
            found[player, unit] += empty[unit] * part


@_compiled
def _slope(
    start: float, steps: Doubles, player: int, near: bool, alone: Doubles, room: Doubles
) -> float:  # pragma: no cover (compiled)
    """A player's Shapley value over its step, in a game of n players: right for any step, and slower.

    A quotient of two small numbers would be mostly rounding; but a step's difference has it as a factor:
    `1 / (1 + E) - 1 / (1 + E exp(2 s)) = E (exp(2 s) - 1) / ((1 + E) (1 + E exp(2 s)))`.

    Args:
        start: x of the coalition of none.
        steps: What each player adds, shape `(n,)`.
        player: Whose value.
        near: Whether all coalitions' E are finite as products.
        alone: What coalitions of the others count, shape `(2 ** (n - 1),)`.
        room: For `2 ** n` numbers.
    """
    n, step = len(steps), steps[player]
    half = len(alone)
    room[0] = np.exp(2 * start) if near else start
    for place in range(n):
        size = 1 << place
        added = step if place == n - 1 else steps[place + (place >= player)]  # its own is the last
        grown = np.exp(2 * added)
        for one in range(size):
            room[size + one] = room[one] * grown if near else room[one] + added
    if not near:
        for one in range(2 * half):
            room[one] = np.exp(2 * min(max(room[one], -_FAR), _FAR))
    total = 0.0
    if abs(step) < 1:
        for one in range(half):
            total += alone[one] * room[one] / ((1 + room[one]) * (1 + room[half + one]))
        return float(2 * total * (np.expm1(2 * step) / step if step else 2.0))
    for one in range(half):
        total += alone[one] * (1 / (1 + room[one]) - 1 / (1 + room[half + one]))
    return float(2 * total / step)


@_compiled
def pull(
    rest: Doubles,
    own: Doubles,
    theirs: Doubles,
    small: Doubles,
    counts: Doubles,
    alone: Doubles,
    groups: npt.NDArray[np.int64],
    weights: Doubles,
    found: Doubles,
) -> None:  # pragma: no cover (compiled)
    """Add to the pulls of signals towards some pairs what a network's hidden units give.

    Each unit plays a game against each row of the background. A group's step there is what it gives as it is
    less what it gives in the background; its slope is its Shapley value over its step.

    Args:
        rest: What units are given by what isn't in a group, shape `(n, h)`.
        own: What groups give as they are, shape `(n, g, h)`; g is at least `LEAST`.
        theirs: What they give in the background, shape `(b, g, h)`.
        small: Up to where a step is, shape `(at most g, h)`: without those that make up `LEAST`.
        counts: As `_play` takes them, shape `(2 ** (g - 3), 3)`.
        alone: As `_slope` takes them, shape `(2 ** (g - 1),)`.
        groups: The group of each signal, shape `(s,)`.
        weights: What a unit's slope counts for each signal, shape `(s, h)`.
        found: Where the pulls are added, shape `(n, s, b)`.
    """
    (n, g, h), b = own.shape, len(theirs)
    own_grown, theirs_grown = np.exp(2 * own), np.exp(-2 * theirs)
    own_sum, theirs_sum = own.sum(axis=1), theirs.sum(axis=1)
    own_empty, own_middle, both = np.exp(-own_sum), np.exp(2 * rest + own_sum), np.exp(theirs_sum)
    reach, theirs_reach = np.abs(own).sum(axis=1) + 2 * np.abs(rest), np.abs(theirs).sum(axis=1)
    empty, between, grown = np.empty(h), np.empty(h), np.empty((g, h))
    room, values, widest = np.empty((len(counts), h)), np.empty((g, h)), np.empty(2 * len(alone))
    for pair in range(n):
        for row in range(b):
            for unit in range(h):
                middle = own_middle[pair, unit] * both[row, unit]
                between[unit] = middle + 1 / middle
                empty[unit] = own_empty[pair, unit] * both[row, unit]
            for group in range(g):
                for unit in range(h):
                    grown[group, unit] = own_grown[pair, group, unit] * theirs_grown[row, group, unit]
            _play(empty, between, grown, counts, room, values)
            odd = 0
            for unit in range(h):
                odd += reach[pair, unit] + theirs_reach[row, unit] >= _NEAR
            for group in range(len(small)):
                for unit in range(h):
                    step = own[pair, group, unit] - theirs[row, group, unit]
                    odd += abs(step) <= small[group, unit]
                    values[group, unit] *= -2 / step  # tanh is 1 less twice what was played for
            if odd:
                for unit in range(h):
                    steps = own[pair, :, unit] - theirs[row, :, unit]
                    start = rest[pair, unit] + theirs_sum[row, unit]
                    near = reach[pair, unit] + theirs_reach[row, unit] < _NEAR
                    for group in range(len(small)):
                        if not near or abs(steps[group]) <= small[group, unit]:
                            values[group, unit] = _slope(start, steps, group, near, alone, widest)
            for signal in range(len(groups)):
                total = 0.0
                for unit in range(h):
                    total += values[groups[signal], unit] * weights[signal, unit]
                found[pair, signal, row] += total
