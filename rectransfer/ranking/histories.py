"""What each user took, step by step, as arrays."""

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = ["VISIT", "Histories", "done_at_once", "with_visits"]

logger = logging.getLogger(__name__)

VISIT: Final = "visit"
"""The column of what `with_visits` adds."""

_ROW = "row"
_STEP = "step"
_OWN = "own"

_MOSTLY: Final = 0.05
"""The share of users who came twice below which histories have no order."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Users' interactions in order of time; user `u` has the places `offsets[u]` to `offsets[u + 1]`.

    Attributes:
        users: n of them.
        offsets: Shape `(n + 1,)`.
        items: Rows of an item vocabulary, `int64`, flat.
        steps: For each interaction the user's visit that it belongs to, from 0: a session where the log has
            sessions, else a moment (one timestamp). Flat, ascending within a user.
        own: Which of them are of the domain that is learned, where others are known as well; flat. None where
            all are.
        ordered: Whether the order says anything; see `shuffled`.

    Examples:
        >>> log = InteractionLog.from_frame(pl.DataFrame({
        ...     "user_id": ["u"] * 3, "item_id": ["tea", "milk", "rice"], "timestamp": [1, 1, 5]}))
        >>> histories = Histories.from_log(log, log.items)
        >>> histories.items, histories.steps
        (array([2, 0, 1]), array([0, 0, 1]))
    """

    users: Vocabulary
    offsets: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    own: npt.NDArray[np.bool_] | None = None
    ordered: bool = True

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """The user's number of each interaction, flat."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @classmethod
    def from_log(
        cls,
        log: InteractionLog,
        items: Vocabulary,
        users: Vocabulary | None = None,
        *,
        own: InteractionLog | None = None,
    ) -> "Histories":
        """Read histories off a log.

        Args:
            log: The interactions; those with items outside `items` are left out.
            items: What the rows stand for.
            users: Whose histories, in this order; by default all of the log's. Users without interactions
                get an empty history.
            own: The rows (user, item and timestamp) of the log that are of the domain that is learned; by
                default all are.

        Raises:
            InputError: Ids differ in type.
        """
        kept = log.users if users is None else users
        visit = Columns.Session if log.has_sessions else Columns.Timestamp
        user = pl.col(Columns.User)
        starts = (pl.col(visit) != pl.col(visit).shift()) | (user != user.shift())
        frame = log.frame.select(
            pl.Series(Columns.User, kept.rows(log.frame[Columns.User])),
            pl.Series(_ROW, items.rows(log.frame[Columns.Item])),
            starts.fill_null(True).cum_sum().alias(_STEP),
            pl.lit(True).alias(_OWN) if own is None else _among(log, own),
        )
        frame = frame.filter((pl.col(Columns.User) >= 0) & (pl.col(_ROW) >= 0)).sort(
            Columns.User, maintain_order=True
        )
        step = pl.col(_STEP).rank("dense").over(Columns.User).cast(pl.Int64) - 1
        steps = frame.select(step).to_series().to_numpy()
        counts = np.bincount(frame[Columns.User].to_numpy(), minlength=len(kept))
        return cls(
            users=kept,
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=frame[_ROW].to_numpy(),
            steps=steps,
            own=None if own is None else frame[_OWN].to_numpy(),
        )

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Interactions of each user, shape `(n,)`."""
        return np.diff(self.offsets)

    @cached_property
    def at_once(self) -> bool:
        """Whether hardly anybody came twice, so that nothing is known of what came first.

        As where times were never written down: fewer than one in twenty of the users who took two things or
        more took them on two visits.
        """
        last = self.steps[self.offsets[1:][self.lengths > 1] - 1]
        return bool(len(last)) and float((last > 0).mean()) < _MOSTLY

    def to_cut(self, *, at_once: bool) -> "Histories":
        """These, or where users did all `at_once` the same, `shuffled`."""
        return self.shuffled() if at_once else self

    def shuffled(self) -> "Histories":
        """Each interaction a visit by itself, in an order that is drawn.

        Cut anywhere, that is a random part of what a user took, and the rest.
        """
        order = np.lexsort((np.random.default_rng(0).random(len(self.items)), self.owners))
        return replace(
            self,
            items=self.items[order],
            steps=np.arange(len(self.items)) - np.repeat(self.offsets[:-1], self.lengths),
            own=None if self.own is None else self.own[order],
            ordered=False,
        )

    def of(self, user: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Items and steps of the user in this row."""
        place = slice(self.offsets[user], self.offsets[user + 1])
        return self.items[place], self.steps[place]

    def own_of(self, user: int) -> npt.NDArray[np.bool_]:
        """Which interactions of the user in this row are of the domain that is learned."""
        place = slice(self.offsets[user], self.offsets[user + 1])
        return np.ones(place.stop - place.start, np.bool_) if self.own is None else self.own[place]

    def __len__(self) -> int:
        return len(self.users)


def done_at_once(log: InteractionLog) -> bool:
    """Whether hardly anybody of a log came twice; see `Histories.at_once`."""
    found = Histories.from_log(log, log.items).at_once
    if found:
        logger.info("%s: hardly anybody came twice, so random parts stand for what came first", log.name)
    return found


def with_visits(frame: pl.DataFrame, *, at_once: bool) -> pl.DataFrame:
    """A log's frame, and in the column `VISIT` which of the user's visits each row belongs to, from 0.

    Args:
        frame: Its sessions are visits, or moments where it has none.
        at_once: Whether each row counts as one by itself, in an order that is drawn.
    """
    number = pl.col(Columns.Session if Columns.Session in frame.columns else Columns.Timestamp).rle_id()
    if at_once:
        frame = frame.with_columns(pl.Series(VISIT, np.random.default_rng(0).random(frame.height)))
        number = pl.col(VISIT).rank("ordinal") - 1
    return frame.with_columns(number.over(Columns.User).cast(pl.Int64).alias(VISIT))


def _among(log: InteractionLog, own: InteractionLog) -> pl.Series:
    """Which rows of a log are in another."""
    key = [Columns.User, Columns.Item, Columns.Timestamp]
    marked = own.frame.select(key).unique().with_columns(pl.lit(True).alias(_OWN))
    found = log.frame.select(key).join(marked, on=key, how="left", maintain_order="left")
    return found[_OWN].fill_null(False)
