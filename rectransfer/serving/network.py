"""The ranker as plain arrays: the same scores, without what training needs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.ranking import Ranker, Slate
from rectransfer.serving.candidates import squash

__all__ = ["Network"]

Floats = npt.NDArray[np.float32]

_MIDDLE = 3.5
_LARGEST = 8.0
_NAMES = {"mean", "scale", "line"}
_LAYERS = _NAMES | {"network.0.weight", "network.0.bias", "network.2.weight"}


@dataclass(frozen=True, eq=False)
class Network:
    """A straight line and one hidden layer.

    Attributes:
        mean: Shape `(s,)`.
        scale: What is multiplied with, shape `(s,)`.
        line: Shape `(s,)`.
        first: Shape `(s + 1, h)`; the last row is the history's length.
        bias: Shape `(h,)`.
        last: Shape `(h,)`.
    """

    mean: Floats
    scale: Floats
    line: Floats
    first: Floats
    bias: Floats
    last: Floats

    @classmethod
    def of(cls, ranker: Ranker, slate: Slate) -> "Network | None":
        """The ranker's weights; None where it has another form, which its scores of a slate show."""
        arrays = ranker.arrays()
        if set(arrays) == _NAMES:
            n = len(ranker.names)
            none = np.zeros((n + 1, 0), np.float32)
            layers = (none, none[0], none[0])
        elif set(arrays) == _LAYERS:
            first = np.ascontiguousarray(arrays["network.0.weight"].T)
            layers = (first, arrays["network.0.bias"], arrays["network.2.weight"].ravel())
        else:
            return None
        scale = (1 / arrays["scale"]).astype(np.float32)
        found = cls(arrays["mean"], scale, arrays["line"], *layers)
        there = slate.present
        own = found.score(slate.columns(ranker.names), slate.lengths)[there]
        return found if np.allclose(own, ranker.score(slate)[there], rtol=1e-3, atol=1e-3) else None

    def score(self, signals: Floats, lengths: Floats) -> Floats:
        """Scores, shape `(u, m)`, of signals `(u, m, s)` and lengths `(u,)`."""
        u, m, s = signals.shape
        z = np.moveaxis(signals, 2, 0).reshape(s, -1) - self.mean[:, None]
        z *= self.scale[:, None]
        np.clip(z, -_LARGEST, _LARGEST, out=z)
        scores = self.line @ z
        if len(self.last):
            hidden = z.T @ self.first[:-1]
            by_user = np.outer(lengths - np.float32(_MIDDLE), self.first[-1]) + self.bias
            hidden.reshape(u, m, -1)[:] += by_user[:, None, :].astype(np.float32)
            squash(hidden)
            scores += hidden @ self.last
        return np.asarray(scores.reshape(u, m), dtype=np.float32)
