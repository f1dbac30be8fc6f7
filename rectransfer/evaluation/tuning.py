"""Choose a baseline's settings on validation users: the baselines get the budget that our own model gets."""

import copy
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Literal

import polars as pl
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation.baselines import (
    Baseline,
    Ease,
    Ials,
    ItemKnn,
    Popularity,
    fit_eases,
    fit_item_knns,
)
from rectransfer.evaluation.score import rank_by_model
from rectransfer.metrics import Metric, Ndcg

__all__ = ["Budget", "Family", "Tuned", "default_grid", "tune"]

_logger = logging.getLogger(__name__)

Family = Literal["popularity", "item_knn", "ease", "ials"]
Budget = Literal["small", "full"]

_EASE_SMALL: Final = (100.0, 500.0, 2000.0, 10000.0)
_EASE: Final = (10.0, 30.0, 60.0, 100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0, 10000.0)
_KNN_SMALL: Final = ((20, 0.0), (400, 0.0), (100, 20.0), (400, 100.0))
_KNN: Final = tuple(product((20, 100, 400), (0.0, 5.0, 20.0, 100.0)))
_IALS_SMALL: Final = ((16, 10.0, 1.0), (64, 10.0, 1.0), (64, 50.0, 1.0), (64, 100.0, 1.0))
_IALS: Final = tuple(product((16, 64), (10.0, 50.0, 100.0), (1.0, 10.0)))


@dataclass(frozen=True)
class Tuned:
    """The best of several models.

    Attributes:
        best: The winner, fitted; of equals the first.
        value: Its mean over the validation users.
        metric: What was measured.
        tried: The names of all candidates and their means, in the order they came.
    """

    best: Baseline
    value: float
    metric: str
    tried: tuple[tuple[str, float], ...] = field(repr=False)

    def frame(self) -> pl.DataFrame:
        """`name` and the metric's mean for every candidate, best first."""
        table = pl.DataFrame(self.tried, schema={"name": pl.String, self.metric: pl.Float64}, orient="row")
        return table.sort(self.metric, descending=True, maintain_order=True)


def tune(
    candidates: Sequence[Baseline],
    train: csr_array,
    history: csr_array,
    relevant: csr_array,
    metric: Metric | None = None,
    exclude: csr_array | None = None,
) -> Tuned:
    """Fit every candidate and keep the one that ranks the validation users' items best.

    Users without any history get the most popular items, whatever the model.

    Args:
        candidates: Unfitted models, which stay as they are.
        train: What they learn from, shape `(n_train_users, n_columns)`.
        history: What the validation users took before, shape `(n_users, n_columns)`.
        relevant: What they took then, shape `(n_users, n_items)`: the first `n_items` columns are ranked.
        metric: What decides; NDCG@10 where it isn't given.
        exclude: Items that leave a user's ranking, same shape as `relevant`; often the history.

    Raises:
        InputError: No candidate, or no validation user with a relevant item.

    Examples:
        >>> block = csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]])
        >>> history, relevant = csr_array([[0, 0, 1, 0]]), csr_array([[0, 0, 0, 1]])
        >>> tune([Popularity(), Ease(l2=1.0)], block, history, relevant, exclude=history).best.name
        'ease(l2=1)'
    """
    if not candidates:
        raise InputError("tune needs one candidate at least; default_grid('ease') gives some")
    measure = Ndcg(10) if metric is None else metric
    best: Baseline | None = None
    tried: list[tuple[str, float]] = []
    n_ranked = relevant.shape[1]
    popular = Popularity().fit(train, n_ranked).counts
    for model in _fitted(candidates, train, n_ranked):
        values = measure.per_user(rank_by_model(model, history, relevant, exclude, popular))
        if not len(values):
            raise InputError(f"none of the {relevant.shape[0]} validation users has a relevant item")
        _logger.info("%s: %s %.4f", model.name, measure.name, values.mean())
        if best is None or values.mean() > max(value for _, value in tried):
            best = model
        tried.append((model.name, float(values.mean())))
    assert best is not None  # noqa: S101 (there is a candidate)
    return Tuned(best, max(value for _, value in tried), measure.name, tuple(tried))


def _fitted(candidates: Sequence[Baseline], train: csr_array, n_ranked: int) -> Iterable[Baseline]:
    """Fitted copies; a family that can share work does."""
    eases = [model for model in candidates if isinstance(model, Ease)]
    knns = [model for model in candidates if isinstance(model, ItemKnn)]
    if len(eases) == len(candidates):
        return fit_eases(eases, train, n_ranked)
    if len(knns) == len(candidates):
        return fit_item_knns(knns, train, n_ranked)
    return (copy.copy(candidate).fit(train, n_ranked) for candidate in candidates)


def default_grid(name: Family, seed: int = 0, budget: Budget = "full") -> tuple[Baseline, ...]:
    """Settings that cover what works on logs of very different sizes.

    Every model has the same number of them, but popularity, which has no settings.

    Args:
        name: The model.
        seed: For the models that start at random.
        budget: 4 settings ("small") or 12 ("full", which has those 4, too).

    Raises:
        InputError: There is no such model or budget.
    """
    if budget not in ("small", "full"):
        raise InputError(f"the budget is 'small' or 'full', got {budget!r}")
    small = budget == "small"
    match name:
        case "popularity":
            return (Popularity(),)
        case "item_knn":
            return tuple(ItemKnn(k, shrinkage) for k, shrinkage in (_KNN_SMALL if small else _KNN))
        case "ease":
            return tuple(Ease(l2) for l2 in (_EASE_SMALL if small else _EASE))
        case "ials":
            settings = _IALS_SMALL if small else _IALS
            return tuple(Ials(factors, l2, alpha, seed=seed) for factors, l2, alpha in settings)
    raise InputError(f"no baseline is called {name!r}: popularity, item_knn, ease or ials")
