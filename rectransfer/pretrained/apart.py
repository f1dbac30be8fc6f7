"""Whether a source has learned from the target's own rows."""

from typing import Final

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.pretrained.pretrained import Pretrained

__all__ = ["not_apart"]

_SHARED_ROWS: Final = 0.01
"""The share of the target's rows that may be in a source by accident."""

_KEY: Final = [Columns.User, Columns.Item, Columns.Timestamp]


def not_apart(one: Pretrained, target: InteractionLog) -> str | None:
    """Why a source and a target aren't apart, and the remedy: what is measured on it would be memory.

    None where they are, or where nobody can tell: the source keeps no histories, or its ids or times are of
    other types.
    """
    kept = one.histories
    if kept is None or any(kept.frame[name].dtype != target.frame[name].dtype for name in _KEY):
        return None
    both = target.frame.select(_KEY).join(kept.frame.select(_KEY), on=_KEY, how="semi").height
    if both <= _SHARED_ROWS * len(target):
        return None
    return (
        f"{both:,} of the target's {len(target):,} rows are in the source's log as well, so the "
        "source has learned what the gate would test it on; take them out of it and pretrain again: "
        "source.frame.join(target.frame, on=['user_id', 'item_id', 'timestamp'], how='anti')"
    )
