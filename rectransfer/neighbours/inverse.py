"""What every closed form needs: the inverse of a Gram matrix with a ridge."""

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from rectransfer.errors import InputError

__all__ = ["inverse_of"]


def inverse_of(gram: npt.NDArray[np.float64], l2: float) -> npt.NDArray[np.float64]:
    """The inverse of `gram + l2 I`, by Cholesky: positive definite, because `l2` is above 0.

    Args:
        gram: Inner products, shape `(n, n)`; its memory is used up.
        l2: Ridge penalty.

    Raises:
        InputError: The matrix is singular to rounding.
    """
    gram[np.diag_indices_from(gram)] += l2
    # LAPACK reads columns first; of a symmetric matrix the transpose is the same matrix without a copy.
    factor, failed = lapack.dpotrf(gram.T, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise InputError(f"nothing can be solved with l2={l2}: the matrix is singular to rounding; raise l2")
    lower: npt.NDArray[np.float64] = np.tril(inverse)
    del factor, inverse
    diagonal = lower.diagonal().copy()
    lower += lower.T
    lower[np.diag_indices_from(lower)] = diagonal
    return lower
