"""Matrix factorisation for implicit feedback."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.evaluation.baselines.baseline import Scores, checked_history
from rectransfer.evaluation.matrix import binary

__all__ = ["Ials"]


@dataclass
class Ials:
    """Weighted matrix factorisation by alternating least squares, with the package `implicit`.

    Hu, Koren & Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets", ICDM, section 4. New
    users are folded in: their factors are solved for from their history, with the items' factors fixed.

    Attributes:
        factors: Dimensions of users and items.
        regularization: Weight of the factors' squared norms; the paper calls it λ.
        alpha: How much more an interaction counts than its absence: its confidence is `1 + alpha`.
        iterations: Sweeps over users and items.
        seed: Starts the factors.
        workers: Threads; None for one a core.

    Raises:
        InputError: A setting is out of range.
    """

    factors: int = 64
    regularization: float = 0.1
    alpha: float = 10.0
    iterations: int = 15
    seed: int = 0
    workers: int | None = None
    _model: Any = field(default=None, init=False, repr=False, compare=False)
    _n_items: int | None = field(default=None, init=False, repr=False, compare=False)
    _n_ranked: int | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min(self.factors, self.iterations) < 1 or not (self.regularization >= 0 and self.alpha >= 0):
            raise InputError(
                "Ials needs factors >= 1, iterations >= 1, regularization >= 0 and alpha >= 0, got "
                f"{self.factors}, {self.iterations}, {self.regularization} and {self.alpha}"
            )

    @property
    def name(self) -> str:
        """`ials(factors=64, regularization=0.1, alpha=10)`."""
        return f"ials(factors={self.factors}, regularization={self.regularization:g}, alpha={self.alpha:g})"

    def fit(self, interactions: csr_array, n_ranked: int | None = None) -> Self:
        """Factorise.

        Raises:
            MissingExtraError: The package `implicit` is not installed.
        """
        with _one_blas_thread():
            model = _new_model(self)
            model.fit(self._confidence(binary(interactions)), show_progress=False)
        self._model, self._n_items, self._n_ranked = model, interactions.shape[1], n_ranked
        return self

    def scores(self, history: csr_array) -> Scores:
        """Inner products of folded-in users with items, shape `(n, n_ranked)`."""
        known = checked_history(history, self._n_items, self.name)
        items = self._model.item_factors[: self._n_ranked]
        if not known.shape[0]:
            return np.zeros((0, len(items)), dtype=np.float32)
        with _one_blas_thread():
            users = self._model.recalculate_user(np.arange(known.shape[0]), self._confidence(known))
        result: Scores = users @ items.T
        return result

    def _confidence(self, taken: csr_array) -> csr_matrix:
        """The matrix as `implicit` reads it: the values are confidences."""
        return csr_matrix(taken * np.float32(1 + self.alpha))


def _new_model(config: Ials) -> Any:
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ModuleNotFoundError as error:
        raise MissingExtraError("implicit", extra="ials") from error
    return AlternatingLeastSquares(
        factors=config.factors,
        regularization=config.regularization,
        alpha=1.0,  # already in the confidences
        iterations=config.iterations,
        num_threads=config.workers or 0,
        random_state=config.seed,
    )


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep BLAS out of the way of the threads of `implicit`, which else run up to ten times slower."""
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # A BLAS that threadpoolctl cannot limit makes `implicit` warn about what is done here already.
        warnings.filterwarnings("ignore", message=".*threadpool_limits", category=RuntimeWarning)
        yield
