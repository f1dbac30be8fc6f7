"""Complete Journey, cut into domains: groups of stores, and departments."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

import rectransfer as rt

LAST_WEEK = 43
TESTED = 1000
COLUMNS = {
    "household_id": "user_id",
    "product_id": "item_id",
    "transaction_timestamp": "timestamp",
    "basket_id": "session_id",
}
NO_GROCERIES = ("Fuel", "Coupon", "Miscellaneous")
MOST_PRODUCTS = 400  # of a department
LEAST_STORES, LEAST_DEPARTMENTS = 100, 30  # households of a product
FIRST_WEEK = {"stores": 40, "departments": 32}  # of a target; a department is visited less often


@dataclass(frozen=True)
class Domain:
    """A part of the chain."""

    name: str
    source: rt.InteractionLog
    target: rt.InteractionLog
    histories: rt.InteractionLog
    test: rt.InteractionLog


def groceries(journey: Any, least: int) -> pl.DataFrame:
    """Rows of products that so many households bought by week 43, with department and home store."""
    items = journey.items.select(
        pl.col("item_id").alias("product_id"), pl.col("category").alias("department")
    )
    rows = journey.raw.join(items, on="product_id", how="inner", maintain_order="left")
    early = rows.filter(pl.col("week") <= LAST_WEEK)
    common = early.group_by("product_id").agg(pl.col("household_id").n_unique().alias("n"))
    rows = rows.join(common.filter(pl.col("n") >= least), on="product_id", how="semi", maintain_order="left")
    visits = early.group_by("household_id", "store_id").len().sort("household_id", "len", "store_id")
    homes = visits.group_by("household_id").agg(pl.col("store_id").last().alias("home"))
    return rows.join(homes, on="household_id", how="inner", maintain_order="left")


def by_store(rows: pl.DataFrame, n: int) -> dict[str, pl.DataFrame]:
    """Home stores from cheap to dear, in groups of growing size."""
    early = rows.filter(pl.col("week") <= LAST_WEEK)
    stores = (
        early.group_by("home")
        .agg(
            (pl.col("sales_value").sum() / pl.col("quantity").sum()).alias("price"),
            pl.col("household_id").n_unique().alias("households"),
        )
        .filter(pl.col("households") >= 5)
        .sort("price", "home")
    )
    share = stores["households"].cum_sum() / stores["households"].sum()
    ends = np.cumsum(np.arange(1, n + 1)) / (n * (n + 1) / 2)
    group = np.minimum(np.searchsorted(ends, share.to_numpy() - 1e-9), n - 1)
    found = {}
    for number in range(n):
        homes = stores["home"].filter(pl.Series(group == number))
        found[f"stores {number + 1}"] = rows.filter(pl.col("home").is_in(homes.implode()))
    return found


def by_department(rows: pl.DataFrame, n: int) -> dict[str, pl.DataFrame]:
    """The departments with most rows, their 400 most bought products, a third of the households."""
    ids = rows["household_id"].unique().sort()
    third = pl.Series(np.random.default_rng(0).permutation(ids.to_numpy())[: ids.len() // 3])
    rows = rows.filter(
        pl.col("household_id").is_in(third.implode()) & ~pl.col("department").is_in(NO_GROCERIES)
    )
    early = rows.filter(pl.col("week") <= LAST_WEEK)
    bought = early.group_by("department", "product_id").agg(pl.col("household_id").n_unique().alias("n"))
    bought = bought.sort("n", "product_id", descending=True).group_by("department", maintain_order=True)
    rows = rows.join(bought.head(MOST_PRODUCTS), on="product_id", how="semi", maintain_order="left")
    sizes = early.group_by("department").len().sort("len", "department", descending=True)
    return {name: rows.filter(pl.col("department") == name) for name in sizes["department"][:n]}


def domain(name: str, rows: pl.DataFrame, first: int, households: int, seed: int) -> Domain:
    """Source, thin target and test of a part's rows."""
    week = pl.col("week")
    before, after = rows.filter(week.is_between(first, LAST_WEEK)), rows.filter(week > LAST_WEEK)
    both = np.intersect1d(before["household_id"].unique(), after["household_id"].unique())
    drawn = pl.Series(np.random.default_rng(seed).permutation(both))
    fitted = pl.col("household_id").is_in(drawn[:households].implode())
    tested = pl.col("household_id").is_in(drawn[:TESTED].implode())

    def log(part: pl.DataFrame, what: str) -> rt.InteractionLog:
        return rt.InteractionLog.from_frame(part, columns=COLUMNS, name=f"{name}, {what}")

    return Domain(
        name,
        log(rows.filter(week <= LAST_WEEK), "source"),
        log(before.filter(fitted), "target"),
        log(before.filter(tested), "histories"),
        log(after.filter(tested), "test"),
    )
