"""Tasks on public data: what may be learned from, and what is asked."""

from rectransfer.evaluation.tasks.category_launch import category_launch
from rectransfer.evaluation.tasks.movielens import movielens
from rectransfer.evaluation.tasks.private_label import private_label
from rectransfer.evaluation.tasks.rehearsals import cold_users, last_steps
from rectransfer.evaluation.tasks.store_launch import store_launch
from rectransfer.evaluation.tasks.task import Task, TestMatrices, test_matrices

__all__ = [
    "Task",
    "TestMatrices",
    "category_launch",
    "cold_users",
    "last_steps",
    "movielens",
    "private_label",
    "store_launch",
    "test_matrices",
]
