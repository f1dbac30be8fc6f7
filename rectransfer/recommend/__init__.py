"""Fit on a thin target, recommend, save, load."""

from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.recommender import OnUnknownUsers, Recommender, load_recommender
from rectransfer.recommend.state import State
from rectransfer.recommend.store import evidence_arrays, evidence_of
from rectransfer.recommend.verdict import Verdict

__all__ = [
    "OnUnknownUsers",
    "Recommender",
    "RecommenderConfig",
    "State",
    "Verdict",
    "evidence_arrays",
    "evidence_of",
    "load_recommender",
]
