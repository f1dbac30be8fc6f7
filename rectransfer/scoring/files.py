"""Which files hold the users, and whether they are the same as before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.logs.naming import require_mapping
from rectransfer.logs.read import expand_files

__all__ = ["HISTORY", "Given", "first_line", "opened"]

HISTORY: Final = (Columns.Item, Columns.Timestamp)
"""What histories have beside their users."""

_KEPT: Final = (Columns.User, *HISTORY, Columns.Weight, Columns.Session)
_LIST: Final = ".txt"
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_FOOTER: Final = 65_536
_PROBLEMS: Final = (polars.exceptions.PolarsError, OSError, UnicodeDecodeError)


@dataclass(frozen=True, eq=False)
class Given:
    """What was given, under our names.

    Attributes:
        name: For messages.
        frame: The columns that scoring looks at.
        digest: Says whether it is the same as before.
        files: Where it lies; none for a frame.
        folders: Those of the files' folders that were named.
        texts: Each file's rows where they are text, as the files have them.
    """

    name: str
    frame: pl.LazyFrame = field(repr=False)
    digest: str
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    texts: tuple[pl.DataFrame, ...] = field(default=(), repr=False)

    @property
    def columns(self) -> list[str]:
        """Our names of its columns."""
        return self.frame.collect_schema().names()

    def place(self, row: int) -> str:
        """Where a row is: its file, and its number there, from 0."""
        if not self.files:
            return f"{self.name}: row {row:,} (from 0)"
        ends = accumulate(self._rows(file) for file in self.files)
        start = 0
        for file, end in zip(self.files, ends, strict=True):
            if row < end:
                return f"{file}: row {row - start:,} (from 0)"
            start = end
        return f"{self.name}: row {row:,} (from 0)"

    def _rows(self, file: Path) -> int:
        if self.texts:
            return self.texts[self.files.index(file)].height
        return int(_scan(file).select(pl.len()).collect().item())


def opened(given: Any, columns: Mapping[str, str] | None) -> Given:
    """Files of one kind, a frame or a column, under our names.

    Args:
        given: Parquet, CSV or TSV files, folders and patterns of them; text files of ids; a frame; a column.
        columns: Your names to ours.

    Raises:
        InputError: There is no such file, it cannot be read, `columns` is no mapping, or columns are missing
            or differ.
    """
    require_mapping(columns or {})
    names = dict(columns or {})
    if isinstance(given, InteractionLog):
        given = given.frame
    if isinstance(given, pl.Series):
        given = given.alias(Columns.User).to_frame()
    if isinstance(given, pl.DataFrame):
        text = f"{given.schema} {names}".encode() + given.hash_rows(seed=0).to_numpy().tobytes()
        lazy = given.lazy().select(_chosen("users", given.schema, names))
        return Given("users", lazy, hashlib.sha256(text).hexdigest())
    several = [given] if isinstance(given, str | Path) else given
    if not isinstance(several, list | tuple) or not all(isinstance(path, str | Path) for path in several):
        raise InputError(
            f"users is a {type(given).__name__}; expected files, a folder of them, a polars frame "
            "(pl.from_pandas(frame)) or a column of ids (pl.Series(ids))"
        )
    if not several:
        raise InputError("users is an empty list; expected at least one file")
    return replace(
        _of_files(_expanded(several), names),
        folders=tuple(path for path in map(Path, several) if path.is_dir()),
    )


def _expanded(several: list[str | Path] | tuple[str | Path, ...]) -> list[Path]:
    gone = [
        path for path in map(Path, several) if not path.exists() and not any(c in str(path) for c in "*?[")
    ]
    if gone:
        raise InputError(f"no such file: {gone[0]}; a column of ids is pl.Series(ids)")
    lists = [path for path in map(Path, several) if path.suffix.lower() == _LIST]
    if not lists:
        return expand_files(several)
    if len(lists) < len(several):
        raise InputError(f"users holds {lists[0]} beside files of another kind; score one kind at a time")
    return lists


def _of_files(files: list[Path], names: Mapping[str, str]) -> Given:
    name = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    kind = files[0].suffix.lower()
    texts: tuple[pl.DataFrame, ...] = ()
    try:
        if kind == _LIST:
            texts = tuple(_ids(file) for file in files)
        else:
            chosen = {file: _chosen(str(file), _schema(file), names) for file in files}
            _require_alike({file: _kinds(file, chosen[file]) for file in files})
            if kind in _SEPARATORS:
                texts = tuple(_scan(file).select(chosen[file]).collect() for file in files)
        lazy = (
            pl.concat(texts).lazy()
            if texts
            # what else the files hold may differ
            else pl.scan_parquet(files, glob=False, hive_partitioning=False, extra_columns="ignore").select(
                chosen[files[0]]
            )
        )
        return Given(name, lazy, _digest(files, names, whole=bool(texts)), tuple(files), texts=texts)
    except _PROBLEMS as error:
        raise InputError(
            f"{name} cannot be read ({first_line(error)}); is it damaged or cut short?"
        ) from error


def _scan(file: Path) -> pl.LazyFrame:
    if separator := _SEPARATORS.get(file.suffix.lower()):
        # as text: "0042" isn't 42
        return pl.scan_csv(file, separator=separator, infer_schema=False, glob=False)
    return pl.scan_parquet(file, glob=False, hive_partitioning=False)


def _schema(file: Path) -> pl.Schema:
    try:
        if not file.stat().st_size:
            raise InputError(f"{file} is empty: 0 bytes")
        return _scan(file).collect_schema()
    except _PROBLEMS as error:
        raise InputError(
            f"{file} cannot be read ({first_line(error)}); is it damaged or cut short?"
        ) from error


def _ids(file: Path) -> pl.DataFrame:
    lines = (line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines())
    return pl.DataFrame({Columns.User: [line for line in lines if line]}, schema={Columns.User: pl.String})


def _chosen(name: str, schema: pl.Schema, names: Mapping[str, str]) -> list[pl.Expr]:
    """The columns that scoring looks at, under our names."""
    if missing := [column for column in names if column not in schema]:
        raise InputError(
            f"{name} has no column {missing[0]!r}, which columns names; its columns are "
            f"{', '.join(schema.names())}"
        )
    ours = [names.get(column, column) for column in schema.names()]
    if twice := [column for column in ours if ours.count(column) > 1]:
        raise InputError(f"{name}: with columns={names} there are two columns {twice[0]!r}; name one of them")
    if Columns.User not in ours:
        raise InputError(
            f"{name} has no column 'user_id'; its columns are {', '.join(ours)}: name it in columns "
            "(--columns YOURS=user_id)"
        )
    there = [column for column in HISTORY if column in ours]
    if len(there) == 1:
        raise InputError(
            f"{name} has {there[0]} and not the other of item_id and timestamp: histories need both (name "
            "them in columns); to score users by what the model knows, give user_id alone"
        )
    theirs = dict(zip(ours, schema.names(), strict=True))
    kept = [column for column in _KEPT if column in theirs] if there else [Columns.User]
    return [pl.col(theirs[column]).alias(column) for column in kept]


def _kinds(file: Path, chosen: list[pl.Expr]) -> pl.Schema:
    return _scan(file).select(chosen).collect_schema()


def _require_alike(kinds: Mapping[Path, pl.Schema]) -> None:
    (first, wanted), *others = kinds.items()
    for file, found in others:
        for column in {**wanted, **found}:
            was, now = wanted.get(column), found.get(column)
            if was == now:
                continue
            if was is None or now is None:
                has, lacks = (file, first) if was is None else (first, file)
                raise InputError(
                    f"{lacks} has no column {column!r} to score by, and {has} has one; score them apart, or "
                    "write them with the same columns"
                )
            raise InputError(
                f"{file}: {column} is {now}, and in {first} it is {was}; write them alike: "
                f"pl.read_parquet(FILE).cast({{{column!r}: pl.{was}}}).write_parquet(FILE)"
            )


def _digest(files: list[Path], names: Mapping[str, str], *, whole: bool) -> str:
    digest = hashlib.sha256(f"{names}".encode() if names else b"")
    for path in files:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if whole:
                digest.update(hashlib.file_digest(file, "sha256").digest())
                continue
            file.seek(max(0, size - _FOOTER))  # Parquet ends with where its parts lie and what is in them
            digest.update(file.read())
    return digest.hexdigest()


def first_line(error: Exception) -> str:
    """What went wrong, in a line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (reason.strip().splitlines() or [type(error).__name__])[0][:200]
