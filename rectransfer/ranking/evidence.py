"""What one domain knows about the catalogue, laid out in the catalogue's rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rectransfer.embeddings import EmbeddingTable
from rectransfer.neighbours import Neighbours
from rectransfer.ranking.examples import Examples
from rectransfer.tastes import Leanings
from rectransfer.transitions import Transitions
from rectransfer.vocabulary import Vocabulary

__all__ = ["Evidence", "Profiles", "lay_out"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A table and an item-item matrix in the rows of another vocabulary; n items.

    Attributes:
        name: What its signals are called by: `"source"`, `"joint"`, `"target"`.
        vectors: W, shape `(n, d)`; zeros where the table doesn't know the item.
        contexts: C, shape `(n, d)`, likewise.
        log_prior: Log of the noise distribution, shape `(n,)`; the lowest that is known where unknown.
        popularity: `log(1 + users who took it)`, shape `(n,)`.
        known: Whether the table knows the item, shape `(n,)`.
        weights: Which items a history calls for, or None.
        transitions: Which items came soon after others, or None.
    """

    name: str
    vectors: Floats
    contexts: Floats
    log_prior: Floats
    popularity: Floats
    known: npt.NDArray[np.bool_]
    weights: Neighbours | None = None
    transitions: Transitions | None = None

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.known)


@dataclass(frozen=True, eq=False)
class Profiles:
    """Vectors that users bring from a source, and what to multiply them with.

    Attributes:
        users: n of them.
        vectors: Shape `(n, d)`.
        contexts: Output vectors of the items in the same space, shape `(n_items, d)`.
        leanings: What users take here, by how they differ in what they took in the source; or None.
    """

    users: Vocabulary
    vectors: Floats
    contexts: Floats
    leanings: Leanings | None = None

    def of(self, examples: Examples) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The vector of each example's user, zeros for those without one, and who has one.

        Returns:
            Shapes `(u, d)` and `(u,)`.
        """
        vectors = np.zeros((len(examples), self.vectors.shape[1]), np.float32)
        if examples.who is None or not len(examples):
            return vectors, np.zeros(len(examples), np.bool_)
        rows = self.users.rows(examples.who.take(examples.users))
        vectors[rows >= 0] = self.vectors[rows[rows >= 0]]
        return vectors, rows >= 0


def lay_out(
    name: str,
    table: EmbeddingTable | None,
    items: Vocabulary,
    *,
    popularity: Floats,
    weights: Neighbours | None = None,
    transitions: Transitions | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> Evidence:
    """A table's arrays in the rows of `items`.

    Args:
        name: What its signals are called by.
        table: None for a domain too thin to learn a table from.
        items: The vocabulary to lay out in.
        popularity: Shape `(len(items),)`.
        weights: Over the rows of `items` already.
        transitions: Likewise.
        rows: The table's row for each of `items`, -1 where it has none; by default equal ids are equal items.
    """
    n = len(items)
    if table is None:
        nothing = np.zeros((n, 1), np.float32)
        none, zeros = np.zeros(n, np.bool_), np.zeros(n, np.float32)
        return Evidence(name, nothing, nothing, zeros, popularity, none, weights, transitions)
    places = table.vocabulary.rows(items.ids) if rows is None else rows
    known = places >= 0
    vectors, contexts = (np.zeros((n, table.dimensions), np.float32) for _ in range(2))
    vectors[known], contexts[known] = table.vectors[places[known]], table.contexts[places[known]]
    log_prior = np.full(n, table.log_prior.min(), dtype=np.float32)
    log_prior[known] = table.log_prior[places[known]]
    return Evidence(name, vectors, contexts, log_prior, popularity, known, weights, transitions)
