"""Several towers that count as one: the mean of their scores."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking.evidence import Evidence, Floats
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.tower import Tower, TowerConfig
from rectransfer.ranking.train import Trained

__all__ = ["Towers"]


class Towers:
    """Towers over one domain's tables that differ in how they were started and trained.

    Their mean varies less than each of them (Lakshminarayanan et al. 2017, "Simple and scalable predictive
    uncertainty estimation using deep ensembles", section 2.4), and it is an inner product as well: the
    vectors of all, side by side.

    Args:
        evidence: What all of them take.
        config: The size of the new layers.
        n: How many.
        seed: The first one's; the others count on from it.

    Attributes:
        members: The towers, n of them.
    """

    def __init__(self, evidence: Evidence, config: TowerConfig | None = None, n: int = 1, seed: int = 0):
        if n < 1:
            raise InputError(f"n={n} towers; expected at least 1")
        self.members = tuple(Tower(evidence, config, seed + place) for place in range(n))

    @property
    def config(self) -> TowerConfig:
        """The size of the new layers."""
        return self.members[0].config

    def train(self, train: Callable[[Tower, int], Trained]) -> int:
        """Train each of them.

        Args:
            train: Given a tower and its place, from 0.

        Returns:
            The mean of the epochs that were kept, rounded.
        """
        epochs = [train(tower, place).epochs for place, tower in enumerate(self.members)]
        return round(sum(epochs) / len(epochs))

    def encode_users(self, examples: Examples) -> Floats:
        """User vectors, shape `(u, n * width)`; with `encode_items` they give the mean of the scores."""
        found = np.hstack([tower.encode_users(examples) for tower in self.members])
        return np.asarray(found / len(self.members), dtype=np.float32)

    def encode_items(self) -> Floats:
        """Item vectors, shape `(n_items, n * width)`."""
        return np.hstack([tower.encode_items() for tower in self.members])

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """The trained layers of all, by place and name."""
        return {
            f"{place}.{name}": value
            for place, tower in enumerate(self.members)
            for name, value in tower.layers().items()
        }

    @classmethod
    def load(
        cls, evidence: Evidence, config: TowerConfig, layers: Mapping[str, npt.NDArray[np.float32]]
    ) -> "Towers":
        """Towers with the layers that `layers` gave.

        Raises:
            ArtefactError: Names or shapes differ from what the config asks for.
        """
        by_place: dict[str, dict[str, npt.NDArray[np.float32]]] = {}
        for name, value in layers.items():
            place, _, rest = name.partition(".")
            by_place.setdefault(place, {})[rest] = value
        if not by_place or set(by_place) != {str(place) for place in range(len(by_place))}:
            raise ArtefactError(
                f"the towers' layers do not fit: expected places from 0, got {_some(by_place)}"
            )
        found = cls(evidence, config, len(by_place))
        for number, tower in enumerate(found.members):
            tower.load_layers(by_place[str(number)])
        return found

    def __len__(self) -> int:
        return len(self.members)


def _some(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(sorted(names)[:5]) or "none"
