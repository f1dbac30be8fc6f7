"""The recommender: fit on a thin target, recommend, save, load."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array
from tqdm import tqdm

from rectransfer.artefacts import load_artefact
from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, require_log
from rectransfer.pretrained import Pretrained
from rectransfer.ranking.threads import one_thread
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.explains import Explains
from rectransfer.recommend.fit import Fitted, fit
from rectransfer.recommend.ground import prepare
from rectransfer.recommend.inputs import OnUnknownUsers, asked, frame_of, ids_of, items_of
from rectransfer.recommend.lists import ranked_with_had
from rectransfer.recommend.scores import Scores
from rectransfer.recommend.state import State
from rectransfer.recommend.store import KIND, read
from rectransfer.scene import Ranked
from rectransfer.transfer.link import Link

__all__ = ["OnUnknownUsers", "Recommender", "load_recommender"]

logger = logging.getLogger(__name__)


class Recommender(Explains, Scores):
    """Recommends in a target domain, with what was learned in others where that helps.

    Args:
        pretrained: One source or several; None for the target alone.
        config: How to fit.
        seed: Where randomness starts; shorthand for the config's.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> from rectransfer.pretrained import pretrain
        >>> planted = plant(PlantedConfig(source_users=60, target_users=20, source_items=30, target_items=25))
        >>> model = Recommender(pretrain(planted.source)).fit(planted.target)
        >>> model.recommend(users=model.users[:2], k=3).columns
        ['user_id', 'item_id', 'score', 'rank']
        >>> model.verdict.ships in ("transfer", "target")
        True
        >>> model.explain(users=model.users[:2], k=3).frame().columns
        ['user_id', 'item_id', 'part', 'value', 'contribution']
        >>> model.reasons(users=model.users[:2], k=3).columns
        ['user_id', 'item_id', 'score', 'rank', 'reason', 'parts', 'contribution']
    """

    def __init__(
        self,
        pretrained: Pretrained | Sequence[Pretrained] | None = None,
        *,
        config: RecommenderConfig | None = None,
        seed: int | None = None,
    ) -> None:
        several = list(pretrained) if isinstance(pretrained, list | tuple) else [pretrained]
        sources: list[Any] = [] if pretrained is None else several
        if wrong := [one for one in sources if not isinstance(one, Pretrained)]:
            raise InputError(
                f"pretrained holds a {type(wrong[0]).__name__}; expected what pretrain() or "
                "load_pretrained() gives, a list of them, or None"
            )
        if len({one.items.digest() for one in sources}) < len(sources):
            raise InputError(
                f"pretrained holds {len(sources)} sources, and some are the same; give each once"
            )
        self.pretrained: tuple[Pretrained, ...] = tuple(sources)
        settings = config or RecommenderConfig()
        super().__init__(settings if seed is None else replace(settings, seed=seed))

    def fit(
        self,
        target: InteractionLog,
        *,
        items: Iterable[str] | Iterable[int] | None = None,
        link: Link | Sequence[Link | None] | None = None,
        min_coverage: float = 0.05,
        progress: bool = False,
    ) -> "Recommender":
        """Learn from the target's log, carry over what helps, and let the gate choose what ships.

        Args:
            target: The new domain's log.
            items: Ids of the catalogue on sale, as far as the log doesn't have them yet. By default only the
                log's items are recommended. What nobody could have taken here yet costs at the gate: whoever
                recommends it there is wrong.
            link: Target item ids to source item ids, where the two name their items differently. Of several
                sources a list, one for each, None where ids are equal; one that is given alone is for all.
            min_coverage: The share of the target's interactions (or users) that a source has to reach.
            progress: Whether to show the stages.

        Returns:
            The recommender itself.

        Raises:
            CoverageError: A source and the target share neither items nor users.
            InputError: Ids differ in type, or `items` or `link` cannot be used.
        """
        require_log(target, "fit(target)")
        given = ids_of(items, "items") if items is not None else None
        ground = prepare(target, self.pretrained, items=given, link=link, min_coverage=min_coverage)
        bar = tqdm(total=self.config.folds + 2, desc="fit", disable=not progress)
        with bar:

            def stage(name: str) -> None:
                bar.set_postfix_str(name)
                bar.update()
                logger.info(name)

            fitted: Fitted = fit(ground, self.config, stage)
        self._state = State(
            items=ground.items,
            scene=fitted.scene,
            ranker=fitted.ranker,
            habits=fitted.habits,
            habits_elsewhere=fitted.habits_elsewhere,
            log=fitted.log,
            target=target.frame.select(Columns.User, Columns.Item).unique(maintain_order=True),
            verdict=fitted.verdict,
            coverage={view.name: view.bridges.crossed for view in ground.sources},
        )
        logger.info("%s", fitted.verdict)
        return self

    @classmethod
    def of(cls, state: State, config: RecommenderConfig) -> "Recommender":
        """A fitted recommender that knows this."""
        model = cls(None, config=config)
        model._state = state
        return model

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        *,
        history: InteractionLog | pl.DataFrame | None = None,
        items: Iterable[Any] | None = None,
        blocked: Iterable[Any] | None = None,
        filter_viewed: bool = True,
        on_unknown_users: OnUnknownUsers = "popular",
    ) -> pl.DataFrame:
        """The best items for each user.

        Args:
            users: Ids, in the order wanted; by default all of the target's users or, where there is a
                `history`, all of its users.
            k: How many a user; fewer come back where fewer are left.
            history: What users did whom the model has never seen, or what known users did since. Rows that
                the model's log has already (user, item and timestamp) count once; one without rows counts as
                none.
            items: The only ids that may be recommended.
            blocked: Ids that may not be recommended to anybody; unknown ones don't matter.
            filter_viewed: Whether items that the user has had in the target (or in `history`) are left out.
                Else they stand where habits put them among what is new: how often and how lately they were
                taken, and how many come back for them. What shared users have had in the source and not
                here is left out with neither; where the transfer ships it stands where habits put it, too.
            on_unknown_users: Users without any history get the best sellers (`"popular"`; their scores are
                `log(1 + buyers)`), no rows (`"skip"`), or an `UnknownUserError` (`"raise"`).

        Returns:
            `user_id`, `item_id`, `score` and `rank` (from 1). Scores compare within a user only.

        Raises:
            NotFittedError: `fit` has to come first.
            UnknownUserError: As asked for.
            InputError: `k` below 1, ids of another type, or none of `items` on sale.
        """
        state = self._fitted
        who = asked(state, users, k, history, on_unknown_users)
        allowed = None if items is None else state.allowed(items_of(items))
        if blocked is not None:
            allowed = state.without(ids_of(blocked, "blocked"), allowed)
        viewed = state.viewed(who.users, who.added)
        rows = np.flatnonzero(who.known)
        examples, had = who.examples.take(rows), csr_array(viewed[rows])

        def rank(most: int, shut: csr_array, among: npt.NDArray[np.bool_] | None) -> Ranked:
            return state.scene.rank(state.ranker, examples, most, exclude=shut, allowed=among)

        with one_thread():
            ranked = ranked_with_had(
                state, examples, had, k, rank, filter_viewed=filter_viewed, allowed=allowed
            )
        parts = [(rows[ranked.users], ranked.items, ranked.scores, ranked.ranks)]
        if on_unknown_users == "popular":
            strangers = np.flatnonzero(~who.known)
            shut = viewed if filter_viewed else csr_array(viewed.shape)
            parts.append(state.popular(strangers, k, shut, allowed))
        return frame_of(state.items, who.users, parts)

    def unknown(
        self,
        users: Iterable[Any] | None = None,
        *,
        history: InteractionLog | pl.DataFrame | None = None,
    ) -> pl.Series:
        """Those of some users of whom nothing is known: what they had here, in a source, or in `history`.

        Args:
            users: As in `recommend`.
            history: Likewise.

        Raises:
            NotFittedError: `fit` has to come first.
            InputError: Ids of another type.
        """
        who = asked(self._fitted, users, 1, history, "popular")
        return who.users.take(np.flatnonzero(~who.known))

    def __repr__(self) -> str:
        if self._state is None:
            return f"Recommender({len(self.pretrained)} sources, not fitted)"
        return f"Recommender({len(self._state.items):,} items, ships {self.verdict.contender!r})"


def load_recommender(folder: str | Path) -> Recommender:
    """Read what `Recommender.save` wrote.

    Raises:
        ArtefactError: The folder is missing, damaged, altered, or holds something else.
    """
    saved = load_artefact(folder, kind=KIND)
    state, config = read(saved, saved.card.get(KIND))
    return Recommender.of(state, config)
