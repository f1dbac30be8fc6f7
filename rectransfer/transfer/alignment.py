"""Where the target's items stand in a source table."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.transfer.coverage import Coverage, item_coverage
from rectransfer.transfer.link import SOURCE, TARGET, Link, examples, link_pairs, same_type
from rectransfer.vocabulary import Vocabulary

__all__ = ["Alignment", "align"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the target's items stand in a source table.

    Attributes:
        vocabulary: The target's items, n of them.
        rows: Their rows in the table, -1 for those that have none; `int64` of shape `(n,)`, read-only.
        coverage: How much of the target this reaches. A user counts who has an item that is reached.
        link: The pairs that were used, `target_id` and `source_id`; None where equal ids were.
    """

    vocabulary: Vocabulary
    rows: npt.NDArray[np.int64]
    coverage: Coverage
    link: pl.DataFrame | None = None

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which of the target's items the table knows, shape `(n,)`."""
        return self.rows >= 0


def align(
    table: EmbeddingTable,
    target: InteractionLog,
    *,
    vocabulary: Vocabulary | None = None,
    link: Link | None = None,
    min_coverage: float = 0.05,
) -> Alignment:
    """Find the target's items in a source table, by equal ids or by a link table.

    With a link table nothing but its pairs counts: equal ids in two catalogues that need one are an accident.
    Several target items may link to one source item. Pairs with an id that target or table doesn't have are
    left out, with a warning in the log, as a company's link table is often larger than one shop.

    Args:
        table: The source's item vectors.
        target: The target's log, which coverage is measured on.
        vocabulary: The target's items, where its catalogue is larger than the log.
        link: Target ids to source ids.
        min_coverage: The smallest share of the target's interactions that is worth going on with.

    Raises:
        InputError: Ids of different types, or a link table that cannot be used.
        CoverageError: Less than `min_coverage` is reached; the message has the shares, examples of ids, and
            the remedy.

    Examples:
        >>> items = Vocabulary.from_ids(["milk", "tea"])
        >>> table = EmbeddingTable(items, np.eye(2), np.eye(2), counts=np.array([1, 1]))
        >>> target = InteractionLog.from_frame(pl.DataFrame({
        ...     "user_id": [1, 1, 2], "item_id": ["tea", "Milch", "Brot"], "timestamp": [1, 2, 3]}))
        >>> align(table, target).rows
        array([-1, -1,  1])
        >>> align(table, target, link={"Milch": "milk", "tea": "tea"}).rows
        array([-1,  0,  1])
    """
    if not 0 <= min_coverage <= 1:
        raise InputError(f"min_coverage={min_coverage}; expected a share from 0 to 1")
    items = target.items if vocabulary is None else vocabulary
    pairs = None if link is None else link_pairs(link, items, table.vocabulary)
    if pairs is None:
        same_type(items, "the target's items", table.vocabulary, "the source table's")
        rows = table.vocabulary.rows(items.ids)
    else:
        rows = np.full(len(items), -1, dtype=np.int64)
        rows[items.rows(pairs[TARGET])] = table.vocabulary.rows(pairs[SOURCE])
    rows.flags.writeable = False
    coverage = item_coverage(items.take(np.flatnonzero(rows >= 0)), items, target)
    if coverage.interactions < min_coverage:
        raise CoverageError(
            f"the source table reaches {coverage}; expected at least {min_coverage:.1%} of the interactions. "
            f"{examples('Items', table.vocabulary, items)}. If ids are written differently, "
            "map them to one spelling, or pass link={target id: source id}; if so little is meant, "
            "min_coverage=0.0"
        )
    logger.info("the source table reaches %s", coverage)
    return Alignment(items, rows, coverage, pairs)
