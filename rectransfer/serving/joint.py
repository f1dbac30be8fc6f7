"""One retriever for all signals: the ranker's straight line as an inner product of a user and an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import Examples
from rectransfer.serving.calibrate import Calibration, Sample
from rectransfer.serving.terms import Inner, OfItem, Term, filled

__all__ = ["Joint"]

Floats = npt.NDArray[np.float32]

_LOST: Final = 0.15
"""The share of the scores' variance that may be lost to shorter vectors."""

_STEP: Final = 16
"""Lengths are multiples of this, as the processor's registers are."""


@dataclass(frozen=True, eq=False)
class Joint:
    """User and item vectors whose inner product is the weighed sum of the signals that are one.

    Attributes:
        spans: Of each inner signal: where its part of a user's vector lies.
        turn: From the long user vectors to short ones, shape `(d, r)`.
        items: Short item vectors, shape `(r, n)`.
        calibration: The weights.
    """

    spans: Mapping[str, slice]
    turn: Floats
    items: Floats
    calibration: Calibration

    @classmethod
    def of(cls, terms: Mapping[str, Term], sample: Sample, calibration: Calibration) -> "Joint":
        """Lay the signals' vectors side by side, and shorten them.

        The directions that are kept are those in which the scores of the sample's users differ most between
        items: the singular vectors of the items, seen through the users' second moments.
        """
        n = sample.examples.n_items
        often = sample.often(n)
        spans: dict[str, slice] = {}
        parts, known = [_of_items(terms, calibration, n)], list[tuple[slice, Inner]]()
        width = parts[0].shape[1]
        for name, term in terms.items():
            if not isinstance(term, Inner):
                continue
            shared = next((span for span, items in known if _same(items, term)), None)
            if shared is None:
                shared = slice(width, width + term.items.shape[1])
                known.append((shared, term))
                parts.append(filled(term, often).items)
                width = shared.stop
            spans[name] = shared
        items = np.hstack(parts).astype(np.float64)
        whole = cls(spans, np.eye(width, dtype=np.float32), np.zeros((width, 0), np.float32), calibration)
        users = whole.users(sample.examples, _vectors(terms, sample.examples)).astype(np.float64)
        turn, short = _shortened(users, items, often)
        return cls(spans, turn, short, calibration)

    def users(self, examples: Examples, vectors: Mapping[str, Floats]) -> Floats:
        """Short user vectors, shape `(u, r)`.

        Args:
            examples: u of them.
            vectors: Of each inner signal, shape `(u, d)`.
        """
        lengths = examples.lengths
        long = np.zeros((len(lengths), len(self.turn)), np.float32)
        long[:, 0], long[:, 1] = 1.0, lengths - lengths.dtype.type(3.5)
        for name, span in self.spans.items():
            long[:, span] += vectors[name] * self.calibration.gain(name, lengths)[:, None]
        return long @ self.turn


def _vectors(terms: Mapping[str, Term], examples: Examples) -> dict[str, Floats]:
    return {name: term.users(examples) for name, term in terms.items() if isinstance(term, Inner)}


def _of_items(terms: Mapping[str, Term], calibration: Calibration, n: int) -> Floats:
    """What needs no user: the weighed numbers of the items, and how they change with the history's length."""
    found = np.zeros((n, 2), np.float32)
    for name, term in terms.items():
        if isinstance(term, OfItem):
            found[:, 0] += calibration.flat[name] * term.values
            found[:, 1] += calibration.slope[name] * term.values
    return found


def _same(one: Inner, other: Inner) -> bool:
    return one.items is other.items


def _shortened(
    users: npt.NDArray[np.float64], items: npt.NDArray[np.float64], often: Floats
) -> tuple[Floats, Floats]:
    moments = users.T @ users / max(1, len(users))
    values, axes = np.linalg.eigh(moments)
    roots = np.sqrt(np.maximum(values, values.max() * 1e-10))
    seen = items @ (axes * roots)
    # the level that all items share doesn't tell them apart; what is retrieved often counts
    weight = often + 0.1
    centre = weight @ seen / weight.sum()
    centred = (seen - centre) * np.sqrt(weight)[:, None]
    spread, directions = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-spread)
    kept = 1 - np.cumsum(spread[order]) / max(float(spread.sum()), 1e-300)  # 0 where all items are alike
    rank = int(np.argmax(kept <= _LOST)) + 1
    rank = min(-(-rank // _STEP) * _STEP, items.shape[1])
    chosen = directions[:, order[:rank]]
    turn = (axes / roots) @ chosen
    return turn.astype(np.float32), np.ascontiguousarray((seen @ chosen).T, dtype=np.float32)
