"""What source and target share, and whether that is enough to go over."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rectransfer.embeddings import EmbeddingTable, UserTable
from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.transfer.coverage import Coverage, item_coverage, user_coverage
from rectransfer.transfer.link import TARGET, Link, examples, link_pairs
from rectransfer.vocabulary import Vocabulary

__all__ = ["Bridges", "bridges", "require_bridge"]


@dataclass(frozen=True)
class Bridges:
    """What source and target share.

    Attributes:
        items: What shared items reach. A user counts who has one.
        users: What shared users reach. An item counts if one of them has it.
        kind: The bridges that reach the smallest share that was asked for.
        words: Both in a sentence, with examples of ids.
    """

    items: Coverage
    users: Coverage
    kind: Literal["items", "users", "both", "none"]
    words: str

    @property
    def by_items(self) -> bool:
        """Whether items are gone over."""
        return self.kind in ("items", "both")

    @property
    def by_users(self) -> bool:
        """Whether users are."""
        return self.kind in ("users", "both")

    @property
    def crossed(self) -> Coverage:
        """What the bridge that is gone over reaches; that of items, where both are."""
        return self.users if self.kind == "users" else self.items

    def __str__(self) -> str:
        return self.words


def bridges(
    source_items: EmbeddingTable | Vocabulary,
    source_users: UserTable | Vocabulary,
    target: InteractionLog,
    *,
    link: Link | None = None,
    min_coverage: float = 0.05,
    catalogue: Vocabulary | None = None,
) -> Bridges:
    """What source and target share: items, users, both or neither.

    Ids of different types (numbers here, text there) share nothing, which is no error here, because the other
    bridge may hold.

    Args:
        source_items: The source's items.
        source_users: The source's users.
        target: The target's log.
        link: Target item ids to source item ids.
        min_coverage: The share of interactions that items, or of users that users, have to reach.
        catalogue: The target's items, where there are more than in its log: a link table may speak of them.

    Raises:
        InputError: A link table that cannot be used, or `min_coverage` outside [0, 1].
    """
    if not 0 <= min_coverage <= 1:
        raise InputError(f"min_coverage={min_coverage}; expected a share from 0 to 1")
    theirs = source_items.vocabulary if isinstance(source_items, EmbeddingTable) else source_items
    users = source_users.vocabulary if isinstance(source_users, UserTable) else source_users
    by_item = Coverage(0, 0, 0, target.n_items, len(target), target.n_users)
    by_user = replace(by_item, by="users")
    if link is not None:
        linked = link_pairs(link, target.items if catalogue is None else catalogue, theirs)[TARGET]
        linked = linked.filter(target.items.rows(linked) >= 0)
        by_item = item_coverage(linked, target.items, target)
    elif theirs.dtype == target.items.dtype:
        shared = target.items.take(np.flatnonzero(theirs.rows(target.items.ids) >= 0))
        by_item = item_coverage(shared, target.items, target)
    if users.dtype == target.users.dtype:
        by_user = user_coverage(users, target)
    holds = (by_item.interactions >= max(min_coverage, 1e-12), by_user.users >= max(min_coverage, 1e-12))
    kinds: dict[tuple[bool, bool], Literal["items", "users", "both", "none"]] = {
        (True, True): "both",
        (True, False): "items",
        (False, True): "users",
        (False, False): "none",
    }
    words = (
        f"shared items reach {by_item.interactions:.1%} of the target's interactions, shared users are "
        f"{by_user.users:.1%} of its users. {examples('Items', theirs, target.items)}; "
        f"{examples('users', users, target.users)}"
    )
    return Bridges(by_item, by_user, kinds[holds], words)


def require_bridge(found: Bridges) -> Bridges:
    """The same bridges, if there is one to go over.

    Raises:
        CoverageError: Source and target share neither items nor users; the message has the remedy.
    """
    if found.kind == "none":
        raise CoverageError(
            f"nothing to transfer over: {found}. Cast ids to one type and spelling, pass "
            "link={target id: source id}, or lower min_coverage if so little is meant"
        )
    return found
