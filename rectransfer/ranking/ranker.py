"""The ranker: a straight line and a small network over the signals."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.slate import Slate

__all__ = ["Ranker"]


class Ranker(nn.Module):
    """`score = w · z + network(z, length)`, with z the signals on a common scale.

    The network's last layer begins at 0, so an untrained ranker is its straight line.

    Attributes:
        names: The signals it takes, s of them.
        mean: What is taken off each signal, shape `(s,)`.
        scale: What each is divided by, shape `(s,)`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, names: tuple[str, ...], hidden: int = 16, seed: int = 0) -> None:
        super().__init__()
        self.names = names
        n = len(names)
        self.register_buffer("mean", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))
        self.line = nn.Parameter(torch.zeros(n))
        self.hidden = hidden
        self.network: nn.Module | None = None
        if hidden:
            with torch.random.fork_rng(devices=[]):  # the global state is the caller's
                torch.random.manual_seed(seed)
                first, last = nn.Linear(n + 1, hidden), nn.Linear(hidden, 1, bias=False)
            nn.init.zeros_(last.weight)
            self.network = nn.Sequential(first, nn.Tanh(), last)

    @classmethod
    def standard(cls, names: tuple[str, ...], hidden: int = 16, seed: int = 0) -> "Ranker":
        """An untrained ranker that scores by affinity and popularity, as skip-gram would.

        Affinities of the domains share one unit of weight, popularities of them 0.75.
        """
        ranker = cls(names, hidden, seed)
        for suffix, total in (("affinity_recent", 0.5), ("affinity_steady", 0.5), ("popularity", 0.75)):
            mine = [place for place, name in enumerate(names) if name.endswith(f".{suffix}")]
            for place in mine:
                ranker.line.data[place] = total / len(mine)
        return ranker

    @torch.no_grad()
    def weighing(self, weights: Mapping[str, float]) -> "Ranker":
        """The same, but its straight line weighs a few signals alone, by name; in place."""
        self.line.zero_()
        for name, weight in weights.items():
            self.line[self.names.index(name)] = weight
        return self

    def forward(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """Scores, shape `(u, m)`, from signals `(u, m, s)` and lengths `(u,)`."""
        return self.weigh(self.inputs(signals, lengths))

    def inputs(self, signals: Tensor, lengths: Tensor) -> Tensor:
        """The signals on a common scale with the length beside them, shape `(u, m, s + 1)`."""
        z = ((signals - self.mean) / self.scale).clamp_(-8, 8)
        length = (lengths[:, None, None] - 3.5).expand(-1, z.shape[1], 1)
        return torch.cat([z, length], dim=2)

    def weigh(self, inputs: Tensor) -> Tensor:
        """Scores, shape `(u, m)`, of what `inputs` gave."""
        flat = inputs.reshape(-1, inputs.shape[2])
        scores = flat[:, :-1] @ self.line
        if self.network is not None:
            scores = scores + self.network(flat).squeeze(1)
        return scores.view(inputs.shape[:2])

    @torch.no_grad()
    def score(self, slate: Slate) -> Floats:
        """Scores of a slate, shape `(u, m)`; -inf where no candidate is."""
        self.eval()
        found = self(torch.from_numpy(slate.columns(self.names)), torch.from_numpy(slate.lengths)).numpy()
        return np.where(slate.present, found, -np.inf).astype(np.float32)

    @torch.no_grad()
    def rescale(self, slate: Slate, only: tuple[str, ...] | None = None) -> "Ranker":
        """Measure the signals' mean and spread on a slate, and keep the straight line's scores as they are.

        Args:
            slate: What to measure on.
            only: The signals to measure; by default all.
        """
        values = slate.columns(self.names)[slate.present]
        for place, name in enumerate(self.names):
            if only is not None and name not in only:
                continue
            spread = float(values[:, place].std()) if len(values) else 0.0
            spread = spread if spread > 1e-6 else 1.0
            self.line[place] *= spread / self.scale[place]
            self.scale[place] = spread
            self.mean[place] = float(values[:, place].mean()) if len(values) else 0.0
        return self

    @torch.no_grad()
    def grown_from(self, start: "Ranker") -> "Ranker":
        """Take over the weights of a ranker of fewer signals; new signals begin without weight."""
        places = [self.names.index(name) for name in start.names]
        self.line.zero_()
        self.line[places] = start.line
        self.mean[places], self.scale[places] = start.mean, start.scale
        if self.network is not None and start.network is not None and self.hidden == start.hidden:
            own, theirs = self.network.state_dict(), start.network.state_dict()
            own["0.weight"].zero_()
            own["0.weight"][:, [*places, -1]] = theirs["0.weight"]
            own["0.bias"].copy_(theirs["0.bias"])
            own["2.weight"].copy_(theirs["2.weight"])
        return self

    @classmethod
    @torch.no_grad()
    def mean_of(cls, rankers: Sequence["Ranker"]) -> "Ranker":
        """One ranker that scores as the mean of several: their networks side by side.

        Raises:
            InputError: No ranker, or ones of different signals or scales.
        """
        first = rankers[0] if rankers else None
        if first is None or any(
            one.names != first.names
            or not torch.equal(one.mean, first.mean)
            or not torch.equal(one.scale, first.scale)
            for one in rankers
        ):
            raise InputError(
                f"{len(rankers)} rankers; expected at least one, all of the same signals and scale"
            )
        found = cls(first.names, sum(one.hidden for one in rankers))
        found.mean.copy_(first.mean)
        found.scale.copy_(first.scale)
        found.line.copy_(torch.stack([one.line for one in rankers]).mean(dim=0))
        networks = [one.network.state_dict() for one in rankers if one.network is not None]
        if found.network is not None and networks:
            own = found.network.state_dict()
            own["0.weight"].copy_(torch.cat([one["0.weight"] for one in networks]))
            own["0.bias"].copy_(torch.cat([one["0.bias"] for one in networks]))
            own["2.weight"].copy_(torch.cat([one["2.weight"] for one in networks], dim=1) / len(rankers))
        return found

    @classmethod
    def averaged(
        cls, rankers: Sequence["Ranker"], weights: npt.NDArray[np.float64] | None = None
    ) -> "Ranker":
        """The average of the weights of rankers that were trained from one start.

        As large as each of them, and less at the mercy of what each was trained with (Wortsman et al. 2022,
        "Model soups", section 2).

        Args:
            rankers: m of them.
            weights: What each counts, shape `(m,)`; by default all alike.

        Raises:
            InputError: No ranker, or ones of different signals or sizes.
        """
        alike = {(one.names, one.hidden) for one in rankers}
        if len(alike) != 1:
            raise InputError(
                f"{len(rankers)} rankers of {len(alike)} kinds; expected at least one, all of the same "
                "signals and size"
            )
        arrays = [one.arrays() for one in rankers]
        means = {
            name: np.average([one[name] for one in arrays], axis=0, weights=weights).astype(np.float32)
            for name in arrays[0]
        }
        return rankers[0].copy().load_arrays(means)

    def copy(self) -> "Ranker":
        """The same weights, apart from these."""
        return Ranker(self.names, self.hidden).load_arrays(self.arrays())

    def renamed(self, names: Mapping[str, str]) -> "Ranker":
        """The weights of some signals, called by other names; signals that aren't named are left out."""
        places = [place for place, name in enumerate(self.names) if name in names]
        found = self.arrays()
        for name in ("mean", "scale", "line"):
            found[name] = found[name][places]
        if self.network is not None:
            found["network.0.weight"] = found["network.0.weight"][:, [*places, -1]]
        return Ranker(tuple(names[self.names[place]] for place in places), self.hidden).load_arrays(found)

    def arrays(self) -> dict[str, Floats]:
        """All weights, by name."""
        return {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}

    def load_arrays(self, arrays: Mapping[str, Floats]) -> "Ranker":
        """Take over weights.

        Raises:
            ArtefactError: Names or shapes differ.
        """
        own = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        given = {name: tuple(value.shape) for name, value in arrays.items()}
        if own != given:
            raise ArtefactError(f"the ranker's weights do not fit: expected {own}, got {given}")
        self.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in arrays.items()})
        return self
