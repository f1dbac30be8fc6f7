"""Learning from a source: tables, weights, towers, and rankers on users who are held out."""

import logging
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.embeddings import EmbeddingTable
from rectransfer.logs import InteractionLog
from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.neighbours import Neighbours, solve_neighbours
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.ranking import (
    Examples,
    Habits,
    Histories,
    Ranker,
    Returns,
    Tower,
    Towers,
    Trained,
    cut_at_random,
    cut_at_share,
    fit_habits,
    fit_rankers,
    fit_tower,
    lay_out,
    uncut,
)
from rectransfer.scene import Scene, choice_of
from rectransfer.sequences import sequences
from rectransfer.transitions import Transitions, count_transitions

__all__ = ["SOURCE", "UNMEASURED", "Made", "habits_of", "learn", "measure"]

logger = logging.getLogger(__name__)

SOURCE: Final = "source"
"""What a source's signals are called by."""

_CHECKED: Final = Ndcg(10)
_MOST_CHECKED: Final = 500  # their scores of all items are in memory at once

UNMEASURED: Final = 3
"""Epochs of the tower where nobody is held out."""


@dataclass(frozen=True, eq=False)
class Made:
    """What was learned from a whole log before, where tower and weights learn from a sample of its users.

    Attributes:
        table: The item table.
        popularity: `log(1 + users who took it)` of each of its items.
    """

    table: EmbeddingTable
    popularity: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Learned:
    table: EmbeddingTable
    weights: Neighbours
    transitions: Transitions
    scene: Scene
    epochs: int


def learn(
    log: InteractionLog,
    config: PretrainConfig,
    seed: int,
    progress: bool,
    *,
    held_out: InteractionLog | None = None,
    epochs: int = UNMEASURED,
    made: Made | None = None,
    at_once: bool = False,
) -> _Learned:
    """Table (unless it is there already), item-item weights and tower of a log.

    The tower's epochs and the weights' ridge penalty are chosen on the held-out users, or were before. Where
    users did all `at_once`, examples are random parts of it.
    """
    by = config.by or ("session" if log.has_sessions else "user")
    table = made.table if made else config.item2vec.fit(sequences(log, by=by), progress=progress)
    histories = Histories.from_log(log, table.vocabulary)
    whole = uncut(histories, len(table), longest=None)
    own = np.log1p(np.asarray(whole.seen.sum(axis=0)).ravel()).astype(np.float32)
    popularity = made.popularity if made else own
    validation = None
    if held_out is not None:
        # cut at random, short and long: a target's histories are thinner than a source's
        left_out = Histories.from_log(held_out, table.vocabulary).to_cut(at_once=at_once)
        validation = cut_at_random(left_out, len(table), np.random.default_rng(seed))
    weights = _best_weights(whole.counts, config.neighbours_l2, validation)
    transitions = count_transitions(histories.owners, histories.steps, histories.items, len(table), seed=seed)
    evidence = lay_out(
        SOURCE, table, table.vocabulary, popularity=popularity, weights=weights, transitions=transitions
    )
    how = config.train
    if validation is None:
        how = replace(how, epochs=min(epochs, how.epochs))

    def train(tower: Tower, place: int) -> Trained:
        trained = fit_tower(
            tower,
            histories.to_cut(at_once=at_once),
            how,
            popularity=popularity,
            validation=validation,
            seed=seed + place,
            progress=progress,
        )
        if validation is not None:
            logger.info("tower: epoch %s is best; NDCG@50 by epoch %s", trained.epochs, trained.validation)
        return trained

    towers = Towers(evidence, config.tower, config.towers, seed)
    kept = towers.train(train)
    scene = Scene((evidence,), {SOURCE: towers}, np.ones(len(table), np.bool_))
    return _Learned(table, weights, transitions, scene, kept)


def _best_weights(counts: csr_array, penalties: tuple[float, ...], validation: Examples | None) -> Neighbours:
    """Item-item weights with the penalty that ranks what the held-out users took best."""
    found = [solve_neighbours(counts, l2) for l2 in penalties]
    if validation is None or len(found) == 1 or not len(validation):
        return found[len(found) // 2]
    rows = np.unique(np.linspace(0, len(validation) - 1, _MOST_CHECKED).astype(np.int64))
    validation = validation.take(rows)
    values = [
        float(
            _CHECKED.per_user(
                rank_relevant(one.scores(validation.counts), validation.relevant, validation.seen)
            ).mean()
        )
        for one in found
    ]
    logger.info("item-item weights: NDCG@10 by penalty %s", dict(zip(penalties, values, strict=True)))
    return found[int(np.argmax(values))]


def measure(
    kept: InteractionLog,
    held_out: InteractionLog,
    config: PretrainConfig,
    seed: int,
    progress: bool,
    made: Made | None = None,
    *,
    at_once: bool = False,
) -> tuple[int, float, Ranker, Habits, dict[str, float]]:
    """Learn without the held-out users; on them choose the epochs, train the ranker, and measure it.

    What the ranker is measured on, half of the held-out users, is learned from only afterwards. Of these,
    too, it is learned how what they had compares with what was new to them.
    """
    found = learn(kept, config, seed, progress, held_out=held_out, made=made, at_once=at_once)
    scene, n_items = found.scene, len(found.table)
    histories = Histories.from_log(held_out, found.table.vocabulary).to_cut(at_once=at_once)
    rng = np.random.default_rng(seed)
    examples = cut_at_random(histories, n_items, rng, per_user=config.per_user)
    slate = scene.lesson(examples, rng)
    check = cut_at_share(histories, n_items, users=range(1, len(histories), 2))
    half = slate.take(np.flatnonzero(examples.users % 2 == 0))
    before = scene.ndcg(Ranker.standard(scene.names, config.ranker.hidden, seed).rescale(half), check)
    trained = fit_rankers(scene.names, half, config.ranker, seed)
    after = scene.ndcg(trained, check)
    metrics = {
        "users": float(len(check)),
        "ndcg@10_untrained": float(before.mean()) if len(before) else 0.0,
        "ndcg@10": float(after.mean()) if len(after) else 0.0,
        "tower_epochs": float(found.epochs),
        "neighbours_l2": found.weights.l2,
    }
    logger.info("held-out users: %s", metrics)
    again = cut_at_random(
        histories,
        n_items,
        np.random.default_rng(seed),
        users=range(1, len(histories), 2),
        per_user=config.per_user,
        again=True,
    )
    returns = Returns.of(Histories.from_log(kept, found.table.vocabulary), n_items)
    habits = fit_habits([choice_of(scene, trained, again, returns)], returns)
    ranker = fit_rankers(scene.names, slate, config.ranker, seed)
    return found.epochs, found.weights.l2, ranker, habits, metrics


def habits_of(histories: Histories, n_items: int, start: Habits | None) -> Habits:
    """Habits of all users of a source, weighed as it was learned on those who were held out."""
    returns = Returns.of(histories, n_items)
    return fit_habits([], returns) if start is None else replace(start, returns=returns)
