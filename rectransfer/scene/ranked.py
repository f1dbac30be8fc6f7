"""Lists of recommended items, from scored candidates."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.metrics import Ndcg, ranks_from_lists, top_k
from rectransfer.ranking import Examples

__all__ = ["Ranked", "list_ndcg", "ranked_ndcg", "top_of"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Lists of recommended items; flat, users ascending, best first.

    Attributes:
        users: Rows of examples, shape `(n,)`.
        items: Item rows, shape `(n,)`.
        scores: Shape `(n,)`.
        ranks: From 1, shape `(n,)`.
    """

    users: Rows
    items: Rows
    scores: npt.NDArray[np.float32]
    ranks: Rows

    def padded(self, n_users: int) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Items and scores, a row a user, best first; shapes `(n_users, m)`, filled up with -1 and -inf."""
        m = int(self.ranks.max(initial=0))
        items = np.full((n_users, m), -1, np.int64)
        scores = np.full((n_users, m), -np.inf, np.float32)
        items[self.users, self.ranks - 1] = self.items
        scores[self.users, self.ranks - 1] = self.scores
        return items, scores


def top_of(rows: Rows, candidates: Rows, scores: npt.NDArray[np.float32], k: int) -> Ranked:
    """The best `k` candidates of each user; fewer where fewer are there.

    Args:
        rows: Rows of examples, shape `(u,)`.
        candidates: Item rows, shape `(u, m)`, ascending but for -1, which fills up.
        scores: Shape `(u, m)`.
        k: How many.
    """
    if not candidates.shape[1]:
        none = np.zeros(0, np.int64)
        return Ranked(none, none, np.zeros(0, np.float32), none)
    values, columns = top_k(scores, min(k, scores.shape[1]))  # candidates ascend, so ties go by row
    items = np.take_along_axis(candidates, columns, axis=1)
    there = items >= 0
    ranks = np.broadcast_to(np.arange(1, items.shape[1] + 1), items.shape)
    users = np.broadcast_to(rows[:, None], items.shape)
    return Ranked(users[there], items[there], values[there], ranks[there].astype(np.int64))


def list_ndcg(
    examples: Examples, candidates: Rows, scores: npt.NDArray[np.float32], k: int = 10
) -> npt.NDArray[np.float64]:
    """NDCG@k of scored candidates against the examples' labels, shape `(u,)`.

    A label that is no candidate counts as missed.

    Args:
        examples: u of them, each with a label at least.
        candidates: Item rows, shape `(u, m)`, -1 where there is none.
        scores: Shape `(u, m)`, -inf where there is none.
        k: How many places count.
    """
    return ranked_ndcg(examples, top_of(np.arange(len(examples)), candidates, scores, k), k)


def ranked_ndcg(examples: Examples, lists: Ranked, k: int = 10) -> npt.NDArray[np.float64]:
    """NDCG@k of lists against the examples' labels, shape `(u,)`.

    Args:
        examples: u of them, each with a label at least.
        lists: Their lists, of k places at least where there is so much.
        k: How many places count.
    """
    found = {Columns.User: lists.users, Columns.Item: lists.items, Columns.Rank: lists.ranks}
    wanted = {Columns.User: examples.label_owner, Columns.Item: examples.labels}
    return Ndcg(k).per_user(ranks_from_lists(pl.DataFrame(found), pl.DataFrame(wanted)))
