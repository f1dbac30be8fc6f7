"""The models on the test, beside each other."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.metrics import bootstrap_mean, paired_bootstrap
from rectransfer.report.result import Model
from rectransfer.report.trial import BEST_SELLERS, OURS, Trial

__all__ = ["standings"]

Floats = npt.NDArray[np.float64]


def standings(
    trial: Trial, rivals: Mapping[str, pl.DataFrame] | None = None, *, seed: int = 0
) -> tuple[Model, ...]:
    """Every model's mean with its interval, and what it gains over best sellers; best first.

    Args:
        trial: Of the model that ships.
        rivals: More models: `user_id` and a column for each metric, `ndcg@10` and `hit_rate@10`, by label.
        seed: Of the resampling, common to all.

    Raises:
        InputError: A rival lacks users, a metric, or a label of its own.
    """
    metrics = (trial.ndcg, trial.hit_rate)
    values = {name: tuple(trial.values(name, metric) for metric in metrics) for name in trial.lists}
    for label, frame in (rivals or {}).items():
        if label in values:
            raise InputError(f"{label!r} is in the comparison already; call the rival something else")
        first, second = (_aligned(label, frame, trial.users, metric.name) for metric in metrics)
        values[label] = first, second
    rows = [_row(label, values, seed) for label in values]
    return tuple(sorted(rows, key=lambda row: -row.quality.mean))


def _row(label: str, values: Mapping[str, tuple[Floats, ...]], seed: int) -> Model:
    quality, hits = values[label]
    base = values[BEST_SELLERS]
    gaps = [paired_bootstrap(own, other, seed=seed) for own, other in zip((quality, hits), base, strict=True)]
    first, second = (None, None) if label == BEST_SELLERS else gaps
    return Model(
        label=label,
        ours=label == OURS,
        quality=bootstrap_mean(quality, seed=seed),
        hits=bootstrap_mean(hits, seed=seed),
        gain=first,
        more_hits=second,
        ahead=None if label == OURS else paired_bootstrap(values[OURS][0], quality, seed=seed),
    )


def _aligned(label: str, frame: pl.DataFrame, users: pl.Series, metric: str) -> Floats:
    if missing := [column for column in (Columns.User, metric) if column not in frame.columns]:
        raise InputError(f"rival {label!r} lacks the column {missing[0]!r}; it has {frame.columns}")
    asked = users.alias(Columns.User).to_frame()
    if frame.schema[Columns.User] != users.dtype or frame[Columns.User].is_duplicated().any():
        raise InputError(f"rival {label!r} needs each {Columns.User} once, as {users.dtype}")
    joined = asked.join(frame, on=Columns.User, how="left", maintain_order="left")[metric]
    if lost := joined.null_count():
        raise InputError(
            f"rival {label!r} has no {metric} for {lost:,} of the {users.len():,} users measured; models are "
            "compared on the same users"
        )
    return joined.cast(pl.Float64).to_numpy()
