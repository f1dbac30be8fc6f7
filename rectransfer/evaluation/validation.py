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
    """Sets aside the last steps of every user: sessions, or moments where the log has no sessions.

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
    began = pl.col(Columns.Timestamp)
    if log.has_sessions:
        began = began.min().over(Columns.User, Columns.Session)
    step = began.rank("dense").over(Columns.User).cast(pl.Int64)
    frame = log.frame.with_columns(step.alias("step")).with_columns(n=pl.col("step").max().over(Columns.User))
    late = pl.min_horizontal((pl.col("n") * share).round().clip(1), pl.col("n") - 1)
    is_late = pl.col("step") > pl.col("n") - late
    earlier, later = frame.filter(~is_late).drop("step", "n"), frame.filter(is_late).drop("step", "n")
    if not later.height:
        raise InputError(
            f"{log.name}: none of its {log.n_users:,} users has two steps ("
            f"{'sessions' if log.has_sessions else 'different timestamps'}), so none can be set aside"
        )
    return ValidationCut(log.with_frame(earlier), log.with_frame(later), share)
