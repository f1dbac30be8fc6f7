"""A linear autoencoder in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation.baselines.baseline import Scores, checked_history
from rectransfer.evaluation.matrix import binary
from rectransfer.neighbours import inverse_of

__all__ = ["Ease", "fit_eases"]

Floats = npt.NDArray[np.float64]

# Dense blocks in between hold this many float64 values at once: 64 MB.
_VALUES_A_BLOCK = 8_000_000

# An eigendecomposition costs about as much as this many inverses.
_MODELS_A_SPECTRUM = 4


class _Solution(Protocol):
    """A solved EASE: the inverse `P = (X'X + l2 I)^-1`, in whichever form."""

    @property
    def diagonal(self) -> Floats:
        """`l2 * diag(P)` of the ranked items, shape `(n_ranked,)`."""
        ...

    def project(self, history: csr_array) -> Floats:
        """`l2 * history @ P` for the ranked items, shape `(n, n_ranked)`."""
        ...


@dataclass
class Ease:
    """EASE: item-item weights `B` with a zero diagonal that minimise `|X - XB|^2 + l2 |B|^2`.

    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW, section 3.1. With
    `P = (X'X + l2 I)^-1` the weights are `B = I - P / diag(P)`, and so are the scores `h - h P / diag(P)`.
    Where there are fewer users than items, Woodbury's identity `P = (I - X' (l2 I + XX')^-1 X) / l2` gives
    the very same scores from a users × users matrix, and nothing of items × items is ever made.

    Memory: at its peak three float64 matrices of the smaller of `n_items` and `n_users`, squared.

    Attributes:
        l2: Strength of the regularisation, in users; the paper calls it λ.
        form: `primal` (items × items), `dual` (users × users), or `auto`: the smaller one.

    Raises:
        InputError: `l2` is not positive, or `form` is none of the three.

    Examples:
        >>> model = Ease(l2=1.0).fit(csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
        >>> model.scores(csr_array([[1, 0, 0]])).round(3)
        array([[0.   , 0.667, 0.   ]], dtype=float32)
    """

    l2: float = 500.0
    form: Literal["auto", "primal", "dual"] = "auto"
    _solution: _Solution | None = field(default=None, init=False, repr=False, compare=False)
    _n_items: int | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.l2 < np.inf or self.form not in ("auto", "primal", "dual"):
            raise InputError(
                f"Ease needs a finite l2 above 0 and a form of 'auto', 'primal' or 'dual', got l2={self.l2} "
                f"and form={self.form!r}"
            )

    @property
    def name(self) -> str:
        """`ease(l2=500)`; both forms give the same scores, so the form isn't in it."""
        return f"ease(l2={self.l2:g})"

    def fit(self, interactions: csr_array, n_ranked: int | None = None) -> Self:
        """Solve in closed form."""
        taken = binary(interactions).astype(np.float64)
        self._n_items = taken.shape[1]
        solve = _Dual if self._is_dual(taken) else _Primal
        self._solution = solve(taken, self.l2, taken.shape[1] if n_ranked is None else n_ranked)
        return self

    def _is_dual(self, taken: csr_array) -> bool:
        return self.form == "dual" or (self.form == "auto" and taken.shape[0] < taken.shape[1])

    def scores(self, history: csr_array) -> Scores:
        """The history times the weights, shape `(n, n_ranked)`."""
        solution = self._solution
        known = checked_history(history, self._n_items, self.name)
        assert solution is not None  # noqa: S101 (checked above)
        n, n_items = known.shape
        n_ranked = len(solution.diagonal)
        result = np.empty((n, n_ranked), dtype=np.float32)
        step = max(1, _VALUES_A_BLOCK // max(1, n_items))
        for start in range(0, n, step):
            block = known[start : start + step].astype(np.float64)
            own = block[:, :n_ranked].toarray()
            result[start : start + step] = own - solution.project(block) / solution.diagonal
        return result


def fit_eases(
    models: Sequence[Ease], interactions: csr_array, n_ranked: int | None = None
) -> tuple[Ease, ...]:
    """Fitted copies of several models. Those of one form share an eigendecomposition, whatever their `l2`.

    With `X'X = Q diag(w) Q'` every `P` is `Q diag(1 / (w + l2)) Q'`, and likewise for the dual form. It costs
    about as much as four inverses, so fewer models than that are fitted one by one.

    Args:
        models: Any settings; they stay as they are.
        interactions: Shape `(n_users, n_items)`.
        n_ranked: As in `Baseline.fit`.
    """
    taken = binary(interactions).astype(np.float64)
    n_ranked = taken.shape[1] if n_ranked is None else n_ranked
    copies = tuple(replace(model) for model in models)
    for dual in (True, False):
        family = [model for model in copies if model._is_dual(taken) == dual]
        if len(family) < _MODELS_A_SPECTRUM:
            for model in family:
                model.fit(taken, n_ranked)
            continue
        spectrum = _Spectrum(taken, dual, n_ranked)
        diagonals = spectrum.diagonals([model.l2 for model in family])
        for model, diagonal in zip(family, diagonals, strict=True):
            model._solution = _Spectral(spectrum, model.l2, diagonal)
            model._n_items = taken.shape[1]
    return copies


class _Spectrum:
    """The eigenvectors of `X'X`, or of `XX'` in the dual form, and their eigenvalues."""

    def __init__(self, taken: csr_array, dual: bool, n_ranked: int) -> None:
        self.taken, self.dual, self.n_ranked = taken, dual, n_ranked
        gram = (taken @ taken.T if dual else taken.T @ taken).toarray()
        values, self.vectors = eigh(gram, overwrite_a=True, driver="evd")
        self.values: Floats = np.maximum(values, 0)  # below 0 by rounding only

    def diagonals(self, l2s: Sequence[float]) -> Floats:
        """`l2 * diag(P)` for every `l2`, shape `(len(l2s), n_ranked)`."""
        inverses = 1 / (self.values[:, None] + np.asarray(l2s))
        if not self.dual:
            primal: Floats = (np.square(self.vectors[: self.n_ranked]) @ (inverses * l2s)).T
            return primal
        users_of = csr_array(self.taken[:, : self.n_ranked].T)
        explained = np.empty((users_of.shape[0], len(l2s)))
        step = max(1, _VALUES_A_BLOCK // max(1, users_of.shape[1]))
        for start in range(0, len(explained), step):
            block = users_of[start : start + step] @ self.vectors
            explained[start : start + step] = np.square(block) @ inverses
        dual: Floats = 1 - explained.T
        return dual


@dataclass(frozen=True, eq=False)
class _Spectral:
    """A solution for one `l2` on a shared spectrum."""

    spectrum: _Spectrum
    l2: float
    diagonal: Floats

    def project(self, history: csr_array) -> Floats:
        vectors, inverse = self.spectrum.vectors, 1 / (self.spectrum.values + self.l2)
        if not self.spectrum.dual:
            own = vectors[: self.spectrum.n_ranked].T
            primal: Floats = (history @ vectors) * (inverse * self.l2) @ own
            return primal
        taken = self.spectrum.taken
        inner = ((history @ taken.T).toarray() @ vectors * inverse) @ vectors.T
        return _rest(history, inner, taken, self.spectrum.n_ranked)


class _Primal:
    def __init__(self, taken: csr_array, l2: float, n_ranked: int) -> None:
        inverse = inverse_of((taken.T @ taken).toarray(), l2)
        inverse *= l2
        self.diagonal: Floats = inverse.diagonal()[:n_ranked].copy()
        self._inverse = inverse if n_ranked == len(inverse) else inverse[:, :n_ranked].copy()

    def project(self, history: csr_array) -> Floats:
        projected: Floats = history @ self._inverse
        return projected


class _Dual:
    def __init__(self, taken: csr_array, l2: float, n_ranked: int) -> None:
        self._taken, self._n_ranked = taken, n_ranked
        self._inverse = inverse_of((taken @ taken.T).toarray(), l2)
        self.diagonal: Floats = 1 - self._explained(csr_array(taken[:, :n_ranked].T))

    def project(self, history: csr_array) -> Floats:
        inner = (history @ self._taken.T).toarray() @ self._inverse
        return _rest(history, inner, self._taken, self._n_ranked)

    def _explained(self, users_of: csr_array) -> Floats:
        """`x' M x` for the users `x` of every item, a block of items at a time."""
        explained = np.empty(users_of.shape[0])
        step = max(1, _VALUES_A_BLOCK // max(1, users_of.shape[1]))
        for start in range(0, len(explained), step):
            block = users_of[start : start + step]
            explained[start : start + step] = block.multiply(block @ self._inverse).sum(axis=1)
        return explained


def _rest(history: csr_array, inner: Floats, taken: csr_array, n_ranked: int) -> Floats:
    """`history - inner @ taken` for the ranked items."""
    rest: Floats = history[:, :n_ranked].toarray() - inner @ taken[:, :n_ranked]
    return rest
