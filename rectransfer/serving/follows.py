"""What comes soon after what, for candidates only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import LAST, RARE, RECENT
from rectransfer.scene import Scene
from rectransfer.serving.candidates import after
from rectransfer.serving.prepared import Prepared
from rectransfer.transitions import Transitions

__all__ = ["Follows", "follows_of"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_HALF_LIVES: Final[Mapping[str, float]] = MappingProxyType({"follows_last": LAST, "follows_recent": RECENT})

_SLIGHT: Final = 1e-4
"""Entries of a history that weigh less are passed over: the last of a long one."""


_MOST: Final = 100
"""Items after one that are looked at; what is said of the others goes to what is common."""

_SHORT: Final = 65_536
"""Columns that sixteen bits tell apart."""


@dataclass(frozen=True, eq=False)
class Follows:
    """The signals of what follows what in one domain.

    Attributes:
        half_lives: In visits, by signal.
        starts: Where each row of the chain begins, shape `(n + 1,)`.
        columns: Of its entries.
        lifts: How much likelier the column's item is after the row's, as far as it was counted.
        left: What each row leaves to what is usual, shape `(n,)`.
        usual: Whether an item ever came after another, shape `(n,)`; others are as likely as usual.
    """

    half_lives: Mapping[str, float]
    starts: Rows
    columns: npt.NDArray[Any]
    lifts: Floats
    left: Floats
    usual: npt.NDArray[np.bool_]

    def signals(self, examples: Prepared, rows: Rows) -> Iterator[tuple[str, Floats]]:
        """Names and signals of candidates, shape `(u, m)` each.

        Args:
            examples: u users.
            rows: Candidates, shape `(u, m)`, -1 where there is none.
        """
        pooled = [examples.pooled(half_life) for half_life in self.half_lives.values()]
        weights = np.array([one.data for one in pooled], np.float32)
        found = np.zeros((len(pooled), *rows.shape), np.float32)
        chain = self.starts, self.columns, self.lifts
        after(rows, (examples.starts, examples.rows, weights), chain, np.float32(_SLIGHT), found)
        usual = self.usual[rows]
        for name, one, sums in zip(self.half_lives, pooled, found, strict=True):
            rest = one @ self.left + 1 - np.asarray(one.sum(axis=1)).ravel()
            lifts = np.where(usual, sums + rest[:, None], 1.0)
            yield name, np.log(lifts + RARE, dtype=np.float32)


def follows_of(scene: Scene, names: tuple[str, ...]) -> tuple[Follows, ...]:
    """Those of the signals that are of this kind, by domain."""
    found = []
    for one in scene.evidence:
        wanted = {f"{one.name}.{signal}": half_life for signal, half_life in _HALF_LIVES.items()}
        mine = {name: half_life for name, half_life in wanted.items() if name in names}
        if one.transitions is not None and mine:
            found.append(_laid_out(mine, one.transitions))
    return tuple(found)


def _laid_out(half_lives: Mapping[str, float], transitions: Transitions) -> Follows:
    chain, left = transitions.pruned(_MOST).chain
    common = transitions.common
    lifts = chain.data / np.maximum(common[chain.indices], np.finfo(np.float32).tiny)
    columns = chain.indices.astype(np.uint16 if chain.shape[1] <= _SHORT else np.int32)
    starts = chain.indptr.astype(np.int64)
    return Follows(half_lives, starts, columns, lifts.astype(np.float32), left, common > 0)
