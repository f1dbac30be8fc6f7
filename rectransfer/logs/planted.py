"""The rules that planted logs follow."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.errors import InputError

__all__ = ["Domain", "Floats", "PlantedConfig", "Rows", "Rules"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Domain = Literal["source", "target"]


@dataclass(frozen=True)
class PlantedConfig:
    """What to plant.

    Every item belongs to a cluster and every user has a favourite one. A user's next item comes from the
    favourite cluster with probability `taste`, from the cluster after the last item's with probability
    `drift`, and otherwise from any; inside a cluster, by Zipf popularity. Nobody takes an item twice.

    Attributes:
        source_users: Users of the mature domain.
        target_users: Users of the thin one.
        source_items: Items of the mature domain.
        target_items: Items of the thin one.
        clusters: Clusters, at least 2.
        shared_items: The share of the target's items that the source has, too, in [0, 1].
        shared_users: The share of the target's users who are in the source, with the same taste, in [0, 1].
        agreement: The share of the shared items that keep their cluster; at 0 the source misleads.
        source_steps: Items a user takes in the source.
        target_steps: Items a user takes in the target.
        taste: The probability of the favourite cluster.
        drift: The probability of the cluster that follows the last item's.
        zipf: The exponent of popularity; 0 makes all items of a cluster alike.
        seed: The only source of chance.
    """

    source_users: int = 400
    target_users: int = 100
    source_items: int = 120
    target_items: int = 100
    clusters: int = 6
    shared_items: float = 0.8
    shared_users: float = 0.0
    agreement: float = 1.0
    source_steps: int = 20
    target_steps: int = 8
    taste: float = 0.5
    drift: float = 0.3
    zipf: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("shared_items", "shared_users", "agreement", "taste", "drift"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a share in [0, 1], got {getattr(self, name)}")
        if self.taste + self.drift > 1:
            raise InputError(f"taste and drift add up to 1 at most, got {self.taste} + {self.drift}")
        if min(self.source_users, self.target_users, self.source_steps, self.target_steps) < 1:
            raise InputError("users and steps are at least 1")
        if not 2 <= self.clusters <= min(self.source_items, self.target_items):
            raise InputError(f"clusters lies from 2 to the number of items, got {self.clusters}")
        if self.source_steps >= self.source_items or self.target_steps >= self.target_items:
            raise InputError("steps lie below the number of items: nobody takes an item twice")
        if self.zipf < 0 or self.seed < 0:
            raise InputError(f"zipf and seed are 0 or more, got {self.zipf} and {self.seed}")


@dataclass(frozen=True, eq=False)
class Rules:
    """The Markov chain of one domain.

    Attributes:
        clusters: The cluster of each item, shape `(n_items,)`.
        inside: The distribution of the items inside each cluster, shape `(n_clusters, n_items)`.
        config: The probabilities.
    """

    clusters: Rows
    inside: Floats
    config: PlantedConfig

    @classmethod
    def of(cls, items: pl.DataFrame, domain: Domain, config: PlantedConfig) -> "Rules":
        """The rules of a domain.

        Args:
            items: The domain's items: `source_cluster` or `target_cluster`, and `popularity`.
            domain: Which of the two.
            config: The probabilities.
        """
        clusters = items[f"{domain}_cluster"].to_numpy().astype(np.int64)
        weights = np.where(
            clusters == np.arange(config.clusters)[:, None], items["popularity"].to_numpy(), 0.0
        )
        return cls(clusters, weights / weights.sum(axis=1, keepdims=True).clip(min=1e-300), config)

    def next_item(self, taste: Rows, last: Rows | None, seen: npt.NDArray[np.bool_]) -> Floats:
        """The distribution of the next item, given the taste, the last item and what is used up.

        Args:
            taste: The favourite cluster, shape `(n_users,)`.
            last: The last item, shape `(n_users,)`; None on the first step.
            seen: Items that cannot come again, shape `(n_users, n_items)`.

        Returns:
            Probabilities, shape `(n_users, n_items)`.
        """
        config, everyone = self.config, np.arange(len(taste))
        noise = 1 - config.taste - (config.drift if last is not None else 0.0)
        clusters = np.full((len(taste), config.clusters), noise / config.clusters)
        clusters[everyone, taste] += config.taste
        if last is not None:
            clusters[everyone, (self.clusters[last] + 1) % config.clusters] += config.drift
        joint = np.where(seen, 0.0, clusters @ self.inside)
        total = joint.sum(axis=1, keepdims=True)
        if (total <= 0).any():  # only without noise: the clusters that a user would go to are used up
            joint = np.where(total > 0, joint, ~seen)
            total = joint.sum(axis=1, keepdims=True)
        return np.asarray(joint / total, dtype=np.float64)
