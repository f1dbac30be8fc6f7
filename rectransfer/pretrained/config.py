"""How to pretrain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rectransfer.embeddings import Item2Vec, User2Vec
from rectransfer.errors import InputError
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig
from rectransfer.sequences import By

__all__ = ["PretrainConfig"]


@dataclass(frozen=True)
class PretrainConfig:
    """How to pretrain on a source.

    Attributes:
        item2vec: How to learn the item table.
        user2vec: How to learn the user table.
        by: What a sequence is; None: the session where the log has sessions, else the user.
        tower: The size of the tower's new layers.
        towers: How many towers are trained; their mean is what counts.
        train: How to train them.
        ranker: How to train the ranker.
        per_user: Cuts of each held-out user's history that the ranker learns from.
        neighbours_l2: Ridge penalties of the item-item weights to choose from on the users held out.
        held_out: Share of users kept apart to choose the number of epochs and to train the ranker on.
        most_held_out: Users kept apart at most.
        keep_histories: Latest interactions kept of each user, so that users who are known here bring their
            history to another domain. 0 keeps no interactions at all, neither these nor the counts that a
            target is pooled with, where they may not leave the source.
        most_rows: Of a log on disk (`spill_log`), about how many rows the sample of users has that tower,
            item-item weights and ranker learn from and whose histories are kept.

    Raises:
        InputError: A value out of its range.
    """

    item2vec: Item2Vec = field(default_factory=Item2Vec)
    user2vec: User2Vec = field(default_factory=User2Vec)
    by: By | None = None
    tower: TowerConfig = field(default_factory=TowerConfig)
    towers: int = 1
    train: TrainConfig = field(default_factory=TrainConfig)
    ranker: RankerConfig = field(default_factory=lambda: RankerConfig(epochs=30))
    per_user: int = 4
    neighbours_l2: tuple[float, ...] = (300.0, 1000.0, 3000.0)
    held_out: float = 0.2
    most_held_out: int = 500
    keep_histories: int = 1_000
    most_rows: int = 3_000_000

    def __post_init__(self) -> None:
        if min(self.towers, self.per_user) < 1:
            raise InputError(f"towers={self.towers}, per_user={self.per_user}; expected at least 1")
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out={self.held_out}; expected more than 0 and less than 1")
        if not isinstance(self.neighbours_l2, Iterable):
            raise InputError(
                f"neighbours_l2={self.neighbours_l2}; expected penalties to choose from: "
                f"({self.neighbours_l2},) for a single one"
            )
        object.__setattr__(self, "neighbours_l2", tuple(self.neighbours_l2))
        if self.most_rows < 1:
            raise InputError(f"most_rows={self.most_rows}; expected at least 1")
        if self.keep_histories < 0 or self.most_held_out < 1 or min(self.neighbours_l2, default=0) <= 0:
            raise InputError(
                f"keep_histories={self.keep_histories}, most_held_out={self.most_held_out}, neighbours_l2="
                f"{self.neighbours_l2}; expected at least 0, at least 1, and numbers above 0"
            )

    def seeded(self, seed: int, deterministic: bool) -> "PretrainConfig":
        """The same with another seed, and on one thread if need be."""
        return replace(
            self,
            item2vec=replace(
                self.item2vec, seed=seed, deterministic=deterministic or self.item2vec.deterministic
            ),
            user2vec=replace(
                self.user2vec, seed=seed, deterministic=deterministic or self.user2vec.deterministic
            ),
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "PretrainConfig":
        """A config from what `dataclasses.asdict` made of it.

        Raises:
            TypeError: A field that there isn't.
        """
        parts = {
            "item2vec": Item2Vec,
            "user2vec": User2Vec,
            "tower": TowerConfig,
            "train": TrainConfig,
            "ranker": RankerConfig,
        }
        return cls(
            **{name: parts[name](**value) if name in parts else value for name, value in fields.items()}
        )
