"""What popular and rare items count in training."""

import numpy as np
import torch
from torch import Tensor

from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.train_config import TrainConfig

__all__ = ["draw_negatives", "label_weights"]


def draw_negatives(
    popularity: Floats, negatives: int, power: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw items by popularity, with replacement.

    Args:
        popularity: `log(1 + users)` of each item, shape `(n_items,)`.
        negatives: How many, s.
        power: Of `1 + users`; 0 draws all items alike.
        rng: Where randomness comes from.

    Returns:
        The rows of the items, and the log of how often each is expected among the s; shapes `(s,)`.
    """
    q = np.exp(power * popularity.astype(np.float64))
    q /= q.sum()
    rows = rng.choice(len(q), size=negatives, p=q)
    return torch.from_numpy(rows), torch.from_numpy(np.log(negatives * q[rows]).astype(np.float32))


def label_weights(popularity: Floats, config: TrainConfig) -> Tensor:
    """How much each item counts as a label, shape `(n_items,)`; only ratios matter.

    Either `(1 + users) ** -label_weighting`, or with `effective_number` β above 0 the inverse of the
    effective number of users, `(1 - β) / (1 - β ** users)` (Cui et al. 2019, "Class-balanced loss based on
    effective number of samples", section 3.2), where nobody counts as one user.

    Examples:
        >>> users = np.log1p(np.array([1, 2, 1000])).astype(np.float32)
        >>> label_weights(users, TrainConfig(effective_number=0.5)).numpy().round(3)
        array([1. , 0.667, 0.5 ], dtype=float32)
    """
    if beta := config.effective_number:
        users = np.maximum(np.expm1(popularity.astype(np.float64)), 1.0)
        # log1p and expm1 keep their digits where beta is next to 1
        balanced = (1 - beta) / -np.expm1(users * np.log(beta))
        return torch.from_numpy(balanced.astype(np.float32))
    return torch.from_numpy(np.exp(-config.label_weighting * popularity).astype(np.float32))
