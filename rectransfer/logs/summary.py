"""What a log holds, in numbers."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from rectransfer.columns import Columns

__all__ = ["LogSummary", "summarise"]


@dataclass(frozen=True)
class LogSummary:
    """Counts of a log.

    Attributes:
        rows: Interactions.
        users: Different users.
        items: Different items.
        sessions: Different pairs of user and session; None where the log has no sessions.
        first: The first timestamp.
        last: The last timestamp.
        duplicate_rows: Rows that repeat an earlier one in every column.
        repeats: Rows whose user took that item before.
        median_rows_per_user: The median over users.
        median_rows_per_item: The median over items.
        single_row_users: Users with one row, who have no history to predict the next one from.
    """

    rows: int
    users: int
    items: int
    sessions: int | None
    first: datetime | int
    last: datetime | int
    duplicate_rows: int
    repeats: int
    median_rows_per_user: float
    median_rows_per_item: float
    single_row_users: int

    @property
    def density(self) -> float:
        """The share of all user-item pairs that occur, in (0, 1]."""
        return (self.rows - self.repeats) / (self.users * self.items)

    def as_dict(self) -> dict[str, Any]:
        """The counts by name, for JSON cards (timestamps stay what they are)."""
        return {**asdict(self), "density": self.density}

    def __str__(self) -> str:
        sessions = "" if self.sessions is None else f" in {self.sessions:,} sessions"
        return (
            f"{self.rows:,} interactions of {self.users:,} users with {self.items:,} items{sessions}, "
            f"from {self.first} to {self.last}; {self.repeats:,} repeat an earlier item of the user, "
            f"{self.duplicate_rows:,} repeat a whole row; {self.density:.2%} of the pairs occur; "
            f"median {self.median_rows_per_user:g} a user and {self.median_rows_per_item:g} an item; "
            f"{self.single_row_users:,} users have one row"
        )


def summarise(frame: pl.DataFrame) -> LogSummary:
    """Counts the frame of a log.

    Args:
        frame: The normalised columns, at least one row.
    """
    user, item, when = pl.col(Columns.User), pl.col(Columns.Item), pl.col(Columns.Timestamp)
    per_user = frame.group_by(user).len()["len"]
    per_item = frame.group_by(item).len()["len"]
    first, last = frame.select(when.min().alias("first"), when.max().alias("last")).row(0)
    return LogSummary(
        rows=frame.height,
        users=per_user.len(),
        items=per_item.len(),
        sessions=frame.select(Columns.User, Columns.Session).n_unique()
        if Columns.Session in frame.columns
        else None,
        first=first,
        last=last,
        duplicate_rows=frame.height - frame.n_unique(),
        repeats=frame.height - frame.select(user, item).n_unique(),
        median_rows_per_user=_median(per_user),
        median_rows_per_item=_median(per_item),
        single_row_users=int((per_user == 1).sum()),
    )


def _median(counts: pl.Series) -> float:
    return float(counts.cast(pl.Float64).quantile(0.5, "midpoint") or 0.0)
