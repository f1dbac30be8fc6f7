"""Signals, tower and ranker: the layers that are learned on top of frozen tables."""

from rectransfer.ranking.evidence import Evidence, Profiles, lay_out
from rectransfer.ranking.examples import Examples, cut_at_random, cut_at_share, uncut
from rectransfer.ranking.histories import Histories
from rectransfer.ranking.ranker import Ranker, RankerConfig, Slate, fit_ranker
from rectransfer.ranking.signals import RECENT, SIGNALS, STEADY, Batch, profile_signals, table_signals
from rectransfer.ranking.tower import Tower, TowerConfig, UserInputs
from rectransfer.ranking.train import TrainConfig, Trained, fit_tower, sampled_softmax, softmax

__all__ = [
    "RECENT",
    "SIGNALS",
    "STEADY",
    "Batch",
    "Evidence",
    "Examples",
    "Histories",
    "Profiles",
    "Ranker",
    "RankerConfig",
    "Slate",
    "Tower",
    "TowerConfig",
    "TrainConfig",
    "Trained",
    "UserInputs",
    "cut_at_random",
    "cut_at_share",
    "fit_ranker",
    "fit_tower",
    "lay_out",
    "profile_signals",
    "sampled_softmax",
    "softmax",
    "table_signals",
    "uncut",
]
