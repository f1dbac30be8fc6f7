"""A grocery chain opens stores: Complete Journey."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.journey import (
    LAST_WEEK,
    LEAST_HOUSEHOLDS,
    groceries,
    homes,
    journey_log,
)
from rectransfer.evaluation.tasks.task import Task
from rectransfer.logs import InteractionLog, PublicData, share_of_users
from rectransfer.vocabulary import Vocabulary

__all__ = ["Launch", "launch", "store_launch"]

FIRST_WEEK: Final = 40  # of the new stores' log


class Launch(NamedTuple):
    """Rows of a chain before and after some of its stores open.

    Attributes:
        others: The other stores' households, up to the last week that is learned.
        new: The new stores' households, weeks 40 to 43.
        later: The same households afterwards.
    """

    others: pl.DataFrame
    new: pl.DataFrame
    later: pl.DataFrame


def store_launch(
    data: PublicData, *, share: float = 1.0, seed: int = 0, n_stores: int = 40, stores_seed: int = 0
) -> Task:
    """Stores open, have four weeks of log, and want to know what their households will buy next.

    A household's home is the store with most of its rows up to week 43 (of equals the one with the lowest
    number). Some home stores are drawn as the new ones. The source is the other stores' households in weeks 1
    to 43, the target a share of the new stores' households in weeks 40 to 43. The test is the same for every
    share: all households of the new stores from week 44 on, with what they bought there in weeks 40 to 43 as
    their history. Departments that sell no products, and products that fewer than ten households buy in the
    whole year, are left out.

    Args:
        data: `fetch("complete-journey")`.
        share: Of the new stores' households, in (0, 1], whose log may be learned from; smaller shares are
            parts of larger ones.
        seed: Draws the households of the share.
        n_stores: How many open.
        stores_seed: Draws the stores; by itself, so that all shares and seeds have one source.

    Raises:
        InputError: The data is something else, has too few stores, or the share is out of range.
    """
    rows = launch(groceries(data, "store_launch"), n_stores, stores_seed)
    source = journey_log(rows.others, "other stores, weeks 1-43")
    histories = journey_log(rows.new, f"{n_stores} new stores, weeks 40-43")
    target = histories if share == 1.0 else share_of_users(histories, share, seed=seed).log
    return Task(
        name="store-launch" if share == 1.0 else f"store-launch, {share:.0%}",
        source=source,
        target=target,
        histories=histories,
        test=journey_log(rows.later, "the new stores, weeks 44-53"),
        items=Vocabulary.from_ids(pl.concat([source.items.ids, histories.items.ids])),
        guarantee=_guarantee(source, target, histories, n_stores, stores_seed, seed),
        titles=data.items,
    )


def launch(rows: pl.DataFrame, n_stores: int, seed: int) -> Launch:
    """Draw the stores that open, and part the rows.

    Raises:
        InputError: There are too few stores.
    """
    lives = homes(rows)
    stores = lives["home"].unique().sort().to_numpy()
    if not 1 <= n_stores < len(stores):
        raise InputError(f"{n_stores} of {len(stores)} home stores cannot open: 1 to {len(stores) - 1} can")
    opened = np.random.default_rng(seed).permutation(stores)[:n_stores]
    rows = rows.join(lives, on="household_id", maintain_order="left")
    new, week = pl.col("home").is_in(opened.tolist()), pl.col("week")
    return Launch(
        others=rows.filter(~new & (week <= LAST_WEEK)),
        new=rows.filter(new & week.is_between(FIRST_WEEK, LAST_WEEK)),
        later=rows.filter(new & (week > LAST_WEEK)),
    )


def _guarantee(
    source: InteractionLog,
    target: InteractionLog,
    histories: InteractionLog,
    n_stores: int,
    stores_seed: int,
    seed: int,
) -> str:
    others = "" if target is histories else _others(target, histories, seed)
    return (
        f"one cut in time for everybody: every row of source and target is of week {LAST_WEEK} or earlier, "
        f"every test row of week {LAST_WEEK + 1} or later; the {n_stores} new stores are drawn with seed "
        f"{stores_seed}, and none of their households is among the source's {source.n_users:,}; {others}"
        f"only the list of products that {LEAST_HOUSEHOLDS} households buy looks at the whole year, for all "
        "models alike"
    )


def _others(target: InteractionLog, histories: InteractionLog, seed: int) -> str:
    return (
        f"nothing is learned from other households of the new stores than the {target.n_users:,} of "
        f"{histories.n_users:,} in the target's log (seed {seed}), but all of them are tested, each by its "
        "own rows of those weeks; "
    )
