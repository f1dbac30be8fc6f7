"""What a small model gains by a source, at the gate."""

from typing import Any, Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.embeddings import Item2Vec
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.transfer.link import Link

__all__ = ["quick_gain", "some_users"]

_MOST_USERS: Final = 300
"""Users of the target that it is fitted on: more tell sources apart better, and take longer."""

_SMALL: Final = RecommenderConfig(
    item2vec=Item2Vec(dimensions=32, epochs=5),
    tower=TowerConfig(hidden=0),
    train=TrainConfig(epochs=3),
    fine_tune=TrainConfig(epochs=2, learning_rate=1e-4),
    folds=2,
    per_user=2,
    most_cuts=2 * _MOST_USERS,
)


def some_users(target: InteractionLog, seed: int) -> InteractionLog:
    """The rows of 300 users at most, drawn."""
    users = target.users.ids
    if users.len() <= _MOST_USERS:
        return target
    drawn = np.random.default_rng(seed).choice(users.len(), _MOST_USERS, replace=False)
    chosen = users.gather(np.sort(drawn)).implode()
    return target.with_frame(target.frame.filter(pl.col(Columns.User).is_in(chosen)))


def quick_gain(
    one: Pretrained, target: InteractionLog, *, link: Link | None, min_coverage: float, seed: int
) -> dict[str, Any]:
    """Fit a small recommender, and what its gate measures: NDCG@10 with the source less that without.

    Args:
        one: The source.
        target: Users of the target, as `some_users` draws them.
        link: As in `Recommender.fit`.
        min_coverage: Likewise.
        seed: Where randomness starts.

    Returns:
        `gain` with its interval, `gain_low` and `gain_high`; or `reason`, where too few users could be
        measured.
    """
    model = Recommender(one, config=_SMALL, seed=seed).fit(target, link=link, min_coverage=min_coverage)
    found = model.verdict.as_dict()
    if found["difference"] is None:
        return {"reason": f"no small model can be measured ({model.verdict}); by='probe' needs none"}
    return {"gain": found["difference"], "gain_low": found["low"], "gain_high": found["high"]}
