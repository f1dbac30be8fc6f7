"""The models on the test, beside each other."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.metrics import bootstrap_mean, paired_bootstrap
from rectransfer.report.catalogue import framed
from rectransfer.report.result import Model
from rectransfer.report.trial import BEST_SELLERS, OURS, Trial
from rectransfer.vocabulary import as_ids

__all__ = ["standings"]

Floats = npt.NDArray[np.float64]

_ROUNDED: Final = 1e-6


def standings(trial: Trial, rivals: Mapping[str, Any] | None = None, *, seed: int = 0) -> tuple[Model, ...]:
    """Every model's mean with its interval, and what it gains over best sellers; best first.

    Args:
        trial: Of the model that ships.
        rivals: More models by label: polars or pandas frames of `user_id` and a column for each metric,
            `ndcg@10` and `hit_rate@10`.
        seed: Of the resampling, common to all.

    Raises:
        InputError: A rival is no frame, lacks users, a metric, or a label of its own, or has values that the
            metric can't have.
    """
    metrics = (trial.ndcg, trial.hit_rate)
    values = {name: tuple(trial.values(name, metric) for metric in metrics) for name in trial.lists}
    for label, frame in _labelled({} if rivals is None else rivals, [metric.name for metric in metrics]):
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


def _labelled(rivals: Any, metrics: list[str]) -> list[tuple[str, pl.DataFrame]]:
    if not isinstance(rivals, Mapping):
        raise InputError(
            f"rivals are frames of {', '.join((Columns.User, *metrics))} by what to call them, got a "
            f"{type(rivals).__name__}; pass rivals={{'Its name': frame}}"
        )
    if odd := [label for label in rivals if not isinstance(label, str)]:
        raise InputError(f"rivals: {odd[0]!r} is no name; call the rival something: {{'Its name': frame}}")
    return [(label, framed(data, f"rival {label!r} is")) for label, data in rivals.items()]


def _aligned(label: str, frame: pl.DataFrame, users: pl.Series, metric: str) -> Floats:
    if missing := [column for column in (Columns.User, metric) if column not in frame.columns]:
        raise InputError(f"rival {label!r} lacks the column {missing[0]!r}; it has {frame.columns}")
    try:
        ids = as_ids(frame[Columns.User], Columns.User)
    except InputError as error:
        raise InputError(f"rival {label!r}: {error}") from error
    if ids.dtype != users.dtype:
        raise InputError(
            f"rival {label!r} needs each {Columns.User} once, as {users.dtype}, and has {ids.dtype}; cast "
            f"it: frame.with_columns(pl.col({Columns.User!r}).cast(pl.{users.dtype}))"
        )
    if ids.is_duplicated().any():
        raise InputError(
            f"rival {label!r} needs each {Columns.User} once, and has {ids.filter(ids.is_duplicated())[0]!r} "
            f"several times; take the mean: frame.group_by({Columns.User!r}).mean()"
        )
    kind = frame.schema[metric]
    if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
        raise InputError(
            f"rival {label!r}: column {metric!r} is {kind}, expected numbers from 0 to 1; cast it: "
            f"frame.with_columns(pl.col({metric!r}).cast(pl.Float64))"
        )
    told = pl.DataFrame([ids.alias(Columns.User), frame[metric].cast(pl.Float64)])
    asked = users.alias(Columns.User).to_frame()
    joined = asked.join(told, on=Columns.User, how="left", maintain_order="left")[metric]
    if lost := joined.null_count():
        raise InputError(
            f"rival {label!r} has no {metric} for {lost:,} of the {users.len():,} users measured; models are "
            "compared on the same users"
        )
    return _checked(label, joined)


def _checked(label: str, values: pl.Series) -> Floats:
    """The values of a metric, each from 0 to 1."""
    name = values.name
    if nans := int(values.is_nan().sum()):
        raise InputError(
            f"rival {label!r}: column {name!r} is NaN for {nans:,} of the {values.len():,} users measured; "
            f"where nothing was found the value is 0: frame.with_columns(pl.col({name!r}).fill_nan(0.0))"
        )
    outside = values.filter(~values.is_between(-_ROUNDED, 1 + _ROUNDED))
    if outside.len():
        raise InputError(
            f"rival {label!r}: column {name!r} lies outside 0 to 1 for {outside.len():,} of the "
            f"{values.len():,} users measured, the first is {outside[0]:g}; if it is in percent: "
            f"frame.with_columns(pl.col({name!r}) / 100)"
        )
    return values.to_numpy()
