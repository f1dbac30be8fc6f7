"""What the gate measures on: users' histories, and what came after them."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.ranking import UNCUT_EVERY, VISIT, Examples, Histories, uncut, with_visits
from rectransfer.recommend.ground import Ground
from rectransfer.vocabulary import Vocabulary

__all__ = ["Measured", "measured"]

_PAIR: Final = [Columns.User, Columns.Item]

_HISTORY: Final = 0.5
"""The share of a user's visits that is history; the rest is to be found."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Users who are measured.

    Attributes:
        examples: Those who took something new; it is their labels.
        again: The same users and histories; labels are all that they took, had before or not.
        repeating: Users who took nothing but what they had had; labels are that.
    """

    examples: Examples
    again: Examples
    repeating: Examples


def measured(ground: Ground, log: InteractionLog, users: Vocabulary) -> Measured:
    """What the gate measures on: the first half of users' visits to the target, and what they took after it.

    Where users did all at once (`Ground.at_once`), a random half of it and the rest.

    `log` may add what shared users did elsewhere before that. Some shared users are met as if new to
    the target (`Ground.met_as_new`): their history has nothing of it, and whatever they take afterwards is
    a label. One in `UNCUT_EVERY` of these is met with all that they did elsewhere, and all that they took in
    the target is to be found: of things that are taken once, the second half lacks the best known. But what
    is on sale here counts only if they had it elsewhere before they came: later it may be because of that.

    Args:
        ground: Sources and target.
        log: What histories are of.
        users: Who may be measured; those with nothing afterwards aren't.
    """
    frame = ground.target.frame.filter(pl.Series(users.rows(ground.target.frame[Columns.User]) >= 0))
    frame, number = with_visits(frame, at_once=ground.at_once), pl.col(VISIT)
    last = number.max().over(Columns.User)
    cut = ((last + 1) * _HISTORY).round().cast(pl.Int64).clip(1, last)
    marked = frame.with_columns(late=(number >= cut) & (last > 0))
    first_late = (
        marked.filter("late").group_by(Columns.User).agg(pl.col(Columns.Timestamp).min().alias("cut"))
    )
    found = Vocabulary.from_ids(first_late[Columns.User])
    new_here = found.ids.filter(pl.Series(ground.met_as_new(found)))
    uncut_here = pl.col(Columns.User).is_in(new_here.gather_every(UNCUT_EVERY).implode())
    marked = marked.with_columns(late=pl.col("late") | uncut_here)
    early = marked.filter(~pl.col("late"), ~pl.col(Columns.User).is_in(new_here.implode()))
    early = early.select(ground.target.frame.columns)
    past = early
    if log is not ground.target:
        sold = ground.items.ids.filter(pl.Series(ground.on_sale)).implode()
        first = marked.group_by(Columns.User).agg(pl.col(Columns.Timestamp).min().alias("first"))
        other = ~pl.col(Columns.Item).is_in(sold) | (pl.col(Columns.Timestamp) < pl.col("first"))
        known = pl.when(uncut_here).then(other).otherwise(pl.col(Columns.Timestamp) < pl.col("cut"))
        times = first_late.join(first, on=Columns.User)
        past = _with_past(early, log, ground.target, times, pl.lit(ground.at_once) | known)
    whole = uncut(Histories.from_log(InteractionLog.from_frame(past), ground.items, found), len(ground.items))
    taken = marked.filter("late").select(_PAIR).unique()
    new = taken.join(early.select(_PAIR).unique(), on=_PAIR, how="anti")
    examples, again = (_asked(whole, labels, found, ground.items) for labels in (new, taken))
    rows = np.unique(examples.label_owner)
    rest = np.setdiff1d(again.label_owner, rows)
    return Measured(examples.take(rows), again.take(rows), again.take(rest))


def _asked(whole: Examples, labels: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> Examples:
    """Histories with what is to be found."""
    labels = labels.sort(_PAIR)
    owner, label = users.rows(labels[Columns.User]), items.rows(labels[Columns.Item])
    order = np.argsort(owner, kind="stable")
    return replace(whole, label_owner=owner[order], labels=label[order], who=users)


def _with_past(
    early: pl.DataFrame,
    log: InteractionLog,
    target: InteractionLog,
    times: pl.DataFrame,
    known: pl.Expr,
) -> pl.DataFrame:
    """Early rows, and those of other domains that are known."""
    key = [*_PAIR, Columns.Timestamp]
    others = log.frame.join(target.frame, on=key, how="anti").join(times, on=Columns.User)
    return pl.concat([others.filter(known).select(key), early.select(key)]).sort(
        Columns.User, Columns.Timestamp
    )
