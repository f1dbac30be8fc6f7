"""Pretraining: from a source log to what can be carried over."""

import logging
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np

from rectransfer.artefacts import library_versions
from rectransfer.columns import Columns
from rectransfer.embeddings import EmbeddingTable
from rectransfer.logs import InteractionLog, hold_out_users, require_log
from rectransfer.neighbours import ItemWeights, item_weights
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.pretrained import Pretrained
from rectransfer.ranking import (
    Histories,
    Ranker,
    Tower,
    cut_at_random,
    cut_at_share,
    fit_ranker,
    fit_tower,
    lay_out,
    uncut,
)
from rectransfer.scene import Scene
from rectransfer.sequences import sequences

__all__ = ["SOURCE", "pretrain"]

logger = logging.getLogger(__name__)

SOURCE: Final = "source"
"""What a source's signals are called by."""

_FEWEST: Final = 20
"""Users below which nobody is held out: too few to choose anything by."""

_UNMEASURED: Final = 3
"""Epochs of the tower where nobody is held out."""


@dataclass(frozen=True, eq=False)
class _Learned:
    table: EmbeddingTable
    weights: ItemWeights | None
    scene: Scene
    epochs: int


def pretrain(
    source: InteractionLog,
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
        source: The mature domain's log.
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
    require_log(source, "pretrain(source)")
    settings = (config or PretrainConfig()).seeded(seed, deterministic)
    ranker: Ranker | None = None
    epochs = _UNMEASURED
    metrics: dict[str, float] = {}
    if source.n_users >= _FEWEST:
        n = min(settings.most_held_out, max(2, round(settings.held_out * source.n_users)))
        split = hold_out_users(source, n=n, seed=seed)
        logger.info("learning from %s users, holding out %s", split.kept.n_users, n)
        epochs, ranker, metrics = _measure(split.kept, split.held_out, settings, seed, progress)
    logger.info("learning from all %s users", source.n_users)
    found = _learn(source, settings, seed, progress, epochs=epochs)
    if ranker is None:
        logger.warning("%s users are too few to hold any out: the ranker stays at its start", source.n_users)
        ranker = Ranker.standard(found.scene.names, settings.ranker.hidden, seed)
    return Pretrained(
        items=found.table,
        users=settings.user2vec.fit(source, found.table, progress=progress),
        tower=found.scene.towers[SOURCE].layers(),
        ranker=ranker,
        popularity=found.scene.evidence[0].popularity,
        weights=found.weights,
        histories=_latest(source, settings.keep_histories),
        config=settings,
        card=_card(source, metrics, seed),
    )


def _learn(
    log: InteractionLog,
    config: PretrainConfig,
    seed: int,
    progress: bool,
    *,
    held_out: InteractionLog | None = None,
    epochs: int = _UNMEASURED,
) -> _Learned:
    """Table, item-item weights and tower of a log.

    The tower's epochs are chosen on the held-out users, or are those that were chosen before.
    """
    by = config.by or ("session" if log.has_sessions else "user")
    table = config.item2vec.fit(sequences(log, by=by), progress=progress)
    histories = Histories.from_log(log, table.vocabulary)
    seen = uncut(histories, len(table), longest=None).seen
    popularity = np.log1p(np.asarray(seen.sum(axis=0)).ravel()).astype(np.float32)
    weights = item_weights(seen, config.neighbours_l2)
    evidence = lay_out(SOURCE, table, table.vocabulary, popularity=popularity, weights=weights)
    train, validation = replace(config.train, epochs=min(epochs, config.train.epochs)), None
    if held_out is not None:
        train = config.train
        validation = cut_at_share(Histories.from_log(held_out, table.vocabulary), len(table))
    tower = Tower(evidence, config.tower, seed)
    trained = fit_tower(
        tower, histories, train, popularity=popularity, validation=validation, seed=seed, progress=progress
    )
    if held_out is not None:
        logger.info("tower: epoch %s is best; NDCG@50 by epoch %s", trained.epochs, trained.validation)
    scene = Scene((evidence,), {SOURCE: tower}, np.ones(len(table), np.bool_))
    return _Learned(table, weights, scene, trained.epochs)


def _measure(
    kept: InteractionLog, held_out: InteractionLog, config: PretrainConfig, seed: int, progress: bool
) -> tuple[int, Ranker, dict[str, float]]:
    """Learn without the held-out users; on them choose the epochs, train the ranker, and measure it.

    What the ranker is measured on, half of the held-out users, is learned from only afterwards.
    """
    found = _learn(kept, config, seed, progress, held_out=held_out)
    scene, n_items = found.scene, len(found.table)
    histories = Histories.from_log(held_out, found.table.vocabulary)
    rng = np.random.default_rng(seed)
    examples = cut_at_random(histories, n_items, rng)
    slate = scene.lesson(examples, rng)
    ranker = Ranker.standard(scene.names, config.ranker.hidden, seed).rescale(slate)
    start = ranker.arrays()
    check = cut_at_share(histories, n_items, users=range(1, len(histories), 2))
    before = scene.ndcg(ranker, check)
    fit_ranker(ranker, slate.take(np.flatnonzero(examples.users % 2 == 0)), config.ranker, seed)
    after = scene.ndcg(ranker, check)
    metrics = {
        "users": float(len(check)),
        "ndcg@10_untrained": float(before.mean()) if len(before) else 0.0,
        "ndcg@10": float(after.mean()) if len(after) else 0.0,
        "tower_epochs": float(found.epochs),
    }
    logger.info("held-out users: %s", metrics)
    ranker.load_arrays(start)
    return found.epochs, fit_ranker(ranker, slate, config.ranker, seed), metrics


def _latest(log: InteractionLog, longest: int) -> InteractionLog | None:
    """The latest interactions of each user."""
    if not longest:
        return None
    return log.with_frame(log.frame.group_by(Columns.User, maintain_order=True).tail(longest))


def _card(source: InteractionLog, metrics: dict[str, float], seed: int) -> dict[str, Any]:
    summary = source.describe()
    return {
        "name": source.name,
        "rows": summary.rows,
        "users": summary.users,
        "items": summary.items,
        "span": [when.isoformat() if isinstance(when, date) else when for when in source.span],
        "held_out": metrics,
        "seed": seed,
        "versions": library_versions(),
    }
