"""The ranker: a straight line and a small network over the signals."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.threads import threads_for

__all__ = ["Ranker", "RankerConfig", "Slate", "fit_ranker", "fit_rankers"]

logger = logging.getLogger(__name__)

_ABSENT: Final = -1e9


@dataclass(frozen=True)
class RankerConfig:
    """How to train the ranker.

    Attributes:
        hidden: Units of the network beside the straight line; 0 leaves it out.
        members: Rankers that are trained from different seeds; their mean is what counts.
        epochs: Passes over the slates.
        learning_rate: Of Adam; it falls to 0 along a cosine.
        pull: How strongly weights are drawn to where they started (L2-SP; Li et al. 2018, "Explicit inductive
            bias for transfer learning with convolutional networks", section 3.1), in units of loss a user:
            the fewer users, the stronger it acts.
        batch: Slates a step.
        breadth: A slate weighs `labels ** breadth`: 0 counts users alike, 1 counts what they took alike.

    Raises:
        InputError: A value out of its range.
    """

    hidden: int = 16
    members: int = 3
    epochs: int = 12
    learning_rate: float = 0.01
    pull: float = 1.0
    batch: int = 64
    breadth: float = 0.5

    def __post_init__(self) -> None:
        low = min(self.hidden, self.epochs, self.pull, self.breadth) < 0
        if low or min(self.batch, self.members) < 1 or self.learning_rate <= 0:
            raise InputError(
                f"{self}; expected hidden, epochs, pull and breadth at least 0, the others above 0"
            )


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


def fit_ranker(ranker: Ranker, slate: Slate, config: RankerConfig, seed: int = 0) -> Ranker:
    """Train a ranker in place, listwise: a softmax over each user's candidates.

    Users who took none of their candidates teach nothing and are left out.

    Returns:
        The ranker itself.
    """
    useful = np.flatnonzero((slate.taken & slate.present).any(axis=1))
    if not len(useful) or not config.epochs:
        return ranker
    with torch.no_grad():  # the scale is fixed by now, so once is enough
        inputs = ranker.inputs(torch.from_numpy(slate.columns(ranker.names)), torch.from_numpy(slate.lengths))
    absent, taken = torch.from_numpy(~slate.present), torch.from_numpy(slate.taken & slate.present).float()
    start = [parameter.detach().clone() for parameter in ranker.parameters()]
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.Adam(ranker.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    ranker.train()
    with threads_for(config.batch * slate.signals.shape[1] * len(ranker.names)):
        for _ in range(config.epochs):
            for part in np.array_split(rng.permutation(useful), max(1, len(useful) // config.batch)):
                logs = functional.log_softmax(
                    ranker.weigh(inputs[part]).masked_fill(absent[part], _ABSENT), dim=1
                )
                labels = taken[part].sum(dim=1)
                weight = labels**config.breadth
                losses = -(taken[part] * logs).sum(dim=1) / labels
                loss = (losses * weight).sum() / weight.sum()
                pull = sum(((p - s) ** 2).sum() for p, s in zip(ranker.parameters(), start, strict=True))
                optimiser.zero_grad()
                (loss + config.pull * pull / len(useful)).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            schedule.step()
    ranker.eval()
    return ranker


def fit_rankers(names: tuple[str, ...], slate: Slate, config: RankerConfig, seed: int = 0) -> Ranker:
    """Train `config.members` standard rankers from different seeds; their mean varies less than each.

    Args:
        names: The signals they take.
        slate: What to learn from, and to measure the signals' scale on.
        config: How.
        seed: The first one's; the others count on from it.
    """
    return Ranker.mean_of(
        [
            fit_ranker(Ranker.standard(names, config.hidden, one).rescale(slate), slate, config, one)
            for one in range(seed, seed + config.members)
        ]
    )
