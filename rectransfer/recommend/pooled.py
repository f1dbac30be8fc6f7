"""What was counted in a source and in the target, together."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

from rectransfer.neighbours import Neighbours, solve_neighbours
from rectransfer.recommend.views import SourceView
from rectransfer.transitions import Transitions
from rectransfer.vocabulary import Vocabulary

__all__ = ["Pooled", "pooled"]


class Pooled(NamedTuple):
    """Counts over both, and what they say.

    Attributes:
        counts: How often each user took each item, shape `(n_users, n_items)`.
        weights: Which items a history calls for.
        transitions: Which items came soon after others.
    """

    counts: csr_array
    weights: Neighbours
    transitions: Transitions


def pooled(view: SourceView, counts: csr_array, followed: Transitions, users: Vocabulary) -> Pooled:
    """A source's counts and the target's, a row for each user of either.

    Of a source that doesn't say how often each item was taken, nothing is pooled.

    Args:
        view: The source.
        counts: How often each of the target's users took each item, shape `(n_users, n_items)`.
        followed: The target's transitions.
        users: The target's users.
    """
    theirs = view.evidence.transitions
    if view.taken is not None:
        counts = _stacked(view, counts, users)
        followed = followed if theirs is None else theirs.plus(followed)
    return Pooled(counts, solve_neighbours(counts, view.pretrained.l2), followed)


def _stacked(view: SourceView, counts: csr_array, users: Vocabulary) -> csr_array:
    """Both counts, those of a user who is shared in one row."""
    assert view.taken is not None  # noqa: S101 (only called where they are)
    n = view.taken.shape[0]
    places = np.arange(n, n + counts.shape[0])
    if view.bridges.by_users:
        rows = view.users.rows(users.ids)
        places = np.where(rows >= 0, rows, places)
    taken, own = coo_array(view.taken), coo_array(counts)
    found = csr_array(
        (
            np.concatenate([taken.data, own.data]),
            (np.concatenate([taken.row, places[own.row]]), np.concatenate([taken.col, own.col])),
        ),
        shape=(n + counts.shape[0], counts.shape[1]),
    )
    return csr_array(found[np.flatnonzero(np.diff(found.indptr))])
