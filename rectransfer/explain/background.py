"""What an explanation compares with: candidates that real users have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.explain.formula import Doubles
from rectransfer.explain.history import Entries, sums
from rectransfer.ranking import Examples
from rectransfer.scene import Scene
from rectransfer.whole import require_whole

__all__ = ["BACKGROUND", "Background", "require_drawable", "sample_background"]

BACKGROUND: Final = 64
"""Rows of a background unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Background:
    """Signals of pairs of users and candidates.

    Attributes:
        names: The signals, s of them.
        signals: Shape `(b, s)`.
        items: Rows of the items, shape `(b,)`.
        sums: Of the signals that are sums over the history what these sum up to, by name, each `(b,)`.
    """

    names: tuple[str, ...]
    signals: npt.NDArray[np.float32]
    items: npt.NDArray[np.int64]
    sums: Mapping[str, Doubles]

    def __len__(self) -> int:
        return len(self.signals)


def require_drawable(n: int, seed: int) -> None:
    """Refuse a size or a seed that nothing can be drawn with.

    Raises:
        InputError: `n` is no whole number from 1, or `seed` none from 0.
    """
    require_whole(f"a background of {n!r} rows", n, 1)
    require_whole(f"seed={seed!r}", seed, 0)


def sample_background(
    scene: Scene,
    examples: Examples,
    n: int = BACKGROUND,
    seed: int = 0,
    *,
    exclude: csr_array | None = None,
) -> Background:
    """Draw users, and of each a candidate that might be recommended; all candidates of a user alike.

    Args:
        scene: Gives candidates and their signals.
        examples: Users with a history; where they are fewer than `n`, each is drawn several times.
        n: How many rows.
        seed: The same seed draws the same rows.
        exclude: What a user must not get, shape `(u, n_items)`.

    Raises:
        InputError: `n` is no whole number from 1, `seed` none from 0, there is no user, or none has a
            candidate.
    """
    require_drawable(n, seed)
    if not len(examples):
        raise InputError(f"a background of {n} rows from 0 users; expected at least 1")
    rng = np.random.default_rng(seed)
    rounds = -(-n // len(examples))
    drawn = np.concatenate([rng.permutation(len(examples)) for _ in range(rounds)])[:n]
    users, owner = np.unique(drawn, return_inverse=True)
    some = examples.take(users)
    candidates = scene.candidates(some, exclude=None if exclude is None else csr_array(exclude[users]))
    if not (candidates >= 0).any():  # they have had all there is: what they had is compared with, then
        candidates = scene.candidates(some)
    there = (candidates >= 0).sum(axis=1)
    owner = owner[there[owner] > 0]
    if not len(owner):
        raise InputError(f"none of {len(users)} users has a candidate left to compare with")
    places = np.floor(rng.random(len(owner)) * there[owner]).astype(np.int64)
    signals, items = scene.slate(some, candidates).signals[owner, places], candidates[owner, places]
    order = np.argsort(owner, kind="stable")
    owner, signals, items = owner[order], signals[order], items[order]
    splits = sums(scene, scene.names, Entries.of(some, owner, items), candidates)
    return Background(scene.names, signals, items, {name: one.wholes for name, one in splits.items()})
