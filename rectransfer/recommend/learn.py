"""Learning from the target, with some of its users left out."""

import logging
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import item_weights
from rectransfer.ranking import (
    Evidence,
    Examples,
    Histories,
    Profiles,
    Tower,
    cut_at_share,
    fit_tower,
    lay_out,
    uncut,
)
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.ground import Ground
from rectransfer.scene import Scene
from rectransfer.sequences import sequences
from rectransfer.vocabulary import Vocabulary

__all__ = ["JOINT", "TARGET", "Lesson", "learn"]

logger = logging.getLogger(__name__)

TARGET: Final = "target"
"""What the signals of the target's own table are called by."""

JOINT: Final = "joint"
"""What the signals of the table are called by that began as the source's and went on with the target."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What was learned from some of the target's users: a scene for each contender.

    Attributes:
        alone: The target's own table and tower.
        transferred: With the sources' tables and towers beside them; None without a source.
    """

    alone: Scene
    transferred: Scene | None


def learn(
    ground: Ground, config: RecommenderConfig, users: Vocabulary, epochs: dict[str, int], seed: int
) -> Lesson:
    """Learn tables, item-item weights and towers from the logs of some users.

    Args:
        ground: Sources and target.
        config: How.
        users: Whose logs.
        epochs: How long each tower is trained, by domain; a tower that isn't in it is validated on the users
            left out, and its best epoch is entered.
        seed: Where randomness starts.
    """
    own = _of(ground.target, users)
    left_out = _left_out(ground, users)
    target = _evidence(TARGET, own, ground, config, start=None)
    towers = _tower(Tower(target, config.tower, seed), TARGET, ground, config, users, left_out, epochs, seed)
    alone = Scene((target,), {TARGET: towers} if towers else {}, ground.on_sale, config.depth)
    if not ground.sources:
        return Lesson(alone, None)
    merged = _of(ground.merged, users, keep_strangers=ground)
    joint = []
    for view in ground.sources[:1]:
        start = view.table(ground.items)
        joint.append(_evidence(JOINT, merged, ground, config, start=start, under=view.evidence))
    carried = {}
    for view in ground.sources:
        if view.evidence.known[ground.on_sale].any():
            tower = _tower(view.tower(), view.name, ground, config, users, left_out, epochs, seed)
            carried[view.name] = tower or view.tower()
    sources = [view.evidence for view in ground.sources]
    profiles = _profiles(ground, joint[0])
    scene = Scene((*sources, *joint, target), carried, ground.on_sale, config.depth, profiles)
    return Lesson(alone, scene)


def _profiles(ground: Ground, joint: Evidence) -> Profiles | None:
    """The user vectors of the first source, where it shares users.

    Pooled vectors meet the table that went on from the source's and has the target's items; PV-DBOW
    vectors have output vectors of their own.
    """
    view = ground.sources[0]
    if view.bridges.kind not in ("users", "both"):
        return None
    users = view.pretrained.users
    if users.method == "pooled" and users.dimensions == joint.contexts.shape[1]:
        return Profiles(users.vocabulary, users.vectors, joint.contexts)
    contexts = np.zeros((len(ground.items), users.dimensions), np.float32)
    if users.items.dtype == ground.items.dtype:
        rows = users.items.rows(ground.items.ids)
        contexts[rows >= 0] = users.contexts[rows[rows >= 0]]
    return Profiles(users.vocabulary, users.vectors, contexts)


def _of(log: InteractionLog, users: Vocabulary, keep_strangers: Ground | None = None) -> InteractionLog:
    """The rows of some users; with a ground also those of users who aren't the target's at all."""
    rows = users.rows(log.frame[Columns.User]) >= 0
    if keep_strangers is not None:
        rows |= keep_strangers.target.users.rows(log.frame[Columns.User]) < 0
    return log.with_frame(log.frame.filter(pl.Series(rows)))


def _left_out(ground: Ground, users: Vocabulary) -> Examples | None:
    ids = ground.target.users.ids
    others = ids.filter(pl.Series(users.rows(ids) < 0))
    if not others.len():
        return None
    histories = Histories.from_log(ground.target, ground.items, Vocabulary(others))
    return cut_at_share(histories, len(ground.items), labels_in=ground.on_sale)


def _evidence(
    name: str,
    log: InteractionLog,
    ground: Ground,
    config: RecommenderConfig,
    *,
    start: EmbeddingTable | None,
    under: Evidence | None = None,
) -> Evidence:
    """A table over a log's sequences, with item-item weights and popularity."""
    seen = uncut(Histories.from_log(log, ground.items), len(ground.items), longest=None).seen
    popularity = np.log1p(np.asarray(seen.sum(axis=0)).ravel()).astype(np.float32)
    weights = item_weights(seen, config.neighbours_l2)
    by = "session" if log.has_sessions else "user"
    begun = start if start is not None and _overlap(start, log) else None
    how = config.item2vec if start is None else replace(config.item2vec, dimensions=start.dimensions)
    try:
        cut = sequences(log, ground.items, by=by)  # type: ignore[arg-type]  # one of the two
        table = how.fit(cut, start=begun)
    except InputError as error:  # too thin to have pairs: the other signals carry on without a table
        logger.info("no %s table: %s", name, error)
        return lay_out(name, None, ground.items, popularity=popularity, weights=weights)
    laid = lay_out(name, table, ground.items, popularity=popularity, weights=weights)
    return laid if under is None or begun is None else _over(under, laid)


def _overlap(start: EmbeddingTable, log: InteractionLog) -> bool:
    return bool((start.vocabulary.rows(log.items.ids) >= 0).any())


def _over(under: Evidence, laid: Evidence) -> Evidence:
    """Items that only the source knows keep its vectors: the space is the one that training went on in."""
    kept = under.known & ~laid.known
    vectors, contexts, prior = laid.vectors.copy(), laid.contexts.copy(), laid.log_prior.copy()
    vectors[kept], contexts[kept] = under.vectors[kept], under.contexts[kept]
    prior[kept] = under.log_prior[kept]
    return replace(laid, vectors=vectors, contexts=contexts, log_prior=prior, known=laid.known | under.known)


def _tower(
    tower: Tower,
    name: str,
    ground: Ground,
    config: RecommenderConfig,
    users: Vocabulary,
    left_out: Examples | None,
    epochs: dict[str, int],
    seed: int,
) -> Tower | None:
    """A tower trained on the target: for the epochs that were chosen, or choosing them now."""
    train = config.train if name == TARGET else config.fine_tune
    chosen = epochs.get(name)
    if chosen is None and (left_out is None or len(left_out) < 10):
        epochs[name] = chosen = 0
    histories = Histories.from_log(ground.target if name == TARGET else ground.merged, ground.items, users)
    popularity = np.log1p(np.bincount(histories.items, minlength=len(ground.items))).astype(np.float32)
    trained = fit_tower(
        tower,
        histories,
        train if chosen is None else replace(train, epochs=chosen),
        popularity=popularity,
        validation=left_out if chosen is None else None,
        labels_in=ground.on_sale,
        seed=seed,
    )
    if chosen is None:
        logger.info("%s tower: epoch %s; NDCG@50 by epoch %s", name, trained.epochs, trained.validation)
        epochs[name] = trained.epochs
    return tower
