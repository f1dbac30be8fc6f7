"""What a baseline is, and the checks that all of them share."""

from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError, NotFittedError
from rectransfer.evaluation.matrix import binary

__all__ = ["Baseline", "Scores", "checked_history"]

Scores = npt.NDArray[np.float32]


@runtime_checkable
class Baseline(Protocol):
    """A model that learns from a matrix of interactions and scores users by their history alone."""

    @property
    def name(self) -> str:
        """The model and its settings, such as `ease(l2=500)`."""
        ...

    def fit(self, interactions: csr_array, n_ranked: int | None = None) -> Self:
        """Learn from a matrix of shape `(n_users, n_items)`; every non-zero value counts as one.

        Args:
            interactions: Who took what.
            n_ranked: Only so many items, the first ones, will be ranked; None for all. The others may be in
                histories.

        Returns:
            The model itself.
        """
        ...

    def scores(self, history: csr_array) -> Scores:
        """Score all items for users who need not have been seen in `fit`.

        Args:
            history: What each user took, shape `(n, n_items)`.

        Returns:
            Higher is better, dense, shape `(n, n_ranked)`; items of the history are scored too.

        Raises:
            NotFittedError: `fit` has not been called.
            InputError: Another number of items than in `fit`.
        """
        ...


def checked_history(history: csr_array, n_items: int | None, name: str) -> csr_array:
    """The history as a binary matrix, if it fits a fitted model of `n_items` (None: not fitted).

    Raises:
        NotFittedError: `n_items` is None.
        InputError: The history has another number of items.
    """
    if n_items is None:
        raise NotFittedError(f"{name} has not been fitted: call fit(interactions) first")
    if history.shape[1] != n_items:
        raise InputError(f"{name} was fitted on {n_items} items, the history has {history.shape[1]}")
    return binary(history)
