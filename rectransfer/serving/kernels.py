"""Compiled loops: what numpy would make several passes and copies of.

All of them let go of the interpreter lock, so that batches run side by side on threads.
"""

import math
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["FAINT", "after", "best", "compiled", "largest", "merge", "shortlist", "sift", "squash"]

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

FAINT: Final = 0.03
"""What the signal `neighbours` adds before it takes the log."""

_LN2: Final = np.float32(np.log(2))
_TWICE: Final = np.float32(2 / np.log(2))
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))
_CHUNK: Final = 1024


def compiled(function: Any) -> Any:
    """Compile a function that runs without the interpreter's lock."""
    maths = {"nsz", "arcp", "contract", "reassoc", "nnan"}
    # a division that may raise would keep its loop from being vectorised
    return numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=maths)(function)


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
    scores: Floats, called: Floats, gain: np.float32, bits: Ints, parts: Floats
) -> None:  # pragma: no cover (compiled)
    """Add `gain * log(1 + called / FAINT)` where something is called for; to about 2e-3, to sift by."""
    mantissa, whole = bits.view(np.float32), parts.view(np.int32)
    for start in range(0, len(scores), _CHUNK):
        size = min(_CHUNK, len(scores) - start)
        mine, calls = scores[start : start + size], called[start : start + size]
        for at in range(size):
            parts[at] = np.float32(1.0) + max(calls[at], np.float32(0.0)) * np.float32(1 / FAINT)
        for at in range(size):
            bits[at] = np.int32((whole[at] & 0x7FFFFF) | 0x3F800000)
        for at in range(size):
            x = mantissa[at] - np.float32(1.0)
            power = np.float32(np.int32(np.int32(whole[at] >> 23) - 127))
            line = np.float32(0.2856751) + x * np.float32(-0.1020830)
            curve = x * (np.float32(0.9991150) + x * (np.float32(-0.4899597) + x * line))
            mine[at] += gain * (power * _LN2 + curve)


@compiled
def _step(n: int, m: int) -> int:  # pragma: no cover (compiled)
    """Columns of a block: several times as many blocks as are wanted columns."""
    if n >= 4 * m * 32:
        return 32
    return max(1, n // (4 * m))


@compiled
def _take(
    scores: Floats, m: int, blocks: Floats, kept: Floats, columns: Ints, out: Ints
) -> None:  # pragma: no cover (compiled)
    """The columns of the m largest scores, ascending; -1 where fewer are above minus infinity."""
    n = len(scores)
    step = _step(n, m)
    n_blocks = (n + step - 1) // step
    _tops(scores, step, blocks[:n_blocks])
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
    blocks, kept, columns = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.int32)
    for row in range(len(scores)):
        _take(scores[row], m, blocks, kept, columns, out[row])
    return out


@compiled
def _hits(
    columns: Ints, start: int, stop: int, wanted: Ints, out: Ints
) -> int:  # pragma: no cover (compiled)
    """The places from `start` on whose column is wanted, and how many; no branch depends on which."""
    found = 0
    for place in range(start, stop):
        out[found] = place
        found += wanted[columns[place]]
    return found


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
    blocks, kept, columns = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.int32)
    bits, parts, hits = np.empty(_CHUNK, np.int32), np.empty(_CHUNK, np.float32), np.empty(n, np.int64)
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
            _add_logs(mine, sums, gains[user], bits, parts)
        _take(mine, m, blocks, kept, columns, listed)
        for at in range(m):
            if n_matrices and listed[at] >= 0:
                calls[user, at, 0] = sums[listed[at]]
                slots[listed[at]], listed_[listed[at]] = at, 1
        for one in range(1, n_matrices):
            for at in range(offsets[user], offsets[user + 1]):
                row = items[at] * n_matrices + one
                strength = strengths[one, at] * scales[row]
                n_hits = _hits(w_columns, w_offsets[row], w_offsets[row + 1], listed_, hits)
                for hit in range(n_hits):
                    slot = slots[w_columns[hits[hit]]]
                    calls[user, slot, one] += strength * np.float32(w_numbers[hits[hit]])
        for at in range(m):
            if listed[at] >= 0:
                listed_[listed[at]] = 0
                listed[at] = places[listed[at]]


@compiled
def sift(
    rows: Ints, wide: Ints, queries: Floats, terms: Ints, parts: Ints, known: Ints, fills: Floats, out: Floats
) -> None:  # pragma: no cover (compiled)
    """Inner products of users and candidates, term by term.

    Args:
        rows: Candidates `(u, m)`, -1 where there is none.
        wide: The items' vectors of all terms side by side, shape `(n, d)`.
        queries: The users', likewise, each times its column's scale, shape `(u, q)`.
        terms: Of each term its first part, what follows its last one, its column in `known` (or -1), and its
            column in `out`; shape `(t, 4)`.
        parts: Where each part starts in `wide` and in `queries`, and its length; shape `(p, 3)`.
        known: 1 where a table knows the item, shape `(n, tables)`.
        fills: What items that aren't known get, shape `(u, t)`.
        out: Shape `(u, m, s)`; columns of other signals stay.
    """
    for user in range(rows.shape[0]):
        for at in range(rows.shape[1]):
            row = rows[user, at]
            if row < 0:
                continue
            vector = wide[row]
            for term in range(terms.shape[0]):
                first, last, table, column = terms[term]
                if table >= 0 and known[row, table] == 0:
                    out[user, at, column] = fills[user, term]
                    continue
                total = np.float32(0.0)
                for part in range(first, last):
                    start, query, length = parts[part]
                    mine, its = queries[user, query : query + length], vector[start : start + length]
                    for place in range(length):
                        total += np.float32(its[place]) * mine[place]
                out[user, at, column] = total


@compiled
def after(
    rows: Ints,
    had: tuple[Ints, Ints, Floats],
    chain: tuple[Ints, Ints, Floats],
    slight: np.float32,
    out: Floats,
) -> None:  # pragma: no cover (compiled)
    """Sums of a matrix's rows over histories, for candidates only.

    Args:
        rows: Candidates `(u, m)`, -1 where there is none.
        had: Offsets and items of the histories, and several weights of each, `(w, h)`.
        chain: Offsets, columns and values of the matrix, shape `(n, n)`.
        slight: Entries whose weights are all less are passed over.
        out: Shape `(w, u, m)`, zeros so far.
    """
    offsets, items, weights = had
    indptr, indices, data = chain
    n, n_weights = len(indptr) - 1, len(weights)
    slots, wanted, hits = np.zeros(n, np.int32), np.zeros(n, np.uint8), np.empty(n, np.int64)
    for user in range(rows.shape[0]):
        for at in range(rows.shape[1]):
            if rows[user, at] >= 0:
                slots[rows[user, at]], wanted[rows[user, at]] = at, 1
        for entry in range(offsets[user], offsets[user + 1]):
            if weights[:, entry].max() < slight:
                continue
            n_hits = _hits(indices, indptr[items[entry]], indptr[items[entry] + 1], wanted, hits)
            for hit in range(n_hits):
                slot, value = slots[indices[hits[hit]]], data[hits[hit]]
                for one in range(n_weights):
                    out[one, user, slot] += weights[one, entry] * value
        for at in range(rows.shape[1]):
            if rows[user, at] >= 0:
                wanted[rows[user, at]] = 0


@compiled
def squash(values: Floats) -> None:  # pragma: no cover (compiled)
    """`tanh` in place, to about 1e-6: `1 - 2 / (exp(2x) + 1)`, a power of 2 times a series."""
    flat = values.ravel()
    bits = np.empty(_CHUNK, np.int32)
    power = bits.view(np.float32)
    one, two = np.float32(1.0), np.float32(2.0)
    for start in range(0, len(flat), _CHUNK):
        mine = flat[start : start + _CHUNK]
        for at in range(len(mine)):
            x = min(max(mine[at], np.float32(-9.0)), np.float32(9.0)) * _TWICE
            whole = np.int32(np.int32(x + np.float32(128.5)) - np.int32(128))  # to the nearest, without floor
            bits[at] = np.int32((whole + np.int32(127)) << np.int32(23))
            mine[at] = (x - np.float32(whole)) * _LN2
        for at in range(len(mine)):
            f = mine[at]
            series = one + f * (one + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
            mine[at] = one - two / (series * power[at] + one)


@compiled
def best(rows: Ints, scores: Floats, out_rows: Ints, out_scores: Floats) -> None:  # pragma: no cover
    """The k best of each row, best first; of equal ones the lower row. -1 where fewer are there."""
    n_users, k = out_rows.shape
    m = rows.shape[1]
    for user in range(n_users):
        size = 0
        for at in range(m):
            row, score = rows[user, at], scores[user, at]
            if row < 0 or (size == k and score <= out_scores[user, k - 1]):
                continue
            place = min(size, k - 1)
            while place > 0 and out_scores[user, place - 1] < score:
                out_scores[user, place], out_rows[user, place] = (
                    out_scores[user, place - 1],
                    out_rows[user, place - 1],
                )
                place -= 1
            out_scores[user, place], out_rows[user, place] = score, row
            size = min(size + 1, k)
        out_rows[user, size:] = -1
        out_scores[user, size:] = -np.inf
