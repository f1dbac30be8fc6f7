"""The best of every row, with ties in a fixed order."""

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError

__all__ = ["top_k"]


def top_k(scores: npt.NDArray[np.floating], k: int) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int64]]:
    """The `k` highest values of every row, best first; of equal values the lower column comes first.

    Args:
        scores: Shape `(n, m)`, without NaN.
        k: How many; at most `m` come back.

    Returns:
        Values and their columns, both of shape `(n, min(k, m))`.

    Raises:
        InputError: `k` is below 1, or `scores` is not a matrix.

    Examples:
        >>> top_k(np.array([[1.0, 3.0, 2.0, 3.0]]), k=3)[1]
        array([[1, 3, 2]])
    """
    if scores.ndim != 2 or k < 1:
        raise InputError(f"top_k needs a matrix and k >= 1, got the shape {scores.shape} and k={k}")
    n, m = scores.shape
    if k >= m:
        columns = np.argsort(-scores, axis=1, kind="stable")
    else:
        last = np.partition(scores, m - k, axis=1)[:, m - k, None]
        kept = scores > last
        tied = scores == last
        missing = k - np.count_nonzero(kept, axis=1)
        rare = np.flatnonzero(np.count_nonzero(tied, axis=1) > missing)  # rows with a tie across the cut
        tied[rare] &= np.cumsum(tied[rare], axis=1, dtype=np.int32) <= missing[rare, None]
        kept |= tied
        columns = np.nonzero(kept)[1].reshape(n, k)
        order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
    return np.take_along_axis(scores, columns, axis=1), columns.astype(np.int64, copy=False)
