"""Vectors of users, as they were learned, never to change."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

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
from rectransfer.embeddings._arrays import matrix
from rectransfer.errors import ArtefactError, InputError
from rectransfer.vocabulary import Vocabulary

__all__ = ["Method", "UserTable"]

Method = Literal["pooled", "pv-dbow"]

_KIND: Final = "user_table"
_ARRAYS: Final = "users.safetensors"
_IDS: Final = "users.parquet"
_ITEM_IDS: Final = "items.parquet"


@dataclass(frozen=True, eq=False, repr=False)
class UserTable:
    """A vector for each user of a domain, and the item vectors it is to be multiplied with.

    `vectors[u] · contexts[i]` is the affinity of user u to item i. A user who isn't in the vocabulary has no
    vector, which is not the same as a vector of zeros.

    Attributes:
        vocabulary: The users, n of them.
        vectors: `float32` of shape `(n, d)`, read-only.
        items: The items that `contexts` has rows for, m of them.
        contexts: Output vectors of items, `float32` of shape `(m, d)`, read-only.
        method: `"pooled"`: a mean over the vectors of the user's items. `"pv-dbow"`: learned for the user.
        provenance: Where the table comes from: plain values that JSON holds.

    Raises:
        InputError: Shapes that don't fit, values that aren't finite, or an unknown method.
    """

    vocabulary: Vocabulary
    vectors: npt.NDArray[np.float32]
    items: Vocabulary
    contexts: npt.NDArray[np.float32]
    method: Method = "pooled"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(
                f"method={self.method!r}; choose one of {', '.join(map(repr, get_args(Method)))}"
            )
        vectors = matrix(self.vectors, "vectors", len(self.vocabulary))
        contexts = matrix(self.contexts, "contexts", len(self.items), columns=vectors.shape[1])
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "contexts", contexts)
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    @property
    def dimensions(self) -> int:
        """The length d of a vector."""
        return int(self.vectors.shape[1])

    def digest(self) -> str:
        """The sha256 of ids, arrays and method: equal digests are equal tables, bit for bit."""
        ids = [self.vocabulary.ids.to_list(), self.items.ids.to_list()]
        state = hashlib.sha256(json.dumps([self.method, *ids]).encode())
        for array in (self.vectors, self.contexts):
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
    def load(cls, folder: str | Path) -> "UserTable":
        """Read what `save` wrote.

        Raises:
            ArtefactError: The folder is missing, damaged, altered, or holds something else.
        """
        saved = load_artefact(folder, kind=_KIND)
        return cls.read(saved, saved.card.get("table"))

    def writers(self, prefix: str = "") -> dict[str, Writer]:
        """What writes the table's files, to save it inside a larger artefact (`prefix="profiles/"`)."""
        arrays = {"vectors": self.vectors, "contexts": self.contexts}
        return {
            f"{prefix}{_ARRAYS}": lambda path: write_arrays(path, arrays),
            f"{prefix}{_IDS}": lambda path: write_ids(path, self.vocabulary.ids),
            f"{prefix}{_ITEM_IDS}": lambda path: write_ids(path, self.items.ids),
        }

    def fields(self) -> dict[str, Any]:
        """What belongs on the card beside the files."""
        return {
            "users": len(self.vocabulary),
            "items": len(self.items),
            "dimensions": self.dimensions,
            "method": self.method,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def read(cls, saved: Artefact, fields: Any, prefix: str = "") -> "UserTable":
        """Read the table from an artefact that holds the files of `writers(prefix)` and its `fields()`.

        Raises:
            ArtefactError: A file is damaged or altered, or the fields don't belong to them.
        """
        arrays = read_arrays(saved.path(f"{prefix}{_ARRAYS}"))
        users, items = read_ids(saved.path(f"{prefix}{_IDS}")), read_ids(saved.path(f"{prefix}{_ITEM_IDS}"))
        try:
            return cls(
                vocabulary=Vocabulary(users),
                vectors=arrays["vectors"],
                items=Vocabulary(items),
                contexts=arrays["contexts"],
                method=fields["method"],
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
            self.items,
            self.contexts,
            self.method,
            dict(self.provenance),
        )

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        ids = f"{len(self):,} {self.vocabulary.dtype} ids by {self.method}"
        return f"UserTable({ids}, {self.dimensions} dimensions)"
