"""How unexpected the recommendations are."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from rectransfer.columns import Columns
from rectransfer.metrics.metric import AtK

__all__ = ["Novelty"]


@dataclass(frozen=True)
class Novelty(AtK):
    """Mean self-information of the top `k`, in bits: `-log2` of the share of users who know the item.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 107(10),
    "Methods". An item that `c` of `n` users know has the share `(c + 1) / (n + 1)`, so an item that nobody
    knows stays finite.

    Examples:
        >>> log = pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["a", "a", "a"]})
        >>> lists = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "rank": [1, 1]})
        >>> Novelty(k=10).per_user(lists, log)["novelty@10"].to_list()  # all four of 3 + 1, one of four
        [0.0, 2.0]
    """

    label: ClassVar[str] = "novelty"

    def per_user(self, recommended: pl.DataFrame, log: pl.DataFrame) -> pl.DataFrame:
        """The mean over each user's list.

        Args:
            recommended: `user_id`, `item_id` and `rank`.
            log: `user_id` and `item_id` of what users knew; rows that repeat count once.

        Returns:
            `user_id` in ascending order, and a column with the metric's name.
        """
        n_users = log[Columns.User].n_unique()
        known = log.select(Columns.User, Columns.Item).unique().group_by(Columns.Item).len("known")
        share = (pl.col("known").fill_null(0) + 1) / (n_users + 1)
        return (
            recommended.filter(pl.col(Columns.Rank) <= self.k)
            .join(known, on=Columns.Item, how="left")
            .group_by(Columns.User)
            .agg((-share.log(2)).mean().abs().alias(self.name))  # abs: no -0.0 where everyone knows the item
            .sort(Columns.User)
        )
