"""What the model says of itself: reasons, waterfalls and the importance of its signals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.explain import (
    EVERYTHING,
    Explanations,
    importance,
    reason_frame,
    reasons_for,
    transfer_share,
)
from rectransfer.logs import InteractionLog
from rectransfer.recommend import Recommender
from rectransfer.report.catalogue import Catalogue
from rectransfer.report.details import Because, Share, SignalImportance, Signals, Step
from rectransfer.report.people import SHOWN, Drawn
from rectransfer.report.segments import kinds_of_users
from rectransfer.report.signal_words import in_words, kind_of
from rectransfer.report.trial import Trial
from rectransfer.vocabulary import Vocabulary

__all__ = ["Explained", "because_of", "explained"]

_MOST_STEPS: Final = 5
_REST: Final = "Everything else"
_MOST_USERS: Final = 200
_FEWEST_USERS: Final = 2


@dataclass(frozen=True, eq=False)
class Explained:
    """What the model says of itself.

    Attributes:
        reasons: In words, by user and item.
        because: Of each user's first item.
        signals: What the ranking rests on.
    """

    reasons: Mapping[tuple[Any, Any], str] = field(default_factory=dict)
    because: Mapping[Any, Because] = field(default_factory=dict)
    signals: Signals | None = None


def explained(
    model: Recommender,
    trial: Trial,
    drawn: tuple[Drawn, ...],
    history: InteractionLog | None,
    catalogue: Catalogue,
    *,
    seed: int,
) -> Explained:
    """Reasons for the lists of some users, and what the ranking rests on.

    Args:
        model: Fitted.
        trial: Of it.
        drawn: Users to look at.
        history: What the test's users did besides the model's own log.
        catalogue: Titles, which reasons name.
        seed: Draws the users whom the importance of signals is measured on.
    """
    found = model.explain([one.user for one in drawn], k=SHOWN, history=history)
    words = reason_frame(found, reasons_for(found, titles=catalogue.frame))
    pairs = zip(found.users, found.items, words["reason"], strict=True)
    return Explained(
        reasons={(user, item): reason for user, item, reason in pairs if reason},
        because={
            found.users[row]: because_of(found, row) for row in np.flatnonzero(found.ranks == 1).tolist()
        },
        signals=_signals(model, trial, history, seed),
    )


def _signals(model: Recommender, trial: Trial, history: InteractionLog | None, seed: int) -> Signals | None:
    """Over users with a history: others get best sellers, whose scores are of another kind."""
    known = trial.users.filter(pl.Series(trial.history_sizes > 0))
    if known.len() > _MOST_USERS:
        drawn = np.random.default_rng(seed).choice(known.len(), _MOST_USERS, replace=False)
        known = known.gather(np.sort(drawn))
    found = model.explain(known, k=trial.k, history=history, on_unknown_users="skip")
    if found.users.n_unique() < _FEWEST_USERS:
        return None
    segments = _segments(found, trial)
    parts = importance(found, seed=seed).filter(pl.col("segment") == EVERYTHING)
    shares = transfer_share(found, segments, seed=seed).filter(pl.col("domain") == "transferred")
    by_segment = {row["segment"]: row for row in shares.iter_rows(named=True)}
    carried = any(kind_of(name) != "own" for name in found.groups)
    return Signals(
        rows=_rows(parts),
        transferred=_share(by_segment[EVERYTHING]) if carried else None,
        by_segment=tuple(
            (name, _share(by_segment[name]), by_segment[name]["n_users"])
            for name in segments
            if name in by_segment
        )
        if carried
        else (),
        n_users=found.users.n_unique(),
    )


def _segments(found: Explanations, trial: Trial) -> dict[str, npt.NDArray[np.bool_]]:
    kinds, names = kinds_of_users(trial.history_sizes)
    owner = Vocabulary(trial.users).rows(found.users)
    masks = {name: kinds[owner] == kind for kind, name in enumerate(names)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def _rows(parts: pl.DataFrame) -> tuple[SignalImportance, ...]:
    whole = parts["mean"].sum() or 1.0
    return tuple(
        SignalImportance(name, in_words(name), kind_of(name), Share(mean / whole, low / whole, high / whole))
        for name, mean, low, high in parts.sort("mean", descending=True, maintain_order=True)
        .select("part", "mean", "low", "high")
        .iter_rows()
    )


def _share(row: Mapping[str, Any]) -> Share:
    return Share(row["share"], row["low"], row["high"])


def because_of(found: Explanations, row: int) -> Because:
    """The score of a pair, from that of an average candidate: the largest steps, and the rest as one.

    Args:
        found: Explanations.
        row: Of the pair.
    """
    parts = found.by_group[row]
    order = [group for group in np.argsort(-np.abs(parts), kind="stable").tolist() if parts[group] != 0]
    steps = [Step(in_words(found.groups[group]), float(parts[group])) for group in order[:_MOST_STEPS]]
    if rest := order[_MOST_STEPS:]:
        steps.append(Step(_REST, float(parts[rest].sum())))
    return Because(float(found.base[row]), tuple(steps), float(found.scores[row]))
