"""What the tasks on Complete Journey have in common: which rows count, and where households live."""

from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, PublicData

__all__ = ["LAST_WEEK", "LEAST_HOUSEHOLDS", "described", "groceries", "homes", "journey_log"]

LEAST_HOUSEHOLDS: Final = 10
"""Products that fewer households buy in the whole year are left out."""

LAST_WEEK: Final = 43
"""The last week of everything that may be learned from."""

_NO_GROCERIES: Final = ("Fuel", "Coupon", "Miscellaneous")
_COLUMNS: Final = {
    "household_id": Columns.User,
    "product_id": Columns.Item,
    "transaction_timestamp": Columns.Timestamp,
    "basket_id": Columns.Session,
}


def groceries(data: PublicData, task: str) -> pl.DataFrame:
    """The rows of products from departments that sell some, if enough households buy them.

    Args:
        data: `fetch("complete-journey")`.
        task: Who asks, for the error.

    Raises:
        InputError: The data is something else.
    """
    needed = {*_COLUMNS, "store_id", "week"}
    if missing := sorted(needed - set(data.raw.columns)):
        raise InputError(f"{data.name} has no columns {missing}: {task} needs fetch('complete-journey')")
    products = data.items.filter(~pl.col("category").is_in(_NO_GROCERIES))  # nor those without a department
    rows = data.raw.join(
        products.select(pl.col(Columns.Item).alias("product_id")),
        on="product_id",
        how="semi",
        maintain_order="left",
    )
    return rows.filter(pl.col("household_id").n_unique().over("product_id") >= LEAST_HOUSEHOLDS)


def described(rows: pl.DataFrame, data: PublicData, column: str) -> pl.DataFrame:
    """The rows with a column of the catalogue beside them."""
    known = data.items.select(pl.col(Columns.Item).alias("product_id"), column)
    return rows.join(known, on="product_id", how="left", maintain_order="left")


def homes(rows: pl.DataFrame) -> pl.DataFrame:
    """`household_id` and its `home`: the store with most of its rows up to the last week that is learned.

    Of equals it is the one with the lowest number.
    """
    visits = rows.filter(pl.col("week") <= LAST_WEEK).group_by("household_id", "store_id").len("rows")
    most = visits.sort("household_id", "rows", "store_id", descending=[False, True, False])
    first = most.unique("household_id", keep="first", maintain_order=True)
    return first.select("household_id", pl.col("store_id").alias("home"))


def journey_log(rows: pl.DataFrame, name: str) -> InteractionLog:
    """The rows as a log: households, products, baskets."""
    return InteractionLog.from_frame(rows, columns=_COLUMNS, name=name)
