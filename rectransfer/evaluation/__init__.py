"""Baselines, tuning and comparisons: whether a transfer helped."""

from rectransfer.evaluation.baselines import Baseline, Ease, Ials, ItemKnn, Popularity
from rectransfer.evaluation.compare import ComparedModel, Comparison, compare
from rectransfer.evaluation.matrix import binary, interactions, pooled
from rectransfer.evaluation.score import evaluate_ranks, evaluate_scores, rank_by_model
from rectransfer.evaluation.tuning import Tuned, default_grid, tune

__all__ = [
    "Baseline",
    "ComparedModel",
    "Comparison",
    "Ease",
    "Ials",
    "ItemKnn",
    "Popularity",
    "Tuned",
    "binary",
    "compare",
    "default_grid",
    "evaluate_ranks",
    "evaluate_scores",
    "interactions",
    "pooled",
    "rank_by_model",
    "tune",
]
