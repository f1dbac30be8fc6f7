"""From one population of film lovers to another: MovieLens 1M to MovieLens 100K."""

import math
from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.task import Task
from rectransfer.logs import InteractionLog, PublicData, hold_out_users, share_of_users

__all__ = ["movielens"]

_TEST_USERS: Final = 0.2
_HISTORY: Final = 0.8


def movielens(source: PublicData, target: PublicData, *, share: float, seed: int = 0) -> Task:
    """A young site learns from an older one's ratings: films are shared by title, users are others.

    A fifth of the target's users is set aside, the same for every share. Of their ratings the first 80 % are
    history and the rest is to be found. The target's log is a share of the other users, with all their
    ratings; the users of a smaller share are among those of a larger one. Every film of the target is ranked.

    Args:
        source: `fetch("ml-1m")`.
        target: `fetch("ml-100k")`.
        share: Of the target's users who aren't set aside, in (0, 1].
        seed: Draws the users who are set aside, and those of the share.

    Raises:
        InputError: The share is out of range, users are shared, or the test's users have too few ratings.
    """
    if (known := source.log.users.rows(target.log.users.ids) >= 0).any():
        raise InputError(
            f"{known.sum():,} of {target.log.n_users:,} users of {target.name} have ids of users of "
            f"{source.name}; this task needs others, prefix the ids"
        )
    users = hold_out_users(target.log, _TEST_USERS, seed=seed)
    sample = share_of_users(users.kept, share, seed=seed)
    histories, test = _first_and_rest(users.held_out)
    return Task(
        name=f"{source.name} to {target.name}, {share:.0%}",
        source=source.log,
        target=sample.log,
        histories=histories,
        test=test,
        items=target.log.items,
        guarantee=_guarantee(source, target, users.held_out.n_users, sample.log.n_users, seed),
        titles=target.items,
    )


def _guarantee(source: PublicData, target: PublicData, n_test: int, n_target: int, seed: int) -> str:
    first, last = source.log.span
    begin, end = target.log.span
    return (
        f"the {n_test:,} test users have no row in the source or in the target's log of {n_target:,} users "
        f"(seed {seed}), and what they are tested by is the last {1 - _HISTORY:.0%} of their own ratings; "
        f"there is no common cut in time: {source.name} ({first} to {last}) isn't older than {target.name} "
        f"({begin} to {end}), and other users' ratings may be later than a test user's, so this measures "
        "transfer between populations, not forecasts"
    )


def _first_and_rest(log: InteractionLog) -> tuple[InteractionLog, InteractionLog]:
    """Each user's first ratings and the rest; ratings of one moment are in the order of their titles."""
    frame = log.frame.sort(Columns.User, Columns.Timestamp, Columns.Item)
    place = pl.int_range(pl.len()).over(Columns.User)
    n = pl.len().over(Columns.User)
    early = place < (n * _HISTORY).round().clip(1)
    before, after = frame.filter(early), frame.filter(~early)
    if not after.height:
        least = math.ceil(1 / (1 - _HISTORY) / 2)
        raise InputError(f"{log.name}: none of the {log.n_users:,} test users has {least} ratings or more")
    return log.with_frame(before), log.with_frame(after)
