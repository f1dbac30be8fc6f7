"""Signals, tower and ranker: the layers that are learned on top of frozen tables."""

from rectransfer.ranking.augment import Augment
from rectransfer.ranking.cuts import UNCUT_EVERY, cut_at_random, cut_at_share, every, uncut
from rectransfer.ranking.evidence import Evidence, Profiles, lay_out
from rectransfer.ranking.examples import Examples, entries
from rectransfer.ranking.habits import HABIT_SIGNALS, OFFERED, Choice, Habits, fit_habits, reference_of
from rectransfer.ranking.histories import VISIT, Histories, done_at_once, with_visits
from rectransfer.ranking.losses import (
    bce,
    bpr,
    mse,
    sampled_bce,
    sampled_bpr,
    sampled_mse,
    sampled_softmax,
    softmax,
)
from rectransfer.ranking.ranker import Ranker
from rectransfer.ranking.restore import require_layers, restored_ranker, restored_towers
from rectransfer.ranking.returns import Returns
from rectransfer.ranking.signals import (
    LAST,
    LEANING,
    RARE,
    RECENT,
    SIGNALS,
    STEADY,
    Batch,
    fill_unknown,
    profile_signals,
    table_signals,
)
from rectransfer.ranking.slate import Slate
from rectransfer.ranking.tower import Tower, TowerConfig, UserInputs
from rectransfer.ranking.tower_slopes import tower_slopes
from rectransfer.ranking.towers import Towers
from rectransfer.ranking.train import Trained, fit_tower
from rectransfer.ranking.train_config import TrainConfig
from rectransfer.ranking.train_ranker import RankerConfig, fit_ranker, fit_rankers

__all__ = [
    "HABIT_SIGNALS",
    "LAST",
    "LEANING",
    "OFFERED",
    "RARE",
    "RECENT",
    "SIGNALS",
    "STEADY",
    "UNCUT_EVERY",
    "VISIT",
    "Augment",
    "Batch",
    "Choice",
    "Evidence",
    "Examples",
    "Habits",
    "Histories",
    "Profiles",
    "Ranker",
    "RankerConfig",
    "Returns",
    "Slate",
    "Tower",
    "TowerConfig",
    "Towers",
    "TrainConfig",
    "Trained",
    "UserInputs",
    "bce",
    "bpr",
    "cut_at_random",
    "cut_at_share",
    "done_at_once",
    "entries",
    "every",
    "fill_unknown",
    "fit_habits",
    "fit_ranker",
    "fit_rankers",
    "fit_tower",
    "lay_out",
    "mse",
    "profile_signals",
    "reference_of",
    "require_layers",
    "restored_ranker",
    "restored_towers",
    "sampled_bce",
    "sampled_bpr",
    "sampled_mse",
    "sampled_softmax",
    "softmax",
    "table_signals",
    "tower_slopes",
    "uncut",
    "with_visits",
]
