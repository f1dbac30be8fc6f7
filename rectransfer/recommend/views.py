"""A source as the target sees it: what it knows, in the rows of their common items."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.embeddings import EmbeddingTable
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import solve_neighbours
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import Evidence, Ranker, Returns, Towers, lay_out
from rectransfer.transfer import Bridges, align
from rectransfer.transfer.link import Link
from rectransfer.vocabulary import Vocabulary

__all__ = ["SourceView", "view_of"]


@dataclass(frozen=True, eq=False)
class SourceView:
    """A source, seen from the target.

    Attributes:
        name: What its signals are called by.
        pretrained: What it knows.
        evidence: Its arrays in the rows of the ground's items.
        bridges: What connects it to the target.
        ranker: Its ranker, the signals called by its name here.
        carried: Whether what its users did there can stand beside the target's log.
        taken: How often each of its users took each of the ground's items, shape `(n_users, n_items)`; None
            where the source keeps no counts, or a link leads from several items to one.
        returns: How many of its users come back for each of the ground's items; None where it doesn't tell.
    """

    name: str
    pretrained: Pretrained
    evidence: Evidence
    bridges: Bridges
    ranker: Ranker
    carried: bool
    taken: csr_array | None
    returns: Returns | None

    @property
    def users(self) -> Vocabulary:
        """Its users."""
        return self.pretrained.users.vocabulary

    def knows_any(self, items: npt.NDArray[np.bool_]) -> bool:
        """Whether it knows any of some items, shape `(n_items,)`."""
        return bool(self.evidence.known[items].any())

    def towers(self) -> Towers:
        """Its towers over the ground's items, with the layers that they were trained to."""
        return Towers.load(self.evidence, self.pretrained.config.tower, self.pretrained.tower)

    def table(self, items: Vocabulary) -> EmbeddingTable | None:
        """Its table under the target's ids, to go on from; None where it knows none of the items."""
        known = np.flatnonzero(self.evidence.known)
        if not len(known):
            return None
        whole = self.pretrained.items
        return EmbeddingTable(
            Vocabulary(items.take(known)),
            self.evidence.vectors[known],
            self.evidence.contexts[known],
            np.maximum(np.rint(np.expm1(self.evidence.popularity[known])), 1).astype(np.int64),
            whole.ns_exponent,
            {"start": whole.digest()},
        )


def view_of(
    name: str,
    one: Pretrained,
    target: InteractionLog,
    items: Vocabulary,
    bridge: Bridges,
    link: Link | None,
    *,
    carried: bool,
) -> SourceView:
    """See a source from a target.

    Args:
        name: What its signals are called by.
        one: The source.
        target: The target's log.
        items: The ground's.
        bridge: What connects the two.
        link: Which of its items stand for which of the target's.
        carried: Whether what its users did there can stand beside the target's log.
    """
    if bridge.by_items:
        rows = align(one.items, target, vocabulary=items, link=link, min_coverage=0.0).rows
        if link is not None:  # what users bring from the source has the source's own ids
            own = one.items.vocabulary.rows(items.ids)
            rows = np.where(rows >= 0, rows, own)
    elif one.items.vocabulary.dtype == items.dtype:
        rows = one.items.vocabulary.rows(items.ids)
    else:
        rows = np.full(len(items), -1, np.int64)
    known = rows >= 0
    popularity = np.zeros(len(items), np.float32)
    popularity[known] = one.popularity[rows[known]]
    taken, weights = _taken(one, rows), None
    if taken is not None:
        weights = solve_neighbours(taken, one.l2)
    elif one.weights is not None:
        weights = one.weights.moved(rows)
    evidence = lay_out(
        name,
        one.items,
        items,
        popularity=popularity,
        weights=weights,
        transitions=one.transitions.moved(rows),
        rows=rows,
    )
    ranker = Ranker(
        tuple(f"{name}.{signal.partition('.')[2]}" for signal in one.ranker.names), one.ranker.hidden
    ).load_arrays(one.ranker.arrays())
    if len(np.unique(rows[known])) < known.sum():
        taken = None  # a source item that several items stand for doesn't say how often each of them is taken
    returns = None if one.habits is None else one.habits.returns.moved(rows)
    return SourceView(name, one, evidence, bridge, ranker, carried, taken, returns)


def _taken(one: Pretrained, rows: npt.NDArray[np.int64]) -> csr_array | None:
    """A source's counts with a column for each of the ground's items."""
    if one.taken is None:
        return None
    known = np.flatnonzero(rows >= 0)
    ones = np.ones(len(known), np.float32)
    moved = csr_array((ones, (rows[known], known)), shape=(one.taken.shape[1], len(rows)))
    return csr_array(one.taken @ moved)
