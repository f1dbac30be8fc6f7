"""What a recommender is asked and what it answers: ids and histories in, rows of ids out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, read_log
from rectransfer.ranking import Examples
from rectransfer.recommend.state import Part
from rectransfer.vocabulary import Vocabulary, as_ids

__all__ = ["Asked", "frame_of", "history_of", "ids_of", "items_of", "joined"]

_ROW: Final = (Columns.User, Columns.Item, Columns.Timestamp)


@dataclass(frozen=True, eq=False)
class Asked:
    """Who is asked about, and what is known of them.

    Attributes:
        users: u of them.
        added: What was said of them besides what the model knows.
        examples: Their histories.
        known: Whose history or profile says anything, shape `(u,)`.
    """

    users: Vocabulary
    added: InteractionLog | None
    examples: Examples
    known: npt.NDArray[np.bool_]


def ids_of(values: Iterable[Any], name: str) -> pl.Series:
    """A list of ids as a series; a single id or a frame is refused."""
    if isinstance(values, str | int):
        raise InputError(f"{name}={values!r} is one id; pass a list of ids: [{values!r}]")
    if isinstance(values, pl.DataFrame):
        raise InputError(f"{name} is a frame; pass its column: frame['{name.removesuffix('s')}_id']")
    return values.ids if isinstance(values, Vocabulary) else as_ids(values, name)


def items_of(values: Iterable[Any]) -> pl.Series:
    """The only ids that may be recommended; none at all are refused."""
    ids = ids_of(values, "items")
    if not ids.len():
        raise InputError("items is empty, so nothing could be recommended; None allows the whole catalogue")
    return ids


def history_of(given: InteractionLog | pl.DataFrame) -> InteractionLog:
    """A history as a log."""
    return given if isinstance(given, InteractionLog) else read_log(given, name="history")


def joined(log: InteractionLog, added: InteractionLog) -> InteractionLog:
    """Two logs as one; rows of `added` that `log` has already (user, item and timestamp) count once.

    What was bought twice at one moment stays twice, as long as it stands in one of the two.

    Raises:
        InputError: A column has another type in each.
    """
    for column in _ROW:
        if log.frame[column].dtype != added.frame[column].dtype:
            raise InputError(
                f"history: {column} is {added.frame[column].dtype} and in the target's log "
                f"{log.frame[column].dtype}; cast it"
            )
    names = [column for column in log.frame.columns if column in added.frame.columns]
    if Columns.Session in names and log.frame[Columns.Session].dtype != added.frame[Columns.Session].dtype:
        names.remove(Columns.Session)
    new = added.frame.join(log.frame, on=list(_ROW), how="anti", maintain_order="left")
    return InteractionLog.from_frame(pl.concat([log.frame.select(names), new.select(names)]))


def frame_of(items: Vocabulary, users: Vocabulary, parts: Sequence[Part]) -> pl.DataFrame:
    """Rows of users and items as ids, in the order of the users that were asked for."""
    owner, item, score, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((rank, owner))
    return pl.DataFrame(
        [
            users.take(owner[order]).alias(Columns.User),
            items.take(item[order]).alias(Columns.Item),
            pl.Series(Columns.Score, score[order], dtype=pl.Float32),
            pl.Series(Columns.Rank, rank[order], dtype=pl.Int64),
        ]
    )
