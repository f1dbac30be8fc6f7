"""Tasks, baselines, tuning and comparisons: whether a transfer helped."""

from rectransfer.evaluation.baselines import Baseline, Ease, Ials, ItemKnn, Popularity
from rectransfer.evaluation.compare import ComparedModel, Comparison, compare
from rectransfer.evaluation.contest import BASELINES, run_baselines
from rectransfer.evaluation.entries import METRICS, Contest, Entry
from rectransfer.evaluation.evaluate import Evaluation, Recommends, evaluate, require_on_sale
from rectransfer.evaluation.matrix import binary, interactions, pooled
from rectransfer.evaluation.score import evaluate_ranks, evaluate_scores, rank_by_model
from rectransfer.evaluation.tasks import (
    Task,
    TestMatrices,
    category_launch,
    cold_users,
    last_steps,
    movielens,
    private_label,
    store_launch,
    test_matrices,
)
from rectransfer.evaluation.tuning import Budget, Tuned, default_grid, tune
from rectransfer.evaluation.validation import ValidationCut, cut_last_steps

__all__ = [
    "BASELINES",
    "METRICS",
    "Baseline",
    "Budget",
    "ComparedModel",
    "Comparison",
    "Contest",
    "Ease",
    "Entry",
    "Evaluation",
    "Ials",
    "ItemKnn",
    "Popularity",
    "Recommends",
    "Task",
    "TestMatrices",
    "Tuned",
    "ValidationCut",
    "binary",
    "category_launch",
    "cold_users",
    "compare",
    "cut_last_steps",
    "default_grid",
    "evaluate",
    "evaluate_ranks",
    "evaluate_scores",
    "interactions",
    "last_steps",
    "movielens",
    "pooled",
    "private_label",
    "rank_by_model",
    "require_on_sale",
    "run_baselines",
    "store_launch",
    "test_matrices",
    "tune",
]
