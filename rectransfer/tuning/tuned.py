"""What tuning found, and whether it is more than luck."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.metrics import Interval
from rectransfer.pretrained import PretrainConfig
from rectransfer.recommend import RecommenderConfig

__all__ = ["Tuned", "gain_of_the_best"]

Floats = npt.NDArray[np.float64]

_DRAWS_A_BLOCK = 4_000_000  # resampled users at once: 32 MB of rows


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        config: How to fit: with the best settings where they won by more than luck, else as it was.
        pretrain_config: How to pretrain, likewise; None where no source's log was given.
        value: Mean NDCG@10 of `config` over the validation users. The best of many is flattered by having
            been picked: `interval` allows for that, the mean itself doesn't.
        default_value: The same before tuning: trial 0.
        interval: The best trial less the default on the same users, and how far that moves with other users
            when the best of all finished trials is picked; None where no other trial finished.
        settings: The fields of the best trial that differ from the default, by name.
        won: Whether they are in `config`.
        trials: A row for each trial: `trial`, `state` ("finished", "pruned" or "failed"), `ndcg@10` (mean
            over the users measured), `gain` (that less the default's on the same users), `folds_done`,
            `seconds`, and a column for each field of the space.
        n_users: Validation users.
    """

    config: RecommenderConfig
    pretrain_config: PretrainConfig | None
    value: float
    default_value: float
    interval: Interval | None
    settings: Mapping[str, Any]
    won: bool
    trials: pl.DataFrame = field(repr=False)
    n_users: int

    @property
    def verdict(self) -> str:
        """What came out, in a line."""
        counts = dict(self.trials["state"].value_counts().iter_rows())
        tried = f"{counts.get('finished', 0)} finished and {counts.get('pruned', 0)} pruned trials"
        kept = f"the defaults stay, NDCG@10 {self.default_value:.4f}"
        if self.interval is None:
            return (
                f"the defaults stay, NDCG@10 {self.default_value:.4f}: nothing else was measured in {tried}"
            )
        gap = self.interval
        numbers = (
            f"a difference of {gap.mean:+.4f} ({gap.level:.0%} interval {gap.low:+.4f} to {gap.high:+.4f}, "
            f"which allows for having picked the best) on {self.n_users:,} validation users; {tried}"
        )
        best = self.default_value + gap.mean
        if self.won:
            changed = ", ".join(f"{name}={_short(value)}" for name, value in self.settings.items())
            before = f"where the defaults have {self.default_value:.4f}"
            return f"tuned: NDCG@10 {best:.4f} {before}, {numbers}: {changed}"
        if gap.mean <= 0:
            return f"{kept}: no trial was better; {tried}"
        return f"{kept}: the best trial has {best:.4f}, which may be luck, {numbers}"

    def __str__(self) -> str:
        return self.verdict


def gain_of_the_best(
    default: Floats, others: Sequence[Floats], best: int, *, level: float = 0.95, n: int = 2000, seed: int = 0
) -> Interval:
    """How much better the best of several is than the default; the interval allows for the choice.

    The largest of many noisy differences lies above zero even where all are equal. So users are resampled
    with the values of all models together, and the interval is as wide as the largest error that any of the
    means makes in a draw (White 2000, "A Reality Check for Data Snooping", section 2; two-sided here, so that
    it holds for all models at once). With one model it is an ordinary bootstrap interval.

    Args:
        default: One value for each user, shape `(n_users,)`.
        others: Values of the same users for each model.
        best: Which of them is the best.
        level: Between 0 and 1.
        n: How many times the users are resampled.
        seed: Draws them.

    Returns:
        The interval of the mean of `others[best] - default`; its p-value is the share of draws in which some
        model errs by as much as the best one gains.

    Examples:
        >>> draw = np.random.default_rng(0)
        >>> default = draw.random(200)
        >>> noise = [default + draw.normal(0, 0.2, 200) for _ in range(20)]
        >>> best = int(np.argmax([values.mean() for values in noise]))
        >>> gain_of_the_best(default, noise, best).excludes_zero
        False
    """
    differences = np.stack([values - default for values in others])
    means = differences.mean(axis=1)
    n_users = len(default)
    draw = np.random.default_rng(seed)
    widest = np.empty(n)
    step = max(1, _DRAWS_A_BLOCK // n_users)
    for start in range(0, n, step):
        rows = draw.integers(n_users, size=(min(step, n - start), n_users))
        errors = np.stack([one[rows].mean(axis=1) for one in differences]) - means[:, None]
        widest[start : start + step] = np.abs(errors).max(axis=0)
    reach = float(np.quantile(widest, level))
    gain = float(means[best])
    p = float((np.count_nonzero(widest >= abs(gain)) + 1) / (n + 1))
    return Interval(gain, gain - reach, gain + reach, level, min(1.0, p), n_users)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
