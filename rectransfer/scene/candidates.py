"""What each retriever finds for users: pairs of a user and an item on sale, as one number each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import LAST, Evidence, Examples
from rectransfer.retrieval import VectorIndex, retrieve

__all__ = ["Call", "Scorer", "chunks", "rows_by_user", "scorers"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

Scorer = Callable[[Examples], Floats]
"""What the histories of u users say of every item, shape `(u, n_items)`."""

_USERS_AT_ONCE: Final = 64


@dataclass(frozen=True, eq=False)
class Call:
    """What is asked of every retriever. Each answers with numbers `user * n_items + item`.

    Attributes:
        shelf: The rows of the items on sale, shape `(n,)`, ascending.
        n_items: How many items there are, on sale or not.
        depth: How many items a user gets at most.
        shut: What a user must not get, shape `(u, n)`.
        allowed: What any user may get, shape `(n,)`; by default all.
    """

    shelf: Rows
    n_items: int
    depth: int
    shut: csr_array
    allowed: Mask | None

    def nearest(self, index: VectorIndex, queries: Floats) -> Rows:
        """The items whose vectors are nearest to each user's query, shape `(u, d)`."""
        hits = retrieve(index, queries, self.depth, exclude=self.shut, allowed=self.allowed)
        return hits.queries * self.n_items + self.shelf[hits.rows]

    def best_by(self, score: Scorer, examples: Examples) -> Rows:
        """The items that each user's history calls for most; none that it doesn't call for."""
        kept = min(self.depth, len(self.shelf))
        found = []
        for rows in chunks(len(examples)):
            scores = score(examples.take(rows))[:, self.shelf]
            scores[csr_array(self.shut[rows]).nonzero()] = -np.inf
            if self.allowed is not None:
                scores[:, ~self.allowed] = -np.inf
            top = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
            user, column = np.nonzero(np.take_along_axis(scores, top, axis=1) > 0)
            found.append(rows[user] * self.n_items + self.shelf[top[user, column]])
        return np.concatenate([np.zeros(0, np.int64), *found])

    def first_of(self, items: Rows) -> Rows:
        """The first items of an order, all of the shelf, that each user may get."""
        place = np.full(self.n_items, -1, np.int64)
        place[self.shelf] = np.arange(len(self.shelf))
        if self.allowed is not None:
            items = items[self.allowed[place[items]]]
        counts = np.diff(self.shut.indptr)
        items = items[: self.depth + int(counts.max(initial=0))]
        shut_here = self.shut[:, place[items]].toarray() > 0
        fine = ~shut_here & (np.cumsum(~shut_here, axis=1) <= self.depth)
        user, column = np.nonzero(fine)
        return user.astype(np.int64) * self.n_items + items[column]


def scorers(evidence: Evidence) -> Iterator[Scorer]:
    """What scores the whole catalogue by a history, beside inner products."""
    if (weights := evidence.weights) is not None:
        yield lambda examples: weights.scores(examples.counts)
    if (transitions := evidence.transitions) is not None:
        yield lambda examples: transitions.chances(examples.pooled(LAST))


def chunks(n: int) -> Iterator[Rows]:
    """The rows of n users, some at a time, so that what is dense stays small."""
    for start in range(0, n, _USERS_AT_ONCE):
        yield np.arange(start, min(start + _USERS_AT_ONCE, n))


def rows_by_user(pairs: Rows, n_users: int, n_items: int) -> Rows:
    """Sorted numbers of user and item as one row a user, filled up with -1."""
    users = pairs // n_items
    counts = np.bincount(users, minlength=n_users)
    padded = np.full((n_users, int(counts.max(initial=0))), -1, np.int64)
    within = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    padded[users, within] = pairs % n_items
    return padded
