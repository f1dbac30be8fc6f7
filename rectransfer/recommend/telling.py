"""Reasons for the rows of a part: what `Recommender.reasons` says, of the lists that were scored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array, csr_array

from rectransfer.columns import Columns
from rectransfer.explain import BACKGROUND, ENGLISH, Explainer, Explanations, reasons_for
from rectransfer.ranking import Histories, entries, uncut
from rectransfer.recommend.by_habit import HABIT
from rectransfer.recommend.explaining import by_popularity, explainer_of
from rectransfer.recommend.state import Part, State
from rectransfer.vocabulary import Vocabulary

__all__ = ["REASONS", "Teller"]

REASONS: Final = "reasons"
"""The column: a list of sentences, empty where nothing speaks for an item clearly enough."""

_OFTEN: Final = "You often buy it."
_BEFORE: Final = "You have bought it before."
_ELSEWHERE: Final = ENGLISH.of_signal(HABIT) or ""


@dataclass(frozen=True, eq=False)
class Teller:
    """Puts lists into words.

    Attributes:
        state: A fitted model.
        explainer: Of it.
        titles: Ids of items to what they are called; an item without a title isn't named.
    """

    state: State
    explainer: Explainer
    titles: Mapping[Any, str] = field(repr=False)

    @classmethod
    def of(cls, state: State, titles: Mapping[Any, str]) -> "Teller":
        """One for a model; it draws what it compares with, the same for equal models."""
        return cls(state, explainer_of(state, BACKGROUND, 0), titles)

    def told(
        self, users: Vocabulary, histories: Histories, viewed: csr_array, ranked: Part, had: csr_array | None
    ) -> pl.DataFrame:
        """Reasons of users about whom something is known: `user_id`, `item_id` and `reasons`.

        What is recommended because it was taken before has that as its reason, and no other.

        Args:
            users: u of them.
            histories: Theirs, in the same order.
            viewed: What they must not get, shape `(u, n_items)`.
            ranked: What they get.
            had: What they have had and may get again, shape `(u, n_items)`; None where they may not.
        """
        owner, item, _, rank = ranked
        rows, place = np.unique(owner, return_inverse=True)
        lists = np.full((len(rows), int(rank.max(initial=0))), -1, np.int64)
        lists[place, rank - 1] = item
        examples = uncut(histories, len(self.state.items)).take(rows)
        some = Vocabulary(users.take(rows))
        elsewhere = self.state.elsewhere(examples, csr_array((viewed if had is None else had)[rows]))
        shut = csr_array(viewed[rows] + elsewhere)
        found = self._frame(self.explainer.listed(examples, some, lists, exclude=shut), users)
        found = self._again(found, some, elsewhere.tocoo(), np.full(elsewhere.nnz, _ELSEWHERE))
        if had is None or self.state.habits is None:
            return found
        pairs = csr_array(had[rows]).tocoo()
        often = entries(examples.counts, pairs.row, pairs.col) >= ENGLISH.often_from
        return self._again(found, some, pairs, np.where(often, _OFTEN, _BEFORE))

    def _again(
        self, found: pl.DataFrame, users: Vocabulary, pairs: coo_array, sentences: npt.NDArray[np.str_]
    ) -> pl.DataFrame:
        """The same, but what was taken before is there because of that; a sentence for each pair."""
        key = [Columns.User, Columns.Item]
        ids = users.take(pairs.row).alias(key[0]), self.state.items.take(pairs.col).alias(key[1])
        said = pl.DataFrame([*ids, pl.Series("said", sentences, dtype=pl.String)]).unique(key)
        rows = found.join(said, on=key, how="left", maintain_order="left")
        own = pl.when(pl.col("said").is_not_null()).then(pl.concat_list("said")).otherwise(REASONS)
        return rows.with_columns(own.alias(REASONS)).drop("said")

    def popular(
        self, users: Vocabulary, strangers: npt.NDArray[np.int64], viewed: csr_array, k: int
    ) -> pl.DataFrame:
        """Reasons of users about whom nothing is known, who get the best sellers; else as `told`."""
        found = by_popularity(self.state, self.explainer, users, strangers, viewed, k, None)
        return self._frame([found], users)

    def _frame(self, parts: Iterable[Explanations], users: Vocabulary) -> pl.DataFrame:
        frames = [self._rows(self.explainer.nothing(users.dtype))]
        return pl.concat([*frames, *(self._rows(part) for part in parts)])

    def _rows(self, part: Explanations) -> pl.DataFrame:
        sentences = [[one.text for one in mine] for mine in reasons_for(part, titles=self.titles)]
        return pl.DataFrame(
            [
                part.users.alias(Columns.User),
                part.items.alias(Columns.Item),
                pl.Series(REASONS, sentences, dtype=pl.List(pl.String)),
            ]
        )
