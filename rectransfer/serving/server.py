"""Rank many users fast: a short list by one joint retriever, then the ranker on what is left."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.ranking import Ranker, Slate
from rectransfer.scene import Ranked, Scene
from rectransfer.serving.calibrate import Sample, calibrate, line_of
from rectransfer.serving.candidates import best
from rectransfer.serving.joint import Joint
from rectransfer.serving.kernels import FAINT, shortlist
from rectransfer.serving.layout import Layout
from rectransfer.serving.network import Network
from rectransfer.serving.prepared import Prepared
from rectransfer.serving.terms import Inner, OfItem, OfUser, Term, terms_of

__all__ = ["DEPTH", "Server"]

logger = logging.getLogger(__name__)

DEPTH: Final = 32
"""Candidates that the ranker looks at of each user."""

_AT_ONCE: Final = 1_024
"""Users of a batch."""

_IN_CACHE: Final = 64
"""Users whose scores are computed and looked through at once."""

_CHECKED: Final = 32

_SIMILAR: Final = 0.2
"""How far a signal may lie from its own function to be taken for it: on average, in units of its spread."""

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Server:
    """A scene and a ranker, laid out for speed.

    Attributes:
        scene: Where the signals come from.
        ranker: What ranks.
        terms: What the signals are made of, as far as that is known.
        joint: The retriever.
        network: The ranker's weights; None where it has a form that isn't known here.
        layout: Arrays for the compiled loops.
        depth: Candidates that the ranker looks at of each user.
    """

    scene: Scene
    ranker: Ranker
    terms: Mapping[str, Term]
    joint: Joint
    network: Network | None
    layout: Layout = field(repr=False)
    depth: int = DEPTH
    _local: Any = field(default_factory=threading.local, repr=False)

    @classmethod
    def of(cls, scene: Scene, ranker: Ranker, examples: Prepared, depth: int = DEPTH) -> "Server":
        """Lay out a scene and a ranker.

        Args:
            scene: Where the signals come from.
            ranker: What ranks.
            examples: Some users with a history, ranked the whole way to measure what the signals are worth.
            depth: Candidates that the ranker looks at of each user.

        Raises:
            InputError: No users, or a depth below 1.
        """
        if not len(examples) or depth < 1:
            raise InputError(f"{len(examples)} users, depth={depth}; expected at least 1 of both")
        sample = Sample.of(scene, ranker, examples)
        terms = {
            name: term for name, term in terms_of(scene, ranker.names).items() if _agrees(name, term, sample)
        }
        calibration = calibrate(sample, terms)
        logger.info("the joint retriever explains %.3f of the ranker's scores", calibration.share)
        terms = {name: terms[name] for name in sorted(terms, key=lambda name: name != calibration.main)}
        joint = Joint.of(terms, sample, calibration)
        few = np.arange(min(8, len(examples)))
        network = Network.of(ranker, scene.slate(examples.take(few), sample.candidates[few]))
        layout = Layout.of(scene, ranker.names, terms, joint, sample)
        found = cls(scene, ranker, terms, joint, network, layout, depth)
        found.rank(examples, 1, exclude=examples.seen)  # compiles what isn't, before anybody waits for it
        return found

    def with_depth(self, depth: int) -> "Server":
        """The same with another depth."""
        return replace(self, depth=depth)

    def rank(self, examples: Prepared, k: int, *, exclude: csr_array | None = None) -> Ranked:
        """The best `k` items of each example; fewer where fewer are left. Equal scores: by row.

        Equal calls give equal scores, bit for bit, as long as BLAS and OpenMP run on one thread. Where in its
        batch a user stands, and how large that batch is, moves the last bits: matrix products add up in
        another order at their edges. So of two items that are as good as equal either may be first.

        Args:
            examples: u users.
            k: How many.
            exclude: What a user must not get, shape `(u, n_items)`.
        """
        k = min(k, len(self.layout.places))
        none = np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
        parts = [none]
        for start in range(0, len(examples), _AT_ONCE):
            stop = min(start + _AT_ONCE, len(examples))
            shut = None if exclude is None else csr_array(exclude[start:stop])
            parts.append(self._batch(examples.between(start, stop), k, shut))
        rows, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        there = rows >= 0
        users = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
        ranks = np.broadcast_to(np.arange(1, k + 1), rows.shape)
        return Ranked(users[there], rows[there], scores[there], ranks[there])

    def _batch(self, examples: Prepared, k: int, exclude: csr_array | None) -> tuple[Rows, Floats]:
        layout, u = self.layout, len(examples)
        m = min(max(self.depth, 2 * k), len(layout.places))
        vectors = {n: term.users(examples) for n, term in self.terms.items() if isinstance(term, Inner)}
        short = self.joint.users(examples, vectors)
        counts = examples.counts
        strengths = np.array([one.strengths(counts) for one in layout.calls.values()], np.float32)
        strengths = strengths.reshape(len(layout.calls), len(examples.rows))
        first = next(iter(layout.calls), None)
        gains = self.joint.calibration.gain(first, examples.lengths)
        offsets, closed = layout.shut(exclude, u)
        rows, called = np.empty((u, m), np.int64), np.zeros((u, m, len(layout.calls)), np.float32)
        room = self._room("scores", (_IN_CACHE, len(layout.places)))
        for start in range(0, u, _IN_CACHE):
            part = slice(start, start + _IN_CACHE)
            few = short[part]
            scores = room[: len(few)]
            np.dot(few, layout.short, out=scores)
            shortlist(
                scores,
                (examples.starts[start : start + len(few) + 1], examples.rows, strengths),
                layout.weights,
                gains[part],
                (offsets[start : start + len(few) + 1], closed),
                layout.places,
                (rows[part], called[part]),
            )
        signals = layout.signals(examples, rows, vectors, called, FAINT)
        if layout.missing:
            slate = self.scene.slate(examples, rows)
            signals[:, :, layout.missing] = slate.columns(layout.missing_names)
        found = self._score(signals, rows, examples.lengths)
        out = np.empty((u, k), np.int64), np.empty((u, k), np.float32)
        best(rows, found, *out)
        return out

    def _score(self, signals: Floats, rows: Rows, lengths: Floats) -> Floats:
        if self.network is not None:
            return self.network.score(signals, lengths)
        nothing = np.zeros(rows.shape, np.bool_)
        return self.ranker.score(Slate(self.ranker.names, signals, rows >= 0, nothing, lengths))

    def _room(self, name: str, shape: tuple[int, int]) -> Floats:
        """A thread's own array: fresh memory of this size would cost more than what is done with it."""
        found: Floats | None = getattr(self._local, name, None)
        if found is None or found.shape != shape:
            found = np.empty(shape, np.float32)
            setattr(self._local, name, found)
        return found


def _agrees(name: str, term: Term, sample: Sample) -> bool:
    """Whether a term gives what the signal's own function gave, where the item is known."""
    few = np.arange(min(_CHECKED, len(sample.examples)))
    examples, candidates = sample.examples.take(few), sample.candidates[few]
    true, there = sample.signals[name][few], candidates >= 0
    found = np.zeros(true.shape, np.float32)
    if isinstance(term, Inner):
        found = np.einsum("ud,umd->um", term.users(examples), term.items[candidates])
        there &= True if term.known is None else term.known[candidates]
    elif isinstance(term, OfItem):
        found = term.values[candidates]
    elif isinstance(term, OfUser):
        found = np.broadcast_to(term.users(examples)[:, None], true.shape)
    else:
        offset, slope = line_of(sample, name, term)
        found = term.signal(examples.counts, candidates) * slope + offset
    if not there.any():
        return True
    off = float(np.abs(found - true)[there].mean())
    agrees = off <= _SIMILAR * max(float(true[there].std()), 1e-3)
    if not agrees:
        logger.info("%s is computed by its own function: its parts are off by %.4f", name, off)
    return agrees
