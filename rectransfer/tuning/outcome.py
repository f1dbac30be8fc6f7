"""From trials to what is taken over."""

from typing import Any

import numpy as np
import polars as pl

from rectransfer.metrics import Interval
from rectransfer.tuning.ranges import Choice, IntRange, Range
from rectransfer.tuning.space import SearchSpace, Settings
from rectransfer.tuning.study import Record
from rectransfer.tuning.tuned import Tuned, gain_of_the_best

__all__ = ["outcome"]


def outcome(records: list[Record], base: Settings, space: SearchSpace, seed: int) -> Tuned:
    """Compare the best trial with the default, which is the first record.

    Args:
        records: Trials that are over, in order.
        base: The default.
        space: What was searched.
        seed: Of the interval.
    """
    default, *others = records
    finished = [one for one in others if one.state == "finished"]
    interval: Interval | None = None
    chosen, settings, won, value = base, dict[str, Any](), False, float(default.values.mean())
    if finished:
        best = int(np.argmax([one.values.mean() for one in finished]))
        interval = gain_of_the_best(default.values, [one.values for one in finished], best, seed=seed)
        drawn = finished[best].settings
        settings = {name: drawn[name] for name in space.ranges if drawn[name] != base.value(name)}
        won = interval.low > 0
        if won:
            chosen, value = base.overridden(drawn), float(finished[best].values.mean())
    return Tuned(
        config=chosen.config,
        pretrain_config=chosen.pretrain,
        value=value,
        default_value=float(default.values.mean()),
        interval=interval,
        settings=settings,
        won=won,
        trials=_frame(records, base, space),
        n_users=len(default.values),
    )


def _frame(records: list[Record], base: Settings, space: SearchSpace) -> pl.DataFrame:
    columns = [
        pl.Series("trial", range(len(records)), dtype=pl.Int64),
        pl.Series("state", [one.state for one in records], dtype=pl.String),
        pl.Series(
            "ndcg@10",
            [float(one.values.mean()) if len(one.values) else None for one in records],
            dtype=pl.Float64,
        ),
        pl.Series("gain", [_gain(one, records[0]) for one in records], dtype=pl.Float64),
        pl.Series("folds_done", [one.folds for one in records], dtype=pl.Int64),
        pl.Series("seconds", [one.seconds for one in records], dtype=pl.Float64),
    ]
    for name, found in space.ranges.items():
        used = [one.settings.get(name, base.value(name)) for one in records]
        columns.append(pl.Series(name, [_cell(found, value) for value in used], dtype=_dtype(found)))
    return pl.DataFrame(columns)


def _gain(one: Record, default: Record) -> float | None:
    """Over the default on the same users: a pruned trial met some of them only."""
    n = len(one.values)
    return float((one.values - default.values[:n]).mean()) if n else None


def _cell(found: Range, value: Any) -> Any:
    return repr(value) if isinstance(found, Choice) else value


def _dtype(found: Range) -> pl.DataType:
    if isinstance(found, Choice):
        return pl.String()
    return pl.Int64() if isinstance(found, IntRange) else pl.Float64()
