"""Pretraining: from a source log to what can be carried over."""

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from rectransfer.artefacts import library_versions
from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog, SpilledLog, hold_out_users, require_log, spill_log
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.learn import SOURCE, UNMEASURED, habits_of, learn, measure
from rectransfer.pretrained.pretrained import Pretrained
from rectransfer.ranking import Habits, Histories, Ranker, done_at_once, uncut

__all__ = ["FEWEST", "card_of", "latest", "pretrain"]

logger = logging.getLogger(__name__)

FEWEST: Final = 20
"""Users below which nobody is held out: too few to choose anything by."""


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
    epochs, l2 = UNMEASURED, settings.neighbours_l2[len(settings.neighbours_l2) // 2]
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
        card=card_of(source, metrics, seed, at_once=at_once),
    )


def latest(log: InteractionLog, longest: int) -> InteractionLog | None:
    """The latest interactions of each user."""
    if not longest:
        return None
    return log.with_frame(log.frame.group_by(Columns.User, maintain_order=True).tail(longest))


def card_of(
    source: InteractionLog | SpilledLog, metrics: dict[str, float], seed: int, *, at_once: bool
) -> dict[str, Any]:
    """Data span, counts and metrics, and whether users did all at once."""
    return {
        "name": source.name,
        "rows": len(source),
        "users": source.n_users,
        "items": source.n_items,
        "span": [when.isoformat() if isinstance(when, date) else when for when in source.span],
        "at_once": at_once,
        "held_out": metrics,
        "seed": seed,
        "versions": library_versions(),
    }
