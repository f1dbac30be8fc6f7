"""The part of a recommender that says why."""

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from rectransfer.explain import (
    BACKGROUND,
    ENGLISH,
    Explainer,
    Explanations,
    Templates,
    reason_frame,
    reasons_for,
)
from rectransfer.explain.background import require_drawable
from rectransfer.logs import InteractionLog
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.explaining import asked_items, called, explained, explainer_of
from rectransfer.recommend.holder import Holder
from rectransfer.recommend.inputs import OnUnknownUsers, asked, ids_of
from rectransfer.recommend.state import State

__all__ = ["Explains"]


class Explains(Holder):
    """Explains what a fitted model recommends."""

    def __init__(self, config: RecommenderConfig) -> None:
        super().__init__(config)
        self._explainers: dict[tuple[int, int], tuple[State, Explainer]] = {}

    def explainer(self, background: int = BACKGROUND, seed: int = 0) -> Explainer:
        """What explains this model's scores; made when it is first asked for.

        Args:
            background: How many candidates of the model's own users to compare with.
            seed: Draws them; the same seed draws the same.

        Raises:
            InputError: `background` is no whole number from 1, or `seed` none from 0.
        """
        require_drawable(background, seed)
        state, key = self._fitted, (background, seed)
        if key not in self._explainers or self._explainers[key][0] is not state:
            self._explainers[key] = state, explainer_of(state, background, seed)
        return self._explainers[key][1]

    def explain(
        self,
        users: Iterable[Any] | None = None,
        items: Iterable[Any] | None = None,
        k: int = 10,
        *,
        history: InteractionLog | pl.DataFrame | None = None,
        on_unknown_users: OnUnknownUsers = "popular",
    ) -> Explanations:
        """Why items score as they do: exact contributions of signals and of the history's items.

        Users without any history are explained by popularity, which is all of their scores. What a shared
        user had elsewhere stands among the best `k` by habit, and is explained by `elsewhere.habit`, which is
        all that it adds; one of `items` is explained as the ranker sees it, and so is what a user has had
        here (`recommend(filter_viewed=False)`). Which game is played: `rectransfer.explain.Explainer`.

        Args:
            users: As in `recommend`.
            items: Ids of items to explain for each user, recommended or not; by default the best `k`.
            k: How many of the best.
            history: As in `recommend`.
            on_unknown_users: Likewise.

        Raises:
            NotFittedError: `fit` has to come first.
            UnknownUserError: As asked for.
            InputError: `k` below 1, ids of another type, or one of `items` not on sale.
        """
        parts = self.explain_batches(users, items, k, history=history, on_unknown_users=on_unknown_users)
        return Explanations.joined(list(parts))

    def explain_batches(
        self,
        users: Iterable[Any] | None = None,
        items: Iterable[Any] | None = None,
        k: int = 10,
        *,
        history: InteractionLog | pl.DataFrame | None = None,
        on_unknown_users: OnUnknownUsers = "popular",
    ) -> Iterator[Explanations]:
        """As `explain`, some users at a time, so that any number of them fits into memory.

        The first part is empty: it has the columns, and nothing in them.
        """
        state = self._fitted
        who = asked(state, users, k, history, on_unknown_users)
        rows = None if items is None else asked_items(state, ids_of(items, "items"))
        return explained(
            state,
            self.explainer(),
            who.users,
            who.examples,
            state.viewed(who.users, who.added),
            k=k,
            items=rows,
            popular=on_unknown_users == "popular",
        )

    def reasons(
        self,
        users: Iterable[Any] | None = None,
        items: Iterable[Any] | None = None,
        k: int = 10,
        *,
        titles: pl.DataFrame | None = None,
        templates: Templates = ENGLISH,
        most: int = 2,
        history: InteractionLog | pl.DataFrame | None = None,
        on_unknown_users: OnUnknownUsers = "popular",
    ) -> pl.DataFrame:
        """One or two sentences for each recommendation, each backed by what it contributes.

        Args:
            users: As in `explain`; so are `items`, `k`, `history` and `on_unknown_users`.
            items: Likewise.
            k: Likewise.
            titles: `item_id` and `title`; an item without a title isn't named.
            templates: The sentences.
            most: How many at most.
            history: As in `explain`.
            on_unknown_users: Likewise.

        Returns:
            `user_id`, `item_id`, `score`, `rank`, `reason` (null where nothing speaks for the item clearly
            enough), `parts` (the signals behind it) and `contribution` (what they have added to the score).

        Raises:
            NotFittedError: `fit` has to come first.
            UnknownUserError: As asked for.
            InputError: As in `explain`, or `titles` lacks a column or has none of the model's items.
        """
        known = called(self._fitted, titles)
        found = self.explain(users, items, k, history=history, on_unknown_users=on_unknown_users)
        return reason_frame(found, reasons_for(found, titles=known, templates=templates, most=most))
