"""What users who are known elsewhere bring to the target."""

import numpy as np
from scipy.sparse import csr_array

from rectransfer.ranking import Evidence, Profiles
from rectransfer.recommend.ground import Ground
from rectransfer.recommend.views import SourceView
from rectransfer.tastes import Leanings, learn_leanings
from rectransfer.vocabulary import Vocabulary

__all__ = ["profiles_of"]


def profiles_of(
    ground: Ground, joint: Evidence | None, here: Vocabulary, counts: csr_array
) -> Profiles | None:
    """What users of the source that shares them bring: vectors, and leanings.

    Pooled vectors meet the table that went on from that source's and has the target's items, where one did;
    others have output vectors of their own.

    Args:
        ground: Sources and target.
        joint: The table that went on from that source's; None where it is another's.
        here: The users of the target who are learned from.
        counts: How often each of them took each item in the target, shape `(len(here), n_items)`.
    """
    if ground.sharing is None:
        return None
    users, leanings = ground.sharing.pretrained.users, _leanings(ground.sharing, ground, here, counts)
    if users.method == "pooled" and joint is not None and users.dimensions == joint.contexts.shape[1]:
        return Profiles(users.vocabulary, users.vectors, joint.contexts, leanings)
    contexts = np.zeros((len(ground.items), users.dimensions), np.float32)
    if users.items.dtype == ground.items.dtype:
        rows = users.items.rows(ground.items.ids)
        contexts[rows >= 0] = users.contexts[rows[rows >= 0]]
    return Profiles(users.vocabulary, users.vectors, contexts, leanings)


def _leanings(view: SourceView, ground: Ground, here: Vocabulary, counts: csr_array) -> Leanings | None:
    if ground.tastes is None or view.taken is None:
        return None
    rows = view.users.rows(here.ids)
    known = np.flatnonzero(rows >= 0)
    return learn_leanings(ground.tastes, csr_array(view.taken[rows[known]]), csr_array(counts[known]))
