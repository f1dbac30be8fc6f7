"""Whether an explanation names what the model looks at: take it away, and see how far the item falls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.explain.explainer import Explainer
from rectransfer.explain.explanations import Explanations
from rectransfer.explain.formula import Doubles
from rectransfer.ranking import Examples

__all__ = ["SHARES", "Curves", "history_curves", "signal_curves"]

Rows = npt.NDArray[np.int64]

SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares that are taken away or kept, unless told otherwise."""

_AT_ONCE: Final = 256


@dataclass(frozen=True, eq=False)
class Curves:
    """How an item stands as parts go and come, those named first.

    How it stands is its score less the mean score of other candidates of the user, so that what moves all
    items alike doesn't count.

    Attributes:
        shares: Of the parts that are taken away, or kept, f of them.
        whole: How it stands with all parts, shape `(n,)`.
        empty: With none, shape `(n,)`.
        deleted: With the first ones taken away, shape `(n, f)`.
        inserted: With the first ones alone, shape `(n, f)`.
    """

    shares: tuple[float, ...]
    whole: Doubles
    empty: Doubles
    deleted: Doubles
    inserted: Doubles

    @property
    def comprehensiveness(self) -> Doubles:
        """How far it falls without them, mean over the shares (DeYoung et al. 2020, "ERASER", section 4).

        It is the area over the deletion curve, too. More is better. Shape `(n,)`.
        """
        return np.asarray(self.whole - self.deleted.mean(axis=1))

    @property
    def sufficiency(self) -> Doubles:
        """How far it falls with them alone (ibidem). Less is better. Shape `(n,)`."""
        return np.asarray(self.whole - self.inserted.mean(axis=1))

    @property
    def insertion(self) -> Doubles:
        """How far it rises by them alone: the area under the insertion curve. More is better. `(n,)`."""
        return np.asarray(self.inserted.mean(axis=1) - self.empty)


def history_curves(
    explainer: Explainer,
    examples: Examples,
    candidates: Rows,
    strengths: npt.ArrayLike,
    shares: Sequence[float] = SHARES,
) -> Curves:
    """Take items out of the history, the strongest first, and score again: averages, length and all.

    Args:
        explainer: Of the model.
        examples: A history for each pair, n of them: `examples.take(users)`.
        candidates: Item rows, the explained one first and then those it is compared with, shape `(n, 1 + m)`.
        strengths: What an explainer gives to each different item of each history, in the order of
            `examples.counts`, shape `(h,)`.
        shares: Of a history, rounded up to whole items.

    Raises:
        InputError: Shapes that don't fit.
    """
    given, starts = np.asarray(strengths, dtype=np.float64), examples.counts.indptr
    if len(given) != starts[-1] or len(candidates) != len(examples) or candidates.shape[1] < 2:
        raise InputError(
            f"{len(given)} strengths and {candidates.shape} candidates for {len(examples)} histories of "
            f"{starts[-1]} items; expected one each, and two candidates at least"
        )
    sizes = np.diff(starts)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-given, owner))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts[:-1], sizes)
    places = csr_array((place + 1, examples.counts.indices, starts), shape=examples.counts.shape)
    of_entry = np.asarray(places[examples.owner, examples.items]).ravel() - 1

    def standing(keeps: npt.NDArray[np.bool_]) -> Doubles:
        left = replace(
            examples,
            owner=examples.owner[keeps],
            items=examples.items[keeps],
            ages=examples.ages[keeps],
        )
        return _standing(explainer, left, candidates)

    cuts = [np.ceil(np.asarray(share) * sizes).astype(np.int64)[examples.owner] for share in shares]
    everything = np.ones(len(of_entry), np.bool_)
    return Curves(
        shares=tuple(shares),
        whole=standing(everything),
        empty=standing(~everything),
        deleted=np.stack([standing(of_entry >= cut) for cut in cuts], axis=1),
        inserted=np.stack([standing(of_entry < cut) for cut in cuts], axis=1),
    )


def signal_curves(
    explainer: Explainer, explained: Explanations, strengths: npt.ArrayLike, counts: Sequence[int]
) -> Curves:
    """Put groups of signals to what they are in the background, the strongest first.

    Here an item stands at its mean score over the background's rows.

    Args:
        explainer: Of the model.
        explained: n pairs that it gave.
        strengths: What an explainer gives to each group, shape `(n, g)`.
        counts: How many groups are taken away, or kept.

    Raises:
        InputError: Shapes that don't fit.
    """
    given = np.asarray(strengths, dtype=np.float64)
    if given.shape != (len(explained), len(explained.groups)):
        raise InputError(
            f"strengths of the shape {given.shape}; expected {(len(explained), len(explained.groups))}"
        )
    place = np.argsort(np.argsort(-given, axis=1, kind="stable"), axis=1)
    s = len(explainer.ranker.names)  # what stands beside the ranker's signals says nothing of its scores
    groups = np.array(explained.players.groups)[:s]

    def standing(keeps: Callable[[Rows], npt.NDArray[np.bool_]]) -> Doubles:
        kept = keeps(place)[:, groups]
        scores = np.empty(len(explained))
        for row, length in enumerate(np.log1p(explained.lengths)):
            mixed = np.where(kept[row], explained.values[row, :s], explainer.background_signals)
            scores[row] = explainer.scores_of(float(length))(mixed).mean()
        return scores

    return Curves(
        shares=tuple(count / len(explained.groups) for count in counts),
        whole=standing(lambda place: place >= 0),
        empty=standing(lambda place: place < 0),
        deleted=np.stack([standing(lambda place, n=count: place >= n) for count in counts], axis=1),  # type: ignore[misc]
        inserted=np.stack([standing(lambda place, n=count: place < n) for count in counts], axis=1),  # type: ignore[misc]
    )


def _standing(explainer: Explainer, examples: Examples, candidates: Rows) -> Doubles:
    found = []
    for start in range(0, len(examples), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(examples)))
        slate = explainer.scene.slate(examples.take(rows), candidates[rows])
        scores = explainer.ranker.score(slate).astype(np.float64)
        there = candidates[rows, 1:] >= 0
        others = np.where(there, scores[:, 1:], 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        found.append(scores[:, 0] - others)
    return np.concatenate([np.zeros(0), *found])
