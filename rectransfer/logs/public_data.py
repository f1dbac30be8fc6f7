"""What a public data set is made of."""

from dataclasses import dataclass

import polars as pl

from rectransfer.logs.interaction_log import InteractionLog

__all__ = ["PublicData"]


@dataclass(frozen=True, eq=False, repr=False)
class PublicData:
    """A public data set.

    Attributes:
        name: What `fetch` calls it.
        log: Its interactions.
        items: `item_id`, `title`, `category` and more, one row an item; items that nobody took may be there.
        users: `user_id` and what is known of them; None where nothing is.
        raw: The interactions with all columns that the log has no place for, under the data's own names.
        source: Where it comes from.
        licence: What may be done with it.
    """

    name: str
    log: InteractionLog
    items: pl.DataFrame
    users: pl.DataFrame | None
    raw: pl.DataFrame
    source: str
    licence: str

    def __repr__(self) -> str:
        return f"PublicData({self.name!r}: {self.log!r}, {self.items.height:,} items with titles)"
