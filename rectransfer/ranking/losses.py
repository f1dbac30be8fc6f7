"""What a tower is trained to do: four losses, each over the whole catalogue and over drawn items.

With the score s of u and i, the items L(u) that u took next (the labels), their weights w scaled to sum to 1
for each user, and the items R(u) that u neither had before nor took next, the loss of a user is

- `softmax`: `-Σ_L w_i log(exp(s_i) / (Σ_L exp(s_j) + Σ_R exp(s_j)))`
- `bpr`: `-Σ_L w_i mean_R log σ(s_i - s_j)`
- `bce`: `-p Σ_L w_i log σ(s_i) - 1/|L| Σ_R log σ(-s_j)`
- `mse`: `p Σ_L w_i (1 - s_i)² + 1/|L| Σ_R s_j²`

with p the weight of labels against the rest. The loss of a batch is the mean over its users. A sampled loss
estimates the whole one: a drawn item of R counts by the inverse of how often it was to be expected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from rectransfer.ranking.examples import Examples
from rectransfer.ranking.tower import UserInputs
from rectransfer.ranking.train_config import Loss

__all__ = [
    "SAMPLED",
    "WHOLE",
    "Scorer",
    "bce",
    "bpr",
    "mse",
    "sampled_bce",
    "sampled_bpr",
    "sampled_mse",
    "sampled_softmax",
    "softmax",
]

_SEEN: Final = -1e4


class Scorer(Protocol):
    """What scores users and items by an inner product; a `Tower` is one."""

    def users(self, inputs: UserInputs) -> Tensor:
        """Shape `(u, w)`."""
        ...

    def items(self, rows: Tensor | None = None) -> Tensor:
        """Shape `(n, w)`."""
        ...


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


def bpr(scores: Tensor, examples: Examples, weights: Tensor) -> Tensor:
    """Each label above each item of the rest.

    Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", section 4.1; the pairs of
    a label are averaged. Arguments as for `softmax`.
    """
    return _ordered(_Labels.of(scores, examples, weights), scores, _rest(examples))


def bce(scores: Tensor, examples: Examples, weights: Tensor, positive: float = 1.0) -> Tensor:
    """Cross-entropy of each item on its own, scores being log-odds.

    He et al. 2017, "Neural collaborative filtering", section 3.1.1.

    Args:
        scores: Shape `(u, n_items)`.
        examples: u of them.
        weights: How much each item counts as a label, shape `(n_items,)`.
        positive: How much labels count against the rest.
    """
    return _classified(_Labels.of(scores, examples, weights), scores, _rest(examples), positive)


def mse(scores: Tensor, examples: Examples, weights: Tensor, positive: float = 1.0) -> Tensor:
    """Squared distance to 1 for labels and to 0 for the rest, as in implicit ALS.

    Hu et al. 2008, "Collaborative filtering for implicit feedback datasets", section 4, where `positive` is
    `1 + α`. Arguments as for `bce`.
    """
    return _squared(_Labels.of(scores, examples, weights), scores, _rest(examples), positive)


def sampled_softmax(
    tower: Scorer, inputs: UserInputs, examples: Examples, weights: Tensor, drawn: Tensor, log_q: Tensor
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
    labels = _Labels.scored(tower, users, examples, weights)
    # a user's labels leave the noise, so that each is weighed against the rest once
    noise = users @ tower.items(drawn).T - log_q
    noise = noise.masked_fill(~_among_rest(examples, drawn), _SEEN)
    others = torch.full((len(examples), 1), -torch.inf).squeeze(1)
    highest = others.scatter_reduce(0, labels.owner, labels.scores.detach(), "amax")
    peak = torch.maximum(noise.detach().amax(dim=1), highest)
    mass = torch.exp(noise - peak[:, None]).sum(dim=1)
    mass = mass.index_add(0, labels.owner, torch.exp(labels.scores - peak[labels.owner]))
    return labels.total(-(labels.scores - (peak + torch.log(mass))[labels.owner]))


def sampled_bpr(
    tower: Scorer, inputs: UserInputs, examples: Examples, weights: Tensor, drawn: Tensor, log_q: Tensor
) -> Tensor:
    """`bpr` against drawn items. Arguments as for `sampled_softmax`."""
    return _ordered(*_drawn(tower, inputs, examples, weights, drawn, log_q))


def sampled_bce(
    tower: Scorer,
    inputs: UserInputs,
    examples: Examples,
    weights: Tensor,
    drawn: Tensor,
    log_q: Tensor,
    positive: float = 1.0,
) -> Tensor:
    """`bce`, its second sum over drawn items. Arguments as for `sampled_softmax` and `bce`."""
    return _classified(*_drawn(tower, inputs, examples, weights, drawn, log_q), positive)


def sampled_mse(
    tower: Scorer,
    inputs: UserInputs,
    examples: Examples,
    weights: Tensor,
    drawn: Tensor,
    log_q: Tensor,
    positive: float = 1.0,
) -> Tensor:
    """`mse`, its second sum over drawn items. Arguments as for `sampled_softmax` and `mse`."""
    return _squared(*_drawn(tower, inputs, examples, weights, drawn, log_q), positive)


WHOLE: Final[dict[Loss, Callable[..., Tensor]]] = {"softmax": softmax, "bpr": bpr, "bce": bce, "mse": mse}
"""Losses over the catalogue, by name."""

SAMPLED: Final[dict[Loss, Callable[..., Tensor]]] = {
    "softmax": sampled_softmax,
    "bpr": sampled_bpr,
    "bce": sampled_bce,
    "mse": sampled_mse,
}
"""Losses over drawn items, by name."""


@dataclass(frozen=True, eq=False)
class _Labels:
    """Labels with their users, scores and shares of their user's unit; shapes `(l,)`. `n` users."""

    n: int
    owner: Tensor
    scores: Tensor
    share: Tensor

    @classmethod
    def of(cls, scores: Tensor, examples: Examples, weights: Tensor) -> "_Labels":
        owner, labels = torch.from_numpy(examples.label_owner), torch.from_numpy(examples.labels)
        return cls(len(examples), owner, scores[owner, labels], _shares(examples, weights))

    @classmethod
    def scored(cls, tower: Scorer, users: Tensor, examples: Examples, weights: Tensor) -> "_Labels":
        owner, labels = torch.from_numpy(examples.label_owner), torch.from_numpy(examples.labels)
        scores = (users[owner] * tower.items(labels)).sum(dim=1)
        return cls(len(examples), owner, scores, _shares(examples, weights))

    def total(self, values: Tensor) -> Tensor:
        """What the labels cost, shape `(l,)`, as a mean over users of their weighted sums."""
        return (self.share * values).sum() / self.n

    def per_label(self, values: Tensor) -> Tensor:
        """What the rest costs each user, shape `(u,)`, divided by the number of labels, as a mean."""
        return (values / torch.bincount(self.owner, minlength=self.n).clamp(min=1)).sum() / self.n


def _shares(examples: Examples, weights: Tensor) -> Tensor:
    owner, share = torch.from_numpy(examples.label_owner), weights[torch.from_numpy(examples.labels)]
    return share / torch.zeros(len(examples), dtype=share.dtype).index_add(0, owner, share)[owner]


def _ordered(labels: _Labels, scores: Tensor, rest: Tensor) -> Tensor:
    """BPR against scores of items that count as `rest` says, both of shape `(u, s)`."""
    gaps = labels.scores[:, None] - scores[labels.owner]
    share = rest / rest.sum(dim=1, keepdim=True).clamp(min=torch.finfo(rest.dtype).tiny)
    return labels.total((functional.softplus(-gaps) * share[labels.owner]).sum(dim=1))


def _classified(labels: _Labels, scores: Tensor, rest: Tensor, positive: float) -> Tensor:
    of_rest = (functional.softplus(scores) * rest).sum(dim=1)
    return positive * labels.total(functional.softplus(-labels.scores)) + labels.per_label(of_rest)


def _squared(labels: _Labels, scores: Tensor, rest: Tensor, positive: float) -> Tensor:
    of_rest = (scores**2 * rest).sum(dim=1)
    return positive * labels.total((1 - labels.scores) ** 2) + labels.per_label(of_rest)


def _drawn(
    tower: Scorer, inputs: UserInputs, examples: Examples, weights: Tensor, drawn: Tensor, log_q: Tensor
) -> tuple[_Labels, Tensor, Tensor]:
    """Labels, scores of drawn items, and how many items each of them stands for: 0 outside of the rest."""
    users = tower.users(inputs)
    rest = _among_rest(examples, drawn) * torch.exp(-log_q)
    return _Labels.scored(tower, users, examples, weights), users @ tower.items(drawn).T, rest


def _rest(examples: Examples) -> Tensor:
    """1 where an item is neither in the history nor a label, shape `(u, n_items)`."""
    return 1 - torch.from_numpy((examples.seen + examples.relevant).toarray()).clamp(max=1)


def _among_rest(examples: Examples, drawn: Tensor) -> Tensor:
    """Whether a drawn item is neither in the history nor a label, shape `(u, s)`."""
    taken = (examples.seen[:, drawn.numpy()] + examples.relevant[:, drawn.numpy()]).toarray()
    return torch.from_numpy(taken == 0)
