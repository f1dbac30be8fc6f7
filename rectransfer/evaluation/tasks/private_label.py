"""A chain's own brand in new stores: neither products nor households are shared. Complete Journey."""

from typing import Final, Literal

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.journey import (
    LAST_WEEK,
    LEAST_HOUSEHOLDS,
    described,
    groceries,
    journey_log,
)
from rectransfer.evaluation.tasks.store_launch import launch
from rectransfer.evaluation.tasks.task import Task
from rectransfer.logs import InteractionLog, PublicData, share_of_users
from rectransfer.transfer.text import link_by_text
from rectransfer.vocabulary import Vocabulary

__all__ = ["private_label"]

_TEXTS: Final = ("category", "subcategory", "kind")


def private_label(
    data: PublicData,
    *,
    share: float = 1.0,
    seed: int = 0,
    link: Literal["text"] = "text",
    n_stores: int = 40,
    stores_seed: int = 0,
) -> Task:
    """New stores sell the chain's own brand only; the other stores' log knows national brands only.

    The stores that open are those of `store_launch`. The source is what the other stores' households bought
    of national brands in weeks 1 to 43, the target what a share of the new stores' households bought of the
    chain's own brand in weeks 40 to 43. The test is the same for every share: all households of the new
    stores from week 44 on. Neither products nor households are shared; the bridge is a link from each product
    of the own brand to the national product with the most similar department, category, type and size (of
    equals the one that most source households buy). Ranked are all products of the own brand that the chain
    sold by week 43.

    Args:
        data: `fetch("complete-journey")`.
        share: Of the new stores' households, in (0, 1], whose log may be learned from; smaller shares are
            parts of larger ones.
        seed: Draws the households of the share.
        link: How products are linked: by their text.
        n_stores: How many open.
        stores_seed: Draws them.

    Raises:
        InputError: The data is something else, has too few stores, or an argument is out of range.
    """
    if link != "text":
        raise InputError(f"link={link!r}; products can be linked by 'text'")
    rows = described(groceries(data, "private_label"), data, "brand")
    parts = launch(rows, n_stores, stores_seed)
    own, national = pl.col("brand") == "Private", pl.col("brand") == "National"
    source = journey_log(parts.others.filter(national), "other stores, national brands, weeks 1-43")
    histories = journey_log(parts.new.filter(own), "new stores, own brand, weeks 40-43")
    target = histories if share == 1.0 else share_of_users(histories, share, seed=seed).log
    items = Vocabulary.from_ids(rows.filter(own & (pl.col("week") <= LAST_WEEK))["product_id"])
    table = _link(data.items, source, items)
    return Task(
        name=f"private-label, {share:.0%}",
        source=source,
        target=target,
        histories=histories,
        test=journey_log(parts.later.filter(own), "new stores, own brand, weeks 44-53"),
        items=items,
        guarantee=_guarantee(source, target, histories, table, n_stores, stores_seed, seed),
        titles=data.items,
        context=source.items,
        link=table,
    )


def _link(catalogue: pl.DataFrame, source: InteractionLog, items: Vocabulary) -> pl.DataFrame:
    """Each product of the own brand and the national one that it is most like."""
    ending = r", store brand$"
    texts = catalogue.with_columns(kind=pl.col("title").str.replace(ending, ""))  # the type, and the size
    buyers = source.frame.group_by(Columns.Item).agg(pl.col(Columns.User).n_unique().alias("buyers"))
    national = texts.join(buyers, on=Columns.Item).sort("buyers", Columns.Item, descending=[True, False])
    private = texts.filter(pl.Series(items.rows(texts[Columns.Item]) >= 0))
    return link_by_text(national, private, text_columns=_TEXTS)


def _guarantee(
    source: InteractionLog,
    target: InteractionLog,
    histories: InteractionLog,
    table: pl.DataFrame,
    n_stores: int,
    stores_seed: int,
    seed: int,
) -> str:
    return (
        f"one cut in time for everybody: every row of source and target is of week {LAST_WEEK} or earlier, "
        f"every test row of week {LAST_WEEK + 1} or later; the {n_stores} new stores are drawn with seed "
        f"{stores_seed}, and none of their households is among the source's {source.n_users:,}, none of the "
        f"products that are ranked among the source's {source.n_items:,}; {table.height:,} of them are "
        f"linked by their descriptions to {table['source_id'].n_unique():,} of those, and no log was "
        "looked at for that but the source's, to choose between equal descriptions; pooled baselines learn "
        "over the products of both, and what target households bought counts for the linked national "
        "product, too, so they go over the same bridge (of the ways to pool that were tried it was "
        f"the best for EASE); the target's log has {target.n_users:,} of {histories.n_users:,} households "
        f"(seed {seed}), and all are tested, each by its own rows; only the lists of products that "
        f"{LEAST_HOUSEHOLDS} households buy, and of the own brand's products by week {LAST_WEEK}, look at "
        "all households, for all models alike"
    )
