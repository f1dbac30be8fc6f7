"""Arrays as safetensors, ids as Parquet: files that run nothing when they are opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.exceptions
import safetensors
import safetensors.numpy

from rectransfer.errors import ArtefactError

__all__ = ["read_arrays", "read_frame", "read_ids", "write_arrays", "write_ids"]

_ID: Final = "id"
_ROWS_A_BYTE: Final = 16
_ROWS_ANYWAY: Final = 1_000_000


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays, bit for bit.

    Raises:
        ArtefactError: The file could not be written.
    """
    # safetensors writes the memory as it lies: a transposed view would come back scrambled
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        safetensors.numpy.save_file(contiguous, str(path))
    except safetensors.SafetensorError as error:
        raise ArtefactError(f"{path} could not be written: {error}; check the disk's space") from error


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, by name.

    Raises:
        ArtefactError: The file is no safetensors file.
    """
    try:
        return dict(safetensors.numpy.load_file(str(path)))
    except (
        *(safetensors.SafetensorError, OSError, LookupError, TypeError, ValueError),
        AttributeError,  # a kind of number that NumPy has no name for
    ) as error:
        raise ArtefactError(
            f"{path} could not be read: {error}; restore it from a copy, or save again"
        ) from error


def write_ids(path: Path, ids: pl.Series) -> None:
    """Write a column of ids, in order.

    Raises:
        ArtefactError: The file could not be written.
    """
    try:
        ids.alias(_ID).to_frame().write_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise ArtefactError(f"{path} could not be written: {error}; check the disk's space") from error


def read_ids(path: Path) -> pl.Series:
    """A column of ids, in the order they were written.

    Raises:
        ArtefactError: The file is no Parquet file of ids.
    """
    return read_frame(path, [_ID])[_ID]


def read_frame(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """A Parquet file.

    Its rows are counted before they are read: a few bytes can stand for billions of them.

    Raises:
        ArtefactError: The file is none, lacks a column, or has more rows than fit a file of its size.
    """
    try:
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item()
        most = _ROWS_ANYWAY + _ROWS_A_BYTE * path.stat().st_size
        if rows > most:
            raise ArtefactError(
                f"{path} says that it has {rows:,} rows, more than the {most:,} that a file of its size is "
                "believed to hold; restore it from a copy, or save again"
            )
        return pl.read_parquet(path, columns=None if columns is None else list(columns), glob=False)
    except (polars.exceptions.PolarsError, OSError, ValueError, OverflowError) as error:
        raise _unreadable(path, error) from error
    except BaseException as error:  # a panic in polars' Rust code is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> ArtefactError:
    return ArtefactError(f"{path} could not be read: {error}; restore it from a copy, or save again")
