"""Cuts of a log in two, each with a sentence that says what can be relied on."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.filters import only_users, timestamp_like
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = [
    "TimeSplit",
    "UserSample",
    "UserSplit",
    "hold_out_users",
    "k_folds_of_users",
    "share_of_users",
    "split_by_time",
]

# Each use of a seed has its own stream: who is held out says nothing about who is sampled.
_HOLD_OUT: Final = 1
_SAMPLE: Final = 2
_FOLDS: Final = 3


@dataclass(frozen=True)
class TimeSplit:
    """A log cut at a moment.

    Attributes:
        before: The rows with `timestamp < at`.
        after: The rows with `timestamp >= at`.
        at: The moment, as the log tells time.
    """

    before: InteractionLog
    after: InteractionLog
    at: datetime | int

    @property
    def guarantee(self) -> str:
        """What can be relied on."""
        return (
            f"every one of the {len(self.before):,} rows in `before` happened before {self.at}, and every "
            f"one of the {len(self.after):,} rows in `after` at {self.at} or later, for all users alike"
        )


@dataclass(frozen=True)
class UserSplit:
    """A log cut between users.

    Attributes:
        kept: The rows of the users who stay.
        held_out: The rows of the others.
        seed: What the users were drawn with.
    """

    kept: InteractionLog
    held_out: InteractionLog
    seed: int

    @property
    def guarantee(self) -> str:
        """What can be relied on."""
        return (
            f"none of the {self.held_out.n_users:,} users in `held_out` has a row in `kept`, which has all "
            f"rows of the other {self.kept.n_users:,} (seed {self.seed})"
        )


@dataclass(frozen=True)
class UserSample:
    """Some of a log's users, with all of their rows.

    Attributes:
        log: Their rows.
        share: The share of users that was asked for.
        n_all_users: How many users the whole log has.
        seed: What the users were drawn with.
    """

    log: InteractionLog
    share: float
    n_all_users: int
    seed: int

    @property
    def guarantee(self) -> str:
        """What can be relied on."""
        return (
            f"{self.log.n_users:,} of {self.n_all_users:,} users with all of their rows; a larger share "
            f"with seed {self.seed} has these users, too"
        )


def split_by_time(log: InteractionLog, at: datetime | date | int) -> TimeSplit:
    """Cuts a log at one moment for everybody, so that no user's future is in another user's past.

    Args:
        log: Any log.
        at: The first moment of `after`, in the log's own unit.

    Raises:
        InputError: One of the sides would be empty, or `at` is of another kind than the log's timestamps.

    Examples:
        >>> log = InteractionLog.from_frame(
        ...     pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3], "timestamp": [10, 20, 30]})
        ... )
        >>> split = split_by_time(log, 20)
        >>> len(split.before), len(split.after)
        (1, 2)
    """
    moment = timestamp_like(log, at)
    first, last = log.span
    early = pl.col(Columns.Timestamp) < moment
    before, after = log.frame.filter(early), log.frame.filter(~early)
    if not before.height or not after.height:
        side = "before" if not before.height else "at or after"
        raise InputError(
            f"{log.name}: none of its {len(log):,} rows lies {side} {moment}; they go from {first} "
            f"to {last}: choose a moment after the first and not after the last"
        )
    return TimeSplit(log.with_frame(before), log.with_frame(after), moment)


def hold_out_users(
    log: InteractionLog, share: float | None = None, *, n: int | None = None, seed: int = 0
) -> UserSplit:
    """Sets users aside, drawn at random.

    Args:
        log: A log of two users or more.
        share: The share of users to set aside, in (0, 1), rounded to at least one user.
        n: Or how many, from 1 to all but one.
        seed: What to draw them with; the same seed gives the same users for the same set of users.

    Raises:
        InputError: Both or none of `share` and `n`, one that is out of range, or nobody would be left.
    """
    if (share is None) == (n is None):
        raise InputError("hold_out_users takes a share or n=, one of the two")
    if share is not None:
        if not 0 < share < 1:
            raise InputError(f"the share of users to hold out lies in (0, 1), got {share}")
        n = max(1, round(share * log.n_users))
    assert n is not None  # noqa: S101 (one of the two was given)
    if not 1 <= n < log.n_users:
        raise InputError(
            f"{log.name}: {n:,} users cannot be held out of {log.n_users:,}; "
            f"from 1 to {log.n_users - 1:,} can"
        )
    drawn = _shuffled(log.users, seed, _HOLD_OUT)
    kept, held_out = only_users(log, drawn[n:]), only_users(log, drawn[:n])
    return UserSplit(kept, held_out, seed)


def k_folds_of_users(log: InteractionLog, k: int = 5, *, seed: int = 0) -> tuple[UserSplit, ...]:
    """Cuts a log k times between users, drawn at random, so that each is held out once.

    No row is on both sides of a fold, and every row is held out in one fold and kept in the others: what is
    measured on `held_out`, over all folds, is measured on everybody, by models that never saw them. The
    sides of a fold share the time, though: for a forecast, split by time as well.

    Args:
        log: A log of k users or more.
        k: How many folds; their numbers of users differ by one at most.
        seed: What to draw them with; the same seed gives the same folds for the same set of users.

    Returns:
        k splits; each has its own `guarantee`.

    Raises:
        InputError: k is below 2, or above the number of users.

    Examples:
        >>> log = InteractionLog.from_frame(
        ...     pl.DataFrame({"user_id": [1, 2, 3, 3], "item_id": [7, 7, 8, 9], "timestamp": [1, 2, 3, 4]})
        ... )
        >>> folds = k_folds_of_users(log, 3)
        >>> sorted(user for fold in folds for user in fold.held_out.users.ids)
        [1, 2, 3]
        >>> [len(fold.kept) + len(fold.held_out) for fold in folds]
        [4, 4, 4]
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 2 <= k <= log.n_users:
        raise InputError(
            f"{log.name}: {log.n_users:,} users cannot be cut into k={k!r} folds; "
            f"expected a whole number from 2 to {log.n_users:,}"
        )
    drawn = _shuffled(log.users, seed, _FOLDS)
    bounds = np.linspace(0, log.n_users, int(k) + 1).round().astype(int).tolist()
    return tuple(
        UserSplit(
            only_users(log, pl.concat([drawn[:first], drawn[last:]])),
            only_users(log, drawn[first:last]),
            seed,
        )
        for first, last in pairwise(bounds)
    )


def share_of_users(log: InteractionLog, share: float, *, seed: int = 0) -> UserSample:
    """A thinner log: some of the users, drawn at random, with all of their rows.

    The draws are nested: with the same log and seed, the users of the 5 % are among those of the 10 %.

    Args:
        log: Any log.
        share: The share of users, in (0, 1], rounded to at least one user.
        seed: What to draw them with.

    Raises:
        InputError: The share is out of range.
    """
    if not 0 < share <= 1:
        raise InputError(f"the share of users lies in (0, 1], got {share}")
    n = max(1, round(share * log.n_users))
    return UserSample(only_users(log, _shuffled(log.users, seed, _SAMPLE)[:n]), share, log.n_users, seed)


def _shuffled(users: Vocabulary, seed: int, stream: int) -> pl.Series:
    if seed < 0:
        raise InputError(f"a seed is 0 or more, got {seed}")
    draws = np.random.default_rng([seed, stream]).random(len(users))
    return users.take(np.argsort(draws, kind="stable"))
