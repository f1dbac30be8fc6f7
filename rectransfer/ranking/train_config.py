"""How to train a tower: every option, and its range."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from rectransfer.errors import InputError
from rectransfer.ranking.augment import Augment

__all__ = ["Loss", "Optimiser", "Schedule", "TrainConfig"]

Loss = Literal["softmax", "bpr", "bce", "mse"]
Optimiser = Literal["adamw", "adam", "sgd", "adagrad", "rmsprop"]
Schedule = Literal["cosine", "constant"]

_CHOICES: Final = {"loss": Loss, "optimiser": Optimiser, "schedule": Schedule}
_FROM_ONE: Final = ("batch", "per_user", "negatives", "patience")
_FROM_ZERO: Final = ("epochs", "full_up_to")
_AMOUNTS: Final = ("l1", "l2", "label_weighting", "negatives_by", "clip")


@dataclass(frozen=True)
class TrainConfig:
    """How to train the new layers.

    Attributes:
        epochs: Passes at most; each draws new cuts of the histories.
        learning_rate: At the start.
        optimiser: `"adamw"`, `"adam"`, `"sgd"`, `"adagrad"` or `"rmsprop"`.
        l2: Weight decay; apart from the gradient with `"adamw"`, within it with the others.
        l1: Penalty on the sum of absolute weights of the new layers.
        label_weighting: 0 counts labels alike; above 0 a label weighs `users ** -label_weighting`, so that
            rare items are learned too.
        batch: Examples a step.
        per_user: Cuts tried for each user and epoch.
        full_up_to: Catalogues up to this size get the whole loss, larger ones a sampled one.
        negatives: Items drawn for each step of a sampled loss. `"bpr"`, which compares pairs, draws from
            catalogues that are larger than this, too.
        patience: Epochs without a better validation before training stops.
        loss: `"softmax"`, `"bpr"`, `"bce"` or `"mse"`; formulas and sources in `ranking.losses`.
        negatives_by: Negatives are drawn by popularity to this power; 0 draws all items alike. What is drawn
            more often counts less, so that this changes the noise of a sampled loss, and not its aim.
        effective_number: Weighs labels by the effective number of their users instead: 0 counts them alike,
            towards 1 it nears `1 / users`.
        positive_weight: How much a label weighs against an item that is none, with `"bce"` and `"mse"`.
        augment: Crops, masks and reorders the histories; None leaves them as they are.
        clip: The longest gradient of a step; longer ones are shortened to it. 0 for any length.
        schedule: `"cosine"` lets the learning rate fall to 0 by the last of `epochs`, `"constant"` keeps it.

    Raises:
        InputError: A value out of its range, or both ways to weigh labels at once.

    Examples:
        >>> TrainConfig(loss="bpr", augment=Augment(mask=0.2)).augment
        Augment(crop=0.0, mask=0.2, reorder=0.0, share=0.5)
        >>> TrainConfig(loss="hinge")
        Traceback (most recent call last):
            ...
        rectransfer.errors.InputError: loss='hinge'; choose one of ('softmax', 'bpr', 'bce', 'mse')
    """

    epochs: int = 6
    learning_rate: float = 1e-3
    optimiser: Optimiser = "adamw"
    l2: float = 1e-3
    l1: float = 0.0
    label_weighting: float = 0.0
    batch: int = 128
    per_user: int = 2
    full_up_to: int = 5_000
    negatives: int = 2_000
    patience: int = 2
    loss: Loss = "softmax"
    negatives_by: float = 0.75
    effective_number: float = 0.0
    positive_weight: float = 1.0
    augment: Augment | None = None
    clip: float = 5.0
    schedule: Schedule = "cosine"

    def __post_init__(self) -> None:
        for name in (*_FROM_ONE, *_FROM_ZERO):
            value, least = getattr(self, name), int(name in _FROM_ONE)
            if not value >= least or value % 1:  # NaN, too
                raise InputError(f"{name}={value}; expected a whole number from {least}")
        for name in _AMOUNTS:
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise InputError(f"{name}={value}; expected at least 0")
        for name in ("learning_rate", "positive_weight"):
            most = 10 if name == "learning_rate" else math.inf
            if not 0 < (value := getattr(self, name)) < most:
                raise InputError(f"{name}={value}; expected more than 0 and less than {most}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name}={getattr(self, name)!r}; choose one of {get_args(choices)}")
        if not 0 <= self.effective_number < 1:
            raise InputError(f"effective_number={self.effective_number}; expected 0 up to, but not, 1")
        if self.effective_number and self.label_weighting:
            raise InputError(
                f"effective_number={self.effective_number} and label_weighting={self.label_weighting} both "
                "weigh labels; leave one of them at 0"
            )
        given: Any = self.augment
        if isinstance(given, Mapping):  # as a saved card has it
            object.__setattr__(self, "augment", Augment(**given))
        elif not isinstance(given, Augment | None):
            raise InputError(f"augment={given!r}; expected an Augment, or None")
