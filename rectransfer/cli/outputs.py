"""What commands write: checked before any work starts, and there whole or not at all."""

import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.exceptions

from rectransfer.artefacts import CARD
from rectransfer.artefacts.card import read_card
from rectransfer.errors import ArtefactError, InputError

__all__ = [
    "require_folder",
    "require_new_file",
    "require_table",
    "write_batches",
    "write_json",
    "write_table",
]

_TABLES: Final[dict[str, Callable[[pl.DataFrame, Path], object]]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
}
_LEFT_BY_A_KILLED_SAVE: Final = re.compile(r"\.saving-.*|.*-[0-9a-f]{12}(\.\w+)?")


def require_folder(folder: Path, kind: str) -> None:
    """Refuses a folder that `save` would refuse after the work is done.

    Args:
        folder: Where something will be saved.
        kind: What; an earlier version of it may be there.

    Raises:
        InputError: The folder cannot be made or written, or holds something else.
    """
    _require_writable(folder)
    if not folder.is_dir():
        return
    if (folder / CARD).exists():
        try:
            found = read_card(folder)["kind"]
        except ArtefactError as error:
            raise InputError(f"{folder} was not overwritten: {error}; or choose another folder") from error
        if found != kind:
            raise InputError(f"{folder} holds a {found!r}, no {kind!r} to overwrite; choose another folder")
        return
    files = (path for path in folder.rglob("*") if not path.is_dir())
    if other := next((path for path in files if not _LEFT_BY_A_KILLED_SAVE.fullmatch(path.name)), None):
        raise InputError(
            f"{folder} holds files that rectransfer did not write, for example {other.name!r}; choose a new "
            "or an empty folder"
        )


def require_table(path: Path) -> None:
    """Refuses a file that `write_table` could not write.

    Raises:
        InputError: An ending other than .parquet and .csv, or as `require_new_file`.
    """
    if path.suffix.lower() not in _TABLES:
        raise InputError(f"{path}: unknown ending {path.suffix!r}; expected {' or '.join(_TABLES)}")
    require_new_file(path)


def require_new_file(path: Path) -> None:
    """Refuses a file that could not be written or replaced.

    Raises:
        InputError: It is a folder or a device, or its folder cannot be made or written.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no ordinary file; give the name of a file to write")
    _require_writable(path.resolve().parent)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table, by its ending; a file of that name is replaced only once the new one is whole.

    Raises:
        InputError: The file cannot be written.
    """
    _write(path, lambda unfinished: _TABLES[path.suffix.lower()](frame, unfinished))


def write_batches(frames: Iterator[pl.DataFrame], path: Path, rows_at_once: int = 250_000) -> None:
    """Write one table of many frames, of which some rows are in memory at once; else as `write_table`.

    Args:
        frames: One at least, all of the same columns.
        path: The file.
        rows_at_once: How many rows are gathered before they are written.
    """
    kind = path.suffix.lower()
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=path.resolve().parent) as folder:
        parts: list[Path] = []
        for gathered in _gathered(frames, rows_at_once):
            parts.append(Path(folder, f"{len(parts):06}.parquet"))
            gathered.write_parquet(parts[-1])
        lazy = pl.scan_parquet(parts, hive_partitioning=False)
        _write(path, lazy.sink_parquet if kind == ".parquet" else lazy.sink_csv)


def _gathered(frames: Iterator[pl.DataFrame], rows_at_once: int) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(one.height for one in waiting) >= rows_at_once:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def write_json(values: Any, path: Path) -> None:
    """Write values as JSON, as `write_table` does.

    Raises:
        InputError: The file cannot be written.
    """
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    _write(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    whole = path.resolve()  # a link stays a link
    unfinished = whole.with_name(f".{whole.name}.{secrets.token_hex(4)}.unfinished")
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(whole)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise InputError(
            f"{path} cannot be written ({error}); check the disk's space and the folder's permissions"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _require_writable(folder: Path) -> None:
    """Tries, in the folder or in the one that it would be made in: permissions alone don't tell."""
    nearest = folder.resolve()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"{nearest} is a file, expected a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror or error}); choose another") from error
