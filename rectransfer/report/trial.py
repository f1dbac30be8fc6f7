"""A model and best sellers on a later log: the lists, and a value for each user."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation import Recommends, require_on_sale
from rectransfer.logs import InteractionLog
from rectransfer.metrics import HitRate, Metric, Ndcg, ranks_from_lists

__all__ = ["BEST_SELLERS", "OURS", "Trial", "run_trial"]

OURS: Final = "This model"
BEST_SELLERS: Final = "Best sellers"

_KEY: Final = [Columns.User, Columns.Item]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trial:
    """What users took next, and what they were recommended.

    Attributes:
        k: The length of the lists.
        users: Who is measured, ascending.
        n_eligible: How many users could have been measured.
        new: Pairs of `user_id` and `item_id` to be found: what was taken, and hadn't been before.
        n_viewed: Pairs of the test that were left out, because the user had them before.
        had: Pairs of what the users had before here.
        past: Pairs of all that the model knows they had, elsewhere included.
        buyers: `item_id` and `buyers`: how many users of the target took it, every item on sale.
        lists: `user_id`, `item_id`, `score`, `rank` of the model and of best sellers, by name.
    """

    k: int
    users: pl.Series
    n_eligible: int
    new: pl.DataFrame
    n_viewed: int
    had: pl.DataFrame
    past: pl.DataFrame
    buyers: pl.DataFrame
    lists: Mapping[str, pl.DataFrame]

    def values(self, name: str, metric: Metric, new: pl.DataFrame | None = None) -> Floats:
        """A metric for each user that has something to find, ascending by user.

        Args:
            name: Of the lists.
            metric: What.
            new: Other pairs to be found than all.
        """
        return metric.per_user(ranks_from_lists(self.lists[name], self.new if new is None else new))

    @property
    def ndcg(self) -> Ndcg:
        """How well the lists are ordered."""
        return Ndcg(self.k)

    @property
    def hit_rate(self) -> HitRate:
        """Whether there is anything in a list."""
        return HitRate(self.k)

    @cached_property
    def history_sizes(self) -> npt.NDArray[np.int64]:
        """How many different items each of the users had before, here or elsewhere, shape `(n_users,)`."""
        sizes = self.past.unique().group_by(Columns.User).len("n")
        asked = self.users.alias(Columns.User).to_frame()
        joined = asked.join(sizes, on=Columns.User, how="left", maintain_order="left")
        return joined["n"].fill_null(0).cast(pl.Int64).to_numpy()


def run_trial(
    model: Recommends,
    test: InteractionLog,
    *,
    history: InteractionLog | None = None,
    k: int = 10,
    n_users: int = 2_000,
    seed: int = 0,
    known: InteractionLog | None = None,
) -> Trial:
    """Recommend to the users of a test, and keep what is needed to say how good that was.

    What a user had before is left out of the test, as in `rectransfer.evaluation.evaluate`.

    Args:
        model: Fitted.
        test: What came after its log.
        history: What the test's users did besides the model's own log.
        k: The length of the lists.
        n_users: At most; where there are more, that many are drawn.
        seed: Draws them.
        known: All that the model looks at, where that is more than the target's own log.

    Raises:
        InputError: Fewer than two users have something new, none of it is on sale, or ids differ in type.
    """
    had = model.taken.select(_KEY)
    _require_types(test, had)
    if history is not None:
        _require_types(history, had)
        had = pl.concat([had, history.frame.select(_KEY)])
    pairs = test.frame.select(_KEY).unique()
    new = pairs.join(had, on=_KEY, how="anti")
    eligible = new[Columns.User].unique().sort()
    if eligible.len() < 2:
        raise InputError(
            f"{test.name}: {eligible.len()} users have something new among {pairs.height:,} pairs of user "
            "and item; a report needs two. Is it the log that the model was fitted on?"
        )
    require_on_sale(test, new[Columns.Item].unique().sort(), model.catalogue)
    users = _drawn(eligible, n_users, seed)
    asked = users.alias(Columns.User).to_frame()
    own = had.join(asked, on=Columns.User, how="semi").unique()
    buyers = _buyers(model)
    return Trial(
        k=k,
        users=users,
        n_eligible=eligible.len(),
        new=new.join(asked, on=Columns.User, how="semi").sort(_KEY),
        n_viewed=pairs.join(asked, on=Columns.User, how="semi").join(own, on=_KEY, how="semi").height,
        had=own,
        past=_past(own, asked, known),
        buyers=buyers,
        lists={
            OURS: model.recommend(users, k, history=history, filter_viewed=True),
            BEST_SELLERS: _best_sellers(buyers, users, own, k),
        },
    )


def _past(own: pl.DataFrame, asked: pl.DataFrame, known: InteractionLog | None) -> pl.DataFrame:
    if known is None:
        return own
    elsewhere = known.frame.select(_KEY).join(asked, on=Columns.User, how="semi")
    return pl.concat([own, elsewhere]).unique()


def _require_types(log: InteractionLog, had: pl.DataFrame) -> None:
    for column in _KEY:
        found, expected = log.frame.schema[column], had.schema[column]
        if found != expected:
            raise InputError(
                f"{log.name}: {column} is {found}, and {expected} in the log that the model was fitted on; "
                f"cast it: pl.col({column!r}).cast(pl.{expected})"
            )


def _drawn(users: pl.Series, n: int, seed: int) -> pl.Series:
    if users.len() <= n:
        return users
    rows = np.random.default_rng(seed).choice(users.len(), n, replace=False)
    return users.gather(np.sort(rows))


def _buyers(model: Recommends) -> pl.DataFrame:
    counts = model.taken.unique().group_by(Columns.Item).len("buyers")
    shelf = model.catalogue.ids.alias(Columns.Item).to_frame()
    return shelf.join(counts, on=Columns.Item, how="left", maintain_order="left").with_columns(
        pl.col("buyers").fill_null(0).cast(pl.Int64)
    )


def _best_sellers(buyers: pl.DataFrame, users: pl.Series, had: pl.DataFrame, k: int) -> pl.DataFrame:
    """The most bought items that a user hasn't had; of equals the one with the lower id."""
    longest = had.group_by(Columns.User).len()["len"].max() or 0
    assert isinstance(longest, int)  # noqa: S101 (polars says less)
    top = buyers.sort("buyers", Columns.Item, descending=[True, False]).head(k + longest)
    shelf = top.select(Columns.Item, pl.col("buyers").cast(pl.Float32).alias(Columns.Score))
    asked = users.alias(Columns.User).to_frame()
    lists = asked.join(shelf, how="cross", maintain_order="left_right").join(
        had, on=_KEY, how="anti", maintain_order="left"
    )
    ranked = lists.with_columns(pl.int_range(1, pl.len() + 1).over(Columns.User).alias(Columns.Rank))
    return ranked.filter(pl.col(Columns.Rank) <= k)
