"""Lists in which what users have had competes with what is new to them."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import OFFERED, Choice, Examples, Ranker, Returns, entries
from rectransfer.scene.ranked import Ranked
from rectransfer.scene.scene import Scene

__all__ = ["choice_of", "had_elsewhere", "with_had"]


def choice_of(scene: Scene, ranker: Ranker, examples: Examples, returns: Returns) -> Choice:
    """Users between what is in their histories and the best that a ranker finds of what isn't.

    Args:
        scene: What the ranker looks at.
        ranker: One that hasn't learned from them.
        examples: u users; their labels may be what they had.
        returns: How many others come back for each item.
    """
    ranked = scene.rank(ranker, examples, OFFERED, exclude=examples.seen)
    return Choice(examples, examples.seen, *ranked.padded(len(examples)), returns)


def had_elsewhere(examples: Examples, had: csr_array, on_sale: npt.NDArray[np.bool_]) -> csr_array:
    """1 where users had an item that is on sale, but not here; shape `(u, n_items)`.

    Args:
        examples: u users.
        had: Not 0 where they had an item here, shape `(u, n_items)`.
        on_sale: Which items are on sale here, shape `(n_items,)`.
    """
    seen = examples.seen
    owner = np.repeat(np.arange(len(examples)), np.diff(seen.indptr))
    kept = on_sale[seen.indices] & (entries(had, owner, seen.indices) == 0)
    ones = np.ones(int(kept.sum()), np.float32)
    return csr_array((ones, (owner[kept], seen.indices[kept])), shape=seen.shape)


def with_had(new: Ranked, had: csr_array, allowed: npt.NDArray[np.bool_], k: int) -> Ranked:
    """The best `k` of what is new and what was had. Equal scores: by row.

    Args:
        new: Lists of what is new.
        had: Scores of what was had, shape `(u, n_items)`.
        allowed: What any user may get, shape `(n_items,)`.
        k: How many.
    """
    owner = np.repeat(np.arange(had.shape[0]), np.diff(had.indptr))
    kept = allowed[had.indices]
    users = np.concatenate([new.users, owner[kept]])
    items = np.concatenate([new.items, had.indices[kept]])
    scores = np.concatenate([new.scores, had.data[kept]])
    order = np.lexsort((items, -scores, users))
    users, items, scores = users[order], items[order], scores[order]
    ranks = np.arange(len(users)) - np.searchsorted(users, users) + 1
    best = ranks <= k
    return Ranked(users[best], items[best].astype(np.int64), scores[best], ranks[best])
