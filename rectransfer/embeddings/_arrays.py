"""Arrays that stay as they are, and the checks that tables share."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError

__all__ = ["frozen", "matrix"]


def frozen(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The array as `dtype`, C-contiguous and read-only; a copy, unless it is all that already."""
    given = np.asarray(array)
    if (
        given.dtype == dtype
        and given.flags.c_contiguous
        and given.flags.owndata
        and not given.flags.writeable
    ):
        return given
    copy = np.array(given, dtype=dtype, order="C", copy=True)
    copy.flags.writeable = False
    return copy


def matrix(array: npt.ArrayLike, name: str, rows: int, columns: int | None = None) -> npt.NDArray[np.float32]:
    """A frozen float32 matrix with one row an id.

    Raises:
        InputError: Another shape, or values that aren't finite.
    """
    given = np.asarray(array)
    if given.ndim != 2 or not np.issubdtype(given.dtype, np.floating):
        raise InputError(f"{name} is {given.dtype} of shape {given.shape}; expected floats of shape (n, d)")
    if given.shape[0] != rows:
        raise InputError(f"{name} has {given.shape[0]:,} rows, the vocabulary has {rows:,} ids")
    if given.shape[1] != (columns or given.shape[1]) or not given.shape[1]:
        raise InputError(f"expected {columns or 'some'} dimensions, {name} has {given.shape[1]}")
    result = frozen(given, np.float32)
    if bad := int(np.count_nonzero(~np.isfinite(result).all(axis=1))):
        raise InputError(
            f"{name} has NaN or infinity in {bad:,} of {rows:,} rows; "
            "if training diverged, lower learning_rate"
        )
    return result
