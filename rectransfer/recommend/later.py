"""What comes later: the moment that folds are cut at, and what the gate asks for after it."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog, between
from rectransfer.ranking import Examples, Histories, uncut
from rectransfer.recommend.ground import Ground, Moment
from rectransfer.vocabulary import Vocabulary

__all__ = ["Moment", "measured", "moment", "visits_before"]

_HISTORY: Final = 0.5
"""The share of a user's visits that is history where no moment cuts them; the rest is to be found."""


def moment(log: InteractionLog, latest: float) -> Moment | None:
    """When the latest rows of a log begin.

    Args:
        log: The target's.
        latest: The share of its rows that is late.

    Returns:
        A timestamp of the log; None where `latest` is 0, or fewer than half of the users who were there more
        than once were there before and after: then a moment would part users, and not what they do.
    """
    times = log.frame[Columns.Timestamp].sort()
    place = round(len(times) * (1 - latest))
    if not 0 < place < len(times):
        return None
    since: Moment = times[place]
    time = pl.col(Columns.Timestamp)
    spans = log.frame.group_by(Columns.User).agg(first=time.min(), last=time.max())
    spans = spans.filter(pl.col("first") < pl.col("last"))
    both = spans.filter(pl.col("first") < since, pl.col("last") >= since).height
    return since if 2 * both >= max(spans.height, 1) else None


def visits_before(
    log: InteractionLog, since: Moment, items: Vocabulary, users: Vocabulary
) -> npt.NDArray[np.int64]:
    """How many visits each user had made by then, shape `(len(users),)`."""
    found = Histories.from_log(between(log, end=since), items, users)
    visits = [found.of(user)[1] for user in range(len(users))]
    return np.array([steps[-1] + 1 if len(steps) else 0 for steps in visits], dtype=np.int64)


def measured(ground: Ground, log: InteractionLog, users: Vocabulary, since: Moment | None = None) -> Examples:
    """What the gate measures on: users' visits to the target before a moment, and what was new after it.

    `log` may add what shared users did elsewhere before that. Where users are shared, every second one is met
    as if new to the target: its history has nothing of it, and whatever is taken afterwards is a label.

    Args:
        ground: Sources and target.
        log: What histories are of.
        users: Who may be measured; those with nothing new afterwards aren't.
        since: Where histories end, but for one visit at least; None: in the middle of each user's visits.
    """
    frame = ground.target.frame.filter(pl.Series(users.rows(ground.target.frame[Columns.User]) >= 0))
    visit = Columns.Session if ground.target.has_sessions else Columns.Timestamp
    number = pl.col(visit).rle_id().over(Columns.User).cast(pl.Int64)
    last = number.max().over(Columns.User)
    cut = ((last + 1) * _HISTORY).round().cast(pl.Int64)
    if since is not None:
        cut = number.filter(pl.col(Columns.Timestamp) >= since).min().over(Columns.User)
    late = (number >= cut.clip(1, last)).fill_null(False)
    marked = frame.with_columns(late=late & (last > 0))
    first_late = (
        marked.filter("late").group_by(Columns.User).agg(pl.col(Columns.Timestamp).min().alias("cut"))
    )
    key = [Columns.User, Columns.Item]
    found = Vocabulary.from_ids(first_late[Columns.User])
    new_here = found.ids.gather_every(2, offset=1) if ground.shares_users else found.ids.clear()
    early = marked.filter(~pl.col("late"), ~pl.col(Columns.User).is_in(new_here.implode()))
    early = early.select(frame.columns)
    past = early
    if log is not ground.target:
        others = log.frame.join(ground.target.frame, on=[*key, Columns.Timestamp], how="anti")
        before = others.join(first_late, on=Columns.User).filter(pl.col(Columns.Timestamp) < pl.col("cut"))
        names = [*key, Columns.Timestamp]
        past = pl.concat([before.select(names), early.select(names)]).sort(Columns.User, Columns.Timestamp)
    whole = uncut(Histories.from_log(InteractionLog.from_frame(past), ground.items, found), len(ground.items))
    new = marked.filter("late").select(key).unique()
    new = new.join(early.select(key).unique(), on=key, how="anti").sort(key)
    owner, label = found.rows(new[Columns.User]), ground.items.rows(new[Columns.Item])
    order = np.argsort(owner, kind="stable")
    asked = Examples(
        whole.users, whole.n_items, whole.owner, whole.items, whole.ages, owner[order], label[order], found
    )
    return asked.take(np.unique(owner))
