"""Tasks on public data: what may be learned from, and what is asked."""

from rectransfer.evaluation.tasks.movielens import movielens
from rectransfer.evaluation.tasks.store_launch import store_launch
from rectransfer.evaluation.tasks.task import Task, TestMatrices, test_matrices

__all__ = ["Task", "TestMatrices", "movielens", "store_launch", "test_matrices"]
