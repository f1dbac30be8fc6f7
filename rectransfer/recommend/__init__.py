"""Fit on a thin target, recommend, save, load."""

from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.gate import Verdict
from rectransfer.recommend.recommender import OnUnknownUsers, Recommender, load_recommender

__all__ = ["OnUnknownUsers", "Recommender", "RecommenderConfig", "Verdict", "load_recommender"]
