"""User2Vec: a vector for each user of a log."""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse as sp
from gensim.models.doc2vec import Doc2Vec, TaggedDocument

from rectransfer.artefacts import library_versions
from rectransfer.columns import Columns
from rectransfer.embeddings._training import check_training, epochs_shown, n_workers
from rectransfer.embeddings.table import EmbeddingTable
from rectransfer.embeddings.user_table import Method, UserTable
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, SpilledLog
from rectransfer.sequences import LONGEST_LINE
from rectransfer.vocabulary import Vocabulary

__all__ = ["Method", "User2Vec", "UserTable", "pooled_vectors"]

logger = logging.getLogger(__name__)

_USERS_AT_ONCE: Final = 10_000


@dataclass(frozen=True)
class User2Vec:
    """How to learn user vectors.

    `"pooled"` takes the mean over the Item2Vec vectors of a user's items, weighted by `decay ** age`: the
    latest item has age 0, the one before it 1, and so on. It lies in the space of the item table, and a new
    user's vector takes no training.

    `"pv-dbow"` learns a vector that predicts the user's items (Le and Mikolov 2014, "Distributed
    representations of sentences and documents", section 2.3), with item output vectors of its own, which
    begin at the item table's if there is one.

    Attributes:
        method: `"pooled"` or `"pv-dbow"`.
        decay: For `"pooled"`: above 0, up to 1, which is the plain mean.
        dimensions: The other fields are for `"pv-dbow"`, and are those of `Item2Vec`.
        epochs: Passes over the users.
        negative: Noise items drawn for each item.
        ns_exponent: Noise is drawn by `count ** ns_exponent`.
        sample: Items whose share is far above this are thinned out at random; 0 keeps all.
        min_count: Items seen less often are left out.
        learning_rate: At the start; it falls to 0.0001 by the end.
        seed: Where randomness starts.
        workers: Threads; None: one a core, fewer for small logs.
        deterministic: One thread, so that equal input gives equal vectors, bit for bit. It costs the other
            threads.

    Raises:
        InputError: A value out of its range.
    """

    method: Method = "pooled"
    decay: float = 0.9
    dimensions: int = 64
    epochs: int = 20
    negative: int = 10
    ns_exponent: float = 0.75
    sample: float = 0.0
    min_count: int = 1
    learning_rate: float = 0.025
    seed: int = 0
    workers: int | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("pooled", "pv-dbow"):
            raise InputError(f"method={self.method!r}; choose 'pooled' or 'pv-dbow'")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay={self.decay}; expected more than 0, up to 1")
        check_training(self)

    def fit(
        self,
        log: InteractionLog | SpilledLog,
        items: EmbeddingTable | None = None,
        *,
        progress: bool = False,
    ) -> UserTable:
        """Learn a vector for each user who has an item that is known.

        Args:
            log: The users' interactions; on disk, for `"pooled"`.
            items: The item table. `"pooled"` needs it; `"pv-dbow"` begins from its output vectors if given.
            progress: Whether to show the epochs of `"pv-dbow"`.

        Raises:
            InputError: `"pooled"` without a table; a table with none of the log's items or, for `"pv-dbow"`,
                with other dimensions.

        Examples:
            >>> log = InteractionLog.from_frame(pl.DataFrame({
            ...     "user_id": ["ann", "ann", "bob"],
            ...     "item_id": ["milk", "tea", "nails"],
            ...     "timestamp": [1, 2, 3],
            ... }))
            >>> items = Vocabulary.from_ids(["milk", "tea"])
            >>> table = EmbeddingTable(items, np.eye(2), np.eye(2), counts=np.array([1, 1]))
            >>> users = User2Vec(decay=0.25).fit(log, table)
            >>> users.vocabulary.ids.to_list(), users.vectors.round(1)
            (['ann'], array([[0.2, 0.8]], dtype=float32))
        """
        if self.method == "pooled":
            if items is None:
                raise InputError("method='pooled' pools item vectors: fit(log, items) needs the item table")
            users, vectors = _pool_parts(log, items, self.decay)
            return UserTable(
                users, vectors, items.vocabulary, items.contexts, self.method, self._provenance(log, items)
            )
        if isinstance(log, SpilledLog):
            raise InputError("method='pv-dbow' learns from a log in memory; a log on disk takes 'pooled'")
        return self._learn(log, items, progress)

    def _learn(self, log: InteractionLog, items: EmbeddingTable | None, progress: bool) -> UserTable:
        counts = (
            log.frame.group_by(Columns.Item).len("n").filter(pl.col("n") >= self.min_count).sort(Columns.Item)
        )
        if not counts.height:
            raise InputError(f"no item occurs {self.min_count:,} times in {len(log):,} rows; lower min_count")
        known = Vocabulary(counts[Columns.Item])
        rows = log.frame.select(Columns.User, row=pl.Series(known.rows(log.frame[Columns.Item])))
        history = rows.filter(pl.col("row") >= 0).group_by(Columns.User, maintain_order=True).agg("row")
        model = Doc2Vec(
            vector_size=self.dimensions,
            dm=0,
            dbow_words=0,
            hs=0,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            sample=self.sample,
            alpha=self.learning_rate,
            min_alpha=min(1e-4, self.learning_rate),
            min_count=1,
            epochs=self.epochs,
            seed=self.seed,
            workers=n_workers(self, int(counts["n"].sum())),
        )
        documents = _Documents(history["row"])
        model.build_vocab(documents)
        words = np.array(model.wv.index_to_key, dtype=np.int64)
        if items is not None:
            _begin_from(model, items, known.take(words))
        with epochs_shown(self.epochs, progress) as callbacks:
            model.train(
                documents,
                total_examples=model.corpus_count,
                total_words=model.corpus_total_words,
                epochs=self.epochs,
                callbacks=callbacks,
            )
        users = Vocabulary(history[Columns.User])
        contexts = model.syn1neg[np.argsort(words)]
        return UserTable(users, model.dv.vectors, known, contexts, self.method, self._provenance(log, items))

    def _provenance(self, log: InteractionLog | SpilledLog, items: EmbeddingTable | None) -> dict[str, Any]:
        used = {"method": self.method, "decay": self.decay} if self.method == "pooled" else asdict(self)
        return {
            "model": "user2vec",
            "hyper_parameters": used,
            "rows": len(log),
            "span": [when.isoformat() if isinstance(when, date) else when for when in log.span],
            "versions": library_versions(),
            "items": items.digest() if items is not None else None,
        }


def pool(
    log: InteractionLog, items: EmbeddingTable, decay: float
) -> tuple[Vocabulary, npt.NDArray[np.float32]]:
    """The mean of each user's item vectors, weighted by `decay ** age` with the latest known item at age 0.

    Returns:
        The users who have an item in the table, and their vectors, shape `(n_users, d)`.

    Raises:
        InputError: None of the log's items is in the table.
    """
    rows = log.frame.select(Columns.User, row=pl.Series(items.vocabulary.rows(log.frame[Columns.Item])))
    rows = rows.filter(pl.col("row") >= 0)
    if not rows.height:
        raise InputError(
            f"none of the log's {log.n_items:,} items (for example {log.items.ids[0]!r}) is among the "
            f"table's {len(items):,}; use the table that was learned from this log"
        )
    users = Vocabulary.from_ids(rows[Columns.User])
    owner, known = users.rows(rows[Columns.User]), rows["row"].to_numpy()  # logs are sorted by user and time
    return users, pooled_vectors(owner, known, len(users), items.vectors, decay)


def pooled_vectors(
    owner: npt.NDArray[np.int64],
    items: npt.NDArray[np.int64],
    n_users: int,
    vectors: npt.NDArray[np.float32],
    decay: float,
) -> npt.NDArray[np.float32]:
    """The mean of each user's item vectors, weighted by `decay ** age` with the latest item at age 0.

    Args:
        owner: Whose each entry is, ascending, and of one user in the order of time, shape `(h,)`.
        items: Its item, shape `(h,)`.
        n_users: How many users there are.
        vectors: Of the items, shape `(n_items, d)`.
        decay: What an item counts of the one after it.

    Returns:
        Shape `(n_users, d)`; zeros for users without entries.
    """
    age = np.cumsum(np.bincount(owner, minlength=n_users))[owner] - 1 - np.arange(len(owner))
    weights = np.power(decay, age.astype(np.float64))
    weights /= np.bincount(owner, weights=weights, minlength=n_users)[owner]
    mean = sp.csr_array((weights.astype(np.float32), (owner, items)), shape=(n_users, len(vectors)))
    return np.asarray(mean @ vectors, dtype=np.float32)


def _pool_parts(
    log: InteractionLog | SpilledLog, items: EmbeddingTable, decay: float
) -> tuple[Vocabulary, npt.NDArray[np.float32]]:
    """`pool`, for a log on disk one part at a time; users in ascending order."""
    if isinstance(log, InteractionLog):
        return pool(log, items, decay)
    known = (part for part in log.parts() if (items.vocabulary.rows(part.items.ids) >= 0).any())
    pooled = [pool(part, items, decay) for part in known]
    if not pooled:
        raise InputError(
            f"none of the {log.n_items:,} items of {log.name} is among the table's {len(items):,}; use the "
            "table that was learned from this log"
        )
    ids = pl.concat([users.ids for users, _ in pooled])
    order = ids.arg_sort()
    vectors = np.concatenate([vectors for _, vectors in pooled])
    return Vocabulary(ids.gather(order)), vectors[order.to_numpy()]


class _Documents:
    """Users' items as gensim reads them; gensim goes over them once an epoch.

    It reads documents one by one and not from a corpus file, because there the number of the line is the
    user, and a history over 10,000 items takes two lines.
    """

    def __init__(self, histories: pl.Series) -> None:
        self.histories = histories

    def __iter__(self) -> Iterator[TaggedDocument]:
        for start in range(0, self.histories.len(), _USERS_AT_ONCE):
            part = self.histories.slice(start, _USERS_AT_ONCE).cast(pl.List(pl.String)).to_list()
            for tag, words in enumerate(part, start):
                for first in range(0, len(words), LONGEST_LINE):
                    yield TaggedDocument(words[first : first + LONGEST_LINE], [tag])


def _begin_from(model: Any, items: EmbeddingTable, ids: pl.Series) -> None:
    if items.dimensions != model.vector_size:
        raise InputError(
            f"expected {model.vector_size} dimensions, the item table has {items.dimensions}; "
            f"use User2Vec(dimensions={items.dimensions})"
        )
    rows = items.vocabulary.rows(ids)
    if not (rows >= 0).any():
        raise InputError(
            f"none of the log's {ids.len():,} items (for example {ids[0]!r}) is in the item table"
        )
    model.syn1neg[rows >= 0] = items.contexts[rows[rows >= 0]]
