"""Search for the settings that suit a target, on validation users only."""

from rectransfer.tuning.ranges import (
    Choice,
    FloatRange,
    IntRange,
    Range,
    choice,
    integer,
    log_float,
    log_integer,
    uniform,
)
from rectransfer.tuning.space import PRETRAINING, RANKING, SearchSpace
from rectransfer.tuning.tune import tune
from rectransfer.tuning.tuned import Tuned

__all__ = [
    "PRETRAINING",
    "RANKING",
    "Choice",
    "FloatRange",
    "IntRange",
    "Range",
    "SearchSpace",
    "Tuned",
    "choice",
    "integer",
    "log_float",
    "log_integer",
    "tune",
    "uniform",
]
