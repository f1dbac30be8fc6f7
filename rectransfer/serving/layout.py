"""The signals' parts as the compiled loops take them: vectors side by side, weights one after another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.scene import Scene
from rectransfer.serving.calibrate import Sample
from rectransfer.serving.candidates import sift
from rectransfer.serving.follows import Follows, follows_of
from rectransfer.serving.joint import Joint
from rectransfer.serving.prepared import Prepared
from rectransfer.serving.terms import Inner, OfItem, OfUser, Term, filled
from rectransfer.serving.weights import Calls

__all__ = ["Layout"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Weights = tuple[Rows, npt.NDArray[Any], npt.NDArray[np.int16], Floats]

_LARGEST: Final = 32_767
_SHORT: Final = 65_536
"""Columns that sixteen bits tell apart."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Arrays for the compiled loops; n items, of which p are on sale.

    Attributes:
        names: The signals, in the order of the ranker's.
        places: The row of each item on sale, shape `(p,)`.
        columns: The place among those on sale of each item, -1 for others, shape `(n,)`.
        short: Short item vectors of what is on sale, shape `(r, p)`.
        calls: What histories call for, by signal.
        weights: Their rows over what is on sale; see `kernels.shortlist`.
        inner: The inner products, by signal.
        wide: Their item vectors.
        known: 1 where a term's table knows an item, shape `(n, t)`.
        means: What stands for items that aren't known, by signal: a vector, an offset, a slope.
        lines: Offset and slope of what histories call for, by signal.
        others: Signals of the item or the user alone.
        follows: Signals of what comes after what.
        missing: Places of signals whose parts aren't known.
    """

    names: tuple[str, ...]
    places: Rows
    columns: Rows
    short: Floats
    calls: Mapping[str, Calls]
    weights: Weights
    inner: Mapping[str, Inner]
    wide: "_Wide"
    known: npt.NDArray[np.uint8]
    means: Mapping[str, tuple[Floats, float, float]]
    lines: Mapping[str, tuple[float, float]]
    others: Mapping[str, OfItem | OfUser]
    follows: tuple[Follows, ...]
    missing: list[int]

    @classmethod
    def of(
        cls, scene: Scene, names: tuple[str, ...], terms: Mapping[str, Term], joint: Joint, sample: Sample
    ) -> "Layout":
        """Lay out a scene's signals."""
        places = scene.shelf
        columns = np.full(len(scene.on_sale), -1, np.int64)
        columns[places] = np.arange(len(places))
        calls = {name: term for name, term in terms.items() if isinstance(term, Calls)}
        inner = {name: term for name, term in terms.items() if isinstance(term, Inner)}
        often = sample.often(len(columns))
        return cls(
            names=names,
            places=places,
            columns=columns,
            short=np.ascontiguousarray(joint.items[:, places]),
            calls=calls,
            weights=_by_item(calls, places),
            inner=inner,
            wide=_Wide.of(inner, names, len(columns)),
            known=_known(inner, len(columns)),
            means={
                name: (_mean(term, often), *joint.calibration.fills[name]) for name, term in inner.items()
            },
            lines=joint.calibration.calls,
            others={name: term for name, term in terms.items() if isinstance(term, OfItem | OfUser)},
            follows=(follows := follows_of(scene, names)),
            missing=[p for p, name in enumerate(names) if name not in {*terms, *_told(follows)}],
        )

    @property
    def missing_names(self) -> tuple[str, ...]:
        """Signals whose parts aren't known."""
        return tuple(self.names[place] for place in self.missing)

    def shut(self, exclude: csr_array | None, u: int) -> tuple[Rows, Rows]:
        """Offsets and columns of what users must not get, among what is on sale."""
        if exclude is None:
            return np.zeros(u + 1, np.int64), np.zeros(0, np.int64)
        columns = self.columns[exclude.indices]
        kept = np.concatenate([[0], np.cumsum((columns >= 0) & (exclude.data != 0))])
        return kept[exclude.indptr].astype(np.int64), columns[(columns >= 0) & (exclude.data != 0)]

    def signals(
        self, examples: Prepared, rows: Rows, vectors: Mapping[str, Floats], called: Floats, faint: float
    ) -> Floats:
        """The signals of candidates, shape `(u, m, s)`; those whose parts aren't known stay at 0.

        Args:
            examples: u users.
            rows: Candidates `(u, m)`, -1 where there is none.
            vectors: The users', of each inner signal.
            called: What the histories call for, shape `(u, m, e)`.
            faint: What is added to it before its log is taken.
        """
        # one signal after another in memory, as they are computed: a signal's values lie side by side
        out = np.moveaxis(np.zeros((len(self.names), *rows.shape), np.float32), 0, 2)
        if self.inner:
            queries = np.hstack([vectors[name] for name in self.inner])
            fills = [vectors[n] @ mean * slope + offset for n, (mean, offset, slope) in self.means.items()]
            filled_ = np.ascontiguousarray(np.array(fills).T, dtype=np.float32)
            wide = self.wide
            sift(rows, wide.items, queries * wide.scales, wide.terms, wide.parts, self.known, filled_, out)
        for place, name in enumerate(self.calls):
            offset, slope = self.lines[name]
            logs = np.log(np.maximum(called[:, :, place], 0) + np.float32(faint))
            out[:, :, self.names.index(name)] = logs * np.float32(slope) + np.float32(offset)
        for name, term in self.others.items():
            values = term.values[rows] if isinstance(term, OfItem) else term.users(examples)[:, None]
            out[:, :, self.names.index(name)] = values
        for follows in self.follows:
            for name, values in follows.signals(examples, rows):
                out[:, :, self.names.index(name)] = values
        return out


def _told(follows: tuple[Follows, ...]) -> set[str]:
    return {name for one in follows for name in one.half_lives}


@dataclass(frozen=True, eq=False)
class _Wide:
    """Item vectors of several terms side by side, each once, as whole numbers times a scale.

    Sixteen bits lose nothing that matters, and what isn't read from memory costs no time.
    """

    items: npt.NDArray[np.int16]
    scales: Floats
    terms: Rows
    parts: Rows

    @classmethod
    def of(cls, inner: Mapping[str, Inner], names: tuple[str, ...], n: int) -> "_Wide":
        kept: list[tuple[int, Floats]] = []
        terms: list[tuple[int, ...]] = []
        parts: list[tuple[int, ...]] = []
        places = []
        width = query = 0
        for place, (name, term) in enumerate(inner.items()):
            first, at, length = len(parts), 0, term.items.shape[1]
            while at < length:
                found = next((one for one in kept if _starts_with(term.items[:, at:], one[1])), None)
                if found is None:
                    found = width, term.items[:, at:]
                    kept.append(found)
                    width += found[1].shape[1]
                parts.append((found[0], query + at, found[1].shape[1]))
                places.append(np.arange(found[0], found[0] + found[1].shape[1]))
                at += found[1].shape[1]
            whole = term.known is None or bool(term.known.all())
            terms.append((first, len(parts), -1 if whole else place, names.index(name)))
            query += length
        items = np.hstack([np.zeros((n, 0), np.float32), *(one for _, one in kept)])
        step = np.maximum(np.abs(items).max(axis=0, initial=0), 1e-12) / _LARGEST
        scales = np.concatenate([np.zeros(0, np.float32), *(step[one] for one in places)])
        numbers = np.array(terms, np.int64).reshape(-1, 4), np.array(parts, np.int64).reshape(-1, 3)
        return cls(np.rint(items / step).astype(np.int16), scales.astype(np.float32), *numbers)


def _starts_with(items: Floats, other: Floats) -> bool:
    length = other.shape[1]
    return 0 < length <= items.shape[1] and bool(np.array_equal(items[:, :length], other))


def _known(inner: Mapping[str, Inner], n: int) -> npt.NDArray[np.uint8]:
    columns = [np.ones(n, np.bool_) if term.known is None else term.known for term in inner.values()]
    return np.array(columns, np.uint8).reshape(len(columns), n).T.copy()


def _by_item(calls: Mapping[str, Calls], places: Rows) -> Weights:
    """All matrices' rows, those of an item together, so that they come from memory in one go."""
    found = [csr_array(one.weights[:, places]) for one in calls.values()]
    n, each = (found[0].shape[0] if found else 0), len(found)
    lengths = (
        np.stack([np.diff(one.indptr) for one in found], axis=1) if found else np.zeros((n, 0), np.int64)
    )
    starts = np.concatenate([[0], np.cumsum(lengths.ravel())]).astype(np.int64)
    columns = np.zeros(starts[-1], np.uint16 if len(places) <= _SHORT else np.int32)
    numbers = np.zeros(starts[-1], np.int16)
    scales = np.zeros(n * each, np.float32)
    for place, one in enumerate(found):
        full = np.flatnonzero(lengths[:, place])
        most = (
            np.maximum.reduceat(np.abs(one.data), one.indptr[full]) if len(full) else np.zeros(0, np.float32)
        )
        mine = np.zeros(n, np.float32)
        mine[full] = np.maximum(most, 1e-20) / _LARGEST
        shift = np.repeat(starts[place:-1:each] - one.indptr[:-1], lengths[:, place])
        columns[np.arange(one.nnz) + shift] = one.indices
        numbers[np.arange(one.nnz) + shift] = np.rint(one.data / np.repeat(mine, lengths[:, place]))
        scales[place::each] = mine
    return starts, columns, numbers, scales


def _mean(term: Inner, often: Floats) -> Floats:
    unknown = np.zeros(0, np.int64) if term.known is None else np.flatnonzero(~term.known)
    if not len(unknown):
        return np.zeros(term.items.shape[1], np.float32)
    return np.asarray(filled(term, often).items[unknown[0]])
