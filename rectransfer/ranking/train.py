"""Train a tower: a loop that reads from top to bottom."""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from rectransfer.errors import InputError
from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.ranking.evidence import Floats
from rectransfer.ranking.examples import Examples, cut_at_random
from rectransfer.ranking.histories import Histories
from rectransfer.ranking.threads import threads_for
from rectransfer.ranking.tower import Tower, UserInputs

__all__ = ["TrainConfig", "Trained", "fit_tower", "sampled_softmax", "softmax"]

logger = logging.getLogger(__name__)

Optimiser = Literal["adamw", "adam", "sgd"]

_SEEN: Final = -1e4
_CHECKED: Final = Ndcg(50)  # steadier than NDCG@10 on few users, and it still looks at the top


@dataclass(frozen=True)
class TrainConfig:
    """How to train the new layers.

    Attributes:
        epochs: Passes at most; each draws new cuts of the histories.
        learning_rate: At the start; it falls to 0 along a cosine.
        optimiser: `"adamw"`, `"adam"` or `"sgd"`.
        l2: Weight decay.
        l1: Penalty on the sum of absolute weights of the new layers.
        label_weighting: 0 counts labels alike; above 0 a label weighs `users ** -label_weighting`, so that
            rare items are learned too.
        batch: Examples a step.
        per_user: Cuts tried for each user and epoch.
        full_up_to: Catalogues up to this size get the whole softmax, larger ones a sampled one.
        negatives: Items drawn for each step of the sampled softmax.
        patience: Epochs without a better validation before training stops.

    Raises:
        InputError: A value out of its range.
    """

    epochs: int = 12
    learning_rate: float = 1e-3
    optimiser: Optimiser = "adamw"
    l2: float = 1e-3
    l1: float = 0.0
    label_weighting: float = 0.0
    batch: int = 128
    per_user: int = 2
    full_up_to: int = 50_000
    negatives: int = 2_000
    patience: int = 6

    def __post_init__(self) -> None:
        for name in ("batch", "per_user", "negatives", "patience"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name}={value}; expected at least 1")
        for name in ("epochs", "l1", "l2", "label_weighting", "full_up_to"):
            if (value := getattr(self, name)) < 0:
                raise InputError(f"{name}={value}; expected at least 0")
        if not 0 < self.learning_rate < 10:
            raise InputError(f"learning_rate={self.learning_rate}; expected more than 0 and less than 10")
        if self.optimiser not in get_args(Optimiser):
            raise InputError(f"optimiser={self.optimiser!r}; choose one of {get_args(Optimiser)}")


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
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, config.epochs))
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
    tower.train()
    inputs = UserInputs.of(examples, tower.vectors.numpy())
    weights = torch.from_numpy(np.exp(-config.label_weighting * popularity).astype(np.float32))
    order, total = rng.permutation(len(examples)), 0.0
    for start in range(0, len(order), config.batch):
        rows = order[start : start + config.batch]
        part = examples.take(rows)
        if examples.n_items <= config.full_up_to:
            loss = softmax(tower(inputs.take(rows)), part, weights)
        else:
            drawn = _draw(popularity, config.negatives, rng)
            loss = sampled_softmax(tower, inputs.take(rows), part, weights, *drawn)
        penalised = loss
        if config.l1:
            penalised = loss + config.l1 * sum(p.abs().sum() for p in tower.parameters())
        optimiser.zero_grad()
        penalised.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(tower.parameters(), 5.0)
        optimiser.step()
        total += float(loss.detach()) * len(rows)
    return total / len(order)


def softmax(scores: Tensor, examples: Examples, weights: Tensor) -> Tensor:
    """Cross-entropy over the catalogue without what the user had, each example's labels sharing one unit.

    Args:
        scores: Shape `(u, n_items)`.
        examples: u of them.
        weights: How much each item counts as a label, shape `(n_items,)`.
    """
    seen = torch.from_numpy(examples.seen.toarray() > 0)
    wanted = torch.from_numpy(examples.relevant.toarray()) * weights
    wanted = wanted / wanted.sum(dim=1, keepdim=True)
    logs = functional.log_softmax(scores.masked_fill(seen, _SEEN), dim=1)
    return -(wanted * logs).sum(dim=1).mean()


def sampled_softmax(
    tower: Tower, inputs: UserInputs, examples: Examples, weights: Tensor, drawn: Tensor, log_q: Tensor
) -> Tensor:
    """Cross-entropy against drawn items, corrected for how often each is drawn.

    A drawn item's score is lowered by the log of how often it is expected among the drawn (Bengio and
    Senécal 2008, "Adaptive importance sampling", section 3), so the loss estimates the whole softmax.

    Args:
        tower: What scores.
        inputs: Of u users.
        examples: Theirs.
        weights: How much each item counts as a label, shape `(n_items,)`.
        drawn: Item rows, shape `(s,)`.
        log_q: Log of the expected number of times each was drawn, shape `(s,)`.
    """
    users = tower.users(inputs)
    owner, labels = torch.from_numpy(examples.label_owner), torch.from_numpy(examples.labels)
    noise = users @ tower.items(drawn).T - log_q
    seen = examples.seen[:, drawn.numpy()].toarray() > 0
    # a user's labels leave the noise, so that each is weighed against the rest once
    wanted = examples.relevant[:, drawn.numpy()].toarray() > 0
    noise = noise.masked_fill(torch.from_numpy(seen | wanted), _SEEN)
    scores = (users[owner] * tower.items(labels)).sum(dim=1)
    others = torch.full((len(examples), 1), -torch.inf).squeeze(1)
    peak = torch.maximum(noise.detach().amax(dim=1), others.scatter_reduce(0, owner, scores.detach(), "amax"))
    mass = torch.exp(noise - peak[:, None]).sum(dim=1)
    mass = mass.index_add(0, owner, torch.exp(scores - peak[owner]))
    share = weights[labels]
    share = share / torch.zeros(len(examples)).index_add(0, owner, share)[owner]
    return -(share * (scores - (peak + torch.log(mass))[owner])).sum() / len(examples)


def _draw(popularity: Floats, negatives: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Items by popularity to the power 0.75, and the log of how often each is expected."""
    q = np.exp(0.75 * popularity.astype(np.float64))
    q /= q.sum()
    rows = rng.choice(len(q), size=negatives, p=q)
    return torch.from_numpy(rows), torch.from_numpy(np.log(negatives * q[rows]).astype(np.float32))


def _optimiser(tower: Tower, config: TrainConfig) -> torch.optim.Optimizer:
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
    }
    kind = kinds[config.optimiser]
    return kind(tower.parameters(), lr=config.learning_rate, weight_decay=config.l2)  # type: ignore[call-arg]


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
