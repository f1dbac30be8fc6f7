"""How to fit a recommender."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rectransfer.embeddings import Item2Vec
from rectransfer.errors import InputError
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig

__all__ = ["RecommenderConfig"]


@dataclass(frozen=True)
class RecommenderConfig:
    """How to fit a recommender on a target.

    Attributes:
        item2vec: How to learn the target's own table, and to go on from the source's.
        tower: The size of the new layers of a tower that is trained on the target alone.
        train: How to train it.
        fine_tune: How to fine-tune the source's tower on the target.
        ranker: How to train the ranker. Its `pull` is for the target alone.
        pulls: How strongly the ranker of a transferred model may be drawn to its source; the gate tries each.
        folds: Parts that the target's users are split into, for cross-fitting and for the gate.
        per_user: Cuts of each user's history that the ranker learns from.
        most_cuts: Cuts that it learns from at most: of many users it takes fewer each, and then a sample of
            the users. The gate measures on as many users at most. Where users are shared, those who are met
            as if new add one cut each in which they aren't.
        neighbours_l2: Ridge penalties of the target's item-item weights; the first fold chooses.
        towers: How many towers are trained on the target alone; their mean is what counts.
        confidence: The share of the bootstrap's draws in which the target alone has to be better, for it to
            ship. Towards 0.5 the transfer has to be better on average; towards 1 it ships unless it is sure
            to hurt.
        depth: Candidates that each retriever brings.
        seed: Where randomness starts.

    Raises:
        InputError: A value out of its range.
    """

    item2vec: Item2Vec = field(default_factory=Item2Vec)
    tower: TowerConfig = field(default_factory=TowerConfig)
    train: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=20, batch=32, patience=3))
    fine_tune: TrainConfig = field(
        default_factory=lambda: TrainConfig(epochs=12, learning_rate=5e-4, batch=32, patience=2)
    )
    ranker: RankerConfig = field(default_factory=RankerConfig)
    pulls: tuple[float, ...] = (10.0, 100.0, 1000.0)
    folds: int = 3
    per_user: int = 3
    most_cuts: int = 2_000
    neighbours_l2: tuple[float, ...] = (100.0, 300.0, 1000.0)
    towers: int = 1
    confidence: float = 0.9
    depth: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or min(self.per_user, self.most_cuts, self.depth) < 1:
            raise InputError(
                f"folds={self.folds}, per_user={self.per_user}, most_cuts={self.most_cuts}, "
                f"depth={self.depth}; expected at least 2, 1, 1, 1"
            )
        if not 0.5 <= self.confidence < 1:
            raise InputError(f"confidence={self.confidence}; expected from 0.5 up to, but not, 1")
        if not isinstance(self.neighbours_l2, Iterable):
            raise InputError(
                f"neighbours_l2={self.neighbours_l2}; expected penalties to choose from: "
                f"({self.neighbours_l2},) for a single one"
            )
        object.__setattr__(self, "neighbours_l2", tuple(self.neighbours_l2))
        if not self.pulls or min(self.pulls) < 0 or min(self.neighbours_l2, default=0) <= 0:
            raise InputError(
                f"pulls={self.pulls}, neighbours_l2={self.neighbours_l2}; expected numbers from 0, and "
                "numbers above 0"
            )
        if self.towers < 1:
            raise InputError(f"towers={self.towers}; expected at least 1")
        object.__setattr__(self, "pulls", tuple(self.pulls))
        # cross-fitted tables of thin logs are small: one thread makes them repeatable at no cost
        object.__setattr__(self, "item2vec", replace(self.item2vec, seed=self.seed, deterministic=True))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "RecommenderConfig":
        """A config from what `dataclasses.asdict` made of it."""
        parts = {
            "item2vec": Item2Vec,
            "tower": TowerConfig,
            "train": TrainConfig,
            "fine_tune": TrainConfig,
            "ranker": RankerConfig,
        }
        return cls(
            **{name: parts[name](**value) if name in parts else value for name, value in fields.items()}
        )
