"""Logs that are larger than memory: read batch by batch, split by user into parts that fit."""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.logs.read import are_paths, expand_files, scan_log
from rectransfer.vocabulary import Vocabulary

__all__ = ["SpilledLog", "spill_log"]

logger = logging.getLogger(__name__)

_BATCH: Final = 2_000_000  # rows read at once
_PART: Final = 2_000_000  # rows of a part, about
_MOST_PARTS: Final = 64
_PARQUET: Final = (".parquet", ".pq")
_SEED: Final = 20_240_501  # of the hash that splits users


class SpilledLog:
    """A checked log on disk, split by user: each part is an `InteractionLog` with all rows of its users.

    `spill_log` makes one. It is a context manager: its folder goes when it is closed.

    Attributes:
        name: What errors call the log.
        n_rows: Interactions.
        n_parts: Parts.
        items: The items, in ascending order.
        span: The first and the last timestamp.
        has_sessions: Whether the rows carry a session.
    """

    def __init__(self, name: str, parts: Sequence[list[Path]], items: Vocabulary, n_rows: int) -> None:
        self.name = name
        self.items = items
        self.n_rows = n_rows
        self._parts = [files for files in parts if files]
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def n_parts(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    @property
    def folder(self) -> str | None:
        """Where its files lie, with room for others that belong to it."""
        return self._folder.name if self._folder is not None else None

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.items)

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.users)

    @cached_property
    def users(self) -> Vocabulary:
        """The users, in ascending order."""
        found = [pl.read_parquet(files, columns=[Columns.User]).unique() for files in self._parts]
        return Vocabulary.from_ids(pl.concat(found)[Columns.User])

    @cached_property
    def has_sessions(self) -> bool:
        """Whether the rows carry a session."""
        return Columns.Session in pl.read_parquet_schema(self._parts[0][0])

    @cached_property
    def span(self) -> tuple[datetime, datetime] | tuple[int, int]:
        """The first and the last timestamp."""
        when = pl.col(Columns.Timestamp)
        lazy = pl.scan_parquet([file for files in self._parts for file in files])
        first, last = lazy.select(when.min().alias("first"), when.max().alias("last")).collect().row(0)
        return first, last

    def parts(self) -> Iterator[InteractionLog]:
        """One part at a time."""
        for number, files in enumerate(self._parts, 1):
            frame = pl.read_parquet(files)  # in the order of the files, so rows of one moment keep theirs
            yield InteractionLog.from_frame(frame, name=f"{self.name}, part {number} of {self.n_parts}")

    def sample(self, most_rows: int, seed: int = 0) -> InteractionLog:
        """All rows of some users, drawn at random: as many as have about `most_rows` together.

        Raises:
            InputError: `most_rows` below 1.
        """
        if most_rows < 1:
            raise InputError(f"most_rows={most_rows}; expected at least 1")
        n = min(self.n_users, max(1, round(self.n_users * most_rows / self.n_rows)))
        drawn = np.sort(np.random.default_rng(seed).choice(self.n_users, n, replace=False))
        chosen = self.users.take(drawn)
        return self._of(chosen, f"{n:,} users of {self.name}")

    def _of(self, users: pl.Series, name: str) -> InteractionLog:
        wanted = users.alias(Columns.User).to_frame()
        found = [pl.read_parquet(files).join(wanted, on=Columns.User, how="semi") for files in self._parts]
        return InteractionLog.from_frame(pl.concat(found), name=name)

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        first, last = self.span
        return (
            f"SpilledLog({self.name!r}: {len(self):,} rows, {self.n_users:,} users, {len(self.items):,} "
            f"items, from {first} to {last}, in {self.n_parts} parts)"
        )


def spill_log(
    data: str | Path | Sequence[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
) -> SpilledLog:
    """Read a log of any size from Parquet files, two million rows at a time, and split it by user on disk.

    Args:
        data: Parquet files: one, a folder of them, a pattern or a list, as in `read_log`.
        columns: Your names to ours.
        folder: Where the parts go, in a folder of their own that `close` removes; by default the system's for
            temporary files. They take about as much room as the log's own files.
        name: What errors call the log; by default the file's name.

    Raises:
        InputError: No files were given, they aren't Parquet, or as `read_log`; what is said of a row names
            file and batch.

    Examples:
        >>> with tempfile.TemporaryDirectory() as there:
        ...     frame = pl.DataFrame({"user_id": [2, 1, 2], "item_id": [7, 9, 9], "timestamp": [3, 2, 1]})
        ...     frame.write_parquet(f"{there}/clicks.parquet")
        ...     with spill_log(f"{there}/clicks.parquet") as log:
        ...         print(log)
        SpilledLog('clicks.parquet': 3 rows, 2 users, 2 items, from 1 to 3, in 1 parts)
    """
    if not are_paths(data):
        raise InputError(
            f"spill_log reads files, got a {type(data).__name__}; what is in memory goes to read_log(...)"
        )
    given = [data] if isinstance(data, str | Path) else list(data)
    files = expand_files(given)
    if files[0].suffix.lower() not in _PARQUET:
        raise InputError(
            f"{files[0]}: a log that is larger than memory is read from Parquet; turn it into that without "
            f"reading it whole: polars.scan_csv({str(files[0])!r}).sink_parquet('log.parquet')"
        )
    scan_log(files, columns=columns)  # all of one type
    home = tempfile.TemporaryDirectory(prefix="rectransfer-", dir=folder)
    try:
        log = _spill(files, columns, Path(home.name), name or Path(given[0]).name)
    except BaseException:
        home.cleanup()
        raise
    log._folder = home
    return log


def _spill(files: Sequence[Path], columns: Mapping[str, str] | None, home: Path, name: str) -> SpilledLog:
    sizes = [pl.scan_parquet(file, glob=False).select(pl.len()).collect().item() for file in files]
    n_rows = sum(sizes)
    n_parts = min(_MOST_PARTS, max(1, -(-n_rows // _PART)))
    part = pl.col(Columns.User).hash(_SEED) % n_parts
    parts: list[list[Path]] = [[] for _ in range(n_parts)]
    items: pl.Series | None = None
    for number, batch in enumerate(_batches(files, sizes, columns)):
        found = batch[Columns.Item].unique()
        items = found if items is None else pl.concat([items, found]).unique()
        split = batch.with_columns(part.alias("part")).partition_by("part", as_dict=True, include_key=False)
        for (place,), rows in split.items():
            path = home / f"{place:03d}-{number:06d}.parquet"
            rows.write_parquet(path, compression="lz4")
            parts[int(place)].append(path)
    if items is None:
        raise InputError(f"{name}: the log is empty: 0 rows; was everything filtered away?")
    log = SpilledLog(name, parts, Vocabulary.from_ids(items), n_rows)
    logger.info("%s: %s rows in %s parts", name, n_rows, log.n_parts)
    return log


def _batches(
    files: Sequence[Path], sizes: Sequence[int], columns: Mapping[str, str] | None
) -> Iterator[pl.DataFrame]:
    """Checked rows, in the order of the files."""
    for file, size in zip(files, sizes, strict=True):
        lazy = scan_log(file, columns=columns)
        for start in range(0, size, _BATCH):
            try:
                frame = lazy.slice(start, _BATCH).collect()
            except (polars.exceptions.PolarsError, OSError) as error:
                raise InputError(f"{file} cannot be read ({error}); is it damaged or cut short?") from error
            yield InteractionLog.from_frame(frame, name=f"{file}, {size:,} rows from row {start:,} on").frame
