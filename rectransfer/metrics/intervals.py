"""Bootstrap intervals over users, and a correction for many comparisons."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError
from rectransfer.metrics.floats import Floats, as_floats
from rectransfer.whole import require_whole

__all__ = ["Interval", "bootstrap_mean", "holm", "paired_bootstrap", "require_bootstrap"]

# Resampled users are drawn in blocks of this many: 32 MB of rows, whatever the number of users.
_DRAWS_A_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean over users and the range it would move in with other users.

    Attributes:
        mean: The mean over the users.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: How often such intervals hold the true mean, 0.95 for instance.
        p: Two-sided p-value for a mean of zero; for `bootstrap_mean` it is None.
        n_users: How many users the mean is over.
    """

    mean: float
    low: float
    high: float
    level: float
    p: float | None
    n_users: int

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def paired_bootstrap(
    a: npt.ArrayLike, b: npt.ArrayLike, n: int = 2000, level: float = 0.95, seed: int = 0
) -> Interval:
    """How much better `a` is than `b`, measured on the same users.

    Users are resampled with replacement, each with its own two values, so that what makes a user easy for
    both models cancels out. Percentile interval: Efron & Tibshirani 1993, "An Introduction to the
    Bootstrap", section 13.3. The p-value is twice the smaller share of resampled means at or beyond zero,
    with one added above and below the line, so it is never below `2 / (n + 1)`: raise `n` before
    correcting for dozens of comparisons.

    Args:
        a: One value for each user, shape `(n_users,)`.
        b: Values of the same users in the same order, shape `(n_users,)`.
        n: How many times the users are resampled.
        level: Between 0 and 1.
        seed: The same seed draws the same users for every pair of models.

    Returns:
        The interval of the mean of `a - b`.

    Raises:
        InputError: The two differ in length, have fewer than two users, or hold a value that isn't a finite
            number; or `n`, `level` or `seed` is out of range.

    Examples:
        >>> difference = paired_bootstrap([0.5, 0.7, 0.6, 0.9], [0.4, 0.6, 0.5, 0.8])
        >>> print(difference)
        0.1000 [0.1000, 0.1000]
    """
    left, right = _values(a, "a"), _values(b, "b")
    if len(left) != len(right):
        raise InputError(
            f"a has {len(left)} users and b has {len(right)}: a pair needs the same users in both"
        )
    difference = left - right
    means = _resampled_means(difference, n, level, seed)
    beyond = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    return _interval(difference, means, level, p=min(1.0, 2 * (beyond + 1) / (n + 1)))


def bootstrap_mean(values: npt.ArrayLike, n: int = 2000, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean over users with its percentile bootstrap interval; arguments as in `paired_bootstrap`.

    Raises:
        InputError: Fewer than two users, a value that isn't a finite number, or `n`, `level` or `seed` out of
            range.
    """
    kept = _values(values, "values")
    return _interval(kept, _resampled_means(kept, n, level, seed), level, p=None)


def holm(p_values: npt.ArrayLike) -> Floats:
    """Adjust p-values for their number: those under `alpha` together err with probability `alpha` at most.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", section 3.

    Args:
        p_values: Shape `(m,)`, each in [0, 1].

    Returns:
        Adjusted p-values in the same order, shape `(m,)`.

    Raises:
        InputError: A value is no number, or lies outside [0, 1].

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    values = np.atleast_1d(as_floats(p_values, "p_values"))
    if values.ndim != 1:
        raise InputError(f"p_values needs the shape (m,), got {values.shape}")
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        raise InputError(
            f"{outside.sum()} of {len(values)} p-values lie outside [0, 1]: {values[outside][0]}"
        )
    order = np.argsort(values, kind="stable")
    adjusted = np.empty_like(values)
    factors = len(values) - np.arange(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def _values(values: npt.ArrayLike, name: str) -> Floats:
    array = as_floats(values, name)
    if array.ndim != 1 or len(array) < 2:
        raise InputError(
            f"{name} needs one value for each of at least two users, got the shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name}: {(~np.isfinite(array)).sum()} of {len(array)} users have no finite value")
    return array


def require_bootstrap(n: object, level: object, seed: object) -> None:
    """Refuse draws, a level or a seed that no bootstrap can do with.

    Raises:
        InputError: One of them is out of range, or no number.
    """
    require_whole(f"n={n!r}", n, 1)
    require_whole(f"seed={seed!r}", seed, 0)
    if not isinstance(level, int | float | np.integer | np.floating) or not 0 < level < 1:
        raise InputError(f"level={level!r}; expected a number between 0 and 1, such as 0.95")


def _resampled_means(values: Floats, n: int, level: float, seed: int) -> Floats:
    require_bootstrap(n, level, seed)
    generator = np.random.default_rng(seed)
    step = max(1, _DRAWS_A_BLOCK // len(values))
    means = np.empty(n)
    for start in range(0, n, step):
        rows = generator.integers(len(values), size=(min(step, n - start), len(values)))
        means[start : start + step] = values[rows].mean(axis=1)
    return means


def _interval(values: Floats, means: Floats, level: float, p: float | None) -> Interval:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level, p, len(values))
