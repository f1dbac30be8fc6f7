"""A grocery chain opens stores: Complete Journey."""

from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.task import Task
from rectransfer.logs import InteractionLog, PublicData
from rectransfer.vocabulary import Vocabulary

__all__ = ["store_launch"]

_NO_GROCERIES: Final = ("Fuel", "Coupon", "Miscellaneous")
_LEAST_HOUSEHOLDS: Final = 10
_FIRST_WEEK: Final = 40  # of the new stores' log
_LAST_WEEK: Final = 43  # of everything that may be learned from
_COLUMNS: Final = {
    "household_id": Columns.User,
    "product_id": Columns.Item,
    "transaction_timestamp": Columns.Timestamp,
    "basket_id": Columns.Session,
}


def store_launch(data: PublicData, *, seed: int = 0, n_stores: int = 40) -> Task:
    """Stores open, have four weeks of log, and want to know what their households will buy next.

    A household's home is the store with most of its rows up to week 43 (of equals the one with the lowest
    number). Some home stores are drawn as the new ones. The source is the other stores' households in weeks 1
    to 43, the target the new stores' households in weeks 40 to 43, the test the same households from week 44
    on. Departments that sell no products, and products that fewer than ten households buy in the whole year,
    are left out.

    Args:
        data: `fetch("complete-journey")`.
        seed: Draws the stores.
        n_stores: How many open.

    Raises:
        InputError: The data is something else, or has too few stores.
    """
    rows = _groceries(data)
    homes = _homes(rows)
    stores = homes["home"].unique().sort().to_numpy()
    if not 1 <= n_stores < len(stores):
        raise InputError(f"{n_stores} of {len(stores)} home stores cannot open: 1 to {len(stores) - 1} can")
    opened = np.random.default_rng(seed).permutation(stores)[:n_stores]
    rows = rows.join(homes, on="household_id", maintain_order="left")
    new, week = pl.col("home").is_in(opened.tolist()), pl.col("week")
    source = _log(rows.filter(~new & (week <= _LAST_WEEK)), "other stores, weeks 1-43")
    target = _log(
        rows.filter(new & week.is_between(_FIRST_WEEK, _LAST_WEEK)), f"{n_stores} new stores, weeks 40-43"
    )
    test = _log(rows.filter(new & (week > _LAST_WEEK)), "the new stores, weeks 44-53")
    return Task(
        name="store-launch",
        source=source,
        target=target,
        histories=target,
        test=test,
        items=Vocabulary.from_ids(pl.concat([source.items.ids, target.items.ids])),
        guarantee=_guarantee(source, n_stores, seed),
        titles=data.items,
    )


def _guarantee(source: InteractionLog, n_stores: int, seed: int) -> str:
    return (
        f"one cut in time for everybody: every row of source and target is of week {_LAST_WEEK} or earlier, "
        f"every test row of week {_LAST_WEEK + 1} or later; the {n_stores} new stores are drawn with seed "
        f"{seed}, and none of their households is among the source's {source.n_users:,}; only the list of "
        f"products that {_LEAST_HOUSEHOLDS} households buy looks at the whole year, for all models alike"
    )


def _groceries(data: PublicData) -> pl.DataFrame:
    needed = {*_COLUMNS, "store_id", "week"}
    if missing := sorted(needed - set(data.raw.columns)):
        raise InputError(
            f"{data.name} has no columns {missing}: store_launch needs fetch('complete-journey')"
        )
    products = data.items.filter(~pl.col("category").is_in(_NO_GROCERIES))  # nor those without a department
    rows = data.raw.join(
        products.select(pl.col(Columns.Item).alias("product_id")),
        on="product_id",
        how="semi",
        maintain_order="left",
    )
    return rows.filter(pl.col("household_id").n_unique().over("product_id") >= _LEAST_HOUSEHOLDS)


def _homes(rows: pl.DataFrame) -> pl.DataFrame:
    visits = rows.filter(pl.col("week") <= _LAST_WEEK).group_by("household_id", "store_id").len("rows")
    most = visits.sort("household_id", "rows", "store_id", descending=[False, True, False])
    first = most.unique("household_id", keep="first", maintain_order=True)
    return first.select("household_id", pl.col("store_id").alias("home"))


def _log(rows: pl.DataFrame, name: str) -> InteractionLog:
    return InteractionLog.from_frame(rows, columns=_COLUMNS, name=name)
