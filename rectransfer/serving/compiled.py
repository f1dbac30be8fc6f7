"""Loops that are compiled, because numpy would make several passes and copies of them."""

from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["CHUNK", "LN2", "compiled", "hits_among"]

Ints = npt.NDArray[Any]

LN2: Final = np.float32(np.log(2))
CHUNK: Final = 1024
"""Values at a time, where a loop goes over them more than once."""


def compiled(function: Any) -> Any:
    """Compile a function that runs without the interpreter's lock."""
    maths = {"nsz", "arcp", "contract", "reassoc", "nnan"}
    # a division that may raise would keep its loop from being vectorised
    return numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=maths)(function)


@compiled
def hits_among(
    columns: Ints, start: int, stop: int, wanted: Ints, out: Ints
) -> int:  # pragma: no cover (compiled)
    """The places from `start` on whose column is wanted, and how many; no branch depends on which."""
    found = 0
    for place in range(start, stop):
        out[found] = place
        found += wanted[columns[place]]
    return found
