"""Metrics of rankings and of yes or no, one family a file, and intervals over users."""

from rectransfer.metrics.classification import (
    ClassificationReport,
    average_precision,
    classification_report,
    log_loss,
    roc_auc,
)
from rectransfer.metrics.coverage import CatalogueCoverage
from rectransfer.metrics.intervals import Interval, bootstrap_mean, holm, paired_bootstrap
from rectransfer.metrics.lists import label_lists, ranks_from_lists
from rectransfer.metrics.map import Map
from rectransfer.metrics.metric import AtK, Metric
from rectransfer.metrics.mrr import Mrr
from rectransfer.metrics.ndcg import Ndcg
from rectransfer.metrics.novelty import Novelty
from rectransfer.metrics.ranks import RelevantRanks, rank_relevant
from rectransfer.metrics.recall import HitRate, Precision, Recall
from rectransfer.metrics.top import top_k

__all__ = [
    "AtK",
    "CatalogueCoverage",
    "ClassificationReport",
    "HitRate",
    "Interval",
    "Map",
    "Metric",
    "Mrr",
    "Ndcg",
    "Novelty",
    "Precision",
    "Recall",
    "RelevantRanks",
    "average_precision",
    "bootstrap_mean",
    "classification_report",
    "holm",
    "label_lists",
    "log_loss",
    "paired_bootstrap",
    "rank_relevant",
    "ranks_from_lists",
    "roc_auc",
    "top_k",
]
