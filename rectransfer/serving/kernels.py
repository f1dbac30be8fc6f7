"""Compiled loops: what numpy would make several passes and copies of.

All of them let go of the interpreter lock, so that batches run side by side on threads.
"""

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["FAINT", "best", "largest", "merge", "shortlist", "sift", "squash"]

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

FAINT: Final = 0.03
"""What the signal `neighbours` adds before it takes the log."""

_LN2: Final = np.float32(np.log(2))
_CHUNK: Final = 1024


def _compiled(function: Any) -> Any:
    return numba.njit(nogil=True, cache=True, fastmath={"nsz", "arcp", "contract", "reassoc", "nnan"})(
        function
    )


@_compiled
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


@_compiled
def _mth_largest(values: Floats, n: int, m: int) -> Any:  # pragma: no cover (compiled)
    """The m-th largest of the first n values, which change places."""
    low, high, want = 0, n - 1, m - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if want <= right:
            high = right
        elif want >= left:
            low = left
        else:
            break
    return values[want]


@_compiled
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


@_compiled
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


@_compiled
def _step(n: int, m: int) -> int:  # pragma: no cover (compiled)
    """Columns of a block: several times as many blocks as are wanted columns."""
    if n >= 4 * m * 32:
        return 32
    return max(1, n // (4 * m))


@_compiled
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
            spare -= kept[at] > bar
    place = 0
    for at in range(n_kept):
        score = scores[columns[at]]
        if score > bar or (score == bar and spare > 0):
            spare -= score == bar
            out[place] = columns[at]
            place += 1
    out[place:] = -1


@_compiled
def largest(scores: Floats, m: int) -> Ints:  # pragma: no cover (compiled)
    """The columns of each row's m largest values, ascending, shape `(r, m)`; at most n of n columns."""
    n = scores.shape[1]
    out = np.empty((len(scores), m), np.int32)
    blocks, kept, columns = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.int32)
    for row in range(len(scores)):
        _take(scores[row], m, blocks, kept, columns, out[row])
    return out


@_compiled
def shortlist(
    scores: Floats,
    had: tuple[Ints, Ints, Floats],
    weights: tuple[Ints, Ints, Floats],
    gains: Floats,
    shut: tuple[Ints, Ints],
    places: Ints,
    out: tuple[Ints, Floats],
) -> None:  # pragma: no cover (compiled)
    """The most promising columns of each user, with what the history calls for there.

    Args:
        scores: Shape `(u, n)`; they change.
        had: Offsets, items and, for each of `e` matrices, the entries' strengths `(e, h)`.
        weights: Offsets, entries and scales of the rows of all matrices: those of the first item, of the
            second, and on. An entry is its column times 65,536, plus a whole number from 0: less 32,768 and
            times the row's scale it is the weight. The first matrix counts for the shortlist, the others
            only for what is on it.
        gains: How much the first matrix counts for each user, shape `(u,)`.
        shut: Offsets and columns of what a user must not get.
        places: The row of each column in the catalogue, shape `(n,)`.
        out: Rows `(u, m)`, and what is called for, `(u, m, e)`, zeros so far.
    """
    n_users, n = scores.shape
    offsets, items, strengths = had
    w_offsets, entries, scales = weights
    x_offsets, x_columns = shut
    rows, calls = out
    n_matrices = strengths.shape[0]
    m = rows.shape[1]
    sums, slots = np.zeros(n, np.float32), np.zeros(n, np.int16)
    blocks, kept, columns = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.int32)
    bits, parts = np.empty(_CHUNK, np.int32), np.empty(_CHUNK, np.float32)
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
                    entry = entries[place]
                    sums[entry >> 16] += strength * np.float32(np.int32(entry & 0xFFFF) - 32_768)
            _add_logs(mine, sums, gains[user], bits, parts)
        _take(mine, m, blocks, kept, columns, listed)
        for at in range(m):
            if n_matrices and listed[at] >= 0:
                calls[user, at, 0] = sums[listed[at]]
                slots[listed[at]] = at + 1
        for one in range(1, n_matrices):
            for at in range(offsets[user], offsets[user + 1]):
                row = items[at] * n_matrices + one
                strength = strengths[one, at] * scales[row]
                for place in range(w_offsets[row], w_offsets[row + 1]):
                    entry = entries[place]
                    slot = slots[entry >> 16]
                    if slot:
                        weight = np.float32(np.int32(entry & 0xFFFF) - 32_768)
                        calls[user, slot - 1, one] += strength * weight
        for at in range(m):
            if listed[at] >= 0:
                slots[listed[at]] = 0
                listed[at] = places[listed[at]]


@_compiled
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


@_compiled
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
        had: Offsets, items and weights of the histories.
        chain: Offsets, columns and values of the matrix, shape `(n, n)`.
        slight: Entries that weigh less are passed over.
        out: Shape `(u, m)`, zeros so far.
    """
    offsets, items, weights = had
    indptr, indices, data = chain
    slots = np.zeros(len(indptr) - 1, np.int32)
    for user in range(rows.shape[0]):
        for at in range(rows.shape[1]):
            if rows[user, at] >= 0:
                slots[rows[user, at]] = at + 1
        for entry in range(offsets[user], offsets[user + 1]):
            weight = weights[entry]
            if weight < slight:
                continue
            for place in range(indptr[items[entry]], indptr[items[entry] + 1]):
                slot = slots[indices[place]]
                if slot:
                    out[user, slot - 1] += weight * data[place]
        for at in range(rows.shape[1]):
            if rows[user, at] >= 0:
                slots[rows[user, at]] = 0


@_compiled
def squash(values: Floats) -> None:  # pragma: no cover (compiled)
    """`tanh` in place, to about 1e-6: `1 - 2 / (exp(2x) + 1)`, the exponential by halves of a power of 2."""
    flat = values.ravel()
    bits = np.empty(_CHUNK, np.int32)
    power = bits.view(np.float32)
    for start in range(0, len(flat), _CHUNK):
        size = min(_CHUNK, len(flat) - start)
        for at in range(size):
            x = min(max(flat[start + at], np.float32(-9.0)), np.float32(9.0)) * np.float32(2 / np.log(2))
            whole = np.floor(x)
            bits[at] = np.int32((np.int32(whole) + 127) << 23)
            f = (x - whole) * _LN2
            flat[start + at] = np.float32(1.0) + f * (
                np.float32(1.0)
                + f
                * (
                    np.float32(1 / 2)
                    + f
                    * (
                        np.float32(1 / 6)
                        + f
                        * (
                            np.float32(1 / 24)
                            + f * (np.float32(1 / 120) + f * (np.float32(1 / 720) + f * np.float32(1 / 5040)))
                        )
                    )
                )
            )
        for at in range(size):
            flat[start + at] = np.float32(1.0) - np.float32(2.0) / (
                flat[start + at] * power[at] + np.float32(1.0)
            )


@_compiled
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
