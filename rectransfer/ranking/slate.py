"""What a ranker looks at: users with candidates, and the signals of each pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError
from rectransfer.ranking.evidence import Floats

__all__ = ["Slate"]


@dataclass(frozen=True, eq=False)
class Slate:
    """Users with candidates, their signals, and which of the candidates they took.

    Attributes:
        names: The signals' names, s of them.
        signals: Shape `(u, m, s)`.
        present: Which candidates are there, shape `(u, m)`; the others fill up the rows.
        taken: Which of them the user took later, shape `(u, m)`.
        lengths: `log(1 + items in the history)`, shape `(u,)`.
    """

    names: tuple[str, ...]
    signals: Floats
    present: npt.NDArray[np.bool_]
    taken: npt.NDArray[np.bool_]
    lengths: Floats

    def take(self, rows: npt.NDArray[np.int64]) -> "Slate":
        """Some of the users."""
        return Slate(self.names, self.signals[rows], self.present[rows], self.taken[rows], self.lengths[rows])

    @classmethod
    def concatenate(cls, slates: Sequence["Slate"]) -> "Slate":
        """Several slates of the same signals, one after another.

        Raises:
            InputError: No slate, or different signals.
        """
        if not slates or any(slate.names != slates[0].names for slate in slates):
            raise InputError(f"{len(slates)} slates; expected at least one, all of the same signals")
        widest = max(slate.present.shape[1] for slate in slates)
        rooms = [(0, widest - slate.present.shape[1]) for slate in slates]
        pad = [((0, 0), room) for room in rooms]
        return cls(
            names=slates[0].names,
            signals=np.concatenate(
                [np.pad(one.signals, (*by, (0, 0))) for one, by in zip(slates, pad, strict=True)]
            ),
            present=np.concatenate([np.pad(one.present, by) for one, by in zip(slates, pad, strict=True)]),
            taken=np.concatenate([np.pad(one.taken, by) for one, by in zip(slates, pad, strict=True)]),
            lengths=np.concatenate([one.lengths for one in slates]),
        )

    def columns(self, names: tuple[str, ...]) -> Floats:
        """Some of the signals, in this order.

        Raises:
            InputError: One of them isn't here.
        """
        if missing := [name for name in names if name not in self.names]:
            raise InputError(f"no signal {missing[0]!r}; there are {', '.join(self.names)}")
        return self.signals[:, :, [self.names.index(name) for name in names]]
