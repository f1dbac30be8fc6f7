"""Compiled loops over the candidates: their signals, the network's squashing, and the best of them."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.serving.compiled import CHUNK, LN2, compiled, hits_among

__all__ = ["after", "best", "sift", "squash"]

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_TWICE: Final = np.float32(2 / np.log(2))
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))


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
            n_hits = hits_among(indices, indptr[items[entry]], indptr[items[entry] + 1], wanted, hits)
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
    bits = np.empty(CHUNK, np.int32)
    power = bits.view(np.float32)
    one, two = np.float32(1.0), np.float32(2.0)
    for start in range(0, len(flat), CHUNK):
        mine = flat[start : start + CHUNK]
        for at in range(len(mine)):
            x = min(max(mine[at], np.float32(-9.0)), np.float32(9.0)) * _TWICE
            whole = np.int32(np.int32(x + np.float32(128.5)) - np.int32(128))  # to the nearest, without floor
            bits[at] = np.int32((whole + np.int32(127)) << np.int32(23))
            mine[at] = (x - np.float32(whole)) * LN2
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
