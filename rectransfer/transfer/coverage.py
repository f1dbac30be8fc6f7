"""How much of the target a bridge reaches."""

from dataclasses import asdict, dataclass
from typing import Literal

import polars as pl

from rectransfer.columns import Columns
from rectransfer.embeddings import UserTable
from rectransfer.logs import InteractionLog
from rectransfer.transfer.link import same_type
from rectransfer.vocabulary import Vocabulary

__all__ = ["Coverage", "item_coverage", "user_coverage"]


@dataclass(frozen=True)
class Coverage:
    """How much of the target a bridge reaches.

    Attributes:
        n_items: Target items reached.
        n_interactions: Target interactions reached.
        n_users: Target users reached.
        all_items: All of the target's items.
        all_interactions: All of its interactions.
        all_users: All of its users.
        by: Whether shared items or shared users are what reaches.

    Examples:
        >>> coverage = Coverage(3, 90, 8, all_items=4, all_interactions=100, all_users=8)
        >>> print(coverage)
        75.0% of the items (3 of 4), 90.0% of the interactions (90 of 100), 100.0% of the users (8 of 8)
        >>> coverage.interactions
        0.9
    """

    n_items: int
    n_interactions: int
    n_users: int
    all_items: int
    all_interactions: int
    all_users: int
    by: Literal["items", "users"] = "items"

    @property
    def items(self) -> float:
        """Share of the target's items, 0 to 1."""
        return self.n_items / self.all_items if self.all_items else 0.0

    @property
    def interactions(self) -> float:
        """Share of the target's interactions, 0 to 1."""
        return self.n_interactions / self.all_interactions if self.all_interactions else 0.0

    @property
    def users(self) -> float:
        """Share of the target's users, 0 to 1."""
        return self.n_users / self.all_users if self.all_users else 0.0

    def as_dict(self) -> dict[str, float | int | str]:
        """Shares, counts, and what reaches, for a card or a report."""
        shares = {"items": self.items, "interactions": self.interactions, "users": self.users}
        return {**shares, **asdict(self)}

    def __str__(self) -> str:
        return (
            f"{self.items:.1%} of the items ({self.n_items:,} of {self.all_items:,}), "
            f"{self.interactions:.1%} of the interactions "
            f"({self.n_interactions:,} of {self.all_interactions:,}), "
            f"{self.users:.1%} of the users ({self.n_users:,} of {self.all_users:,})"
        )


def user_coverage(users: UserTable | Vocabulary, target: InteractionLog) -> Coverage:
    """How much of the target belongs to users who are known in the source.

    Equal numbers can be different people: ids from two systems that both count from 1 all match.

    Args:
        users: The source's users.
        target: The target's log.

    Returns:
        The users who are known, their interactions, and the items among those.

    Raises:
        InputError: Ids of different types.
    """
    known = users.vocabulary if isinstance(users, UserTable) else users
    same_type(target.users, "the target's users", known, "the source's")
    reached = target.frame.filter(pl.Series(known.rows(target.frame[Columns.User]) >= 0))
    return Coverage(
        n_items=reached[Columns.Item].n_unique(),
        n_interactions=reached.height,
        n_users=reached[Columns.User].n_unique(),
        all_items=target.n_items,
        all_interactions=len(target),
        all_users=target.n_users,
        by="users",
    )


def item_coverage(reached: pl.Series, items: Vocabulary, target: InteractionLog) -> Coverage:
    """What the reached ones among the target's items make of its log."""
    frame = target.frame.filter(pl.Series(Vocabulary(reached).rows(target.frame[Columns.Item]) >= 0))
    return Coverage(
        n_items=reached.len(),
        n_interactions=frame.height,
        n_users=frame[Columns.User].n_unique(),
        all_items=len(items),
        all_interactions=len(target),
        all_users=target.n_users,
    )
