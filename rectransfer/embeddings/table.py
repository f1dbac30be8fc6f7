"""The table that transfer moves: vectors of items, as they were learned, never to change."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.artefacts import (
    MISFITS,
    Artefact,
    Writer,
    load_artefact,
    read_arrays,
    read_ids,
    save_artefact,
    write_arrays,
    write_ids,
)
from rectransfer.columns import Columns
from rectransfer.embeddings._arrays import frozen, matrix
from rectransfer.errors import ArtefactError, InputError
from rectransfer.vocabulary import Vocabulary

__all__ = ["EmbeddingTable"]

_KIND: Final = "embedding_table"
_ARRAYS: Final = "vectors.safetensors"
_IDS: Final = "vocabulary.parquet"


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingTable:
    """Item vectors from skip-gram with negative sampling: both matrices, and what scoring by them needs.

    At its optimum the model has `W[a] · C[b] = log p(b|a) - log noise(b) - log negative` (Levy and Goldberg
    2014, "Neural word embedding as implicit matrix factorization", section 3.1), so `W[a] · C[b] +
    log_prior[b]` ranks items `b` by how probable they are next to `a`.

    Attributes:
        vocabulary: The items, n of them.
        vectors: W, the input vectors, `float32` of shape `(n, d)`, read-only.
        contexts: C, the output vectors, `float32` of shape `(n, d)`, read-only.
        counts: How often each item was in the training sequences, `int64` of shape `(n,)`, at least 1.
        ns_exponent: The exponent of the noise distribution: negatives were drawn by `counts ** ns_exponent`.
        provenance: Where the table comes from: plain values that JSON holds.

    Raises:
        InputError: Shapes that don't fit, values that aren't finite, counts under 1.

    Examples:
        >>> items = Vocabulary.from_ids(["milk", "rice", "tea"])
        >>> table = EmbeddingTable(items, np.eye(3)[:, :2], np.ones((3, 2)), counts=np.array([3, 1, 2]))
        >>> table
        EmbeddingTable(3 String ids, 2 dimensions)
        >>> table.vectors[0] = 1
        Traceback (most recent call last):
        ValueError: assignment destination is read-only
    """

    vocabulary: Vocabulary
    vectors: npt.NDArray[np.float32]
    contexts: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]
    ns_exponent: float = 0.75
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.vocabulary)
        vectors = matrix(self.vectors, "vectors", n)
        contexts = matrix(self.contexts, "contexts", n, columns=vectors.shape[1])
        counts = np.asarray(self.counts)
        if counts.shape != (n,) or not np.issubdtype(counts.dtype, np.integer):
            raise InputError(
                f"counts is {counts.dtype} of shape {counts.shape}; expected integers of shape ({n},)"
            )
        if under := int(np.count_nonzero(counts < 1)):
            raise InputError(f"{under:,} of {n:,} counts are under 1; leave out items that were never seen")
        if not np.isfinite(self.ns_exponent):
            raise InputError(f"ns_exponent={self.ns_exponent}; expected a finite number")
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "contexts", contexts)
        object.__setattr__(self, "counts", frozen(counts, np.int64))
        object.__setattr__(self, "ns_exponent", float(self.ns_exponent))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    @property
    def dimensions(self) -> int:
        """The length d of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def log_prior(self) -> npt.NDArray[np.float32]:
        """Log of the noise distribution: `ns_exponent * log(counts)`, normalised; shape `(n,)`, read-only."""
        powers = self.ns_exponent * np.log(self.counts)
        top = powers.max(initial=0.0)
        return frozen(powers - top - np.log(np.exp(powers - top).sum()), np.float32)

    def nearest(self, item: str | int, k: int = 10) -> pl.DataFrame:
        """The items whose input vectors point the same way: what stands in the same places.

        Args:
            item: An id of the table.
            k: How many; fewer come back where the table has fewer.

        Returns:
            `item_id`, `score` (cosine, from -1 to 1) and `rank` (from 1), the item itself left out.

        Raises:
            InputError: The item isn't in the table; ids that look alike are named.
        """
        if k < 1:
            raise InputError(f"k={k}; expected at least 1")
        if item not in self.vocabulary:
            raise InputError(
                f"{item!r} is not among the table's {len(self.vocabulary):,} items{self._alike(item)}"
            )
        row = int(self.vocabulary.rows([item])[0])
        lengths = np.maximum(np.linalg.norm(self.vectors, axis=1), np.finfo(np.float32).tiny)
        scores = self.vectors @ (self.vectors[row] / lengths[row]) / lengths
        order = np.argsort(-scores, kind="stable")
        top = order[order != row][:k]
        ids = self.vocabulary.take(top).alias(Columns.Item)
        rank = pl.Series(Columns.Rank, np.arange(1, len(top) + 1))
        return pl.DataFrame([ids, pl.Series(Columns.Score, scores[top]), rank])

    def _alike(self, item: str | int) -> str:
        ids = self.vocabulary.ids
        if ids.dtype != pl.String or not isinstance(item, str):
            return f", whose ids are {ids.dtype}, for example {ids[0]!r}" if len(ids) else ""
        within = ids.filter(ids.str.to_lowercase().str.contains(item.lower(), literal=True)).head(3).to_list()
        # comparing letter by letter is slow: a sample of a huge vocabulary has to do
        alike = within or difflib.get_close_matches(item, ids.head(20_000).to_list(), n=3)
        return f"; did you mean {', '.join(map(repr, alike))}?" if alike else f", for example {ids[0]!r}"

    def digest(self) -> str:
        """The sha256 of ids, arrays and exponent: equal digests are equal tables, bit for bit."""
        state = hashlib.sha256(json.dumps([self.ns_exponent, self.vocabulary.ids.to_list()]).encode())
        for array in (self.vectors, self.contexts, self.counts):
            state.update(f"{array.dtype.str}{array.shape}".encode())
            state.update(array.data)
        return state.hexdigest()

    def save(self, folder: str | Path) -> None:
        """Write the table as a folder: `card.json`, vectors as safetensors, ids as Parquet.

        Raises:
            InputError: The folder holds something else.
            ArtefactError: The folder cannot be written.
        """
        save_artefact(folder, kind=_KIND, files=self.writers(), card={"table": self.fields()})

    @classmethod
    def load(cls, folder: str | Path) -> "EmbeddingTable":
        """Read what `save` wrote.

        Raises:
            ArtefactError: The folder is missing, damaged, altered, or holds something else.
        """
        saved = load_artefact(folder, kind=_KIND)
        return cls.read(saved, saved.card.get("table"))

    def writers(self, prefix: str = "") -> dict[str, Writer]:
        """What writes the table's files, to save it inside a larger artefact (`prefix="source/"`)."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "vectors": self.vectors,
            "contexts": self.contexts,
            "counts": self.counts,
        }
        return {
            f"{prefix}{_ARRAYS}": lambda path: write_arrays(path, arrays),
            f"{prefix}{_IDS}": lambda path: write_ids(path, self.vocabulary.ids),
        }

    def fields(self) -> dict[str, Any]:
        """What belongs on the card beside the files."""
        return {
            "items": len(self.vocabulary),
            "dimensions": self.dimensions,
            "ns_exponent": self.ns_exponent,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def read(cls, saved: Artefact, fields: Any, prefix: str = "") -> "EmbeddingTable":
        """Read the table from an artefact that holds the files of `writers(prefix)` and its `fields()`.

        Raises:
            ArtefactError: A file is damaged or altered, or the fields don't belong to them.
        """
        arrays = read_arrays(saved.path(f"{prefix}{_ARRAYS}"))
        ids = read_ids(saved.path(f"{prefix}{_IDS}"))
        try:
            return cls(
                vocabulary=Vocabulary(ids),
                vectors=arrays["vectors"],
                contexts=arrays["contexts"],
                counts=arrays["counts"],
                ns_exponent=fields["ns_exponent"],
                provenance=fields["provenance"],
            )
        except MISFITS as error:
            raise ArtefactError(
                f"the table in {saved.folder / prefix} does not fit its card: {error!r}; restore the folder "
                "from a copy, or save it again"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        # a read-only mapping can't be pickled as it is; worker processes get a table built anew
        return type(self), (
            self.vocabulary,
            self.vectors,
            self.contexts,
            self.counts,
            self.ns_exponent,
            dict(self.provenance),
        )

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"EmbeddingTable({len(self):,} {self.vocabulary.dtype} ids, {self.dimensions} dimensions)"
