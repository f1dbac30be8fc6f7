"""Does a score put sources in the order of what they gain?"""

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

from rectransfer.errors import InputError
from rectransfer.metrics import Interval
from rectransfer.metrics.intervals import require_bootstrap

__all__ = ["kendall_tau"]

Floats = npt.NDArray[np.float64]


def kendall_tau(
    scores: npt.ArrayLike,
    lifts: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    n: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Kendall's τ-b of two measures, with a percentile bootstrap interval.

    1 where both put all pairs in the same order, -1 in the opposite one; ties count in neither (Kendall 1945,
    "The treatment of ties in ranking problems", Biometrika 33).

    Args:
        scores: One value for each source → target pair, shape `(m,)`.
        lifts: What each of them really gained, shape `(m,)`.
        groups: The target of each, shape `(m,)`: only sources of one target are compared then, which is what
            choosing a source asks for, and whole targets are resampled.
        n: How many times the pairs (or targets) are resampled.
        level: Of the interval, between 0 and 1.
        seed: Draws them.

    Returns:
        τ in `mean` and its interval; `n_users` counts what was resampled, and `p` is scipy's two-sided one
        for τ = 0, or None with groups.

    Raises:
        InputError: Lengths differ, fewer than three pairs, a value that isn't finite, or nothing to compare;
            or `n`, `level` or `seed` is out of range.

    Examples:
        >>> found = kendall_tau([0.1, 0.2, 0.3, 0.5, 0.4], [1.0, 2.0, 3.0, 4.0, 5.0])
        >>> round(found.mean, 2)
        0.8
        >>> kendall_tau([1, 2, 2, 1], [5, 6, 1, 0], groups=["a", "a", "b", "b"]).mean
        1.0
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (scores, lifts))
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3 or not (np.isfinite(x) & np.isfinite(y)).all():
        raise InputError(
            f"scores of shape {x.shape} and lifts of shape {y.shape}; expected one finite value each for "
            "three pairs of source and target at least"
        )
    require_bootstrap(n, level, seed)
    target = np.zeros(len(x), np.int64)
    if groups is not None:
        target = np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(target) != len(x):
        raise InputError(f"groups name {len(target)} pairs, and there are {len(x)}")
    parts = _order(x, y, target)
    if not parts[0].any():
        raise InputError("the scores or the lifts that can be compared are all equal: there is no order")
    drawn = np.arange(len(x)) if groups is None else target
    units = int(drawn.max()) + 1
    # the rows of a target come together: they count once for every time that it is drawn, not squared
    power = 1.0 if groups is None else 0.5
    draw = np.random.default_rng(seed)
    taus = []
    for _ in range(n):
        times = np.bincount(draw.integers(units, size=units), minlength=units).astype(np.float64)
        taus.append(_tau(*parts, times[drawn] ** power))
    ordered = [tau for tau in taus if np.isfinite(tau)] or [float("nan")]  # a draw may be all ties
    low, high = np.quantile(ordered, [(1 - level) / 2, (1 + level) / 2])
    p = float(kendalltau(x, y).pvalue) if groups is None else None
    return Interval(_tau(*parts, np.ones(len(x))), float(low), float(high), level, p, units)


def _order(x: Floats, y: Floats, names: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Signs of agreement, and where either side has an order at all; shapes `(m, m)`."""
    together = (names[:, None] == names[None, :]).astype(np.float64)
    left = np.sign(x[:, None] - x[None, :]) * together
    right = np.sign(y[:, None] - y[None, :]) * together
    return left * right, np.abs(left), np.abs(right)


def _tau(agree: Floats, left: Floats, right: Floats, times: Floats) -> float:
    """τ-b where row i is there `times[i]` times; copies of one row are ties."""
    total, one, other = (float(times @ part @ times) for part in (agree, left, right))
    return total / (one * other) ** 0.5 if one and other else float("nan")
