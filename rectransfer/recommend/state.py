"""What a fitted recommender knows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.artefacts import Precision
from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.ranking import Examples, Habits, Ranker
from rectransfer.recommend.verdict import Verdict
from rectransfer.scene import Scene, had_elsewhere
from rectransfer.transfer import Coverage
from rectransfer.vocabulary import Vocabulary

__all__ = ["Part", "State"]

Rows = npt.NDArray[np.int64]
Part = tuple[Rows, Rows, npt.NDArray[np.float32], Rows]
"""Users' rows, items' rows, scores and ranks."""


@dataclass(frozen=True, eq=False)
class State:
    """What a fitted recommender knows.

    Attributes:
        items: The items behind all rows.
        scene: Evidence and towers.
        ranker: Over the scene's signals, or some of them.
        log: What users did, as far as the model looks at it.
        target: `user_id` and `item_id` of the target's own log, each pair once.
        verdict: Why this model ships.
        coverage: What each source reaches of the target's items.
        precision: What tables and item-item weights are rounded to, and saved in.
        habits: What users take again; None in what older versions saved.
        habits_elsewhere: What users take of what they had elsewhere; None where nothing of that is on sale.
    """

    items: Vocabulary
    scene: Scene
    ranker: Ranker
    log: InteractionLog
    target: pl.DataFrame
    verdict: Verdict
    coverage: Mapping[str, Coverage]
    precision: Precision = "float32"
    habits: Habits | None = None
    habits_elsewhere: Habits | None = None

    def known(self, examples: Examples) -> npt.NDArray[np.bool_]:
        """Whose history or profile says anything, shape `(u,)`."""
        known: npt.NDArray[np.bool_] = np.diff(examples.seen.indptr) > 0
        if self.scene.profiles is not None:
            known |= self.scene.profiles.of(examples)[1]
        return known

    def elsewhere(self, examples: Examples, viewed: csr_array) -> csr_array:
        """1 where users had elsewhere what is on sale and they hadn't here, if that stands by habit.

        Args:
            examples: u users.
            viewed: What they have had here, shape `(u, n_items)`.
        """
        if self.habits_elsewhere is None:
            return csr_array(viewed.shape, dtype=np.float32)
        return had_elsewhere(examples, viewed, self.scene.on_sale)

    def allowed(self, ids: pl.Series) -> npt.NDArray[np.bool_]:
        """A mask of the items that may be recommended, shape `(n_items,)`.

        Raises:
            InputError: None of the ids is on sale.
        """
        rows = self.items.rows(ids)
        mask = np.zeros(len(self.items), np.bool_)
        mask[rows[rows >= 0]] = True
        mask &= self.scene.on_sale
        if not mask.any():
            example = f", for example {ids[0]!r}" if ids.len() else ""
            raise InputError(
                f"none of the {ids.len():,} ids in items is on sale{example}; the catalogue is that of "
                "fit(target, items=...)"
            )
        return mask

    def without(self, ids: pl.Series, allowed: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
        """What may be recommended, shape `(n_items,)`, once some ids are blocked.

        Raises:
            InputError: Nothing is left, or ids of another type.
        """
        rows = self.items.rows(ids)
        mask = self.scene.on_sale.copy() if allowed is None else allowed.copy()
        mask[rows[rows >= 0]] = False
        if not mask.any():
            raise InputError(f"blocked: its {ids.len():,} ids leave nothing that may be recommended")
        return mask

    def viewed(self, users: Vocabulary, added: InteractionLog | None) -> csr_array:
        """What users have had in the target, or in what was added; shape `(n_users, n_items)`."""
        pairs = [self.target] if added is None else [self.target, added.frame.select(self.target.columns)]
        frame = pl.concat(pairs)
        owner, item = users.rows(frame[Columns.User]), self.items.rows(frame[Columns.Item])
        known = (owner >= 0) & (item >= 0)
        ones = np.ones(int(known.sum()), np.float32)
        return csr_array((ones, (owner[known], item[known])), shape=(len(users), len(self.items)))

    def popular(self, users: Rows, k: int, viewed: csr_array, allowed: npt.NDArray[np.bool_] | None) -> Part:
        """The best sellers for users about whom nothing is known."""
        sellers = self.scene.best_sellers
        if allowed is not None:
            sellers = sellers[allowed[sellers]]
        popularity = self.scene.evidence[-1].popularity
        parts = []
        for user in users:
            had = viewed.indices[viewed.indptr[user] : viewed.indptr[user + 1]]
            top = sellers[: k + len(had)]
            top = top[~np.isin(top, had)][:k]
            parts.append((np.full(len(top), user), top, popularity[top], np.arange(1, len(top) + 1)))
        none = np.zeros(0, np.int64)
        parts.append((none, none, np.zeros(0, np.float32), none))
        owner, item, score, rank = (np.concatenate(column) for column in zip(*parts, strict=True))
        return owner, item, score, rank
