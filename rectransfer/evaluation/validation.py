"""A cut inside a log, to choose settings by: no test is looked at."""

from dataclasses import dataclass

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog

__all__ = ["ValidationCut", "cut_last_steps"]


@dataclass(frozen=True, eq=False)
class ValidationCut:
    """A log whose users' last steps are set aside.

    Attributes:
        earlier: What may be learned from: all rows of users with one step, too.
        later: The last steps of the users with two or more.
        share: The share of a user's steps in `later`.
    """

    earlier: InteractionLog
    later: InteractionLog
    share: float

    @property
    def guarantee(self) -> str:
        """What can be relied on."""
        return (
            f"each of the {self.later.n_users:,} users in `later` has rows in `earlier`, and all of those "
            "came before; rows of other users in `earlier` may be later than a user's in `later`"
        )


def cut_last_steps(log: InteractionLog, share: float = 0.25) -> ValidationCut:
    """Sets aside the last steps of every user.

    Steps are sessions, or moments where the log has no sessions, or no user has two of them.

    Args:
        log: Any log.
        share: Of a user's steps, in (0, 1), rounded to at least one step and at most all but one.

    Raises:
        InputError: `share` is out of range, or no user has two steps.

    Examples:
        >>> frame = pl.DataFrame({"user_id": ["u"] * 4, "item_id": list("abcd"), "timestamp": [1, 2, 2, 3]})
        >>> cut = cut_last_steps(InteractionLog.from_frame(frame))
        >>> cut.earlier.frame["item_id"].to_list(), cut.later.frame["item_id"].to_list()
        (['a', 'b', 'c'], ['d'])
    """
    if not 0 < share < 1:
        raise InputError(f"the share of steps to set aside lies in (0, 1), got {share}")
    moment = pl.col(Columns.Timestamp)
    session = moment.min().over(Columns.User, Columns.Session) if log.has_sessions else moment
    is_late = _late(log, session, share)
    if log.has_sessions and not is_late.any():
        is_late = _late(log, moment, share)
    if not is_late.any():
        raise InputError(
            f"{log.name}: none of its {log.n_users:,} users has rows of two different moments, so nothing "
            "can be set aside"
        )
    return ValidationCut(
        log.with_frame(log.frame.filter(~is_late)), log.with_frame(log.frame.filter(is_late)), share
    )


def _late(log: InteractionLog, began: pl.Expr, share: float) -> pl.Series:
    """Whether a row belongs to its user's last steps, given when its step began."""
    steps = log.frame.select(Columns.User, step=began).with_columns(
        pl.col("step").rank("dense").over(Columns.User).cast(pl.Int64)
    )
    n = pl.col("step").max().over(Columns.User)
    set_aside = pl.min_horizontal((n * share).round().clip(1), n - 1)
    return steps.select(pl.col("step") > n - set_aside)["step"]
