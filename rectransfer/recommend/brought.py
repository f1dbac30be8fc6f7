"""What a source's users did there, as it can stand beside the target's log."""

import logging
from datetime import timedelta
from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import Pretrained
from rectransfer.transfer.link import SOURCE, TARGET, Link, link_pairs
from rectransfer.vocabulary import Vocabulary

__all__ = ["brought"]

logger = logging.getLogger(__name__)

_STEPS: Final = {pl.Datetime: timedelta(seconds=1), pl.Date: timedelta(days=1)}
"""What is before a moment; of whole numbers the one before."""

_FAR: Final = 50
"""How many times as far from zero one of two logs in the same unit hardly ends: minutes are sixty seconds."""


def brought(
    one: Pretrained, target: InteractionLog, catalogue: Vocabulary, link: Link | None, *, at_once: bool
) -> InteractionLog | None:
    """What the source's users did there, if it was kept and can stand beside the target's log.

    Args:
        one: The source.
        target: The target's log.
        catalogue: The target's items.
        link: Which items of the source are which of the target's; None where ids are equal.
        at_once: Nothing is known of times: it is put before the target's, as equal rows are two.
    """
    kept = one.histories
    if kept is None or not _fits(kept.frame, target, (Columns.User, Columns.Timestamp)):
        return None
    if not at_once:
        _warn_of_units(kept, target)
    frame = kept.frame if link is None else _renamed(kept, one.items.vocabulary, catalogue, link)
    if not frame.height or not _fits(frame, target, (Columns.Item,)):
        return None
    if at_once:
        first = pl.lit(target.span[0], dtype=target.frame[Columns.Timestamp].dtype)
        step = _STEPS.get(target.frame[Columns.Timestamp].dtype.base_type(), 1)
        frame = frame.with_columns((first - step).alias(Columns.Timestamp))
    return kept if frame is kept.frame else InteractionLog.from_frame(frame, name=kept.name)


def _fits(kept: pl.DataFrame, target: InteractionLog, columns: tuple[str, ...]) -> bool:
    """Whether columns are of the target's types; a warning where they aren't."""
    for column in columns:
        if kept[column].dtype != target.frame[column].dtype:
            logger.warning(
                "shared users don't bring their histories: %s is %s in the source and %s in the target; "
                "cast one of them",
                column,
                kept[column].dtype,
                target.frame[column].dtype,
            )
            return False
    return True


def _warn_of_units(kept: InteractionLog, target: InteractionLog) -> None:
    """Warn where the integers that tell time in both logs seem to count in different units."""
    ends = [log.span[1] for log in (kept, target)]
    numbers = [abs(end) for end in ends if isinstance(end, int)]
    if len(numbers) == len(ends) and max(numbers) > _FAR * max(1, min(numbers)):
        logger.warning(
            "timestamps of %s end at %s and the target's at %s: do both count in the same unit, from the "
            "same start? Their users' rows are put in one order",
            kept.name,
            f"{ends[0]:,}",
            f"{ends[1]:,}",
        )


def _renamed(kept: InteractionLog, items: Vocabulary, catalogue: Vocabulary, link: Link) -> pl.DataFrame:
    """Rows under the target's ids, where a source item is linked to one item of the target.

    Items that aren't linked, or to several, keep the source's ids. Where these are of another type, or the
    target calls something else by them, the rows are left out.
    """
    pairs = link_pairs(link, catalogue, items)
    one_to_one = pairs.filter(~pl.col(SOURCE).is_duplicated()).rename({SOURCE: Columns.Item})
    frame = kept.frame.join(one_to_one, on=Columns.Item, how="left", maintain_order="left")
    own: pl.Expr = pl.lit(None, dtype=catalogue.dtype)
    why = f"{kept.items.dtype}, the target's {catalogue.dtype}"
    if kept.items.dtype == catalogue.dtype:
        own = pl.when(pl.Series(catalogue.rows(frame[Columns.Item]) < 0)).then(Columns.Item)
        why = "those of other items in the target"
    found = frame.with_columns(pl.coalesce(TARGET, own).alias(Columns.Item)).drop(TARGET)
    usable = found.filter(pl.col(Columns.Item).is_not_null())
    if lost := found.height - usable.height:
        logger.warning(
            "%s of %s rows of shared users' histories are left out: the link table has no target item "
            "that is theirs alone, and their ids are %s; give the source's ids a prefix, in its log and in "
            "the link table, and pretrain again",
            f"{lost:,}",
            f"{found.height:,}",
            why,
        )
    return usable
