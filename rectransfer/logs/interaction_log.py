"""The log of who took what and when: the one kind of data that the library learns from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.naming import OPTIONAL, REQUIRED
from rectransfer.logs.normalise import normalise, to_polars
from rectransfer.logs.summary import LogSummary, summarise
from rectransfer.vocabulary import Vocabulary

__all__ = ["InteractionLog", "require_log"]


@dataclass(frozen=True, eq=False, repr=False)
class InteractionLog:
    """Interactions of users with items, checked and in order. `InteractionLog.from_frame` makes one.

    A row may be there twice: people buy the same thing again.

    Attributes:
        frame: One row an interaction, sorted by user and timestamp; rows of one moment keep the order they
            came in. `user_id` and `item_id` are `Int64` or `String`, `timestamp` is `Datetime` (UTC,
            microseconds) or `Int64` (any unit that orders: seconds, days, weeks); `weight` (`Float64`,
            above 0) and `session_id` are optional.
        name: What errors call the log.

    Raises:
        InputError: The frame isn't one that `from_frame` makes.

    Examples:
        >>> log = InteractionLog.from_frame(
        ...     pl.DataFrame({"household": ["b", "a", "a"], "item_id": [7, 7, 9], "timestamp": [3, 2, 1]}),
        ...     columns={"household": "user_id"},
        ... )
        >>> log
        InteractionLog('log': 3 rows, 2 users, 2 items, from 1 to 3)
        >>> log.frame["item_id"].to_list()
        [9, 7, 7]
    """

    frame: pl.DataFrame
    name: str = "log"

    def __post_init__(self) -> None:
        expected = [*REQUIRED, *(column for column in OPTIONAL if column in self.frame.columns)]
        if self.frame.columns != expected:
            raise InputError(
                f"{self.name}: the columns are {self.frame.columns}, expected {expected}; "
                "InteractionLog.from_frame(frame) chooses and orders them"
            )
        try:
            checked = normalise(self.frame, {column: column for column in expected})
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from error
        object.__setattr__(self, "frame", checked)

    @classmethod
    def from_frame(
        cls, data: Any, *, columns: Mapping[str, str] | None = None, name: str = "log"
    ) -> "InteractionLog":
        """A log from a table that is in memory.

        Integer ids of any width become `Int64`; text, categories and enums become `String`, and stay as they
        are otherwise ("0042" isn't 42). Timestamps with a zone become UTC. Other columns are dropped.

        Args:
            data: A polars frame (lazy too), a pandas frame or a pyarrow table.
            columns: Your names to ours, for instance `{"household_id": "user_id"}`.
            name: What errors call the log.

        Raises:
            InputError: No rows; a missing column; nulls; ids that are floats or of mixed types; timestamps
                that are text; weights that aren't finite and above 0. The message has the column, the counts,
                the first rows (from 0) and the remedy.
        """
        try:
            frame = normalise(*to_polars(data, columns))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        return cls(frame, name)

    def with_frame(self, frame: pl.DataFrame) -> "InteractionLog":
        """A log under the same name, of other rows.

        Args:
            frame: Columns as in `frame`.

        Raises:
            InputError: As `from_frame`, or ids that change their type.
        """
        log = InteractionLog.from_frame(frame, name=self.name)
        for column in (Columns.User, Columns.Item):
            if log.frame[column].dtype != self.frame[column].dtype:
                raise InputError(
                    f"{self.name}: column {column!r} was {self.frame[column].dtype} and would become "
                    f"{log.frame[column].dtype}; cast it back"
                )
        return log

    def at_one_moment(self) -> "InteractionLog":
        """The same rows in the same order, all at one moment and without sessions.

        For models that are asked for any part of what users take, and not for what comes next: a test that
        hides random rows asks that. Tables still learn from what stands near each other; nothing is learned
        of what comes after what.

        Examples:
            >>> log = InteractionLog.from_frame(pl.DataFrame({
            ...     "user_id": ["u", "u"], "item_id": ["tea", "milk"], "timestamp": [1, 5]}))
            >>> log.at_one_moment().frame["timestamp"].to_list()
            [5, 5]
        """
        frame = self.frame.drop(Columns.Session) if self.has_sessions else self.frame
        return self.with_frame(frame.with_columns(pl.col(Columns.Timestamp).max()))

    @cached_property
    def users(self) -> Vocabulary:
        """The users, in ascending order."""
        return Vocabulary.from_ids(self.frame[Columns.User])

    @cached_property
    def items(self) -> Vocabulary:
        """The items, in ascending order."""
        return Vocabulary.from_ids(self.frame[Columns.Item])

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.items)

    @property
    def has_weight(self) -> bool:
        """Whether the rows carry weights."""
        return Columns.Weight in self.frame.columns

    @property
    def has_sessions(self) -> bool:
        """Whether the rows carry a session."""
        return Columns.Session in self.frame.columns

    @cached_property
    def span(self) -> tuple[datetime, datetime] | tuple[int, int]:
        """The first and the last timestamp."""
        when = self.frame[Columns.Timestamp]
        return when.min(), when.max()  # type: ignore[return-value]  # never null, and of one type

    def describe(self) -> LogSummary:
        """Counts of rows, users, items, sessions and repeats; `print` shows them in words."""
        return summarise(self.frame)

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        first, last = self.span
        return (
            f"InteractionLog({self.name!r}: {len(self):,} rows, {self.n_users:,} users, "
            f"{self.n_items:,} items, from {first} to {last})"
        )


def require_log(value: object, call: str) -> None:
    """Refuse what isn't a log yet.

    Args:
        value: What was given.
        call: Where, for the message.

    Raises:
        InputError: It isn't an `InteractionLog`.
    """
    if not isinstance(value, InteractionLog):
        raise InputError(
            f"{call} takes an InteractionLog, got a {type(value).__name__}; "
            "rectransfer.read_log(...) makes one of a file or a frame"
        )
