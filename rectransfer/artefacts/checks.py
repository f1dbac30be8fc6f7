"""What an array from a file has to be before anything is computed with it.

Checksums tell damage, not intent: whoever can write a folder can write its checksums. NumPy and SciPy trust
the places that a sparse matrix names, and a wrong one reads memory that isn't the matrix's.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars.exceptions
from scipy.sparse import csr_array

from rectransfer.errors import ArtefactError, InputError

__all__ = ["MISFITS", "checked_array", "checked_csr", "require_finite"]

MISFITS: Final[tuple[type[Exception], ...]] = (
    ArtefactError,
    InputError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    polars.exceptions.PolarsError,
)
"""What comes of putting together a card and files that don't belong together."""

Arrays = Mapping[str, npt.NDArray[Any]]
_KINDS: Final = {"f": "floats", "i": "integers", "b": "booleans", "u": "unsigned integers"}


def checked_array(arrays: Arrays, name: str, shape: tuple[int | None, ...], kind: str = "f") -> Any:
    """An array of this shape and kind, its floats finite.

    Args:
        arrays: By name.
        name: Which.
        shape: None stands for any length.
        kind: As in `numpy.dtype.kind`.

    Raises:
        ArtefactError: There is none, or it isn't that.
    """
    found = arrays.get(name)
    if found is None:
        raise ArtefactError(f"it has no array {name!r}; it has {', '.join(sorted(arrays)) or 'none'}")
    fits = found.ndim == len(shape) and all(
        wanted in (None, have) for wanted, have in zip(shape, found.shape, strict=True)
    )
    if not fits or found.dtype.kind != kind:
        raise ArtefactError(
            f"its array {name!r} is {found.dtype} of shape {found.shape}, where {_KINDS.get(kind, kind)} of "
            f"shape {shape} belong"
        )
    if kind == "f":
        require_finite({name: found})
    return found


def require_finite(arrays: Arrays) -> None:
    """Refuse arrays with NaN or infinity.

    Raises:
        ArtefactError: One has some.
    """
    for name, found in arrays.items():
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise ArtefactError(f"its array {name!r} has NaN or infinity in it")


def checked_csr(arrays: Arrays, shape: tuple[int, int], prefix: str = "") -> csr_array:
    """A sparse matrix from `data`, `indices` and `indptr`, all of whose places lie inside it.

    Raises:
        ArtefactError: They are no such matrix.
    """
    data = checked_array(arrays, f"{prefix}data", (None,))
    indices = checked_array(arrays, f"{prefix}indices", (len(data),), "i")
    indptr = checked_array(arrays, f"{prefix}indptr", (shape[0] + 1,), "i")
    if indptr[0] != 0 or indptr[-1] != len(data) or (indptr[1:] < indptr[:-1]).any():
        raise ArtefactError(f"its array {prefix + 'indptr'!r} doesn't rise from 0 to {len(data)}")
    if len(indices) and not 0 <= indices.min() <= indices.max() < shape[1]:
        raise ArtefactError(
            f"its array {prefix + 'indices'!r} goes from {indices.min()} to {indices.max()}, outside of "
            f"{shape[1]} columns"
        )
    return csr_array((data, indices, indptr), shape=shape)
