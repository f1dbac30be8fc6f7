"""What is common to all that a fitted model does: what it knows, and a folder that holds it."""

from pathlib import Path
from typing import Any

import polars as pl

from rectransfer.artefacts import save_artefact
from rectransfer.columns import Columns
from rectransfer.errors import NotFittedError
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.state import State
from rectransfer.recommend.store import KIND, fields, writers
from rectransfer.recommend.verdict import Verdict
from rectransfer.transfer import Coverage
from rectransfer.vocabulary import Vocabulary

__all__ = ["Holder"]


class Holder:
    """Holds what a fit has found.

    Args:
        config: How to fit.
    """

    def __init__(self, config: RecommenderConfig) -> None:
        self.config = config
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What it knows; frozen."""
        return self._fitted

    @property
    def verdict(self) -> Verdict:
        """What the gate measured, and what it chose."""
        return self._fitted.verdict

    @property
    def coverage(self) -> Coverage | None:
        """What the (first) source reaches of the target, by shared items or else users; None without one."""
        return next(iter(self._fitted.coverage.values()), None)

    @property
    def users(self) -> list[Any]:
        """The users of the target's log, in ascending order."""
        return self._fitted.target[Columns.User].unique().sort().to_list()

    @property
    def taken(self) -> pl.DataFrame:
        """`user_id` and `item_id` of what the target's users have had there, each pair once."""
        return self._fitted.target

    @property
    def last_seen(self) -> pl.DataFrame:
        """`user_id` and `timestamp`: when each of the target's users last took something new."""
        log, pair = self._fitted.log.frame, [Columns.User, Columns.Item]
        here = log.join(self._fitted.target, on=pair, how="semi")
        first = here.group_by(pair).agg(pl.col(Columns.Timestamp).min())  # later ones may be of a source
        return first.group_by(Columns.User).agg(pl.col(Columns.Timestamp).max())

    @property
    def catalogue(self) -> Vocabulary:
        """The items on sale."""
        state = self._fitted
        return Vocabulary(state.items.take(state.scene.shelf))

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the model that ships ranks by."""
        return self._fitted.ranker.names

    def save(self, folder: str | Path) -> None:
        """Write a folder from which `load_recommender` gives the same recommendations.

        Raises:
            NotFittedError: There is nothing to save yet.
            InputError: The folder holds something else.
            ArtefactError: The folder cannot be written.
        """
        state = self._fitted
        save_artefact(folder, kind=KIND, files=writers(state), card={KIND: fields(state, self.config)})

    @property
    def _fitted(self) -> State:
        if self._state is None:
            raise NotFittedError("this recommender isn't fitted: call fit(target) first, or load one")
        return self._state
