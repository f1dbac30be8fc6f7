"""What users who are known elsewhere bring to the target."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.embeddings import pooled_vectors
from rectransfer.ranking import Evidence, Examples, Profiles
from rectransfer.recommend.ground import Ground
from rectransfer.recommend.views import SourceView
from rectransfer.scene import Scene
from rectransfer.tastes import Leanings, learn_leanings
from rectransfer.vocabulary import Vocabulary

__all__ = ["EarlierProfiles", "as_they_were", "profiles_of"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class EarlierProfiles(Profiles):
    """Vectors of what users had done in the source up to where their history is cut.

    Attributes:
        item_vectors: W of the source, shape `(n_items, d)`.
        elsewhere: Which items are the source's alone, shape `(n_items,)`.
        decay: What an item counts of the one after it, as in `User2Vec`.
    """

    item_vectors: Floats
    elsewhere: npt.NDArray[np.bool_]
    decay: float

    def of(self, examples: Examples) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The mean of the vectors of what is in each history, and who has one; shapes `(u, d)` and `(u,)`."""
        _, known = super().of(examples)
        kept = self.elsewhere[examples.items]
        owner, items = examples.owner[kept], examples.items[kept]
        known &= np.bincount(owner, minlength=len(examples)) > 0
        found = pooled_vectors(owner, items, len(examples), self.item_vectors, self.decay)
        return np.where(known[:, None], found, np.float32(0)), known


def as_they_were(scene: Scene, ground: Ground) -> Scene:
    """The same scene for users who are met in the middle of what they did: nothing is known of the rest.

    A vector of all that a user did in the source would give away what comes next, where both domains are used
    at the same time. That holds for pooled vectors of items that aren't on sale here; others, and those of a
    source whose histories aren't there, can't be taken back.
    """
    view, profiles = ground.sharing, scene.profiles
    if view is None or profiles is None or view.carried is None:
        return scene
    if view.pretrained.users.method != "pooled" or view.knows_any(ground.on_sale):
        return scene
    earlier = EarlierProfiles(
        **vars(profiles),
        item_vectors=view.evidence.vectors,
        elsewhere=view.evidence.known,
        decay=view.pretrained.config.user2vec.decay,
    )
    return replace(scene, profiles=earlier)


def profiles_of(
    ground: Ground, joint: Evidence | None, here: Vocabulary, counts: csr_array
) -> Profiles | None:
    """What users of the source that shares them bring: vectors, and leanings.

    Pooled vectors meet the table that went on from that source's and has the target's items, where one did;
    others have output vectors of their own. None where neither has anything to do with what is on sale: the
    source knows none of it, and what its users did there can't stand beside the target's log.

    Args:
        ground: Sources and target.
        joint: The table that went on from that source's; None where it is another's.
        here: The users of the target who are learned from.
        counts: How often each of them took each item in the target, shape `(len(here), n_items)`.
    """
    view = ground.sharing
    if view is None or (view.carried is None and not view.knows_any(ground.on_sale)):
        return None
    users, leanings = view.pretrained.users, _leanings(view, ground, here, counts)
    if users.method == "pooled" and joint is not None and users.dimensions == joint.contexts.shape[1]:
        return Profiles(users.vocabulary, users.vectors, joint.contexts, leanings)
    contexts = np.zeros((len(ground.items), users.dimensions), np.float32)
    known = np.flatnonzero(view.rows >= 0)
    theirs = users.items.rows(view.pretrained.items.vocabulary.take(view.rows[known]))
    contexts[known[theirs >= 0]] = users.contexts[theirs[theirs >= 0]]
    return Profiles(users.vocabulary, users.vectors, contexts, leanings)


def _leanings(view: SourceView, ground: Ground, here: Vocabulary, counts: csr_array) -> Leanings | None:
    if ground.tastes is None or view.taken is None:
        return None
    rows = view.users.rows(here.ids)
    known = np.flatnonzero(rows >= 0)
    return learn_leanings(ground.tastes, csr_array(view.taken[rows[known]]), csr_array(counts[known]))
