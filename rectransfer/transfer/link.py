"""Link tables: which item of the target is which of the source."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from rectransfer.errors import InputError
from rectransfer.vocabulary import Vocabulary, as_ids

__all__ = ["SOURCE", "TARGET", "Link", "examples", "link_pairs", "same_type"]

logger = logging.getLogger(__name__)

Link = pl.DataFrame | Mapping[Any, Any]
"""Target ids to source ids: a frame with the columns `target_id` and `source_id`, or a mapping."""

TARGET: Final = "target_id"
SOURCE: Final = "source_id"


def link_pairs(link: Link, target: Vocabulary, source: Vocabulary) -> pl.DataFrame:
    """The pairs of a link table whose ids target and source have, each target id once."""
    given = _link_frame(link)
    same_type(Vocabulary.from_ids(given[TARGET]), f"the link table's {TARGET}", target, "the target's items")
    same_type(Vocabulary.from_ids(given[SOURCE]), f"the link table's {SOURCE}", source, "the source's items")
    if (twice := given.filter(pl.col(TARGET).is_duplicated()).sort(TARGET)).height:
        first = twice[TARGET][0]
        sources = twice.filter(pl.col(TARGET) == first)[SOURCE].head(3).to_list()
        raise InputError(
            f"{twice[TARGET].n_unique():,} target ids link to more than one source id, for example "
            f"{first!r} to {sources}; keep one: link.unique({TARGET!r})"
        )
    in_target, in_source = target.rows(given[TARGET]) >= 0, source.rows(given[SOURCE]) >= 0
    usable = given.filter(in_target & in_source)
    if not usable.height:
        raise InputError(
            f"none of the link table's {given.height:,} pairs can be used: "
            f"{np.count_nonzero(in_target):,} have an item of the target (such as {target.ids[0]!r}), "
            f"{np.count_nonzero(in_source):,} one of the source (such as {source.ids[0]!r}), none both; "
            f"the first pair is {given.row(0)}: are the columns swapped?"
        )
    if usable.height < given.height:
        logger.warning(
            "%s of %s pairs of the link table are left out: %s name no item of the target, %s no source item",
            *(given.height - usable.height, given.height),
            *(np.count_nonzero(~in_target), np.count_nonzero(~in_source)),
        )
    return usable


def _link_frame(link: Link) -> pl.DataFrame:
    if isinstance(link, Mapping):
        columns: tuple[Any, Any] = (list(link.keys()), list(link.values()))
    elif not isinstance(link, pl.DataFrame):
        raise InputError(
            f"link is a {type(link).__module__}.{type(link).__name__}; expected a polars frame of "
            f"{TARGET!r} and {SOURCE!r}, or a mapping of target ids to source ids"
        )
    elif {TARGET, SOURCE} <= set(link.columns):
        columns = (link[TARGET], link[SOURCE])
    else:
        raise InputError(f"the link table's columns are {link.columns}; expected {TARGET!r} and {SOURCE!r}")
    ids = [as_ids(column, name).alias(name) for column, name in zip(columns, (TARGET, SOURCE), strict=True)]
    frame = pl.DataFrame(ids).unique(maintain_order=True)
    if not frame.height:
        raise InputError("the link table is empty; leave it out to go by equal ids")
    return frame


def same_type(one: Vocabulary, its_name: str, other: Vocabulary, other_name: str) -> None:
    """Check that two vocabularies can be compared.

    Raises:
        InputError: One holds numbers, the other text.
    """
    if one.dtype != other.dtype:
        raise InputError(
            f"{its_name} ids are {one.dtype} (for example {one.ids[0]!r}), {other_name} are {other.dtype} "
            f"({other.ids[0]!r}); cast one of them: frame.with_columns(pl.col(...).cast(pl.{other.dtype}))"
        )


def examples(what: str, source: Vocabulary, target: Vocabulary) -> str:
    """What ids look like on both sides."""
    return (
        f"{what} of the source look like {source.ids.head(3).to_list()} ({source.dtype}), "
        f"of the target like {target.ids.head(3).to_list()} ({target.dtype})"
    )
