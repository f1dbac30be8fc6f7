"""How much each signal counts for the shortlist: measured against the whole ranking of a sample of users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import Examples, Ranker
from rectransfer.scene import Scene
from rectransfer.serving.terms import Inner, OfItem, Term, filled
from rectransfer.serving.weights import Calls

__all__ = ["Calibration", "Sample", "calibrate", "line_of"]

Floats = npt.NDArray[np.float32]

_MIDDLE = 3.5
"""What is taken off `log(1 + items in the history)`: about what a usual history has."""

_LOOKED_AT = 200
"""The best of each user's candidates that the weights are fitted to."""

_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Sample:
    """Some users, ranked the whole way.

    Attributes:
        examples: u of them.
        candidates: Item rows, shape `(u, m)`, -1 where there is none.
        signals: By name, each of shape `(u, m)`.
        scores: Shape `(u, m)`, -inf where there is none.
    """

    examples: Examples
    candidates: npt.NDArray[np.int64]
    signals: Mapping[str, Floats]
    scores: Floats

    @classmethod
    def of(cls, scene: Scene, ranker: Ranker, examples: Examples) -> "Sample":
        """Rank some users the whole way.

        What they have had is left out, unless that leaves nobody two items to compare.
        """
        candidates = scene.candidates(examples, exclude=examples.seen)
        if not ((candidates >= 0).sum(axis=1) > 1).any():
            candidates = scene.candidates(examples)
        slate = scene.slate(examples, candidates)
        columns = slate.columns(ranker.names)
        signals = {name: columns[:, :, place] for place, name in enumerate(ranker.names)}
        return cls(examples, candidates, signals, ranker.score(slate))

    def often(self, n_items: int) -> Floats:
        """How many of the users each item is a candidate of, shape `(n_items,)`."""
        there = self.candidates[self.candidates >= 0]
        return np.bincount(there, minlength=n_items).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The shortlist's weights: `(flat + slope * (length - 3.5)) * signal`, summed.

    Attributes:
        flat: By signal.
        slope: By signal.
        fills: By signal: offset and slope that lead from the filled vectors' product to what unknown items
            get.
        calls: By signal of what histories call for: offset and slope that lead from the weights that were
            kept to the signal.
        main: The signal of what histories call for that counts here; the others come with the ranker.
        share: Of the variance of the ranker's scores among the best candidates that the sum explains.
    """

    flat: Mapping[str, float]
    slope: Mapping[str, float]
    fills: Mapping[str, tuple[float, float]]
    calls: Mapping[str, tuple[float, float]]
    main: str | None
    share: float

    def gain(self, name: str | None, lengths: Floats) -> Floats:
        """How much a signal counts for users with histories of these lengths, shape `(u,)`."""
        gain = self.flat.get(name or "", 0) + self.slope.get(name or "", 0) * (lengths - _MIDDLE)
        return np.asarray(gain, dtype=np.float32)


def calibrate(sample: Sample, terms: Mapping[str, Term]) -> Calibration:
    """Fit the weights by least squares within each user, and how unknown items are filled."""
    linear = [name for name, term in terms.items() if isinstance(term, Inner | OfItem)]
    calls = [name for name, term in terms.items() if isinstance(term, Calls)]
    mains: list[str | None] = [*calls] or [None]
    tried = {main: _fitted(sample, linear if main is None else [*linear, main]) for main in mains}
    main = max(tried, key=lambda name: tried[name][1])
    weights, share = tried[main]
    names = linear if main is None else [*linear, main]
    return Calibration(
        flat=dict(zip(names, weights[0::2].tolist(), strict=True)),
        slope=dict(zip(names, weights[1::2].tolist(), strict=True)),
        fills={name: _fill(sample, name, term) for name, term in terms.items() if isinstance(term, Inner)},
        calls={name: line_of(sample, name, term) for name, term in terms.items() if isinstance(term, Calls)},
        main=main,
        share=share,
    )


def _fitted(sample: Sample, names: Sequence[str]) -> tuple[npt.NDArray[np.float64], float]:
    """Weights of some signals, flat and by length in turn, and the share of the variance they explain."""
    m = min(_LOOKED_AT, sample.scores.shape[1])
    top = np.argsort(-sample.scores, axis=1, kind="stable")[:, :m]
    there = np.isfinite(np.take_along_axis(sample.scores, top, axis=1))
    lengths = (sample.examples.lengths - _MIDDLE)[:, None]
    columns = []
    for name in names:
        values = np.take_along_axis(sample.signals[name], top, axis=1)
        columns += [_centred(values, there), _centred(values * lengths, there)]
    y = _centred(np.where(there, np.take_along_axis(sample.scores, top, axis=1), 0), there)
    if not columns or not len(y):
        return np.zeros(len(columns)), 0.0
    x = np.stack(columns, axis=1).astype(np.float64)
    spread = np.maximum(x.std(axis=0), 1e-6)
    z = x / spread
    found = np.linalg.solve(z.T @ z + _RIDGE * len(z) * np.eye(z.shape[1]), z.T @ y)
    share = 1 - float(((y - z @ found) ** 2).sum() / max(float((y**2).sum()), 1e-12))
    return found / spread, share


def line_of(sample: Sample, name: str, term: Calls) -> tuple[float, float]:
    """Offset and slope from the weights that were kept to the signal, fitted where it counts: at the top."""
    m = min(_LOOKED_AT, sample.scores.shape[1])
    top = np.argsort(-sample.scores, axis=1, kind="stable")[:, :m]
    there = np.isfinite(np.take_along_axis(sample.scores, top, axis=1))
    rows = np.take_along_axis(sample.candidates, top, axis=1)
    found = term.signal(sample.examples.counts, rows)[there]
    if not len(found) or found.std() < 1e-6:
        return 0.0, 1.0
    slope, offset = np.polyfit(found, np.take_along_axis(sample.signals[name], top, axis=1)[there], 1)
    return float(offset), float(slope)


def _centred(values: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    """What is there, less each user's mean, flat."""
    sums = np.where(there, values, 0).sum(axis=1, keepdims=True)
    means = sums / np.maximum(there.sum(axis=1, keepdims=True), 1)
    return np.asarray((values - means)[there])


def _fill(sample: Sample, name: str, term: Inner) -> tuple[float, float]:
    """What unknown items get, from the product with the mean of the known ones' vectors."""
    if term.known is None or term.known.all():
        return 0.0, 1.0
    unknown = ~term.known[sample.candidates] & (sample.candidates >= 0)
    rows = np.flatnonzero(unknown.any(axis=1))
    if len(rows) < 2:
        return 0.0, 1.0
    got = sample.signals[name][rows, unknown[rows].argmax(axis=1)]
    mean = filled(term, sample.often(len(term.known))).items[~term.known][0]
    product = term.users(sample.examples)[rows] @ mean
    slope, offset = np.polyfit(product, got, 1) if product.std() > 1e-6 else (0.0, got.mean())
    return float(offset), float(slope)
