"""Item2Vec: skip-gram with negative sampling over baskets, sessions or histories."""

import logging
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from gensim.models import Word2Vec

from rectransfer.artefacts import library_versions
from rectransfer.embeddings._training import check_training, epochs_shown, n_workers
from rectransfer.embeddings.table import EmbeddingTable
from rectransfer.errors import InputError
from rectransfer.sequences import By, Corpus, Sequences, write_corpus
from rectransfer.vocabulary import Vocabulary

__all__ = ["Item2Vec"]

logger = logging.getLogger(__name__)

BASKET: Final = 5
"""The window that is chosen for baskets and sessions, whose items are shuffled."""

NEAR: Final = 10
"""The window that is chosen for whole histories."""


@dataclass(frozen=True)
class Item2Vec:
    """How to learn item vectors (Barkan and Koenigstein 2016, "Item2Vec: neural item embedding").

    Attributes:
        dimensions: Length of a vector.
        epochs: Passes over the sequences.
        window: How many items to each side count as company. None: 10 in a whole history, as tastes drift; 5
            in a basket or session, whose items are put in a random order first, so that each pair has the
            same chance: a sample of all pairs, which did better on real baskets than all of them.
        negative: Noise items drawn for each pair.
        ns_exponent: Noise is drawn by `count ** ns_exponent` (Mikolov et al. 2013, section 2.2).
        sample: Items whose share of the tokens is far above this are thinned out at random; 0 keeps all.
        min_count: Items seen less often are left out of the table.
        learning_rate: At the start; it falls to 0.0001 by the end.
        shrink_windows: Whether each item draws its window from 1 to `window`, so that near items count more.
            None: in whole histories only.
        shuffle: Whether the items of a sequence are put in a random order. None: in baskets and sessions.
        seed: Where randomness starts.
        workers: Threads; None: one a core, fewer for small corpora.
        deterministic: One thread, so that equal input gives equal vectors, bit for bit. It costs the other
            threads.

    Raises:
        InputError: A value out of its range.

    Examples:
        >>> import polars as pl
        >>> from rectransfer.logs import InteractionLog
        >>> from rectransfer.sequences import sequences
        >>> log = InteractionLog.from_frame(pl.DataFrame({
        ...     "user_id": [1, 1, 2, 2], "item_id": ["tea", "milk"] * 2, "timestamp": [1, 2, 1, 2]}))
        >>> Item2Vec(dimensions=8, deterministic=True).fit(sequences(log))
        EmbeddingTable(2 String ids, 8 dimensions)
    """

    dimensions: int = 64
    epochs: int = 10
    window: int | None = None
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 0.0
    min_count: int = 1
    learning_rate: float = 0.025
    shrink_windows: bool | None = None
    shuffle: bool | None = None
    seed: int = 0
    workers: int | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        check_training(self)
        if self.window is not None and self.window < 1:
            raise InputError(f"window={self.window}; expected at least 1, or None")

    def fit(
        self, sequences: Sequences, *, progress: bool = False, start: EmbeddingTable | None = None
    ) -> EmbeddingTable:
        """Learn a table from sequences.

        The table has the items with `min_count` occurrences in sequences of two items or more.

        Args:
            sequences: What to learn from.
            progress: Whether to show the epochs.
            start: A table to go on from: items in both begin with its vectors, W and C.

        Raises:
            InputError: No sequence has two items, no item is seen `min_count` times, or `start` has other
                dimensions or ids.
        """
        with tempfile.TemporaryDirectory(prefix="rectransfer-") as folder:
            chosen = self.chosen_for(sequences)
            order = chosen.seed if chosen.shuffle else None
            corpus = write_corpus(sequences, Path(folder) / "corpus.txt", shuffle=order)
            return self.fit_corpus(
                corpus,
                sequences.vocabulary,
                by=sequences.by,
                span=sequences.span,
                progress=progress,
                start=start,
            )

    def fit_corpus(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        *,
        by: By,
        span: tuple[datetime, datetime] | tuple[int, int],
        progress: bool = False,
        start: EmbeddingTable | None = None,
    ) -> EmbeddingTable:
        """Learn a table from a corpus file, which gensim reads line by line: it may be larger than memory.

        Args:
            corpus: What `write_corpus` wrote, in a random order where `shuffled(by)` says so.
            vocabulary: The items behind its tokens.
            by: What its lines are.
            span: The first and the last timestamp that went in.
            progress: Whether to show the epochs.
            start: A table to go on from.

        Raises:
            InputError: No item is seen `min_count` times, or `start` has other dimensions or ids.
        """
        chosen = self._chosen(by, corpus.longest)
        model = chosen._train(corpus, vocabulary, start, progress)
        # gensim orders its words by frequency: bring them back into the vocabulary's order
        words = np.array(model.wv.index_to_key, dtype=np.int64)
        by_row = np.argsort(words)
        rows = words[by_row]
        return EmbeddingTable(
            vocabulary=Vocabulary(vocabulary.take(rows)),
            vectors=model.wv.vectors[by_row],
            contexts=model.syn1neg[by_row],
            counts=corpus.counts[rows],
            ns_exponent=self.ns_exponent,
            provenance=chosen._provenance(by, span, corpus, start),
        )

    def chosen_for(self, sequences: Sequences) -> "Item2Vec":
        """The same, with the values that None stands for."""
        return self._chosen(sequences.by, sequences.longest)

    def shuffled(self, by: By) -> bool:
        """Whether the items of such sequences are put in a random order."""
        return by != "user" if self.shuffle is None else self.shuffle

    def _chosen(self, by: By, longest: int) -> "Item2Vec":
        history = by == "user"
        window = min(NEAR if history else BASKET, max(longest - 1, 1))
        return replace(
            self,
            window=self.window or window,
            shrink_windows=history if self.shrink_windows is None else self.shrink_windows,
            shuffle=self.shuffled(by),
        )

    def _train(
        self, corpus: Corpus, vocabulary: Vocabulary, start: EmbeddingTable | None, progress: bool
    ) -> Any:
        model = Word2Vec(
            vector_size=self.dimensions,
            sg=1,
            hs=0,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            sample=self.sample,
            window=self.window,
            shrink_windows=self.shrink_windows,
            alpha=self.learning_rate,
            min_alpha=min(1e-4, self.learning_rate),
            min_count=self.min_count,
            epochs=self.epochs,
            seed=self.seed,
            workers=n_workers(self, corpus.n_tokens),
        )
        seen = np.flatnonzero(corpus.counts)
        if corpus.counts.max() < self.min_count:
            raise InputError(
                f"no item occurs {self.min_count:,} times (most: {corpus.counts.max():,}); lower min_count"
            )
        # counted already, so gensim need not read the file for it
        model.build_vocab_from_freq(
            {str(row): int(corpus.counts[row]) for row in seen}, corpus_count=corpus.n_lines
        )
        if start is not None:
            _begin_from(model, start, vocabulary)
        with epochs_shown(self.epochs, progress) as callbacks:
            model.train(
                corpus_file=str(corpus.path),
                total_examples=corpus.n_lines,
                total_words=corpus.n_tokens,
                epochs=self.epochs,
                callbacks=callbacks,
            )
        return model

    def _provenance(
        self,
        by: By,
        span: tuple[datetime, datetime] | tuple[int, int],
        corpus: Corpus,
        start: EmbeddingTable | None,
    ) -> dict[str, Any]:
        return {
            "model": "item2vec",
            "hyper_parameters": asdict(self),
            "sequences": {"by": by, "lines": corpus.n_lines, "tokens": corpus.n_tokens},
            "span": [when.isoformat() if isinstance(when, date) else when for when in span],
            "versions": library_versions(),
            "start": start.digest() if start is not None else None,
        }


def _begin_from(model: Any, start: EmbeddingTable, vocabulary: Vocabulary) -> None:
    if start.dimensions != model.vector_size:
        raise InputError(
            f"expected {model.vector_size} dimensions, start has {start.dimensions}; "
            f"use Item2Vec(dimensions={start.dimensions})"
        )
    words = np.array(model.wv.index_to_key, dtype=np.int64)
    rows = start.vocabulary.rows(vocabulary.take(words))
    known = rows >= 0
    if not known.any():
        raise InputError(
            f"none of the {len(words):,} items is in start, whose ids look like {start.vocabulary.ids[0]!r}"
        )
    model.wv.vectors[known] = start.vectors[rows[known]]
    model.syn1neg[known] = start.contexts[rows[known]]
    logger.info("%s of %s items begin from an earlier table", np.count_nonzero(known), len(words))
