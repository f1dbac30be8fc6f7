"""From a log to the sequences that embeddings learn from: baskets, sessions, or whole histories."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary

__all__ = ["LONGEST_LINE", "By", "Corpus", "Sequences", "sequences", "write_corpus"]

logger = logging.getLogger(__name__)

By = Literal["session", "user", "gap"]

LONGEST_LINE: Final = 10_000
"""gensim's compiled loops hold 10,000 tokens (MAX_SENTENCE_LEN) and drop the rest of a longer line."""

_ITEMS: Final = "items"
_PART: Final = "part"
_LINES_AT_ONCE: Final = 200_000


@dataclass(frozen=True, eq=False)
class Sequences:
    """Items in the order a user took them, one list a sequence.

    Attributes:
        items: One row a sequence: `user_id`, and `items`, a list of vocabulary rows (`UInt32`), oldest first.
        vocabulary: The items behind the rows.
        by: What a sequence is.
        span: The first and the last timestamp that went in.
    """

    items: pl.DataFrame
    vocabulary: Vocabulary
    by: By
    span: tuple[datetime, datetime] | tuple[int, int]

    @property
    def n(self) -> int:
        """How many sequences there are."""
        return self.items.height

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Items in each sequence, shape `(n,)`."""
        return self.items[_ITEMS].list.len().cast(pl.Int64).to_numpy()

    @property
    def longest(self) -> int:
        """Items in the longest sequence."""
        return int(self.lengths.max(initial=0))

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return (
            f"Sequences({self.n:,} by {self.by}, {self.lengths.sum():,} items, the longest {self.longest:,})"
        )


def sequences(
    log: InteractionLog,
    vocabulary: Vocabulary | None = None,
    *,
    by: By = "user",
    gap: timedelta | int | None = None,
    repeats: bool = True,
) -> Sequences:
    """Cut a log into sequences, in order of time; interactions of one moment keep the log's order.

    Args:
        log: The interactions.
        vocabulary: The items to keep, and the rows they get; by default all of the log's.
        by: `"session"`: a sequence for each `session_id` of a user. `"user"`: one for each user. `"gap"`: a
            new one starts when more than `gap` passes between two interactions of a user.
        gap: A `timedelta` where timestamps are dates, else a number in their unit.
        repeats: Whether an item may be in a sequence twice; if not, its first place counts.

    Raises:
        InputError: No `session_id` in the log, a `gap` that doesn't fit, or none of the log's items in the
            vocabulary.

    Examples:
        >>> log = InteractionLog.from_frame(pl.DataFrame({
        ...     "user_id": ["ann"] * 4,
        ...     "item_id": ["tea", "milk", "tea", "rice"],
        ...     "timestamp": [1, 2, 30, 31],
        ... }))
        >>> cut = sequences(log, by="gap", gap=10)
        >>> cut
        Sequences(2 by gap, 4 items, the longest 2)
        >>> cut.vocabulary.take(cut.items["items"][0]).to_list()
        ['tea', 'milk']
    """
    _check(log, by, gap)
    kept = log.items if vocabulary is None else vocabulary
    row = pl.Series(_ITEMS, kept.rows(log.frame[Columns.Item]))
    rows = log.frame.select(Columns.User, _part(by, gap), row)
    found = rows.filter(pl.col(_ITEMS) >= 0).with_columns(pl.col(_ITEMS).cast(pl.UInt32))
    if not found.height:
        raise InputError(
            f"none of the log's {log.n_items:,} items is among the vocabulary's {len(kept):,} "
            f"(the log has {log.items.ids[0]!r}); pass the vocabulary of this log"
        )
    if found.height < len(log):
        logger.info(
            "%s of %s interactions are with items outside the vocabulary", len(log) - found.height, len(log)
        )
    if not repeats:
        found = found.unique([Columns.User, _PART, _ITEMS], keep="first", maintain_order=True)
    grouped = (
        found.group_by(Columns.User, _PART, maintain_order=True).agg(_ITEMS).select(Columns.User, _ITEMS)
    )
    return Sequences(grouped, kept, by, log.span)


def _check(log: InteractionLog, by: By, gap: timedelta | int | None) -> None:
    if by not in get_args(By):
        raise InputError(f"by={by!r}; choose one of {', '.join(map(repr, get_args(By)))}")
    if by == "session" and not log.has_sessions:
        raise InputError(
            f"by='session' needs a column {Columns.Session!r}, and the log has none; name it when reading "
            f"(columns={{'basket_id': {Columns.Session!r}}}), or cut by='gap' or by='user'"
        )
    if (gap is None) == (by == "gap"):
        raise InputError(f"by={by!r} with gap={gap!r}; a gap goes with by='gap', and only there")
    if gap is None:
        return
    dated = log.frame[Columns.Timestamp].dtype != pl.Int64
    if dated != isinstance(gap, timedelta):
        expected = "a timedelta, as timestamps are dates" if dated else "a number, as timestamps are integers"
        raise InputError(f"gap={gap!r}; expected {expected}")
    if (gap.total_seconds() if isinstance(gap, timedelta) else gap) <= 0:
        raise InputError(f"gap={gap!r}; expected a gap above 0")


def _part(by: By, gap: timedelta | int | None) -> pl.Expr:
    """What tells a user's sequences apart."""
    if by == "session":
        return pl.col(Columns.Session).alias(_PART)
    if gap is None:
        return pl.lit(0).alias(_PART)
    # the log is sorted by user and time, so neighbours in the frame are neighbours in time
    user, time = pl.col(Columns.User), pl.col(Columns.Timestamp)
    starts = (user != user.shift()) | (time - time.shift() > gap)
    return starts.fill_null(True).cum_sum().alias(_PART)


@dataclass(frozen=True)
class Corpus:
    """A corpus file as gensim reads it.

    Attributes:
        path: Text, one sequence a line; a token is a vocabulary row in decimals.
        n_lines: Lines in it.
        n_tokens: Tokens in it.
        counts: How often each vocabulary row is in it, shape `(n_items,)`.
        longest: Items in the longest sequence, before long ones were split.
    """

    path: Path
    n_lines: int
    n_tokens: int
    counts: npt.NDArray[np.int64]
    longest: int


def write_corpus(
    sequences: Sequences | Iterable[Sequences], path: str | Path, *, shuffle: int | None = None
) -> Corpus:
    """Write sequences as a gensim corpus file.

    Lines of more than 10,000 tokens are split, as gensim would drop their rest without a word. Lines of a
    single token are left out, as they have no pair to learn from.

    Args:
        sequences: What to write: all of them, or parts over one vocabulary, of which one is in memory at a
            time.
        path: Where to.
        shuffle: A seed, to put the items of each sequence in a random order; None keeps theirs.

    Raises:
        InputError: No sequence has two items.
    """
    path = Path(path)
    rng = None if shuffle is None else np.random.default_rng(shuffle)
    n_all = n_lines = longest = 0
    counts = np.zeros(0, np.int64)
    with path.open("wb") as file:
        for part in [sequences] if isinstance(sequences, Sequences) else sequences:
            lines = _split(part.items.select(_ITEMS) if rng is None else _shuffled(part, rng))
            lines = lines.filter(pl.col(_ITEMS).list.len() > 1)
            for some in lines.iter_slices(_LINES_AT_ONCE):
                text = some.select(pl.col(_ITEMS).cast(pl.List(pl.String)).list.join(" "))
                text.write_csv(file, include_header=False, quote_style="never")
            tokens = lines[_ITEMS].explode().drop_nulls().to_numpy()
            found = np.bincount(tokens, minlength=len(part.vocabulary)).astype(np.int64)
            counts = found if not len(counts) else counts + found
            n_all, n_lines, longest = n_all + part.n, n_lines + lines.height, max(longest, part.longest)
    if not n_lines:
        raise InputError(
            f"none of the {n_all:,} sequences has two items, so there are no pairs to learn from; "
            "cut longer ones (by='user', or a larger gap)"
        )
    return Corpus(path, n_lines, int(counts.sum()), counts, longest)


def _shuffled(sequences: Sequences, rng: np.random.Generator) -> pl.DataFrame:
    flat = sequences.items[_ITEMS].explode().to_numpy()
    owner = np.repeat(np.arange(sequences.n), sequences.lengths)
    order = np.lexsort((rng.random(len(flat)), owner))
    mixed = pl.DataFrame({_PART: owner, _ITEMS: flat[order]})
    return mixed.group_by(_PART, maintain_order=True).agg(_ITEMS).select(_ITEMS)


def _split(lines: pl.DataFrame) -> pl.DataFrame:
    length = pl.col(_ITEMS).list.len()
    long = lines.filter(length > LONGEST_LINE)
    if not long.height:
        return lines
    parts = long.with_columns(start=pl.int_ranges(0, length, LONGEST_LINE)).explode("start")
    parts = parts.select(pl.col(_ITEMS).list.slice(pl.col("start"), LONGEST_LINE))
    return pl.concat([lines.filter(length <= LONGEST_LINE), parts])
