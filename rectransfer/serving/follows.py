"""What comes soon after what, for candidates only."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import LAST, RARE, RECENT
from rectransfer.scene import Scene
from rectransfer.serving.kernels import after
from rectransfer.serving.prepared import Prepared
from rectransfer.transitions import Transitions

__all__ = ["Follows", "follows_of"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_HALF_LIVES: Final[Mapping[str, float]] = MappingProxyType({"follows_last": LAST, "follows_recent": RECENT})

_SLIGHT: Final = 1e-4
"""Entries of a history that weigh less are passed over: the last of a long one."""


@dataclass(frozen=True, eq=False)
class Follows:
    """A signal of what follows what.

    Attributes:
        half_life: In visits.
        chain: In row `i` how much likelier each item is after `i`, shape `(n, n)`, as far as it was counted.
        left: What each row leaves to what is usual, shape `(n,)`.
        usual: Whether an item ever came after another, shape `(n,)`; others are as likely as usual.
    """

    half_life: float
    chain: csr_array
    left: Floats
    usual: npt.NDArray[np.bool_]

    def signal(self, examples: Prepared, rows: Rows) -> Floats:
        """The signal of candidates, shape `(u, m)`.

        Args:
            examples: u users.
            rows: Candidates, shape `(u, m)`, -1 where there is none.
        """
        weights = examples.pooled(self.half_life)
        rest = weights @ self.left + 1 - np.asarray(weights.sum(axis=1)).ravel()
        found = np.zeros(rows.shape, np.float32)
        chain = self.chain
        after(
            rows,
            (examples.starts, examples.rows, np.asarray(weights.data, np.float32)),
            (chain.indptr, chain.indices, chain.data),
            np.float32(_SLIGHT),
            found,
        )
        lifts = np.where(self.usual[rows], found + rest[:, None], 1.0)
        return np.log(lifts + RARE, dtype=np.float32)


def follows_of(scene: Scene, names: tuple[str, ...]) -> dict[str, Follows]:
    """Those of the signals that are of this kind, by name."""
    found = {}
    for one in scene.evidence:
        mine = {f"{one.name}.{signal}": half for signal, half in _HALF_LIVES.items()}
        if one.transitions is None or not mine.keys() & set(names):
            continue
        parts = _parts(one.transitions)
        found.update({name: Follows(half, *parts) for name, half in mine.items() if name in names})
    return {name: found[name] for name in names if name in found}


def _parts(transitions: Transitions) -> tuple[csr_array, Floats, npt.NDArray[np.bool_]]:
    chain, left = transitions.chain
    common = transitions.common
    data = chain.data / np.maximum(common[chain.indices], np.finfo(np.float32).tiny)
    lifts = csr_array((data.astype(np.float32), chain.indices, chain.indptr), shape=chain.shape)
    return lifts, left, common > 0
