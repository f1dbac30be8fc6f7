"""A validation slice of the target: what its users did, and what was new to them later."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.ranking import Examples, Histories, done_at_once, uncut
from rectransfer.tuning.folds import cut_visits
from rectransfer.vocabulary import Vocabulary

__all__ = ["Slice", "matrix"]

_FEWEST: Final = 20
"""Users below which no source can be told from another."""

_CELLS: Final = 4_000_000
"""Users times items, at most: a signal is a dense matrix of them, 16 MB."""

_FOLDS: Final = 4

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Slice:
    """Some users of the target, their visits cut after three quarters, or at random if all at once.

    Whether they did all at once is asked of the target alone, and not of the sources as in `fit`: all of them
    are measured on the same cut, and a target without visits that can be cut tells nothing otherwise.

    Attributes:
        target: The whole log.
        users: Who is measured, n of them.
        early: Their rows before the cut.
        relevant: What was new to them after it, shape `(n, n_items)`.
        fold: The part of each, from 0, shape `(n,)`.
    """

    target: InteractionLog
    users: Vocabulary
    early: InteractionLog
    relevant: csr_array
    fold: Rows

    @classmethod
    def of(cls, target: InteractionLog, most: int, seed: int) -> "Slice":
        """Draw the users.

        Args:
            target: The log.
            most: Users at most.
            seed: Draws them.

        Raises:
            InputError: Fewer than 20 users can be measured.
        """
        early, later = cut_visits(target, at_once=done_at_once(target))
        able = later[Columns.User].unique().sort()
        if able.len() < _FEWEST:
            raise InputError(
                f"{target.name}: {able.len():,} of {target.n_users:,} users have a later visit with "
                f"something new; sources can be told apart from {_FEWEST} on. Fit with all of them until the "
                "log has grown"
            )
        n = max(_FEWEST, min(most, able.len(), _CELLS // target.n_items))
        draw = np.random.default_rng(seed)
        users = Vocabulary(able.gather(np.sort(draw.permutation(able.len())[:n])))
        chosen = pl.col(Columns.User).is_in(users.ids.implode())
        return cls(
            target=target,
            users=users,
            early=target.with_frame(early.filter(chosen)),
            relevant=matrix(later.filter(chosen), users, target.items),
            fold=draw.permutation(np.arange(n) % _FOLDS),
        )

    @cached_property
    def examples(self) -> Examples:
        """The histories before the cut, in the rows of the target's items."""
        histories = Histories.from_log(self.early, self.target.items, self.users)
        return uncut(histories, self.target.n_items)

    @property
    def seen(self) -> csr_array:
        """1 where a user had an item before the cut, shape `(n, n_items)`."""
        return self.examples.seen

    @cached_property
    def known(self) -> InteractionLog:
        """What may be learned from for popularity: the whole log but what came after the cuts."""
        measured = self.users.rows(self.target.frame[Columns.User]) >= 0
        others = self.target.frame.filter(~pl.Series(measured))
        return self.target.with_frame(pl.concat([others, self.early.frame]))

    def others(self) -> Iterator[tuple[Rows, InteractionLog]]:
        """For each part its users' rows, and the log of everybody who isn't in it."""
        place = self.users.rows(self.target.frame[Columns.User])
        part = np.where(place >= 0, self.fold[place], -1)
        for fold in range(_FOLDS):
            rest = self.target.frame.filter(pl.Series(part != fold))
            yield np.flatnonzero(self.fold == fold), self.target.with_frame(rest)

    def before_the_cut(self, log: InteractionLog) -> pl.DataFrame:
        """The rows of these users in another log, up to the last moment before their cut."""
        last = self.early.frame.group_by(Columns.User).agg(pl.col(Columns.Timestamp).max().alias("last"))
        rows = log.frame.join(last, on=Columns.User, how="inner")
        return rows.filter(pl.col(Columns.Timestamp) <= pl.col("last")).drop("last")


def matrix(rows: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> csr_array:
    """1 where a user has an item, shape `(len(users), len(items))`; other users and items are left out."""
    owner, item = users.rows(rows[Columns.User]), items.rows(rows[Columns.Item])
    known = (owner >= 0) & (item >= 0)
    ones = np.ones(int(known.sum()), np.float32)
    found = csr_array((ones, (owner[known], item[known])), shape=(len(users), len(items)))
    found.sum_duplicates()
    found.data[:] = 1
    return found
