"""Train a tower: a loop that reads from top to bottom."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.ranking.aim import Aim
from rectransfer.ranking.cuts import cut_at_random
from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.histories import Histories
from rectransfer.ranking.threads import threads_for
from rectransfer.ranking.tower import Tower, UserInputs
from rectransfer.ranking.train_config import TrainConfig

__all__ = ["Trained", "fit_tower"]

logger = logging.getLogger(__name__)

_CHECKED: Final = Ndcg(50)  # steadier than NDCG@10 on few users, and it still looks at the top


@dataclass(frozen=True)
class Trained:
    """How training went.

    Attributes:
        epochs: The epoch whose layers were kept; 0 where none was better than the start.
        losses: Mean loss of each epoch.
        validation: NDCG@50 before training and after each epoch; empty without validation.
    """

    epochs: int
    losses: tuple[float, ...]
    validation: tuple[float, ...]


def fit_tower(
    tower: Tower,
    histories: Histories,
    config: TrainConfig,
    *,
    popularity: Floats,
    users: Sequence[int] | npt.NDArray[np.int64] | None = None,
    validation: Examples | None = None,
    labels_in: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Trained:
    """Train the new layers in place; the frozen tables stay as they are, bit for bit.

    Args:
        tower: What to train.
        histories: Rows of items are the tower's.
        config: How.
        popularity: `log(1 + users)` of each item: draws the negatives of the sampled softmax and weighs
            labels.
        users: Whose histories to learn from; by default everybody's.
        validation: Examples of other users. The layers of the best epoch are kept, and the start counts as
            one, so that training cannot make this worse.
        labels_in: Which items may be labels, shape `(n_items,)`.
        seed: Where randomness starts.
        progress: Whether to show the epochs.

    Returns:
        The epoch that was kept, and how the loss and validation went.
    """
    rng = np.random.default_rng(seed)
    n_items = len(popularity)
    scores = [] if validation is None else [_validate(tower, validation)]
    best, kept, losses = 0, copy.deepcopy(tower.state_dict()), []
    with torch.random.fork_rng(devices=[]), threads_for(config.batch * n_items):
        torch.random.manual_seed(seed)
        optimiser = _optimiser(tower, config)
        schedule = _schedule(optimiser, config)
        for epoch in tqdm(range(1, config.epochs + 1), "tower", disable=not progress):
            examples = cut_at_random(
                histories, n_items, rng, users=users, per_user=config.per_user, labels_in=labels_in
            )
            if not len(examples):
                logger.warning("no user has two visits, so the tower cannot be trained and stays as it is")
                break
            losses.append(_epoch(tower, examples, optimiser, config, popularity, rng))
            schedule.step()
            if validation is None:
                best, kept = epoch, tower.state_dict()
                continue
            scores.append(_validate(tower, validation))
            if scores[-1] > scores[best]:
                best, kept = epoch, copy.deepcopy(tower.state_dict())
            elif epoch - best >= config.patience:
                break
    tower.load_state_dict(kept)
    tower.eval()
    return Trained(best, tuple(losses), tuple(scores))


def _epoch(
    tower: Tower,
    examples: Examples,
    optimiser: torch.optim.Optimizer,
    config: TrainConfig,
    popularity: Floats,
    rng: np.random.Generator,
) -> float:
    # augmented histories go in; what counts as seen stays, so that no item turns into a negative by being cut
    shown = examples if config.augment is None else config.augment(examples, rng)
    inputs = UserInputs.of(shown, tower.vectors.numpy())
    order, total = rng.permutation(len(examples)), 0.0
    aim = Aim(tower, config, popularity, rng)
    aim.calibrate(inputs, examples, order[: config.batch])
    tower.train()
    for start in range(0, len(order), config.batch):
        rows = order[start : start + config.batch]
        loss = aim.loss(inputs.take(rows), examples.take(rows))
        penalised = loss
        if config.l1:
            penalised = loss + config.l1 * sum(p.abs().sum() for p in tower.parameters())
        optimiser.zero_grad()
        penalised.backward()  # type: ignore[no-untyped-call]
        if config.clip:
            nn.utils.clip_grad_norm_(tower.parameters(), config.clip)
        optimiser.step()
        total += float(loss.detach()) * len(rows)
    return total / len(order)


def _optimiser(tower: Tower, config: TrainConfig) -> torch.optim.Optimizer:
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
        "adagrad": torch.optim.Adagrad,
        "rmsprop": torch.optim.RMSprop,
    }
    kind = kinds[config.optimiser]
    return kind(tower.parameters(), lr=config.learning_rate, weight_decay=config.l2)  # type: ignore[call-arg]


def _schedule(optimiser: torch.optim.Optimizer, config: TrainConfig) -> torch.optim.lr_scheduler.LRScheduler:
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, config.epochs))


@torch.no_grad()
def _validate(tower: Tower, validation: Examples) -> float:
    tower.eval()
    items = tower.items().T
    users = torch.from_numpy(tower.encode_users(validation))
    values = []
    for start in range(0, len(validation), 1024):
        rows = np.arange(start, min(start + 1024, len(validation)))
        part = validation.take(rows)
        ranks = rank_relevant((users[start : start + 1024] @ items).numpy(), part.relevant, part.seen)
        values.append(_CHECKED.per_user(ranks))
    return float(np.concatenate(values).mean()) if values else 0.0
