"""The contract test of a fitted model."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.testing.promises import require

__all__ = ["Recommending", "check_model"]

_SCHEMA: Final = {Columns.Score: (pl.Float32, pl.Float64), Columns.Rank: (pl.Int64, pl.UInt32, pl.Int32)}


class Recommending(Protocol):
    """What `check_model` needs of a fitted model; `Recommender` is one."""

    def recommend(
        self, users: Iterable[Any] | None = None, k: int = 10, *, filter_viewed: bool = True
    ) -> pl.DataFrame:
        """`user_id`, `item_id`, `score`, `rank`: the best items for each user."""
        ...


def check_model(model: Recommending, seen: InteractionLog, *, k: int = 10) -> None:
    """Check the recommendations of a fitted model.

    Columns and types, the order of users, ranks from 1 without a gap, falling scores, no item twice, nothing
    that the user has had, fewer rows rather than a wrong one, and the same answer when asked twice.

    Args:
        model: Fitted.
        seen: What its users have had; two users at least.
        k: How many to ask for.

    Raises:
        AssertionError: The promise that is broken.
    """
    users = seen.users.ids.reverse().to_list()
    found = model.recommend(users=users, k=k)
    _check_frame(found, seen, k)
    asked = found[Columns.User].unique(maintain_order=True).to_list()
    require(asked == [user for user in users if user in set(asked)], "users are not in the order asked for")
    had = found.join(seen.frame, on=[Columns.User, Columns.Item], how="semi")
    require(had.is_empty(), f"{had.height} rows are items that the user has had, e.g. {had.head(1).rows()}")
    require(found.equals(model.recommend(users=users, k=k)), "asked twice, it answers differently")
    first = model.recommend(users=users[:1], k=k)
    require(
        first[Columns.Item].equals(found.filter(pl.col(Columns.User) == users[0])[Columns.Item]),
        "a user alone gets other items than the same user among others",
    )
    _check_frame(model.recommend(users=users, k=10**6), seen, 10**6)
    require(
        model.recommend(users=users, k=1)[Columns.Item].to_list()
        == found.filter(pl.col(Columns.Rank) == 1)[Columns.Item].to_list(),
        "the best item for k=1 is another than the best for a larger k",
    )
    require(model.recommend(users=[], k=k).is_empty(), "no users have to give no rows")
    everything = model.recommend(users=users, k=k, filter_viewed=False)
    _check_frame(everything, seen, k)


def _check_frame(found: pl.DataFrame, seen: InteractionLog, k: int) -> None:
    expected = [Columns.User, Columns.Item, Columns.Score, Columns.Rank]
    require(found.columns == expected, f"columns are {found.columns}; expected {expected}")
    for column in (Columns.User, Columns.Item):
        own, theirs = found[column].dtype, seen.frame[column].dtype
        require(own == theirs, f"{column} is {own}; in the log it is {theirs}")
    for name, kinds in _SCHEMA.items():
        require(found[name].dtype in kinds, f"{name} is {found[name].dtype}")
    require(found.null_count().sum_horizontal().sum() == 0, "there are nulls")
    require(bool(found[Columns.Score].is_finite().all()), "a score is NaN or infinite")
    twice = found.select(Columns.User, Columns.Item).is_duplicated()
    require(not twice.any(), f"{twice.sum()} rows recommend an item twice to one user")
    ranks = found.select(
        ok=pl.col(Columns.Rank).cast(pl.Int64) == pl.int_range(1, pl.len() + 1).over(Columns.User)
    )
    require(bool(ranks["ok"].all()), "ranks have to count from 1 within each user, without gaps, in order")
    require(found.filter(pl.col(Columns.Rank) > k).is_empty(), "a user gets more than k rows")
    rises = found.select(up=pl.col(Columns.Score).diff().over(Columns.User).fill_null(0) > 0)
    require(not rises["up"].any(), "scores have to fall with the rank")
