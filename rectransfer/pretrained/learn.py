"""Pretraining: from a source log to what can be carried over."""

import logging
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.artefacts import library_versions
from rectransfer.columns import Columns
from rectransfer.embeddings import EmbeddingTable
from rectransfer.logs import InteractionLog, SpilledLog, hold_out_users, require_log, spill_log
from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.neighbours import Neighbours, solve_neighbours
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.pretrained import Pretrained
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

__all__ = [
    "FEWEST",
    "SOURCE",
    "Made",
    "card_of",
    "done_at_once",
    "habits_of",
    "latest",
    "learn",
    "measure",
    "pretrain",
]

logger = logging.getLogger(__name__)

SOURCE: Final = "source"
"""What a source's signals are called by."""

FEWEST: Final = 20
"""Users below which nobody is held out: too few to choose anything by."""

_CHECKED: Final = Ndcg(10)
_MOST_CHECKED: Final = 500  # their scores of all items are in memory at once

_UNMEASURED: Final = 3
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


def pretrain(
    source: InteractionLog | SpilledLog | str | Path,
    *,
    config: PretrainConfig | None = None,
    seed: int = 0,
    deterministic: bool = False,
    progress: bool = False,
) -> Pretrained:
    """Learn what a mature domain can teach: item and user tables, a tower, a ranker.

    A share of the users is held out. Tables and tower are learned without them, the tower's epochs are chosen
    on them, and the ranker learns from them how far each signal can be trusted for users whom the tables have
    never seen. Then table and tower are learned again from everybody.

    Args:
        source: The mature domain's log. One that is larger than memory: Parquet files as `spill_log` takes
            them, or what it gave; item vectors, profiles and popularity are learned from all of it, the rest
            from a sample of the users (`PretrainConfig.most_rows`).
        config: How; the defaults are the ones that won on real logs.
        seed: Where randomness starts.
        deterministic: One thread for gensim, so that equal input gives equal results, bit for bit. It costs
            the other threads: about twice the time on two cores.
        progress: Whether to show progress bars.

    Raises:
        InputError: A log with no two items in any sequence, so that there is nothing to learn from.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> planted = plant(PlantedConfig(source_users=60, source_items=30, target_items=25))
        >>> pretrain(planted.source)
        Pretrained(30 items, 60 users)
    """
    if isinstance(source, str | Path):
        with spill_log(source) as spilled:
            return pretrain(spilled, config=config, seed=seed, deterministic=deterministic, progress=progress)
    settings = (config or PretrainConfig()).seeded(seed, deterministic)
    if isinstance(source, SpilledLog):
        from rectransfer.pretrained.large import pretrain_large  # it is built of this module's parts

        return pretrain_large(source, settings, seed, progress)
    require_log(source, "pretrain(source)")
    ranker: Ranker | None = None
    habits: Habits | None = None
    epochs, l2 = _UNMEASURED, settings.neighbours_l2[len(settings.neighbours_l2) // 2]
    metrics: dict[str, float] = {}
    at_once = done_at_once(source)
    if source.n_users >= FEWEST:
        n = min(settings.most_held_out, max(2, round(settings.held_out * source.n_users)))
        split = hold_out_users(source, n=n, seed=seed)
        logger.info("learning from %s users, holding out %s", split.kept.n_users, n)
        epochs, l2, ranker, habits, metrics = measure(
            split.kept, split.held_out, settings, seed, progress, at_once=at_once
        )
    logger.info("learning from all %s users", source.n_users)
    settled = replace(settings, neighbours_l2=(l2,))
    found = learn(source, settled, seed, progress, epochs=epochs, at_once=at_once)
    if ranker is None:
        logger.warning("%s users are too few to hold any out: the ranker stays at its start", source.n_users)
        ranker = Ranker.standard(found.scene.names, settings.ranker.hidden, seed)
    users = settings.user2vec.fit(source, found.table, progress=progress)
    whole = Histories.from_log(source, found.table.vocabulary, users.vocabulary)
    return Pretrained(
        items=found.table,
        users=users,
        tower=found.scene.towers[SOURCE].layers(),
        ranker=ranker,
        popularity=found.scene.evidence[0].popularity,
        weights=None if settings.keep_histories else found.weights.pruned(),
        transitions=found.transitions,
        taken=uncut(whole, len(found.table), longest=None).counts if settings.keep_histories else None,
        habits=habits_of(whole, len(found.table), habits),
        histories=latest(source, settings.keep_histories),
        config=settings,
        card={**card_of(source, metrics, seed), "at_once": at_once},
    )


def learn(
    log: InteractionLog,
    config: PretrainConfig,
    seed: int,
    progress: bool,
    *,
    held_out: InteractionLog | None = None,
    epochs: int = _UNMEASURED,
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
        left_out = _cuttable(Histories.from_log(held_out, table.vocabulary), at_once)
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
            _cuttable(histories, at_once),
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
    histories = _cuttable(Histories.from_log(held_out, found.table.vocabulary), at_once)
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


def done_at_once(log: InteractionLog) -> bool:
    """Whether hardly anybody came twice; see `Histories.at_once`."""
    found = Histories.from_log(log, log.items).at_once
    if found:
        logger.info("hardly anybody came twice: a random part of what users took stands for what came first")
    return found


def _cuttable(histories: Histories, at_once: bool) -> Histories:
    return histories.shuffled() if at_once else histories


def habits_of(histories: Histories, n_items: int, start: Habits | None) -> Habits:
    """Habits of all users of a source, weighed as it was learned on those who were held out."""
    returns = Returns.of(histories, n_items)
    return fit_habits([], returns) if start is None else replace(start, returns=returns)


def latest(log: InteractionLog, longest: int) -> InteractionLog | None:
    """The latest interactions of each user."""
    if not longest:
        return None
    return log.with_frame(log.frame.group_by(Columns.User, maintain_order=True).tail(longest))


def card_of(source: InteractionLog | SpilledLog, metrics: dict[str, float], seed: int) -> dict[str, Any]:
    """Data span, counts and metrics."""
    return {
        "name": source.name,
        "rows": len(source),
        "users": source.n_users,
        "items": source.n_items,
        "span": [when.isoformat() if isinstance(when, date) else when for when in source.span],
        "held_out": metrics,
        "seed": seed,
        "versions": library_versions(),
    }
