"""Where the relevant items of every user were ranked: the one input that all ranking metrics share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.errors import InputError

__all__ = ["Near", "RelevantRanks", "rank_relevant"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# A block of scores is copied before it is sorted: this many values at once are 32 MB in float32.
_VALUES_A_BLOCK = 8_000_000


@dataclass(frozen=True, eq=False)
class RelevantRanks:
    """The rank of every relevant item of every user who has one.

    Users without relevant items have nothing to be measured by: they are left out when this is built, and
    `users` says who stayed. So per-user metrics never hold a NaN.

    Items with equal scores share the middle of the places they take: with all of `n` scores equal, every item
    has rank `(n + 1) / 2`. `ties` keeps how many items share the place, because a cut at `k` needs it: the
    metrics credit a tied item with the mean over the places it may take, so no order that luck or the sort
    gives can look good.

    Attributes:
        ranks: Ranks from 1, `inf` for an item that was not ranked; flat, shape `(n_relevant,)`.
        offsets: User `u` owns `ranks[offsets[u]:offsets[u + 1]]`; shape `(n_users + 1,)`.
        n_candidates: How many items were ranked for each user, shape `(n_users,)`.
        users: The row of each user in what was ranked, ascending, shape `(n_users,)`.
        ties: How many items share each rank, itself included; shape `(n_relevant,)`.

    Raises:
        InputError: The shapes do not fit one another, or a user has no relevant item.
    """

    ranks: Floats
    offsets: Rows
    n_candidates: Rows
    users: Rows
    ties: Rows

    def __post_init__(self) -> None:
        n_users = len(self.users)
        if len(self.offsets) != n_users + 1 or len(self.n_candidates) != n_users:
            raise InputError(
                f"{n_users} users need {n_users + 1} offsets and {n_users} candidate counts, "
                f"got {len(self.offsets)} and {len(self.n_candidates)}"
            )
        if len(self.ties) != len(self.ranks) or self.offsets[0] != 0 or self.offsets[-1] != len(self.ranks):
            raise InputError(
                f"offsets run from {self.offsets[0]} to {self.offsets[-1]} over {len(self.ranks)} ranks "
                f"and {len(self.ties)} tie counts; they must start at 0 and end at that number"
            )
        if n_users and self.n_relevant.min() < 1:
            raise InputError("every user needs at least one relevant item: leave the others out")

    @property
    def n_users(self) -> int:
        """How many users have at least one relevant item."""
        return len(self.users)

    @property
    def n_relevant(self) -> Rows:
        """How many relevant items each user has, shape `(n_users,)`."""
        counts: Rows = np.diff(self.offsets)
        return counts

    @property
    def owner(self) -> Rows:
        """Which user each rank belongs to, shape `(n_relevant,)`, values from 0 to `n_users - 1`."""
        return np.repeat(np.arange(self.n_users, dtype=np.int64), self.n_relevant)

    def __len__(self) -> int:
        return self.n_users

    def expected(self, weights: npt.ArrayLike) -> Floats:
        """The mean weight over the places each item may take among its ties.

        This is the exact expectation when ties are broken at random (McSherry & Najork 2008, "Computing
        Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores").

        Args:
            weights: What places 1 to `k` are worth, shape `(k,)`; places after `k` are worth nothing.

        Returns:
            Shape `(n_relevant,)`.

        Examples:
            >>> tied = rank_relevant(np.zeros((1, 4), np.float32), csr_array([[1, 0, 0, 0]]))
            >>> tied.ranks, tied.expected([1.0, 1.0])  # half of the four places count
            (array([2.5]), array([0.5]))
        """
        worth = np.zeros(len(self.ranks))
        near = self.within(len(np.asarray(weights)))
        worth[near.rows] = near.worth(weights)
        return worth

    def within(self, k: int) -> "Near":
        """The relevant items that may take one of the first `k` places; mostly they are few."""
        if k not in self._near:
            first = self.ranks if not (self.ties > 1).any() else self.ranks - (self.ties - 1) / 2
            rows = np.flatnonzero(first <= k)
            owner = np.searchsorted(self.offsets, rows, side="right") - 1
            self._near[k] = Near(rows, owner, self.ranks[rows], self.ties[rows], self.n_users)
        return self._near[k]

    @cached_property
    def _near(self) -> "dict[int, Near]":
        return {}

    @classmethod
    def concatenate(cls, parts: "Sequence[RelevantRanks]", sizes: Sequence[int]) -> "RelevantRanks":
        """Put the ranks of consecutive blocks of users together.

        Args:
            parts: One for each block, in order.
            sizes: How many rows of users each block had, those without relevant items included.

        Raises:
            InputError: There is no block, or another number of sizes than of blocks.
        """
        if not parts or len(parts) != len(sizes):
            raise InputError(
                f"{len(parts)} parts and {len(sizes)} sizes: give one size a part, and one at least"
            )
        shifts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        lengths = np.concatenate([part.n_relevant for part in parts])
        return cls(
            ranks=np.concatenate([part.ranks for part in parts]),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            n_candidates=np.concatenate([part.n_candidates for part in parts]),
            users=np.concatenate([part.users + shift for part, shift in zip(parts, shifts, strict=True)]),
            ties=np.concatenate([part.ties for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Near:
    """The relevant items that may take one of the first places; n of them.

    Attributes:
        rows: Their places among all relevant items, ascending, shape `(n,)`.
        owner: Which user each belongs to, ascending, shape `(n,)`.
        ranks: Their ranks, shape `(n,)`.
        ties: How many items share each rank, shape `(n,)`.
        n_users: How many users there are.
    """

    rows: Rows
    owner: Rows
    ranks: Floats
    ties: Rows
    n_users: int

    def worth(self, weights: npt.ArrayLike) -> Floats:
        """`RelevantRanks.expected` of them, shape `(n,)`."""
        total = np.concatenate([[0.0], np.cumsum(np.asarray(weights, dtype=np.float64))])
        spread = (self.ties - 1) / 2
        before = (self.ranks - spread - 1).astype(np.int64)
        until = np.minimum(self.ranks + spread, len(total) - 1).astype(np.int64)
        found: Floats = (total[until] - total[before]) / self.ties
        return found

    def sum_per_user(self, values: Floats) -> Floats:
        """Values of them, shape `(n,)`, added up for each user: shape `(n_users,)`."""
        return np.bincount(self.owner, values, minlength=self.n_users).astype(np.float64, copy=False)

    def max_per_user(self, values: Floats) -> Floats:
        """The largest of each user's values, which are 0 or more: shape `(n_users,)`; 0 without any."""
        found = np.zeros(self.n_users)
        if len(values):
            starts = np.flatnonzero(np.diff(self.owner, prepend=-1))
            found[self.owner[starts]] = np.maximum.reduceat(values, starts)
        return found


def rank_relevant(
    scores: npt.NDArray[np.floating], relevant: csr_array, exclude: csr_array | None = None
) -> RelevantRanks:
    """Rank every relevant item against the whole catalogue.

    Args:
        scores: Higher is better, shape `(n_users, n_items)`; infinite is allowed, NaN is not.
        relevant: What each user turned out to want, same shape; any non-zero value counts as relevant.
        exclude: Items that leave a user's ranking (seen before, say), same shape.

    Returns:
        Ranks for the users with at least one relevant item, in the order of their rows.

    Raises:
        InputError: Shapes differ, a score is NaN, or a relevant item is excluded as well.

    Examples:
        >>> scores = np.array([[0.9, 0.1, 0.5, 0.5]], dtype=np.float32)
        >>> ranks = rank_relevant(scores, csr_array([[0, 1, 1, 0]]))
        >>> ranks.ranks  # item 1 is last; item 2 shares places 2 and 3
        array([4. , 2.5])
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise InputError(f"scores need the shape (n_users, n_items), got {scores.shape}")
    wanted = _pattern(relevant, scores.shape, "relevant")
    seen = _pattern(csr_array(scores.shape) if exclude is None else exclude, scores.shape, "exclude")
    _check_disjoint(wanted, seen)

    counts = np.diff(wanted.indptr)
    users = np.flatnonzero(counts).astype(np.int64)
    greater = np.empty(wanted.nnz, dtype=np.int64)
    ties = np.empty(wanted.nnz, dtype=np.int64)
    for block in _blocks(users, scores.shape[1]):
        _rank_block(scores, wanted, seen, block, greater, ties)
    return RelevantRanks(
        ranks=greater + (ties + 1) / 2,
        offsets=np.concatenate([[0], np.cumsum(counts[users])]).astype(np.int64),
        n_candidates=(scores.shape[1] - np.diff(seen.indptr)[users]).astype(np.int64),
        users=users,
        ties=ties,
    )


def _rank_block(
    scores: npt.NDArray[np.floating],
    wanted: csr_array,
    seen: csr_array,
    users: Rows,
    greater: Rows,
    ties: Rows,
) -> None:
    """Write how many candidates score higher than, and the same as, the relevant items of some users."""
    ordered = scores[users]  # a copy, because of the fancy index
    if np.isnan(ordered).any():
        bad = users[np.isnan(ordered).any(axis=1)]
        raise InputError(f"scores of {len(bad)} users hold NaN (first: row {bad[0]}); a rank needs numbers")
    values = [scores[user, wanted.indices[slice(*wanted.indptr[user : user + 2])]] for user in users]
    for place, user in enumerate(users):
        ordered[place, seen.indices[slice(*seen.indptr[user : user + 2])]] = -np.inf
    ordered.sort(axis=1)
    n_seen = np.diff(seen.indptr)
    for row, value, user in zip(ordered, values, users, strict=True):
        flat = slice(*wanted.indptr[user : user + 2])
        above = np.searchsorted(row, value, side="right")
        greater[flat] = len(row) - above
        # A relevant item at -inf meets the excluded ones there, which are no candidates.
        ties[flat] = above - np.searchsorted(row, value, side="left") - np.isneginf(value) * n_seen[user]


def _pattern(matrix: csr_array, shape: tuple[int, ...], name: str) -> csr_array:
    """The non-zero places as a clean boolean matrix."""
    matrix = csr_array(matrix, dtype=bool, copy=True)
    if matrix.shape != shape:
        raise InputError(
            f"{name} has the shape {matrix.shape}, the scores have {shape}: they must be the same"
        )
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _check_disjoint(wanted: csr_array, seen: csr_array) -> None:
    both = wanted.multiply(seen).tocoo()
    if both.nnz:
        raise InputError(
            f"{both.nnz} of {wanted.nnz} relevant items are excluded too (first: user row {both.row[0]}, "
            f"item row {both.col[0]}), so they have no rank; take them out of `relevant` or out of `exclude`"
        )


def _blocks(users: Rows, n_items: int) -> Iterator[Rows]:
    step = max(1, _VALUES_A_BLOCK // max(1, n_items))
    for start in range(0, len(users), step):
        yield users[start : start + step]
