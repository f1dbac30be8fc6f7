"""A conditional logit over a few signals: the quickest head that learns which of them to trust."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array

from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.selection.slice import Slice
from rectransfer.selection.views import Signals

__all__ = ["Probed", "Sample", "ndcg_as_it_is", "probe", "sample"]

_OTHERS: Final = 200
"""Items that a label is told from."""

_PENALTY: Final = 1.0

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Items to tell apart, the same ones for every source.

    Attributes:
        items: Rows of items, shape `(n, m)`: each user's labels and a draw of other items.
        there: Which of them are there, shape `(n, m)`.
        taken: Which of them are labels, shape `(n, m)`.
    """

    items: Rows
    there: npt.NDArray[np.bool_]
    taken: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Probed:
    """What a probe measured on users that it hadn't learned from.

    Attributes:
        ndcg: NDCG@10 over the whole catalogue, shape `(n,)`.
        likelihood: Mean log-likelihood of a label among the sample, in nats, shape `(n,)`.
    """

    ndcg: Floats
    likelihood: Floats


def sample(measured: Slice, seed: int) -> Sample:
    """Each user's labels, and other items by the root of their popularity."""
    draw = np.random.default_rng(seed)
    counts = np.asarray(measured.seen.sum(axis=0)).ravel()
    log_weights = 0.5 * np.log1p(counts)
    shut = (measured.seen + measured.relevant).toarray() > 0
    labels = [measured.relevant.indices[a:b] for a, b in _spans(measured.relevant)]
    others = min(_OTHERS, measured.target.n_items)
    width = others + max(len(found) for found in labels)
    items = np.zeros((len(labels), width), np.int64)
    there, taken = np.zeros(items.shape, np.bool_), np.zeros(items.shape, np.bool_)
    for user, found in enumerate(labels):
        # the largest of keys with Gumbel noise are a weighted draw without replacement
        keys = np.where(shut[user], -np.inf, log_weights + draw.gumbel(size=len(log_weights)))
        drawn = np.argsort(-keys)[: min(others, int((~shut[user]).sum()))]
        row = np.concatenate([found, drawn])
        items[user, : len(row)], there[user, : len(row)], taken[user, : len(found)] = row, True, True
    return Sample(items, there, taken)


def probe(measured: Slice, told: Sample, signals: Signals) -> Probed:
    """Fit a conditional logit on all users but a part's, and measure it on those; for each part.

    The chance of a label among the items that it is told from is a softmax of a weighted sum of signals
    (McFadden 1974, "Conditional logit analysis of qualitative choice behavior", section 2), with a small
    ridge
    penalty: convex, a handful of weights, milliseconds.

    Args:
        measured: n users.
        told: Their items to tell apart.
        signals: What to tell them apart by.
    """
    whole = np.stack([_standard(one) for one in signals.values()], axis=2)
    few = np.take_along_axis(whole, told.items[:, :, None], axis=1).astype(np.float64)
    ndcg, likelihood = np.zeros(len(told.items)), np.zeros(len(told.items))
    for fold in np.unique(measured.fold):
        inside = np.flatnonzero(measured.fold == fold)
        outside = np.flatnonzero(measured.fold != fold)
        weights = _fitted(few[outside], told.there[outside], told.taken[outside])
        likelihood[inside] = _likelihood(weights, few[inside], told.there[inside], told.taken[inside])[0]
        scores = np.asarray(whole[inside] @ weights, np.float32)
        ndcg[inside] = _ndcg(measured, inside, scores)
    return Probed(ndcg, likelihood)


def ndcg_as_it_is(measured: Slice, scores: npt.NDArray[np.float32]) -> Floats:
    """NDCG@10 of scores that nothing was fitted to, shape `(n,)`."""
    return _ndcg(measured, np.arange(len(measured.users)), scores)


def _ndcg(measured: Slice, rows: Rows, scores: npt.NDArray[np.float32]) -> Floats:
    ranks = rank_relevant(scores, csr_array(measured.relevant[rows]), csr_array(measured.seen[rows]))
    return Ndcg(10).per_user(ranks)


def _fitted(signals: Floats, there: npt.NDArray[np.bool_], taken: npt.NDArray[np.bool_]) -> Floats:
    n = len(signals)

    def loss(weights: Floats) -> tuple[float, Floats]:
        likelihood, gradient = _likelihood(weights, signals, there, taken)
        penalty = _PENALTY / n
        value = -likelihood.mean() + penalty * float(weights @ weights)
        return value, -gradient.mean(axis=0) + 2 * penalty * weights

    found = minimize(loss, np.zeros(signals.shape[2]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x, dtype=np.float64)


def _likelihood(
    weights: Floats, signals: Floats, there: npt.NDArray[np.bool_], taken: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Mean log-likelihood of each user's labels, and its gradient; shapes `(n,)` and `(n, s)`."""
    scores = np.where(there, signals @ weights, -np.inf)
    scores = scores - scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    total = chances.sum(axis=1, keepdims=True)
    share = taken / taken.sum(axis=1, keepdims=True)
    log_chances = np.where(there, scores, 0.0) - np.log(total)
    value = (share * log_chances).sum(axis=1)
    gradient = np.einsum("um,ums->us", share - chances / total, signals)
    return value, gradient


def _standard(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    spread = float(signal.std())
    return np.asarray((signal - signal.mean()) / (spread if spread > 0 else 1.0), dtype=np.float32)


def _spans(matrix: csr_array) -> list[tuple[int, int]]:
    return list(zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True))
