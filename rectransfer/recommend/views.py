"""A source as the target sees it: what it knows, in the rows of their common items."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from rectransfer.embeddings import EmbeddingTable
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import solve_neighbours
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import Evidence, Ranker, Returns, Towers, lay_out
from rectransfer.transfer import Bridges, align
from rectransfer.transfer.link import Link
from rectransfer.vocabulary import Vocabulary

__all__ = ["SourceView", "view_of"]

Rows = npt.NDArray[np.int64]

_COARSE: Final = 0.5
"""Share of linked items that share their source item with others, above which a link is coarse."""


@dataclass(frozen=True, eq=False)
class SourceView:
    """A source, seen from the target.

    Attributes:
        name: What its signals are called by.
        pretrained: What it knows.
        evidence: Its arrays in the rows of the ground's items.
        bridges: What connects it to the target.
        ranker: Its ranker, the signals called by its name here.
        rows: Its row for each of the ground's items, -1 where it has none, shape `(n_items,)`.
        carried: What its users did there, as it stands beside the target's log; None where it can't.
        taken: How often each of its users took each of the ground's items, shape `(n_users, n_items)`; None
            where the source keeps no counts, or the link is coarse.
        returns: How many of its users come back for each of the ground's items; None where it doesn't tell.
        coarse: Whether a link leads from most items to one that others lead to, too: it says what they are
            like rather than which they are.
    """

    name: str
    pretrained: Pretrained
    evidence: Evidence
    bridges: Bridges
    ranker: Ranker
    rows: Rows
    carried: InteractionLog | None
    taken: csr_array | None
    returns: Returns | None
    coarse: bool = False

    @property
    def distant(self) -> bool:
        """Whether its users are others, and its items are only like the target's."""
        return self.coarse and not self.bridges.by_users

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
    catalogue: Vocabulary,
    bridge: Bridges,
    link: Link | None,
    *,
    carried: InteractionLog | None,
) -> SourceView:
    """See a source from a target.

    Args:
        name: What its signals are called by.
        one: The source.
        target: The target's log.
        items: The ground's.
        catalogue: The target's, which are among them.
        bridge: What connects the two.
        link: Which of its items stand for which of the target's.
        carried: What its users did there, as it stands beside the target's log.
    """
    rows = _rows(one.items, target, items, catalogue, link)
    known = rows >= 0
    popularity = np.zeros(len(items), np.float32)
    popularity[known] = one.popularity[rows[known]]
    sharing = _sharing(rows)
    coarse = bool(sharing.sum() > _COARSE * len(sharing))
    taken, weights = None, None
    if one.taken is not None:
        counted = _split if sharing.any() and not coarse else _copied
        taken = counted(one.taken, rows)
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
    returns = None if one.habits is None else one.habits.returns.moved(rows)
    taken = None if coarse else taken
    return SourceView(name, one, evidence, bridge, ranker, rows, carried, taken, returns, coarse)


def _rows(
    table: EmbeddingTable, target: InteractionLog, items: Vocabulary, catalogue: Vocabulary, link: Link | None
) -> Rows:
    """The source's row for each of the ground's items; with a link only its pairs count for the target's."""
    if table.vocabulary.dtype == items.dtype:
        own = table.vocabulary.rows(items.ids)
    else:
        own = np.full(len(items), -1, np.int64)
    if link is None:
        return own
    linked = align(table, target, vocabulary=catalogue, link=link, min_coverage=0.0).rows
    here = catalogue.rows(items.ids)
    return np.where(here >= 0, linked[here], own)


def _sharing(rows: Rows) -> npt.NDArray[np.bool_]:
    """Which of the items that the source knows share its row with others, shape `(n_known,)`."""
    found = rows[rows >= 0]
    return np.asarray(np.bincount(found)[found] > 1)


def _copied(taken: csr_array, rows: Rows) -> csr_array:
    """A source's counts with a column for each of the ground's items, whoever else has the same."""
    known = np.flatnonzero(rows >= 0)
    ones = np.ones(len(known), np.float32)
    moved = csr_array((ones, (rows[known], known)), shape=(taken.shape[1], len(rows)))
    return csr_array(taken @ moved)


def _split(taken: csr_array, rows: Rows) -> csr_array:
    """The same, but where items share a row, each user's count is of one of them, drawn."""
    known = np.flatnonzero(rows >= 0)
    sharing = known[np.argsort(rows[known], kind="stable")]  # those of one row side by side
    n = np.bincount(rows[known], minlength=taken.shape[1])
    first = np.cumsum(n) - n
    found = coo_array(taken)
    there = n[found.col] > 0
    row, column = found.row[there], found.col[there]
    drawn = np.random.default_rng(0).integers(n[column])
    places = (row, sharing[first[column] + drawn])
    return csr_array((found.data[there], places), shape=(taken.shape[0], len(rows)))
