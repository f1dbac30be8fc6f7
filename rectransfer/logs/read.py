"""Logs in files: Parquet and CSV, one file or a folder of them."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.logs.naming import choose_columns
from rectransfer.logs.normalise import to_polars

__all__ = ["are_paths", "expand_files", "read_log", "remedy_for", "scan_log"]

logger = logging.getLogger(__name__)

_PARQUET: Final = (".parquet", ".pq")
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_READABLE: Final = (*_PARQUET, *_SEPARATORS)
_UNGUESSED: Final = "could not find an appropriate format"
_NAME_THE_FORMAT: Final = (
    "name the format: parse_timestamps='%d.%m.%Y %H:%M', or on the command line --timestamp-format"
)
_PROBLEMS: Final = (polars.exceptions.PolarsError, OSError, UnicodeDecodeError)


def read_log(
    data: Any,
    *,
    columns: Mapping[str, str] | None = None,
    parse_timestamps: bool | str = False,
    name: str | None = None,
) -> InteractionLog:
    r"""A log from files, or from a frame that is in memory.

    In a CSV file, a column of ids is read as integers only if every one of them reads back as it was written:
    where one is "0042", all of them stay text.

    Args:
        data: A Parquet, CSV or TSV file, a folder of them (its folders too), a pattern such as
            `"logs/2024-*.parquet"`, a list of files; or a polars, pandas or pyarrow table.
        columns: Your names to ours, for instance `{"household_id": "user_id"}`.
        parse_timestamps: Whether to parse timestamps that are text; better their format, `"%d.%m.%Y"` for
            instance, where day and month could be mixed up. A time without a zone is taken as UTC.
        name: What errors call the log; by default the file's name.

    Raises:
        InputError: A file is missing, empty, damaged or of another kind; files of one log differ in their
            types; or as `InteractionLog.from_frame`.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "clicks.csv")
        ...     _ = path.write_text("user_id,item_id,timestamp\n7,tea,2024-05-01\n7,milk,2024-05-02\n")
        ...     read_log(path, parse_timestamps=True)
        InteractionLog('clicks.csv': 2 rows, 1 users, 2 items,
                       from 2024-05-01 00:00:00 to 2024-05-02 00:00:00)
    """
    if are_paths(data):
        lazy = scan_log(data, columns=columns)
        name = name or (Path(data).name if isinstance(data, str | Path) else f"{len(data)} files")
        try:
            return InteractionLog.from_frame(_collect(lazy, name, parse_timestamps), name=name)
        except InputError as error:
            raise InputError(f"{error}{_where_nulls_are(data, columns)}") from error
    name = name or "log"
    if not parse_timestamps:
        return InteractionLog.from_frame(data, columns=columns, name=name)
    frame, chosen = to_polars(data, columns)
    named = frame.lazy().select(pl.col(theirs).alias(ours) for ours, theirs in chosen.items())
    return InteractionLog.from_frame(_collect(named, name, parse_timestamps), name=name)


def scan_log(
    data: str | Path | Sequence[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    parse_timestamps: bool | str = False,
) -> pl.LazyFrame:
    """The files of a log as a lazy frame under our names, to be filtered before it is read.

    Its values aren't checked yet: `InteractionLog.from_frame(lazy)` reads and checks it.

    Args:
        data: Files, as in `read_log`.
        columns: Your names to ours.
        parse_timestamps: As in `read_log`.

    Raises:
        InputError: As `read_log`, for what the files' heads show.
    """
    files = expand_files([data] if isinstance(data, str | Path) else list(data))
    logger.debug("reading %d files, the first is %s", len(files), files[0])
    parts = [_scan(file, columns) for file in files]
    schema = parts[0].collect_schema()
    for file, part in zip(files[1:], parts[1:], strict=True):
        if (other := part.collect_schema()) != schema:
            raise InputError(
                f"the files of a log have the same types: {files[0]} has {_types(schema)}, {file} has "
                f"{_types(other)}; read them apart and cast one"
            )
    lazy = pl.concat(parts) if len(parts) > 1 else parts[0]
    typed = lazy if files[0].suffix.lower() in _PARQUET else _typed(lazy, str(files[0]))
    return _parsed(typed, parse_timestamps) if parse_timestamps else typed


def are_paths(data: Any) -> bool:
    """Whether it names files, and isn't what they hold."""
    if isinstance(data, str | Path):
        return True
    return isinstance(data, list | tuple) and all(isinstance(part, str | Path) for part in data)


def expand_files(given: Sequence[str | Path]) -> list[Path]:
    """The files behind names, folders and patterns, all of one kind.

    Raises:
        InputError: There are none, one is missing, or their kinds differ.
    """
    if not given:
        raise InputError("no file to read: the list is empty")
    files = [file for path in given for file in _expanded(path)]
    kinds = {"Parquet" if file.suffix.lower() in _PARQUET else file.suffix.lower() for file in files}
    if len(kinds) > 1:
        raise InputError(
            f"{given[0]} holds files of several kinds ({', '.join(sorted(kinds))}); read one kind at a time, "
            "for example with a pattern: '*.parquet'"
        )
    return files


def _expanded(given: str | Path) -> list[Path]:
    path = Path(given).expanduser()
    if path.is_dir():
        found = sorted(
            file for file in path.rglob("*") if _is_data(file.relative_to(path)) and file.is_file()
        )
        if not found:
            raise InputError(f"folder {path} holds no file that ends in {', '.join(_READABLE)}")
        return found
    if path.is_file():
        if path.suffix.lower() not in _READABLE:
            raise InputError(
                f"{path}: unknown ending {path.suffix!r}; a log is {', '.join(_READABLE)}; anything else "
                "that polars or pandas reads can be passed as a frame"
            )
        return [path]
    if any(character in str(path) for character in "*?["):
        root = Path(path.anchor)
        if found := sorted(file for file in root.glob(str(path.relative_to(root))) if file.is_file()):
            return [part for file in found for part in _expanded(file)]
        raise InputError(f"no file matches {path}")
    remote = (
        "; a remote file can be passed as a frame: read_log(pl.scan_parquet(url))"
        if ":/" in str(given)
        else ""
    )
    raise InputError(f"no such file: {path}{remote}")


def _is_data(path: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.parts)  # _SUCCESS, .part-0.parquet.crc
    return path.suffix.lower() in _READABLE and not hidden


def _scan(file: Path, columns: Mapping[str, str] | None) -> pl.LazyFrame:
    try:
        if not file.stat().st_size:
            raise InputError(f"{file} is empty: 0 bytes")
        if file.suffix.lower() in _PARQUET:
            lazy = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        else:  # as text first: a column's type is decided on all of its values, not on the first hundred
            lazy = pl.scan_csv(
                file, separator=_SEPARATORS[file.suffix.lower()], infer_schema=False, glob=False
            )
        schema = lazy.collect_schema()
    except _PROBLEMS as error:
        raise InputError(f"{file} cannot be read ({_first_line(error)}); {remedy_for(error)}") from error
    try:
        chosen = choose_columns(schema.names(), columns)
    except InputError as error:
        raise InputError(f"{file}: {_other_separator(file, schema.names()) or error}") from error
    return lazy.select(_unified(theirs, ours, schema[theirs]) for ours, theirs in chosen.items())


def _other_separator(file: Path, names: Sequence[str]) -> str:
    """What to do about names of columns that hold what would separate them."""
    own = _SEPARATORS.get(file.suffix.lower())
    if own is None or not (found := [mark for mark in ";\t|," if any(mark in name for name in names)]):
        return ""
    return (
        f"its first line is {own.join(names)!r}: is the separator {found[0]!r}? Write it anew with {own!r}: "
        f"polars.scan_csv({str(file)!r}, separator={found[0]!r}, infer_schema=False)"
        f".sink_csv(NEW, separator={own!r})"
    )


def _where_nulls_are(data: Any, columns: Mapping[str, str] | None) -> str:
    """The first of several files with a null, for an error's end; nothing of what can't be read."""
    files = expand_files([data] if isinstance(data, str | Path) else list(data))
    for file in files if len(files) > 1 else []:
        with suppress(InputError, *_PROBLEMS):
            if any(scan_log(file, columns=columns).null_count().collect().row(0)):
                return f"; nulls are in {file}"
    return ""


def _unified(theirs: str, ours: str, kind: pl.DataType) -> pl.Expr:
    """One type for what means the same, so that the files of one log go together."""
    column = pl.col(theirs).alias(ours)
    if kind.is_numeric() and ours == Columns.Weight:
        return column.cast(pl.Float64)
    if kind.is_integer() and kind not in (pl.UInt64, pl.Int128):  # these may not fit: `as_ids` says so
        return column.cast(pl.Int64)
    if isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    return column.dt.cast_time_unit("us") if isinstance(kind, pl.Datetime) else column


def _typed(text: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Numbers for the columns of text that hold nothing but numbers."""
    names = text.collect_schema().names()
    whole, decimal = pl.all().cast(pl.Int64, strict=False), pl.all().cast(pl.Float64, strict=False)
    exact = whole.cast(pl.String).eq_missing(pl.all())  # not so for "0042", "+5" and " 5"
    checks = pl.concat(
        [text.select(exact.all()), text.select(decimal.is_null().eq(pl.all().is_null()).all())]
    )
    is_whole, is_decimal = _collect(checks, name).rows(named=True)
    kinds: dict[Any, Any] = {}  # column to type
    for column in names:
        if column == Columns.Weight or (column == Columns.Timestamp and not is_whole[column]):
            kinds |= {column: pl.Float64} if is_decimal[column] else {}
        elif is_whole[column]:
            kinds[column] = pl.Int64
    return text.cast(kinds)


def _parsed(lazy: pl.LazyFrame, how: bool | str) -> pl.LazyFrame:
    if lazy.collect_schema()[Columns.Timestamp] != pl.String:
        return lazy
    text = pl.col(Columns.Timestamp).str
    return lazy.with_columns(
        text.to_datetime(how if isinstance(how, str) else None, time_unit="us", time_zone="UTC")
    )


def _collect(lazy: pl.LazyFrame, name: str, parse_timestamps: bool | str = False) -> pl.DataFrame:
    try:
        return (_parsed(lazy, parse_timestamps) if parse_timestamps else lazy).collect()
    except _PROBLEMS as error:
        found = _first_line(error)
        if _UNGUESSED in str(error):
            text = lazy.select(pl.col(Columns.Timestamp).drop_nulls().first()).collect().item()
            found = f"no format was found for its timestamps, for example {text!r}"
        raise InputError(f"{name} cannot be read ({found}); {remedy_for(error)}") from error


def remedy_for(error: BaseException) -> str:
    """What to do about a file that polars can't read."""
    words = str(error)
    if _UNGUESSED in words:
        return f"{_NAME_THE_FORMAT}; numbers that are text are cast to pl.Int64 before"
    if "conversion" in words:
        return _NAME_THE_FORMAT
    if "utf-8" in words.lower():
        return "text files are read as UTF-8: write it anew, iconv -f latin1 -t utf-8 OLD > NEW"
    return "is a file damaged or cut short?"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _types(schema: pl.Schema) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())
