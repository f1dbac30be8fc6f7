"""Tasks inside a task's target: settings are chosen on them, and the test isn't looked at."""

from dataclasses import replace
from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.task import Task
from rectransfer.evaluation.validation import cut_last_steps
from rectransfer.logs import InteractionLog, hold_out_users, only_users

__all__ = ["cold_users", "first_steps", "last_steps"]

_SHARE: Final = 0.25
_ENOUGH: Final = 50  # users, for a thin target: as long as half of its users are left


def last_steps(task: Task) -> Task:
    """The same question a little earlier: the last quarter of each user's steps in the target is the test."""
    cut = cut_last_steps(task.target, _SHARE)
    return replace(
        task,
        name=f"{task.name}: validation",
        target=cut.earlier,
        histories=cut.earlier,
        test=cut.later,
        guarantee=cut.guarantee,
    )


def cold_users(task: Task, few: int = 0, seed: int = 0) -> Task:
    """Some of the target's users become cold: all that they did there is the test, the source their history.

    A quarter of those who are known in the source and do not belong to the task's own test, or of a thin
    target up to half, so that there are fifty.

    Args:
        task: Its target's users are known in the source.
        few: How many first steps in the target stay in the target and in their history.
        seed: Draws them.

    Raises:
        InputError: Fewer than two of the target's users could be held out.
    """
    tested = task.test.users.rows(task.target.frame[Columns.User]) >= 0
    known = task.source.users.rows(task.target.frame[Columns.User]) >= 0
    candidates = task.target.frame.filter(pl.Series(known & ~tested))
    n = candidates[Columns.User].n_unique()
    if n < 2:
        raise InputError(
            f"{task.target.name}: {n} of its {task.target.n_users:,} users are known in the source and "
            "aren't tested, so none can be held out as cold; two are the least"
        )
    n = max(1, round(_SHARE * n), min(_ENOUGH, n // 2))
    split = hold_out_users(task.target.with_frame(candidates), n=n, seed=seed)
    out = split.held_out
    begun = first_steps(out, few).frame if few else out.frame.clear()
    kept = task.target.frame.join(out.frame, on=Columns.User, how="anti", maintain_order="left")
    past = only_users(task.source, out.users.ids)
    later = out.frame.join(begun, on=[Columns.User, Columns.Item], how="anti", maintain_order="left")
    return replace(
        task,
        name=f"{task.name}: validation",
        target=task.target.with_frame(pl.concat([kept, begun])),
        histories=past.with_frame(pl.concat([past.frame, begun])),
        test=out.with_frame(later),
        guarantee=split.guarantee,
    )


def first_steps(log: InteractionLog, n: int) -> InteractionLog:
    """Each user's first `n` sessions, or moments where the log has no sessions."""
    moment = pl.col(Columns.Timestamp)
    began = moment.min().over(Columns.User, Columns.Session) if log.has_sessions else moment
    return log.with_frame(log.frame.filter(began.rank("dense").over(Columns.User) <= n))
