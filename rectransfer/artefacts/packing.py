"""Numbers in fewer bytes: half precision or one byte, each row with a scale of its own."""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from rectransfer.artefacts.checks import checked_array
from rectransfer.errors import ArtefactError, InputError

__all__ = ["Precision", "packed", "rounded", "unpacked"]

Precision = Literal["float32", "float16", "int8"]

_SCALE: Final = "|scale"
_MOST: Final = 127
_TABLES: Final = ("vectors", "contexts")
"""What is stored in one byte with `int8`; a matrix whose small entries matter stays at half precision."""

Arrays = Mapping[str, npt.NDArray[Any]]


def packed(arrays: Arrays, precision: Precision) -> dict[str, npt.NDArray[Any]]:
    """Arrays in the fewest bytes that a precision allows; `unpacked` gives them back, rounded.

    Floats become half precision, or one byte where they are tables and `precision="int8"`, with the largest
    of each row as its scale; integers take the smallest type that holds them.

    Raises:
        InputError: An unknown precision.

    Examples:
        >>> few = packed({"vectors": np.array([[0.5, -1.0]], np.float32)}, "int8")
        >>> {name: array.dtype.name for name, array in few.items()}
        {'vectors': 'int8', 'vectors|scale': 'float32'}
        >>> unpacked(few)["vectors"].round(2)
        array([[ 0.5, -1. ]], dtype=float32)
    """
    if precision not in get_args(Precision):
        raise InputError(f"precision={precision!r}; choose one of {', '.join(get_args(Precision))}")
    if precision == "float32":
        return dict(arrays)
    found: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        if array.dtype.kind == "i" and array.size and array.min() >= 0:
            found[name] = array.astype(np.min_scalar_type(int(array.max())))
        elif array.dtype == np.float32 and array.size:
            small = precision == "int8" and name.rpartition(".")[2] in _TABLES
            scale = np.abs(array).reshape(len(array), -1).max(axis=1) if array.ndim > 1 else _top(array)
            shares = array / np.where(scale > 0, scale, 1).reshape(-1, *(1,) * (array.ndim - 1))
            found[name] = np.rint(_MOST * shares).astype(np.int8) if small else shares.astype(np.float16)
            found[name + _SCALE] = scale.astype(np.float32)
        else:
            found[name] = array
    return found


def unpacked(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """What `packed` packed, as `float32` and `int32` (or `int64`) again.

    Raises:
        ArtefactError: A scale doesn't fit its array.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        if name.endswith(_SCALE):
            continue
        if name + _SCALE in arrays:
            if not array.ndim or array.dtype not in (np.int8, np.float16):
                raise ArtefactError(f"its array {name!r} is {array.dtype} and has a scale")
            scale = checked_array(arrays, name + _SCALE, (len(array) if array.ndim > 1 else 1,))
            shares = array.astype(np.float32) / np.float32(_MOST if array.dtype == np.int8 else 1)
            found[name] = shares * scale.reshape(-1, *(1,) * (array.ndim - 1)).astype(np.float32)
        elif array.dtype.kind == "u":
            found[name] = array.astype(np.int32 if array.dtype.itemsize < 4 else np.int64)
        else:
            found[name] = array
    return found


def rounded(arrays: Arrays, precision: Precision) -> dict[str, npt.NDArray[Any]]:
    """Arrays as they come back once they were packed; doing it again changes nothing."""
    return unpacked(packed(arrays, precision))


def _top(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(np.abs(array).max(keepdims=True))
