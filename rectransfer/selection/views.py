"""What a source says about the users of a slice, in a few signals that cost no training."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array, hstack

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import STEADY
from rectransfer.selection.slice import Slice, matrix
from rectransfer.transfer import Bridges, align
from rectransfer.transfer.link import Link
from rectransfer.vocabulary import Vocabulary

__all__ = ["Signals", "source_signals", "target_signals"]

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Signals = dict[str, Floats]
"""By name, each of shape `(n, n_items)`."""


@dataclass(frozen=True, eq=False)
class _Together:
    """Who took what, to score by what goes together: a cosine between items, over the users of `taken`."""

    taken: csr_array

    def scores(self, history: csr_array) -> Floats:
        """How much the items of a history go with every item, shape `(n, n_items)`.

        The item-item cosine (Sarwar et al. 2001, "Item-based collaborative filtering recommendation
        algorithms", section 3.1.1), added up over the history by way of the users, so that no matrix of items
        is made.
        """
        popularity = np.maximum(np.asarray(self.taken.sum(axis=0)).ravel(), 1)
        weights = (popularity**-0.5).astype(np.float32)
        scaled = csr_array(self.taken.multiply(weights[None, :]))
        alike = csr_array(history.multiply(weights[None, :])) @ scaled.T
        return np.asarray((alike @ scaled).toarray(), dtype=np.float32)


def target_signals(measured: Slice) -> Signals:
    """Popularity and what goes together in the target, each user's from a log without the user."""
    items = measured.target.items
    together = np.zeros(measured.relevant.shape, np.float32)
    for rows, rest in measured.others():
        taken = matrix(rest.frame, rest.users, items)
        together[rows] = _Together(taken).scores(csr_array(measured.seen[rows]))
    return {
        "target.popularity": _popularity(measured),
        "target.together": np.log1p(together),
    }


def source_signals(measured: Slice, one: Pretrained, bridge: Bridges, link: Link | None) -> Signals:
    """What goes over the bridges that there are.

    By shared items: affinity and similarity in the source's table, popularity there, and what goes together
    in the histories that it kept. By shared users: what goes together with what they took in the source.
    """
    found: Signals = {}
    if bridge.by_items:
        rows = align(one.items, measured.target, link=link, min_coverage=0.0).rows
        found |= _by_items(measured, one, rows)
    if bridge.by_users and (kept := _histories(one, measured.target)) is not None:
        found["users.together"] = np.log1p(_by_users(measured, kept))
    return found


def _popularity(measured: Slice) -> Floats:
    rows = measured.known.frame.select(Columns.User, Columns.Item).unique()
    counts = np.bincount(measured.target.items.rows(rows[Columns.Item]), minlength=measured.target.n_items)
    return np.tile(np.log1p(counts).astype(np.float32), (len(measured.users), 1))


def _by_items(measured: Slice, one: Pretrained, rows: npt.NDArray[np.int64]) -> Signals:
    known, n = rows >= 0, len(measured.users)
    table = one.items
    lengths = np.maximum(np.linalg.norm(table.vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    vectors, contexts, unit = (
        np.where(known[:, None], part[rows], 0).astype(np.float32)
        for part in (table.vectors, table.contexts, table.vectors / lengths)
    )
    popularity = np.where(known, one.popularity[rows], 0).astype(np.float32)
    pooled = measured.examples.pooled(STEADY)
    found = {
        "items.affinity": np.asarray(pooled @ vectors @ contexts.T, np.float32),
        "items.similarity": np.asarray(pooled @ unit @ unit.T, np.float32),
        "items.popularity": np.tile(popularity, (n, 1)),
        "items.known": np.tile(known.astype(np.float32), (n, 1)),
    }
    if one.histories is not None:
        whole = matrix(one.histories.frame, one.histories.users, table.vocabulary)
        taken = csr_array(whole[:, np.maximum(rows, 0)].multiply(known[None, :].astype(np.float32)))
        found["items.together"] = np.log1p(_Together(taken).scores(measured.seen))
    return found


def _histories(one: Pretrained, target: InteractionLog) -> InteractionLog | None:
    """What the source's users did there, where it stands beside the target's log."""
    kept = one.histories
    columns = (Columns.User, Columns.Timestamp)
    if kept is None or any(kept.frame[name].dtype != target.frame[name].dtype for name in columns):
        logger.warning("shared users bring no histories: none are kept, or ids or timestamps differ in type")
        return None
    return kept


def _by_users(measured: Slice, kept: InteractionLog) -> Floats:
    """What goes together with what users took in the source before their cut, over other shared users."""
    there = kept.items
    had = hstack([matrix(measured.before_the_cut(kept), measured.users, there), measured.seen], format="csr")
    found = np.zeros(measured.relevant.shape, np.float32)
    for rows, rest in measured.others():
        users = Vocabulary(rest.users.ids.filter(pl.Series(kept.users.rows(rest.users.ids) >= 0)))
        if len(users):
            both = [matrix(kept.frame, users, there), matrix(rest.frame, users, measured.target.items)]
            taken = csr_array(hstack(both, format="csr"))
            found[rows] = _Together(taken).scores(csr_array(had[rows]))[:, len(there) :]
    return found
