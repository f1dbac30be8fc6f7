"""Numbers out of what callers give."""

from typing import Any

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError

__all__ = ["Floats", "as_floats"]

Floats = npt.NDArray[np.float64]


def as_floats(values: Any, name: str) -> Floats:
    """Values as an array of any shape; NaN and infinity may be among them.

    Args:
        values: What NumPy makes an array of.
        name: What to call it in an error.

    Raises:
        InputError: One of them isn't a number.

    Examples:
        >>> as_floats([1, 2], "scores")
        array([1., 2.])
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} holds something that isn't a number: {error}") from error
