"""A ranker as arrays, in double precision."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import Ranker

__all__ = ["Doubles", "Formula"]

Doubles = npt.NDArray[np.float64]

_CENTRE = 3.5  # as in Ranker.inputs
_FARTHEST = 8.0


@dataclass(frozen=True, eq=False)
class Formula:
    """`line . z + last . tanh(first z + by_length * length + bias)`, with z the signals on a common scale.

    Attributes:
        names: The signals, s of them.
        mean: What is taken off each, shape `(s,)`.
        scale: What each is divided by, shape `(s,)`.
        line: Shape `(s,)`.
        first: Weights of the hidden units, shape `(h, s)`; h is 0 for a ranker that is a straight line.
        by_length: Their weights of the history's length, shape `(h,)`.
        bias: Shape `(h,)`.
        last: Shape `(h,)`.
    """

    names: tuple[str, ...]
    mean: Doubles
    scale: Doubles
    line: Doubles
    first: Doubles
    by_length: Doubles
    bias: Doubles
    last: Doubles

    @classmethod
    def of(cls, ranker: Ranker) -> "Formula":
        """The formula that a ranker scores by."""
        arrays = {name: value.astype(np.float64) for name, value in ranker.arrays().items()}
        n = len(ranker.names)
        first = arrays.get("network.0.weight", np.zeros((0, n + 1)))
        return cls(
            names=ranker.names,
            mean=arrays["mean"],
            scale=arrays["scale"],
            line=arrays["line"],
            first=np.ascontiguousarray(first[:, :n]),
            by_length=first[:, n].copy(),
            bias=arrays.get("network.0.bias", np.zeros(0)),
            last=arrays.get("network.2.weight", np.zeros((1, 0)))[0],
        )

    def scaled(self, signals: npt.ArrayLike) -> Doubles:
        """z, of the shape of the signals, `(..., s)`."""
        z = (np.asarray(signals, dtype=np.float64) - self.mean) / self.scale
        return np.asarray(np.clip(z, -_FARTHEST, _FARTHEST), dtype=np.float64)

    def start(self, z: Doubles, lengths: npt.ArrayLike) -> Doubles:
        """What the hidden units are given, shape `(..., h)`; lengths are `log(1 + items in the history)`."""
        length = np.asarray(lengths, dtype=np.float64)[..., None] - _CENTRE
        return np.asarray(z @ self.first.T + length * self.by_length + self.bias, dtype=np.float64)

    def score(self, z: Doubles, lengths: npt.ArrayLike) -> Doubles:
        """Scores, shape `(...)`."""
        return np.asarray(z @ self.line + np.tanh(self.start(z, lengths)) @ self.last, dtype=np.float64)
