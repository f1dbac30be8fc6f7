"""Compiled loops over the whole catalogue: who had what, and which items to look at.

All of them let go of the interpreter lock, so that batches run side by side on threads.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.serving.compiled import CHUNK, LN2, compiled, hits_among

__all__ = ["FAINT", "largest", "merge", "shortlist"]

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

FAINT: Final = 0.03
"""What the signal `neighbours` adds before it takes the log."""


@compiled
def merge(
    offsets: Ints, items: Ints, ages: Ints, half_lives: Floats
) -> tuple[Ints, Ints, Floats, Floats]:  # pragma: no cover (compiled)
    """Each history's different items, how often each was taken, and its weight at each half-life.

    Returns:
        Offsets `(u + 1,)`; items, ascending within a history; counts; weights, shape `(n_half_lives, n)`,
        which add up to 1 within a history.
    """
    n_users, n_halves = len(offsets) - 1, len(half_lives)
    starts = np.zeros(n_users + 1, np.int64)
    found = np.empty(len(items), np.int32)
    counts = np.empty(len(items), np.float32)
    weights = np.empty((n_halves, len(items)), np.float32)
    place = 0
    for user in range(n_users):
        low, high = offsets[user], offsets[user + 1]
        order = np.argsort(items[low:high], kind="mergesort")
        first, last = place, -1
        for at in order:
            item = items[low + at]
            if item != last:
                found[place], counts[place], weights[:, place] = item, 0.0, 0.0
                place, last = place + 1, item
            counts[place - 1] += 1
            for half in range(n_halves):
                weights[half, place - 1] += np.float32(0.5 ** ((ages[low + at] - 1) / half_lives[half]))
        for half in range(n_halves):
            total = np.float32(0.0)
            for at in range(first, place):
                weights[half, at] = np.log1p(weights[half, at])
                total += weights[half, at]
            for at in range(first, place):
                weights[half, at] /= total
        starts[user + 1] = place
    return starts, found[:place], counts[:place], weights[:, :place]


@compiled
def _mth_largest(values: Floats, n: int, m: int) -> Any:  # pragma: no cover (compiled)
    """The m-th largest of the first n values, which are lost.

    By halving the range of their bit patterns: n comparisons a step that no branch depends on, where a
    partition would guess half of its branches wrong.
    """
    keys = values.view(np.int32)[:n]
    least, most = np.int32(2**31 - 1), np.int32(-(2**31))
    for at in range(n):
        key = np.int32(keys[at] ^ ((keys[at] >> 31) & np.int32(0x7FFFFFFF)))  # ordered as the floats are
        keys[at] = key
        least, most = min(least, key), max(most, key)
    low, high = np.int64(least), np.int64(most)
    while low < high:
        middle = np.int32((low + high + 1) >> 1)
        above = np.int32(0)
        for at in range(n):
            above += np.int32(keys[at] >= middle)
        if above < m:
            high = np.int64(middle) - 1
        elif above > m:
            low = np.int64(middle)
        else:
            least = most
            for at in range(n):
                least = min(least, keys[at] if keys[at] >= middle else most)
            low = high = np.int64(least)
    key = np.int32(low)
    keys[0] = np.int32(key ^ ((key >> 31) & np.int32(0x7FFFFFFF)))
    return values[0]


@compiled
def _tops(scores: Floats, step: int, blocks: Floats) -> None:  # pragma: no cover (compiled)
    """The largest score of each block of `step` columns."""
    n = len(scores)
    whole = n // step
    for block in range(whole):
        mine = scores[block * step : block * step + step]
        top = np.float32(-np.inf)
        for at in range(step):
            top = max(top, mine[at])
        blocks[block] = top
    if whole < len(blocks):
        top = np.float32(-np.inf)
        for at in range(whole * step, n):
            top = max(top, scores[at])
        blocks[whole] = top


@compiled
def _add_logs(
    scores: Floats, called: Floats, gain: np.float32, parts: Floats, step: int, blocks: Floats
) -> None:  # pragma: no cover (compiled)
    """Add `gain * log(1 + called / FAINT)` where something is called for; to about 6e-3, to sift by.

    A number's bits are nearly its logarithm: the exponent, and a mantissa of which a parabola makes one. What
    `_tops` does is done to each chunk while it is in the cache.
    """
    whole, unit = parts.view(np.int32), gain * LN2
    for start in range(0, len(scores), CHUNK):
        size = min(CHUNK, len(scores) - start)
        mine, calls = scores[start : start + size], called[start : start + size]
        for at in range(size):
            parts[at] = np.float32(1.0) + max(calls[at], np.float32(0.0)) * np.float32(1 / FAINT)
        for at in range(size):
            power = np.float32(np.int32(np.int32(whole[at] >> 23) - 127))
            x = np.float32(np.int32(whole[at] & 0x7FFFFF)) * np.float32(2.0**-23)
            mine[at] += unit * (power + x * (np.float32(1.3465) - np.float32(0.3465) * x))
        _tops(mine, step, blocks[start // step : (start + size + step - 1) // step])


@compiled
def _step(n: int, m: int) -> int:  # pragma: no cover (compiled)
    """Columns of a block, a power of 2: several times as many blocks as are wanted columns."""
    step = 32
    while step > 1 and n < 4 * m * step:
        step //= 2
    return step


@compiled
def _take(
    scores: Floats, m: int, blocks: Floats, kept: Floats, columns: Ints, out: Ints
) -> None:  # pragma: no cover (compiled)
    """The columns of the m largest scores, ascending; -1 where fewer are above minus infinity.

    Args:
        scores: Shape `(n,)`.
        m: How many.
        blocks: What `_tops` found.
        kept: Room for n.
        columns: Room for n.
        out: Shape `(m,)`.
    """
    n = len(scores)
    step, n_blocks = _step(n, m), len(blocks)
    # m blocks have something at least as good, so all of the m largest are
    bar = np.float32(-np.inf)
    if n_blocks > m:
        kept[:n_blocks] = blocks[:n_blocks]
        bar = _mth_largest(kept, n_blocks, m)
    n_kept = 0
    for block in range(n_blocks):
        if blocks[block] >= bar:
            for at in range(block * step, min(n, block * step + step)):
                if scores[at] >= bar and scores[at] > -np.inf:
                    kept[n_kept], columns[n_kept] = scores[at], at
                    n_kept += 1
    spare = n_kept
    if n_kept > m:
        bar, spare = _mth_largest(kept, n_kept, m), m
        for at in range(n_kept):
            spare -= scores[columns[at]] > bar
    place = 0
    for at in range(n_kept):
        score = scores[columns[at]]
        if score > bar or (score == bar and spare > 0):
            spare -= score == bar
            out[place] = columns[at]
            place += 1
    out[place:] = -1


@compiled
def largest(scores: Floats, m: int) -> Ints:  # pragma: no cover (compiled)
    """The columns of each row's m largest values, ascending, shape `(r, m)`; at most n of n columns."""
    n = scores.shape[1]
    out = np.empty((len(scores), m), np.int32)
    kept, columns = np.empty(n, np.float32), np.empty(n, np.int32)
    step = _step(n, m)
    blocks = np.empty((n + step - 1) // step, np.float32)
    for row in range(len(scores)):
        _tops(scores[row], step, blocks)
        _take(scores[row], m, blocks, kept, columns, out[row])
    return out


@compiled
def shortlist(
    scores: Floats,
    had: tuple[Ints, Ints, Floats],
    weights: tuple[Ints, Ints, Ints, Floats],
    gains: Floats,
    shut: tuple[Ints, Ints],
    places: Ints,
    out: tuple[Ints, Floats],
) -> None:  # pragma: no cover (compiled)
    """The most promising columns of each user, with what the history calls for there.

    Args:
        scores: Shape `(u, n)`; they change.
        had: Offsets, items and, for each of `e` matrices, the entries' strengths `(e, h)`.
        weights: Offsets, columns, whole numbers and scales of the rows of all matrices: those of the first
            item, of the second, and on. A number times the row's scale is the weight. The first matrix counts
            for the shortlist, the others only for what is on it.
        gains: How much the first matrix counts for each user, shape `(u,)`.
        shut: Offsets and columns of what a user must not get.
        places: The row of each column in the catalogue, shape `(n,)`.
        out: Rows `(u, m)`, and what is called for, `(u, m, e)`, zeros so far.
    """
    n_users, n = scores.shape
    offsets, items, strengths = had
    w_offsets, w_columns, w_numbers, scales = weights
    x_offsets, x_columns = shut
    rows, calls = out
    n_matrices = strengths.shape[0]
    m = rows.shape[1]
    sums, slots, listed_ = np.zeros(n, np.float32), np.zeros(n, np.int32), np.zeros(n, np.uint8)
    step = _step(n, m)
    blocks = np.empty((n + step - 1) // step, np.float32)
    kept, columns = np.empty(n, np.float32), np.empty(n, np.int32)
    parts, hits = np.empty(CHUNK, np.float32), np.empty(n, np.int64)
    for user in range(n_users):
        mine, listed = scores[user], rows[user]
        for at in range(x_offsets[user], x_offsets[user + 1]):
            mine[x_columns[at]] = -np.inf
        if n_matrices:
            sums[:] = 0
            for at in range(offsets[user], offsets[user + 1]):
                row = items[at] * n_matrices
                strength = strengths[0, at] * scales[row]
                for place in range(w_offsets[row], w_offsets[row + 1]):
                    sums[w_columns[place]] += strength * np.float32(w_numbers[place])
            _add_logs(mine, sums, gains[user], parts, step, blocks)
        else:
            _tops(mine, step, blocks)
        _take(mine, m, blocks, kept, columns, listed)
        for at in range(m):
            if n_matrices and listed[at] >= 0:
                calls[user, at, 0] = sums[listed[at]]
                slots[listed[at]], listed_[listed[at]] = at, 1
        for one in range(1, n_matrices):
            for at in range(offsets[user], offsets[user + 1]):
                row = items[at] * n_matrices + one
                strength = strengths[one, at] * scales[row]
                n_hits = hits_among(w_columns, w_offsets[row], w_offsets[row + 1], listed_, hits)
                for hit in range(n_hits):
                    slot = slots[w_columns[hits[hit]]]
                    calls[user, slot, one] += strength * np.float32(w_numbers[hits[hit]])
        for at in range(m):
            if listed[at] >= 0:
                listed_[listed[at]] = 0
                listed[at] = places[listed[at]]
