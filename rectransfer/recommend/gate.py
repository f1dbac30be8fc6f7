"""The gate: contenders are measured on users of the target, and the best one ships."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rectransfer.metrics import paired_bootstrap
from rectransfer.ranking import Examples, Ranker, Slate, fit_ranker
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.scene import list_ndcg

__all__ = ["ALONE", "Contender", "Fold", "Verdict", "judge"]

logger = logging.getLogger(__name__)

ALONE: Final = "target alone"
"""The contender without any source."""

_FEWEST: Final = 5
"""Users below which nothing is measured."""


@dataclass(frozen=True)
class Verdict:
    """What the gate measured, and what it chose.

    Attributes:
        ships: `"transfer"` or `"target"`.
        reason: The same in a sentence.
        difference: NDCG@10 of the transferred model less that of the target alone, mean over users; NaN where
            it wasn't measured.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        n_users: Users whom it was measured on.
        contender: The model that ships.
        contenders: NDCG@10 of every model tried.
    """

    ships: Literal["transfer", "target"]
    reason: str
    difference: float
    low: float
    high: float
    n_users: int
    contender: str
    contenders: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None, as JSON has none."""
        found = asdict(self)
        return {
            name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in found.items()
        }

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, eq=False)
class Fold:
    """A contender's view of the users of one fold, whom its tables have never seen.

    Attributes:
        learn: A slate that rankers of the other folds learn from.
        examples: What the fold's users are measured on.
        candidates: Their candidates.
        slate: Their signals.
    """

    learn: Slate
    examples: Examples
    candidates: npt.NDArray[np.int64]
    slate: Slate


@dataclass(frozen=True, eq=False)
class Contender:
    """A model that might ship.

    Attributes:
        name: What reports call it.
        folds: Its views of the folds.
        start: Makes the ranker that it begins from, given a slate to measure signals on.
        pull: How strongly the ranker is held to that start; None: it isn't trained.
        transferred: Whether it takes anything from a source.
    """

    name: str
    folds: tuple[Fold, ...]
    start: Callable[[Slate], Ranker]
    pull: float | None
    transferred: bool = True

    def ranker(self, slate: Slate, config: RecommenderConfig) -> Ranker:
        """The ranker, trained on a slate."""
        ranker = self.start(slate)
        if self.pull is None:
            return ranker
        return fit_ranker(ranker, slate, replace(config.ranker, pull=self.pull), config.seed)

    def per_user(self, config: RecommenderConfig) -> npt.NDArray[np.float64]:
        """NDCG@10 of every user, each by a ranker that learned from the other folds."""
        values = []
        for out, fold in enumerate(self.folds):
            if not len(fold.examples):
                continue
            others = [other.learn for place, other in enumerate(self.folds) if place != out]
            ranker = self.ranker(Slate.concatenate(others), config)
            values.append(list_ndcg(fold.examples, fold.candidates, ranker.score(fold.slate)))
        return np.concatenate(values) if values else np.zeros(0)

    def final(self, config: RecommenderConfig) -> Ranker:
        """The ranker that ships, trained on every fold."""
        return self.ranker(Slate.concatenate([fold.learn for fold in self.folds]), config)


def judge(contenders: list[Contender], config: RecommenderConfig) -> tuple[Contender, Verdict]:
    """Measure the contenders on the same users, and choose.

    The transferred contender that does best meets the target alone. It ships if its mean is higher; else the
    target alone does.
    """
    values = {one.name: one.per_user(config) for one in contenders}
    means = {name: float(found.mean()) if len(found) else float("nan") for name, found in values.items()}
    alone = next(one for one in contenders if not one.transferred)
    rivals = [one for one in contenders if one.transferred]
    n_users = len(values[alone.name])
    for name, mean in means.items():
        logger.info("%s: NDCG@10 %.4f on %s users", name, mean, n_users)
    if not rivals:
        reason = f"there is no source: the target alone ships (NDCG@10 {means[ALONE]:.4f} on {n_users} users)"
        return alone, _verdict("target", reason, (float("nan"),) * 3, n_users, alone, means)
    if n_users < _FEWEST:
        reason = (
            f"only {n_users} users have two visits or more, too few to measure anything: the transfer ships "
            "unmeasured; fit again when the log has grown"
        )
        return rivals[0], _verdict("transfer", reason, (float("nan"),) * 3, n_users, rivals[0], means)
    best = max(rivals, key=lambda one: means[one.name])
    gap = paired_bootstrap(values[best.name], values[alone.name], seed=config.seed)
    ships = best if gap.mean > 0 else alone
    sure = "" if gap.low > 0 or gap.high < 0 else ", which may be chance"
    words = "better" if gap.mean > 0 else "no better"
    reason = (
        f"the {'transfer' if ships is best else 'target alone'} ships: with the source, NDCG@10 is {words} "
        f"than without it by {gap.mean:+.4f} (95 % interval {gap.low:+.4f} to {gap.high:+.4f}{sure}; "
        f"{means[best.name]:.4f} against {means[ALONE]:.4f} on {n_users} users of the target)"
    )
    return ships, _verdict(
        "transfer" if ships is best else "target", reason, (gap.mean, gap.low, gap.high), n_users, ships, means
    )


def _verdict(
    ships: Literal["transfer", "target"],
    reason: str,
    gap: tuple[float, float, float],
    n_users: int,
    chosen: Contender,
    means: Mapping[str, float],
) -> Verdict:
    return Verdict(ships, reason, *gap, n_users, chosen.name, dict(means))
