"""The contract test of a signal."""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.neighbours import solve_neighbours
from rectransfer.ranking import Batch, Evidence, Examples
from rectransfer.ranking.signals import Signal
from rectransfer.testing.promises import require

__all__ = ["check_signal"]

_N_ITEMS: Final = 12


def check_signal(signal: Signal) -> None:
    """Check a signal: shape, type, finite values, and that they depend on nothing that they must not.

    A user's values depend neither on the other users, nor on the order of the candidates, nor on what fills
    up the row.

    Args:
        signal: Takes evidence and a batch, gives a number for every user and candidate.

    Raises:
        AssertionError: The promise that is broken.

    Examples:
        >>> from rectransfer.ranking import SIGNALS
        >>> for signal in SIGNALS.values():
        ...     check_signal(signal)
    """
    name = getattr(signal, "__name__", repr(signal))
    require(bool(getattr(signal, "__doc__", None)), f"{name} has no docstring; reports show its first line")
    rng = np.random.default_rng(0)
    evidence, examples = _evidence(rng), _examples()
    candidates = np.array([[0, 3, 5, 7], [1, 2, 3, 11], [0, 4, 8, 11]])
    tables = [value.copy() for value in vars(evidence).values() if isinstance(value, np.ndarray)]

    def value(one: Evidence, some: Examples, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = signal(one, Batch.of(some, rows))
        require(found.shape == rows.shape, f"{name} gives the shape {found.shape} for {rows.shape}")
        require(found.dtype == np.float32, f"{name} gives {found.dtype}; expected float32")
        require(bool(np.isfinite(found).all()), f"{name} gives NaN or infinity")
        return found

    found = value(evidence, examples, candidates)
    require(np.array_equal(found, value(evidence, examples, candidates)), f"{name} differs when asked twice")
    after = [value for value in vars(evidence).values() if isinstance(value, np.ndarray)][: len(tables)]
    same = all(np.array_equal(a, b) for a, b in zip(tables, after, strict=True))
    require(same, f"{name} changed the evidence that it was given")
    filled = np.hstack([candidates, np.full((3, 2), -1)])
    wider = value(evidence, examples, filled)[:, :4]
    require(np.allclose(found, wider, atol=1e-5), f"{name}: filling rows up with -1 changes other candidates")
    turned = value(evidence, examples, candidates[:, ::-1])[:, ::-1]
    require(np.allclose(found, turned, atol=1e-5), f"{name} depends on the order of the candidates")
    alone = [value(evidence, examples.take(np.array([row])), candidates[[row]]) for row in range(3)]
    require(np.allclose(found, np.vstack(alone), atol=1e-5), f"{name} depends on the batch's other users")
    value(replace(evidence, weights=None), examples, candidates)
    empty = examples.take(np.zeros(0, np.int64))
    value(evidence, empty, np.zeros((0, 4), np.int64))


def _evidence(rng: np.random.Generator) -> Evidence:
    """Random tables over twelve items, the last one unknown."""
    known = np.arange(_N_ITEMS) < _N_ITEMS - 1
    vectors, contexts = (rng.normal(size=(_N_ITEMS, 4)).astype(np.float32) * known[:, None] for _ in range(2))
    counts = rng.poisson(0.5, (4 * _N_ITEMS, _N_ITEMS)) * known
    weights = solve_neighbours(csr_array(counts.astype(np.float32)), l2=1.0)
    log_prior, popularity = (rng.normal(size=_N_ITEMS).astype(np.float32) for _ in range(2))
    return Evidence("mine", vectors, contexts, log_prior, np.abs(popularity), known, weights)


def _examples() -> Examples:
    """Three users: a history with a repeat, one with the unknown item, and one with none."""
    users = np.arange(3)
    return Examples(
        users=users,
        n_items=_N_ITEMS,
        owner=np.array([0, 0, 0, 1, 1]),
        items=np.array([1, 2, 1, 4, 11]),
        ages=np.array([3, 2, 1, 1, 1]),
        label_owner=users,
        labels=np.array([5, 2, 8]),
    )
