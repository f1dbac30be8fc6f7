"""What commands read beside saved folders: logs, lists of ids, link tables."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, read_log, scan_log
from rectransfer.logs.read import expand_files, remedy_for
from rectransfer.vocabulary import as_ids

__all__ = [
    "as_known",
    "read_catalogue",
    "read_history",
    "read_ids",
    "read_later",
    "read_link",
    "read_logs",
    "read_titles",
]

_PARQUET: Final = (".parquet", ".pq")
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_LIST: Final = ".txt"
_LINK: Final = ("target_id", "source_id")
_TITLE: Final = "title"
_OF_CATALOGUES: Final = (Columns.Item, _TITLE, "category")
_COLUMNS: Final = "--columns"
_CATALOGUE_COLUMNS: Final = "--catalogue-columns"
_PROBLEMS: Final = (polars.exceptions.PolarsError, OSError, UnicodeDecodeError)


def read_logs(paths: Sequence[str], arguments: Namespace) -> InteractionLog:
    """One log of several files or folders; times that are text are parsed."""
    return _log(paths, arguments.columns, arguments)


def as_known(log: InteractionLog, paths: Sequence[str], like: Mapping[str, pl.DataType]) -> InteractionLog:
    """A log with the ids of text files as text where others are: in such a file `7` may be either.

    Args:
        log: What was read; its numbers read back as they were written.
        paths: From where.
        like: The types of the ids that its own are compared with, by column.
    """
    if expand_files(paths)[0].suffix.lower() in _PARQUET:
        return log
    schema = log.frame.schema
    numbers = [column for column, kind in like.items() if kind == pl.String and schema[column] == pl.Int64]
    return replace(log, frame=log.frame.with_columns(pl.col(numbers).cast(pl.String)))


def read_later(paths: Sequence[str], arguments: Namespace, like: Mapping[str, pl.DataType]) -> InteractionLog:
    """As `read_logs`, with ids as a model's are.

    Args:
        paths: Files or folders.
        arguments: How they are read.
        like: The types of the model's ids, by column.

    Raises:
        InputError: Also where ids are of another type.
    """
    return _as_asked(read_logs(paths, arguments), paths, like)


def read_history(
    paths: Sequence[str], arguments: Namespace, like: Mapping[str, pl.DataType]
) -> InteractionLog | None:
    """As `read_later`; None where there are no rows. What `--columns` calls the title isn't the history's."""
    titles = getattr(arguments, "titles", None)
    columns = {
        theirs: ours for theirs, ours in (arguments.columns or {}).items() if not titles or ours != _TITLE
    }
    try:
        log = _log(paths, columns, arguments)
    except InputError:
        with suppress(InputError, *_PROBLEMS):
            if not scan_log(paths, columns=columns).select(pl.len()).collect().item():
                return None
        raise
    return _as_asked(log, paths, like)


def read_ids(path: Path, column: str, columns: Mapping[str, str] | None, like: pl.DataType) -> pl.Series:
    """A list of ids: a column of a Parquet or CSV file, or the lines of a text file.

    Args:
        path: The file.
        column: Our name of the column.
        columns: The user's names to ours, as for logs. The column may have either name.
        like: What text is read as: the type of the ids that these are compared with.

    Raises:
        InputError: The file cannot be read, has no such column, or no ids in it.
    """
    if path.suffix.lower() == _LIST:
        ids = _typed(pl.Series(column, _lines(path), dtype=pl.String), like, path)
    else:
        theirs = next((theirs for theirs, ours in (columns or {}).items() if ours == column), column)
        (ids,) = _read(path, {column: (theirs, column)}, {column: like})
    if not ids.len():
        raise InputError(f"{path} holds no ids")
    return ids


def read_link(path: Path, target: pl.DataType, source: pl.DataType) -> pl.DataFrame:
    """A link table: `target_id` and `source_id`; text is read as the types given."""
    wanted = {name: (name,) for name in _LINK}
    return pl.DataFrame(_read(path, wanted, dict(zip(_LINK, (target, source), strict=True))))


def read_titles(path: Path, columns: Mapping[str, str] | None, like: pl.DataType) -> pl.DataFrame:
    """`item_id` and `title` of a Parquet or CSV file; a row with one of them missing or blank is left out.

    Args:
        path: The file.
        columns: The user's names to ours, as for logs; the names of a log's columns may be another file's.
        like: The type of the model's items.

    Raises:
        InputError: The file cannot be read or lacks a column; its name, and what `titles_of` says.
    """
    own = [theirs for theirs, ours in (columns or {}).items() if ours == _TITLE]
    return _titles(path, columns or {}, like, own, _COLUMNS)


def read_catalogue(path: Path, columns: Mapping[str, str] | None, like: pl.DataType) -> pl.DataFrame:
    """As `read_titles`, where the names are this file's alone.

    Raises:
        InputError: Also where `columns` names a column that the file lacks, or one of ours that catalogues
            don't have, or one of ours twice.
    """
    names = columns or {}
    ours = [*names.values()]
    if strange := [name for name in ours if name not in _OF_CATALOGUES]:
        raise InputError(
            f"{_CATALOGUE_COLUMNS} maps to {strange[0]!r}; a catalogue's columns are "
            f"{', '.join(_OF_CATALOGUES)}"
        )
    if twice := [name for name in ours if ours.count(name) > 1]:
        raise InputError(f"{_CATALOGUE_COLUMNS} maps two names to {twice[0]!r}; leave one of them out")
    return _titles(path, names, like, [*names], _CATALOGUE_COLUMNS)


def _titles(
    path: Path, columns: Mapping[str, str], like: pl.DataType, own: Sequence[str], option: str
) -> pl.DataFrame:
    """Titles of a file that has all of its `own` columns; `option` names columns."""
    from rectransfer.explain import titles_of  # loads what explains, which other files don't need

    lazy, kind = _scan(path)
    theirs = {ours: theirs for theirs, ours in columns.items()}
    try:
        present = lazy.collect_schema().names()
        if absent := [name for name in own if name not in present]:
            raise InputError(
                f"{path} has no column {absent[0]!r}, which {option} names; its columns are "
                f"{', '.join(present)}"
            )
        names = [
            _chosen(path, (theirs.get(column, column), column), present, option)
            for column in (Columns.Item, _TITLE)
        ]
        frame = lazy.select(*names).drop_nulls().collect()
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error
    ids = _ids(frame[names[0]], names[0], path)
    if kind not in _PARQUET:
        ids = _typed(ids, like, path)
    given = pl.DataFrame([ids.alias(Columns.Item), frame[names[1]].alias(_TITLE)])
    known = titles_of(given, like, name=str(path))
    return pl.DataFrame(
        [pl.Series(Columns.Item, [*known], like), pl.Series(_TITLE, known.values(), pl.String)]
    )


def _log(paths: Sequence[str], columns: Mapping[str, str] | None, arguments: Namespace) -> InteractionLog:
    return read_log(
        paths[0] if len(paths) == 1 else list(paths),
        columns=columns,
        parse_timestamps=arguments.timestamp_format or True,
    )


def _as_asked(log: InteractionLog, paths: Sequence[str], like: Mapping[str, pl.DataType]) -> InteractionLog:
    """A log whose ids are of the model's types."""
    known = as_known(log, paths, like)
    for column, kind in like.items():
        ids = known.frame[column]
        if ids.dtype != kind:
            raise InputError(
                f"{log.name}: {column} is {ids.dtype} (for example {ids[0]!r}), and {kind} in the log that "
                "the model was fitted on; write these ids as that log has them"
            )
    return known


def _lines(path: Path) -> list[str]:
    _require_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(
    path: Path, wanted: Mapping[str, Sequence[str]], like: Mapping[str, pl.DataType]
) -> list[pl.Series]:
    """Columns of a file as ids, each under the first of the names wanted that is there."""
    lazy, kind = _scan(path, () if len(wanted) > 1 else (_LIST,))
    try:
        present = lazy.collect_schema().names()
        found = {ours: _chosen(path, names, present) for ours, names in wanted.items()}
        frame = lazy.select(pl.col(theirs).alias(ours) for ours, theirs in found.items()).collect()
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error
    ids = [_ids(column, found[column.name], path) for column in frame]
    return ids if kind in _PARQUET else [_typed(column, like[column.name], path) for column in ids]


def _ids(column: pl.Series, theirs: str, path: Path) -> pl.Series:
    """A column as ids; `theirs` is what the file calls it."""
    try:
        return as_ids(column, theirs).alias(column.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _scan(path: Path, more: Sequence[str] = ()) -> tuple[pl.LazyFrame, str]:
    """A table to be read, and its ending; an error names `more` endings beside those of tables."""
    _require_file(path)
    kind = path.suffix.lower()
    if kind not in (*_PARQUET, *_SEPARATORS):
        endings = ", ".join((*_PARQUET, *_SEPARATORS, *more))
        raise InputError(f"{path}: unknown ending {kind!r}; expected one of {endings}")
    try:
        if not path.stat().st_size:
            raise InputError(f"{path} is empty: 0 bytes")
        if kind in _PARQUET:
            return pl.scan_parquet(path, glob=False, hive_partitioning=False), kind
        # as text: "0042" isn't 42
        return pl.scan_csv(path, separator=_SEPARATORS[kind], infer_schema=False, glob=False), kind
    except _PROBLEMS as error:
        raise _unreadable(path, error) from error


def _chosen(path: Path, names: Sequence[str], present: Sequence[str], option: str = _COLUMNS) -> str:
    for name in names:
        if name in present:
            return name
    remedy = "" if names[-1] in _LINK else f"; name it: {option} NAME={names[-1]}"
    raise InputError(f"{path} has no column {names[0]!r}; its columns are {', '.join(present)}{remedy}")


def _typed(text: pl.Series, like: pl.DataType, path: Path) -> pl.Series:
    if like != pl.Int64:
        return text
    whole = text.cast(pl.Int64, strict=False)
    wrong = text.filter(whole.cast(pl.String).ne_missing(text))
    if wrong.len():
        raise InputError(
            f"{path}: {wrong.len():,} of the {text.len():,} values of {text.name} are no whole numbers, as "
            f"the ids they are compared with are; the first is {wrong[0]!r}"
        )
    return whole


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is a folder, expected a file" if path.is_dir() else f"no such file: {path}")


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first = (reason.strip().splitlines() or [type(error).__name__])[0][:200]
    return InputError(f"{path} cannot be read ({first}); {remedy_for(error)}")
