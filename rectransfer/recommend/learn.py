"""Learning from the target, with some of its users left out."""

import logging
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.neighbours import Neighbours, solve_neighbours
from rectransfer.ranking import (
    Evidence,
    Examples,
    Histories,
    Tower,
    Towers,
    Trained,
    cut_at_share,
    fit_tower,
    lay_out,
    uncut,
)
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.ground import Ground
from rectransfer.recommend.pooled import pooled
from rectransfer.recommend.profiles import profiles_of
from rectransfer.recommend.views import SourceView
from rectransfer.scene import Scene
from rectransfer.scene.candidates import chunks
from rectransfer.sequences import sequences
from rectransfer.transitions import Transitions, count_transitions
from rectransfer.vocabulary import Vocabulary

__all__ = ["JOINT", "TARGET", "Chosen", "Lesson", "learn"]

logger = logging.getLogger(__name__)

_FEWEST: Final = 10
"""Users left out below which nothing is chosen by them."""

_LATEST: Final = 100
"""Interactions of each shared user that the joint table goes on with."""

TARGET: Final = "target"
"""What the signals of the target's own table are called by."""

JOINT: Final = "joint"
"""What the signals of the table are called by that began as the source's and went on with the target."""


@dataclass
class Chosen:
    """What the first fold chose on the users it left out, for the others to keep.

    Attributes:
        epochs: How long the towers are trained, by domain.
        l2: The ridge penalty of the target's item-item weights, by domain.
        lead: The name of the source that the joint table goes on from.
    """

    epochs: dict[str, int] = field(default_factory=dict)
    l2: dict[str, float] = field(default_factory=dict)
    lead: str | None = None


@dataclass(frozen=True, eq=False)
class Lesson:
    """What was learned from some of the target's users: a scene for each contender.

    Attributes:
        alone: The target's own table and tower.
        transferred: With the sources' tables and towers beside them; None without a source.
        lead: The source that the joint table went on from.
    """

    alone: Scene
    transferred: Scene | None
    lead: SourceView | None = None


def learn(ground: Ground, config: RecommenderConfig, users: Vocabulary, chosen: Chosen, seed: int) -> Lesson:
    """Learn tables, item-item weights and towers from the logs of some users.

    Args:
        ground: Sources and target.
        config: How.
        users: Whose logs.
        chosen: What was chosen before; what isn't in it is chosen now, on the users left out, and entered.
        seed: Where randomness starts.
    """
    own = _of(ground.target, users)
    left_out = _left_out(ground, users)
    counts = _counts(own, ground)
    weights = _own_weights(counts, config, chosen, left_out)
    followed = _transitions(own, ground)
    target = _evidence(TARGET, own, ground, config, counts=counts, weights=weights, transitions=followed)
    fresh = Towers(target, config.tower, config.towers, seed)
    own_towers = _train(fresh, TARGET, ground, config, users, left_out, chosen, seed)
    alone = Scene((target,), {TARGET: own_towers}, ground.on_sale, config.depth)
    if not ground.sources:
        return Lesson(alone, None)
    merged = _of(ground.merged, users)
    if ground.shares_users:  # what they did elsewhere long ago would only take time
        merged = merged.with_frame(merged.frame.group_by(Columns.User, maintain_order=True).tail(_LATEST))
    lead = _lead(ground, chosen, left_out)
    both = pooled(lead, counts, followed, own.users)
    start = _start(lead, merged, ground)
    joint = _evidence(JOINT, merged, ground, config, **both._asdict(), start=start)
    if start is not None and joint.known.any():
        joint = _over(lead.evidence, joint)
    fine_tuned = {
        view.name: _train(view.towers(), view.name, ground, config, users, left_out, chosen, seed)
        for view in ground.sources
        if view.knows_any(ground.on_sale)
    }
    one_space = joint if ground.sharing is lead and start is not None else None
    profiles = profiles_of(ground, one_space, own.users, counts)
    towers = {**fine_tuned, TARGET: own_towers}
    sources = [view.evidence for view in ground.sources]
    scene = Scene((*sources, joint, target), towers, ground.on_sale, config.depth, profiles)
    return Lesson(alone, scene, lead)


def _lead(ground: Ground, chosen: Chosen, left_out: Examples | None) -> SourceView:
    """The source that the joint table goes on from: the one that foresees best what the users left out take.

    By its item-item weights. The first fold chooses; where that leaves out too few, the first source leads,
    and so it does of equals.
    """
    if chosen.lead is None:
        chosen.lead = ground.sources[0].name
        if len(ground.sources) > 1 and left_out is not None and len(left_out) >= _FEWEST:
            values = {view.name: _foreseen(view.evidence.weights, left_out) for view in ground.sources}
            logger.info("sources: NDCG@10 of their item-item weights %s", values)
            chosen.lead = max(values, key=lambda name: values[name])
    return next(view for view in ground.sources if view.name == chosen.lead)


def _foreseen(weights: Neighbours | None, left_out: Examples) -> float:
    """NDCG@10 of item-item weights on users left out."""
    if weights is None:
        return 0.0
    found = []
    for rows in chunks(len(left_out)):
        some = left_out.take(rows)
        ranks = rank_relevant(weights.scores(some.counts), some.relevant, some.seen)
        found.append(Ndcg(10).per_user(ranks))
    return float(np.concatenate(found).mean())


def _counts(log: InteractionLog, ground: Ground) -> csr_array:
    """How often each of a log's users took each item, shape `(n_users, n_items)`."""
    return uncut(Histories.from_log(log, ground.items), len(ground.items), longest=None).counts


def _transitions(log: InteractionLog, ground: Ground) -> Transitions:
    histories = Histories.from_log(log, ground.items)
    return count_transitions(histories.owners, histories.steps, histories.items, len(ground.items))


def _own_weights(
    counts: csr_array, config: RecommenderConfig, chosen: Chosen, left_out: Examples | None
) -> Neighbours:
    """The target's item-item weights; the first fold chooses their penalty."""
    if TARGET not in chosen.l2:
        if left_out is None or len(left_out) < _FEWEST:
            chosen.l2[TARGET] = config.neighbours_l2[len(config.neighbours_l2) // 2]
        else:
            values = {l2: _foreseen(solve_neighbours(counts, l2), left_out) for l2 in config.neighbours_l2}
            logger.info("the target's item-item weights: NDCG@10 by penalty %s", values)
            chosen.l2[TARGET] = max(values, key=lambda l2: values[l2])
    return solve_neighbours(counts, chosen.l2[TARGET])


def _of(log: InteractionLog, users: Vocabulary) -> InteractionLog:
    """The rows of some users."""
    rows = users.rows(log.frame[Columns.User]) >= 0
    return log.with_frame(log.frame.filter(pl.Series(rows)))


def _left_out(ground: Ground, users: Vocabulary) -> Examples | None:
    ids = ground.target.users.ids
    others = ids.filter(pl.Series(users.rows(ids) < 0))
    if not others.len():
        return None
    histories = ground.histories(ground.target, Vocabulary(others))
    return cut_at_share(histories, len(ground.items), labels_in=ground.on_sale)


def _evidence(
    name: str,
    log: InteractionLog,
    ground: Ground,
    config: RecommenderConfig,
    *,
    counts: csr_array,
    weights: Neighbours,
    transitions: Transitions,
    start: EmbeddingTable | None = None,
) -> Evidence:
    """A table over a log's sequences, with item-item weights and popularity.

    Training goes on from `start`, where there is one; a log too thin to have pairs leaves that as it is.
    """
    buyers = np.bincount(counts.indices, minlength=len(ground.items))
    popularity = np.log1p(buyers).astype(np.float32)
    by = "session" if log.has_sessions else "user"
    how = config.item2vec if start is None else replace(config.item2vec, dimensions=start.dimensions)
    table = start
    try:
        cut = sequences(log, ground.items, by=by)  # type: ignore[arg-type]  # one of the two
        table = how.fit(cut, start=start)
    except InputError as error:  # too thin to have pairs: what there was before carries on
        logger.info("no %s table is learned: %s", name, error)
    return lay_out(name, table, ground.items, popularity=popularity, weights=weights, transitions=transitions)


def _start(view: SourceView, log: InteractionLog, ground: Ground) -> EmbeddingTable | None:
    """A source's table, to go on from with a log; None where it knows none of its items."""
    start = view.table(ground.items)
    return start if start is not None and (start.vocabulary.rows(log.items.ids) >= 0).any() else None


def _over(under: Evidence, laid: Evidence) -> Evidence:
    """Items that only the source knows keep its vectors: the space is the one that training went on in."""
    kept = under.known & ~laid.known
    vectors, contexts, prior = laid.vectors.copy(), laid.contexts.copy(), laid.log_prior.copy()
    vectors[kept], contexts[kept] = under.vectors[kept], under.contexts[kept]
    prior[kept] = under.log_prior[kept]
    return replace(laid, vectors=vectors, contexts=contexts, log_prior=prior, known=laid.known | under.known)


def _train(
    towers: Towers,
    name: str,
    ground: Ground,
    config: RecommenderConfig,
    users: Vocabulary,
    left_out: Examples | None,
    chosen: Chosen,
    seed: int,
) -> Towers:
    """Towers trained on the target: for the epochs that were chosen, or choosing them now."""
    how = config.train if name == TARGET else config.fine_tune
    epochs = chosen.epochs.get(name)
    if epochs is None and (left_out is None or len(left_out) < _FEWEST):
        chosen.epochs[name] = epochs = 0
    histories = ground.histories(ground.target if name == TARGET else ground.merged, users)
    popularity = np.log1p(np.bincount(histories.items, minlength=len(ground.items))).astype(np.float32)

    def train(tower: Tower, place: int) -> Trained:
        return fit_tower(
            tower,
            histories,
            how if epochs is None else replace(how, epochs=epochs),
            popularity=popularity,
            validation=left_out if epochs is None else None,
            labels_in=ground.on_sale,
            seed=seed + place,
        )

    kept = towers.train(train)
    if epochs is None:
        logger.info("%s towers: epoch %s", name, kept)
        chosen.epochs[name] = kept
    return towers
