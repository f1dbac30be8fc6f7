"""Arrays as safetensors, ids as Parquet: files that run nothing when they are opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.exceptions
import safetensors
import safetensors.numpy

from rectransfer.errors import ArtefactError

__all__ = ["read_arrays", "read_ids", "write_arrays", "write_ids"]

_ID = "id"


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
    except (safetensors.SafetensorError, OSError) as error:
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
    try:
        return pl.read_parquet(path, columns=[_ID])[_ID]
    except (polars.exceptions.PolarsError, OSError) as error:
        raise ArtefactError(
            f"{path} could not be read: {error}; restore it from a copy, or save again"
        ) from error
