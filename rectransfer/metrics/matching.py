"""Find what was taken in the lists: one sort of user, item and rank, each row a single number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.metrics.pairs import Numbers

__all__ = ["MOST", "Lists", "Matched", "Taken", "match"]

MOST: Final = 2**31
"""Ranks lie below this, and users of any log do, so that both fit one number."""

_BITS: Final = 63
_LOOSEST: Final = 2  # how much larger than its rows a table of users may be


@dataclass(frozen=True, eq=False)
class Taken:
    """Rows of a test log, as numbers from 0; they may repeat.

    Attributes:
        users: Shape `(n,)`.
        items: Shape `(n,)`.
    """

    users: Numbers
    items: Numbers


@dataclass(frozen=True, eq=False)
class Lists:
    """Rows of lists.

    Attributes:
        users: From 0, shape `(n,)`.
        items: From 0, shape `(n,)`.
        ranks: From 1, shape `(n,)`.
    """

    users: Numbers
    items: Numbers
    ranks: Numbers

    @property
    def repeated_ranks(self) -> int:
        """How many rows hold a rank that the user's list has more than once."""
        keys = self.users * MOST
        keys += self.ranks
        ascending = keys[1:] > keys[:-1]  # as lists mostly come
        if ascending.all():
            return 0
        keys.sort()
        return _beside(keys[1:] == keys[:-1])

    @property
    def bits(self) -> int:
        """How many a rank takes."""
        return int(self.ranks.max(initial=1)).bit_length()

    def lengths(self, users: Numbers) -> Numbers:
        """How many rows some users have, of users in ascending order."""
        n_users = _bound(self.users, users)
        if n_users <= _LOOSEST * (len(self.users) + len(users)):
            return np.bincount(self.users, minlength=n_users)[users]
        ordered = np.sort(self.users)
        return np.searchsorted(ordered, users, "right") - np.searchsorted(ordered, users, "left")


@dataclass(frozen=True, eq=False)
class Matched:
    """What was taken, each item once a user: by user, then by item.

    Attributes:
        users: Who took it, shape `(n,)`.
        ranks: Where the user's list has it, 0 where it isn't there; shape `(n,)`.
        repeated: How many rows of the lists hold an item that the user's list has more than once.
    """

    users: Numbers
    ranks: Numbers
    repeated: int


def match(lists: Lists, test: Taken) -> Matched:
    """The rank of each item of a test log in its user's list."""
    n_users, n_items = _bound(lists.users, test.users), _bound(lists.items, test.items)
    if n_users.bit_length() + n_items.bit_length() + lists.bits >= _BITS - 1:
        return _match_renumbered(lists, test)
    keys = _sorted_keys(lists, test, n_users, n_items)
    rank_bits = (1 << lists.bits) - 1
    of_log = (keys & rank_bits) == 0
    same = (keys[1:] ^ keys[:-1]) <= rank_bits  # user and item as in the row before
    if (again := np.flatnonzero(same & of_log[1:])).size:
        keys, of_log, same = (np.delete(one, again) for one in (keys, of_log, same))
    # what was taken comes right before the same item of the list, whose rank isn't 0
    taken = np.flatnonzero(of_log)
    found = keys[np.minimum(taken + 1, len(keys) - 1)]
    mine = keys[taken]
    ranks = np.where((found ^ mine) <= rank_bits, found & rank_bits, 0)
    return Matched((mine >> lists.bits) // n_items, ranks, _beside(same & ~of_log[:-1]))


def _bound(one: Numbers, other: Numbers) -> int:
    return 1 + max(int(one.max(initial=0)), int(other.max(initial=0)))


def _match_renumbered(lists: Lists, test: Taken) -> Matched:
    """The same where ids or ranks are so large that one number doesn't hold a row."""
    n = len(lists.users)
    pairs = np.stack([np.append(lists.users, test.users), np.append(lists.items, test.items)])
    each, pair = np.unique(pairs, axis=1, return_inverse=True)
    ranks, where = np.unique(np.append(lists.ranks, 0), return_inverse=True)
    # a pair as the user, and one item: as many numbers as there are rows, whatever the ids were
    pair, item = pair.ravel(), np.zeros(pair.size, np.int64)
    found = match(Lists(pair[:n], item[:n], where[:-1]), Taken(pair[n:], item[n:]))
    return Matched(each[0, found.users], ranks[found.ranks], found.repeated)


def _sorted_keys(lists: Lists, test: Taken, n_users: int, n_items: int) -> Numbers:
    """User, item and rank of each row in a number, ascending; the log's ranks are 0."""
    n, bits = len(lists.users), lists.bits
    keys = np.empty(n + len(test.users), np.int64)
    for part, rows in ((keys[:n], lists), (keys[n:], test)):
        np.multiply(rows.users, n_items, out=part)
        part += rows.items
    keys <<= bits  # in place: a million new numbers take longer to get than to compute
    keys[:n] |= lists.ranks
    both = lists.users, test.users
    if all(map(_ascends, both)) and n_users <= _LOOSEST * len(keys):
        counts = [np.bincount(users, minlength=n_users) for users in both]
        width = sum(int(count.max(initial=0)) for count in counts)
        if n_users * width <= _LOOSEST * len(keys):
            # two sets of numbers like no others: what one row has to spare meets that of the next
            spare = (n_users * n_items + np.arange(2 * width) << bits) | 1
            return _sorted_by_user(counts, (keys[:n], keys[n:]), spare.reshape(2, width))
    keys.sort()
    return keys


def _sorted_by_user(counts: Sequence[Numbers], parts: Sequence[Numbers], spare: Numbers) -> Numbers:
    """Sort each user's few numbers alone, in a row of a table: that takes a third of the time.

    Args:
        counts: How many each user has in each part.
        parts: Numbers by user.
        spare: What fills the table's even and odd rows, shape `(2, width)`.
    """
    table = np.empty((len(counts[0]), spare.shape[1]), np.int64)
    table[::2], table[1::2] = spare
    start = 0
    for count, part in zip(counts, parts, strict=True):
        width = int(count.max(initial=0))
        table[:, start : start + width][np.arange(width) < count[:, None]] = part
        start += width
    table.sort(axis=1)
    return table.ravel()


def _ascends(users: Numbers) -> bool:
    return bool((users[1:] >= users[:-1]).all())


def _beside(same: npt.NDArray[np.bool_]) -> int:
    """How many rows are the same as the one before or after; `same`: as the one before, shape `(n - 1,)`."""
    if not same.any():
        return 0
    return int(np.count_nonzero(np.append(same, False) | np.append(False, same)))
