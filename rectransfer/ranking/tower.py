"""The tower: frozen tables in, new trainable layers, a user vector and an item vector out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking.evidence import Evidence, Floats
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.signals import RECENT, STEADY

__all__ = ["Tower", "TowerConfig", "UserInputs"]


@dataclass(frozen=True)
class TowerConfig:
    """The size of the new layers.

    Attributes:
        hidden: Units of the user network's hidden layer; 0 leaves the network out.
        width: Length of the vectors that the networks add.
        dropout: Share of inputs and hidden units that are dropped in training.
        activation: `"relu"`, `"gelu"`, `"tanh"`, `"silu"` or `"leaky_relu"`.

    Raises:
        InputError: A value out of its range.
    """

    hidden: int = 128
    width: int = 64
    dropout: float = 0.3
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.hidden < 0 or self.width < 1:
            raise InputError(f"hidden={self.hidden}, width={self.width}; expected at least 0 and 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout={self.dropout}; expected 0 up to, but not, 1")
        if self.activation not in _ACTIVATIONS:
            raise InputError(f"activation={self.activation!r}; choose one of {', '.join(_ACTIVATIONS)}")


_ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "leaky_relu": nn.LeakyReLU,
}


@dataclass(frozen=True, eq=False)
class UserInputs:
    """What the tower sees of users.

    Attributes:
        pooled: Averages of the history's input vectors, recent and steady side by side, shape `(u, 2d)`.
        lengths: `log(1 + items in the history)`, shape `(u,)`.
    """

    pooled: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, examples: Examples, vectors: Floats) -> "UserInputs":
        """Average the histories of some examples."""
        parts = [np.asarray(examples.pooled(half) @ vectors, np.float32) for half in (RECENT, STEADY)]
        return cls(torch.from_numpy(np.hstack(parts)), torch.from_numpy(examples.lengths))

    def take(self, rows: npt.NDArray[np.int64]) -> "UserInputs":
        """Some of the users."""
        return UserInputs(self.pooled[rows], self.lengths[rows])


class Tower(nn.Module):
    """A two-tower network that begins where skip-gram ends.

    Before training its score is `W·C + prior`, the optimum of skip-gram with negative sampling for the
    averaged history (Levy and Goldberg 2014, section 3.1). The new layers learn what that leaves: a linear
    map of the averages, a small network over them, an item bias, and how much the prior weighs for short and
    long histories. W, C and the prior are buffers: no optimiser ever sees them.

    Attributes:
        vectors: W, shape `(n, d)`.
        contexts: C, shape `(n, d)`.
        log_prior: Shape `(n,)`, its mean at 0.
    """

    vectors: Tensor
    contexts: Tensor
    log_prior: Tensor

    def __init__(self, evidence: Evidence, config: TowerConfig | None = None, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(seed)
            self._build(evidence, config)

    def _build(self, evidence: Evidence, config: TowerConfig | None) -> None:
        self.config = config or TowerConfig()
        d, settings = evidence.vectors.shape[1], self.config
        prior = evidence.log_prior - evidence.log_prior.mean()
        self.register_buffer("vectors", torch.from_numpy(evidence.vectors.copy()), persistent=False)
        self.register_buffer("contexts", torch.from_numpy(evidence.contexts.copy()), persistent=False)
        self.register_buffer("log_prior", torch.from_numpy(prior), persistent=False)
        self.mix = nn.Parameter(torch.eye(d).repeat(2, 1) / 2)
        self.drop = nn.Dropout(settings.dropout)
        self.strength = _constant_linear(1.0)
        self.prior_weight = _constant_linear(1.0)
        self.item_bias = nn.Linear(2 * d, 1, bias=False)
        nn.init.zeros_(self.item_bias.weight)
        self.user_net: nn.Module | None = None
        if settings.hidden:
            last = nn.Linear(settings.hidden, settings.width)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            act = _ACTIVATIONS[settings.activation]()
            first = nn.Linear(2 * d + 1, settings.hidden)
            self.user_net = nn.Sequential(first, act, nn.Dropout(settings.dropout), last)
            self.item_net = nn.Linear(2 * d, settings.width)

    @property
    def dimensions(self) -> int:
        """The length d of the frozen vectors."""
        return int(self.vectors.shape[1])

    def users(self, inputs: UserInputs) -> Tensor:
        """User vectors, shape `(u, d + 2 [+ width])`; their inner product with `items()` is the score."""
        length = inputs.lengths[:, None] - 3.5  # about 30 items, so that the other parts start centred
        parts = [
            self.drop(inputs.pooled) @ self.mix * self.strength(length),
            self.prior_weight(length),
            torch.ones_like(length),
        ]
        if self.user_net is not None:
            parts.append(self.user_net(torch.cat([inputs.pooled, length], dim=1)))
        return torch.cat(parts, dim=1)

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Item vectors, shape `(n, d + 2 [+ width])`, of all items or of some rows."""
        chosen = slice(None) if rows is None else rows
        w, c = self.vectors[chosen], self.contexts[chosen]
        both = torch.cat([w, c], dim=1)
        parts = [c, self.log_prior[chosen][:, None], self.item_bias(both)]
        if self.user_net is not None:
            parts.append(self.item_net(both))
        return torch.cat(parts, dim=1)

    def forward(self, inputs: UserInputs) -> Tensor:
        """Scores of all items, shape `(u, n)`."""
        return self.users(inputs) @ self.items().T

    @torch.no_grad()
    def encode_users(self, examples: Examples) -> Floats:
        """User vectors as an array, without dropout."""
        self.eval()
        found: Floats = self.users(UserInputs.of(examples, self.vectors.numpy())).numpy()
        return found

    @torch.no_grad()
    def encode_items(self) -> Floats:
        """Item vectors as an array."""
        self.eval()
        found: Floats = self.items().numpy()
        return found

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """The trained layers, by name, without the frozen tables."""
        return {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}

    def load_layers(self, layers: Mapping[str, npt.NDArray[np.float32]]) -> "Tower":
        """Take over trained layers; the frozen tables stay.

        Raises:
            ArtefactError: Names or shapes differ; all of them are listed.
        """
        own = {name: tuple(value.shape) for name, value in self.state_dict().items()}
        given = {name: tuple(value.shape) for name, value in layers.items()}
        if wrong := sorted(set(own.items()) ^ set(given.items())):
            raise ArtefactError(
                f"the tower's layers do not fit: expected {own}, got {given}; differing: {wrong}"
            )
        self.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in layers.items()})
        return self


def _constant_linear(value: float) -> nn.Linear:
    """A linear layer of one input that starts as a constant."""
    layer = nn.Linear(1, 1)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, value)
    return layer
