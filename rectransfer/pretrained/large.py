"""Pretraining on a log that is larger than memory: tables from all of it, the rest from some users."""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, SpilledLog, hold_out_users
from rectransfer.pretrained.config import PretrainConfig
from rectransfer.pretrained.in_memory import FEWEST, card_of, latest
from rectransfer.pretrained.learn import SOURCE, Made, habits_of, learn, measure
from rectransfer.pretrained.pretrained import Pretrained
from rectransfer.ranking import Histories, done_at_once, uncut
from rectransfer.sequences import Sequences, sequences, write_corpus
from rectransfer.vocabulary import Vocabulary

__all__ = ["pretrain_large"]

logger = logging.getLogger(__name__)


def pretrain_large(log: SpilledLog, config: PretrainConfig, seed: int, progress: bool) -> Pretrained:
    """Learn from a log that is in memory one part at a time.

    Item vectors, user profiles and popularity come from every row, but for the sequences of the users held
    out: `config.most_held_out` of them at most, a thin slice of a log of this size, so the table isn't
    learned twice. Item-item weights, tower, ranker and the histories that are kept come from a sample of the
    users that has about `config.most_rows` rows.

    Args:
        log: What `spill_log` gave.
        config: How, seeded.
        seed: Where randomness starts.
        progress: Whether to show progress bars.

    Raises:
        InputError: Fewer than 20 users, or user vectors by "pv-dbow".
    """
    if config.user2vec.method != "pooled":
        raise InputError(
            f"user2vec has method={config.user2vec.method!r}, which learns from a log in memory; a log on "
            "disk takes 'pooled'"
        )
    sample = log.sample(config.most_rows, seed)
    if sample.n_users < FEWEST:
        raise InputError(
            f"{log.name}: {sample.n_users} of {log.n_users:,} users have about {config.most_rows:,} rows; "
            f"{FEWEST} are needed: raise most_rows, or read a small log with read_log"
        )
    n = min(config.most_held_out, max(2, round(config.held_out * sample.n_users)))
    split = hold_out_users(sample, n=n, seed=seed)
    table = _table(log, config, split.held_out.users, progress)
    made = Made(table, _popularity(log, table.vocabulary))
    logger.info("learning from %s users, holding out %s", split.kept.n_users, n)
    at_once = done_at_once(sample)
    epochs, l2, ranker, habits, metrics = measure(
        split.kept, split.held_out, config, seed, progress, made, at_once=at_once
    )
    logger.info("learning from all %s users of the sample", sample.n_users)
    settled = replace(config, neighbours_l2=(l2,))
    found = learn(sample, settled, seed, progress, epochs=epochs, made=made, at_once=at_once)
    users = config.user2vec.fit(log, table, progress=progress)
    return Pretrained(
        items=table,
        users=users,
        tower=found.scene.towers[SOURCE].layers(),
        ranker=ranker,
        popularity=made.popularity,
        weights=None if config.keep_histories else found.weights.pruned(),
        transitions=found.transitions,
        taken=_taken(sample, table.vocabulary, users.vocabulary) if config.keep_histories else None,
        habits=habits_of(Histories.from_log(sample, table.vocabulary), len(table), habits),
        histories=latest(sample, config.keep_histories),
        config=config,
        card={
            **card_of(log, metrics, seed, at_once=at_once),
            "sample": {"rows": len(sample), "users": sample.n_users},
        },
    )


def _table(log: SpilledLog, config: PretrainConfig, held_out: Vocabulary, progress: bool) -> EmbeddingTable:
    """Item vectors from a corpus file that is written part by part."""
    by = config.by or ("session" if log.has_sessions else "user")

    def cut() -> Iterator[Sequences]:
        for part in log.parts():
            others = part.frame.filter(pl.Series(held_out.rows(part.frame[Columns.User]) < 0))
            if others.height:
                yield sequences(part.with_frame(others), log.items, by=by)

    with tempfile.TemporaryDirectory(prefix="rectransfer-", dir=log.folder) as folder:
        shuffle = config.item2vec.seed if config.item2vec.shuffled(by) else None
        corpus = write_corpus(cut(), Path(folder) / "corpus.txt", shuffle=shuffle)
        return config.item2vec.fit_corpus(corpus, log.items, by=by, span=log.span, progress=progress)


def _popularity(log: SpilledLog, items: Vocabulary) -> npt.NDArray[np.float32]:
    """`log(1 + users who took it)` of each item."""
    users = np.zeros(len(items), np.int64)
    for part in log.parts():  # a user is in one part only
        pairs = part.frame.select(Columns.User, Columns.Item).unique()
        rows = items.rows(pairs[Columns.Item])
        users += np.bincount(rows[rows >= 0], minlength=len(items))
    return np.log1p(users).astype(np.float32)


def _taken(sample: InteractionLog, items: Vocabulary, users: Vocabulary) -> csr_array:
    """The sample's counts, in rows of all users."""
    histories = Histories.from_log(sample, items)
    counts = uncut(histories, len(items), longest=None).counts.tocoo()
    rows = users.rows(histories.users.ids)
    known = rows[counts.row] >= 0
    places = (rows[counts.row][known], counts.col[known])
    return csr_array((counts.data[known], places), shape=(len(users), len(items)))
