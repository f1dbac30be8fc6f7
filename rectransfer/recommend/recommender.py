"""The recommender: fit on a thin target, recommend, save, load."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from tqdm import tqdm

from rectransfer.artefacts import load_artefact, save_artefact
from rectransfer.columns import Columns
from rectransfer.engines import Where
from rectransfer.errors import InputError, NotFittedError, UnknownUserError
from rectransfer.explain import (
    BACKGROUND,
    ENGLISH,
    Explainer,
    Explanations,
    Templates,
    reason_frame,
    reasons_for,
    titles_of,
)
from rectransfer.logs import InteractionLog, require_log
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import Histories, uncut
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.explaining import asked_items, explained, explainer_of
from rectransfer.recommend.fit import Fitted, fit
from rectransfer.recommend.gate import Verdict
from rectransfer.recommend.ground import prepare
from rectransfer.recommend.inputs import Asked, frame_of, history_of, ids_of, items_of, joined
from rectransfer.recommend.job import run_job
from rectransfer.recommend.scorer import ScoringOptions, serve
from rectransfer.recommend.state import State
from rectransfer.recommend.store import KIND, fields, read, writers
from rectransfer.scoring import PART_USERS, Scored, open_source
from rectransfer.serving import DEPTH, Server
from rectransfer.transfer import Coverage
from rectransfer.vocabulary import Vocabulary

__all__ = ["OnUnknownUsers", "Recommender", "load_recommender"]

logger = logging.getLogger(__name__)

OnUnknownUsers = Literal["popular", "skip", "raise"]


class Recommender:
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
        self.config = settings if seed is None else replace(settings, seed=seed)
        self._state: State | None = None
        self._explainers: dict[tuple[int, int], Explainer] = {}
        self._server: Server | None = None

    def fit(
        self,
        target: InteractionLog,
        *,
        items: Iterable[str] | Iterable[int] | None = None,
        link: pl.DataFrame | Mapping[str, str] | Mapping[int, int] | None = None,
        min_coverage: float = 0.05,
        progress: bool = False,
    ) -> "Recommender":
        """Learn from the target's log, carry over what helps, and let the gate choose what ships.

        Args:
            target: The new domain's log.
            items: Ids of the catalogue on sale, as far as the log doesn't have them yet. By default only the
                log's items are recommended.
            link: Target item ids to source item ids, where the two name their items differently.
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
            log=fitted.log,
            target=target.frame.select(Columns.User, Columns.Item).unique(maintain_order=True),
            verdict=fitted.verdict,
            coverage={view.name: view.bridges.items for view in ground.sources},
        )
        self._explainers = {}
        logger.info("%s", fitted.verdict)
        return self

    @classmethod
    def of(cls, state: State, config: RecommenderConfig) -> "Recommender":
        """A fitted recommender that knows this."""
        model = cls(None, config=config)
        model._state = state
        return model

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
        """What the (first) source reaches of the target's items; None without a source."""
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
    def catalogue(self) -> Vocabulary:
        """The items on sale."""
        state = self._fitted
        return Vocabulary(state.items.take(state.scene.shelf))

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that the model that ships ranks by."""
        return self._fitted.ranker.names

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
                the model's log has already (user, item and timestamp) count once.
            items: The only ids that may be recommended.
            blocked: Ids that may not be recommended to anybody; unknown ones don't matter.
            filter_viewed: Whether items that the user has had in the target (or in `history`) are left out.
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
        asked = self._asked(users, k, history, on_unknown_users)
        wanted, known = asked.users, asked.known
        allowed = None if items is None else state.allowed(items_of(items))
        if blocked is not None:
            allowed = state.without(ids_of(blocked, "blocked"), allowed)
        viewed = csr_array((len(wanted), len(state.items)))
        if filter_viewed:
            viewed = state.viewed(wanted, asked.added)
        rows = np.flatnonzero(known)
        ranked = state.scene.rank(
            state.ranker, asked.examples.take(rows), k, exclude=csr_array(viewed[rows]), allowed=allowed
        )
        parts = [(rows[ranked.users], ranked.items, ranked.scores, ranked.ranks)]
        if on_unknown_users == "popular":
            parts.append(state.popular(np.flatnonzero(~known), k, viewed, allowed))
        return frame_of(state.items, wanted, parts)

    def explainer(self, background: int = BACKGROUND, seed: int = 0) -> Explainer:
        """What explains this model's scores; made when it is first asked for.

        Args:
            background: How many candidates of the model's own users to compare with.
            seed: Draws them; the same seed draws the same.
        """
        key = (background, seed)
        if key not in self._explainers:
            self._explainers[key] = explainer_of(self._fitted, background, seed)
        return self._explainers[key]

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

        Users without any history are explained by popularity, which is all of their scores. Which game is
        played: `rectransfer.explain.Explainer`.

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
        asked = self._asked(users, k, history, on_unknown_users)
        rows = None if items is None else asked_items(state, ids_of(items, "items"))
        return explained(
            state,
            self.explainer(),
            asked.users,
            asked.examples,
            state.viewed(asked.users, asked.added),
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
            InputError: As in `explain`, or `titles` lacks a column.
        """
        found = self.explain(users, items, k, history=history, on_unknown_users=on_unknown_users)
        return reason_frame(found, reasons_for(found, titles=titles, templates=templates, most=most))

    def score(
        self,
        users: str | Path | Sequence[str | Path] | pl.DataFrame | pl.Series,
        out: str | Path,
        k: int = 10,
        *,
        columns: Mapping[str, str] | None = None,
        times: str | None = None,
        filter_viewed: bool = True,
        on_unknown_users: OnUnknownUsers = "popular",
        reasons: bool = False,
        titles: pl.DataFrame | None = None,
        depth: int = DEPTH,
        part_users: int = PART_USERS,
        engine: Where = "local",
        workers: int | None = None,
        memory: int | str | None = None,
        progress: bool = False,
    ) -> Scored:
        """Score everybody into a folder of Parquet parts, and go on where an earlier run was stopped.

        The lists are nearly those of `recommend`, many times as fast: one retriever stands for all of the
        model's, and its ranker looks at `depth` candidates of each user.

        Args:
            users: Parquet or CSV files, a folder of them, text files of an id a line, a frame or a column:
                `user_id`; or histories, sorted by user: `user_id`, `item_id`, `timestamp`; they add to what
                the model knows about its users, and rows that it knows already count once.
            out: A new folder, or one that the same job began.
            k: How many items a user.
            columns: Your names to ours.
            times: The format of times in text files, where it isn't found out: `"%d.%m.%Y"`.
            filter_viewed: As `recommend`.
            on_unknown_users: As `recommend`.
            reasons: Whether a column `reasons` says why: the sentences of `Recommender.reasons` as a list,
                empty where nothing speaks for an item clearly enough. It takes many times as long.
            titles: `item_id` and `title`, for reasons; an item without a title isn't named.
            depth: Candidates that the ranker looks at: more is nearer to `recommend`, and slower.
            part_users: Users of a part: fewer need less memory at once.
            engine: `"local"`, or `"ray"`: the same rows, on a cluster. Workers need to see `users` and `out`.
            workers: Parts worked on side by side; by default one a processor.
            memory: What the process may take, such as `"2GB"`.
            progress: Whether to show users a second and the time left.

        Returns:
            What is there; `rectransfer.scoring.read_scores(out)` has the rows.

        Raises:
            NotFittedError: `fit` has to come first.
            UnknownUserError: As asked for.
            InputError: Users that cannot be used; a folder with another job, or that another run holds.
                Finished parts are kept.
            ArtefactError: A part could not be written. Finished parts are kept.
        """
        state = self._fitted
        if titles is not None and not reasons:
            raise InputError("titles are for reasons: pass reasons=True, too")
        options = ScoringOptions(k, filter_viewed, on_unknown_users, depth, reasons)
        called = titles_of(titles, state.items.dtype)
        source = open_source(
            users, columns=columns, like=state.log.frame.schema, times=times, part_users=part_users
        )
        with TemporaryDirectory(prefix="rectransfer-") as folder:
            return run_job(
                state,
                source,
                out,
                options,
                server=lambda: self._served,
                saved=lambda: self._saved_in(Path(folder)),
                engine=engine,
                workers=workers,
                memory=memory,
                titles=called,
                progress=progress,
            )

    def _saved_in(self, folder: Path) -> Path:
        self.save(folder / KIND)
        return folder / KIND

    @property
    def _served(self) -> Server:
        """The fitted model laid out for speed; once for each fit."""
        state = self._fitted
        if self._server is None or self._server.scene is not state.scene:
            self._server = serve(state)
        return self._server

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

    def _asked(
        self,
        users: Iterable[Any] | None,
        k: int,
        history: InteractionLog | pl.DataFrame | None,
        on_unknown_users: OnUnknownUsers,
    ) -> Asked:
        """Who is asked about, and what is known of them."""
        state = self._fitted
        _require_length(k)
        _require_choice(on_unknown_users)
        added = None if history is None else history_of(history)
        wanted = self._wanted(users, added)
        log = state.log if added is None else joined(state.log, added)
        examples = uncut(Histories.from_log(log, state.items, wanted), len(state.items))
        known = state.known(examples)
        if on_unknown_users == "raise" and not known.all():
            self._unknown(wanted.take(np.flatnonzero(~known)))
        return Asked(wanted, added, examples, known)

    def _wanted(self, users: Iterable[Any] | None, added: InteractionLog | None) -> Vocabulary:
        state = self._fitted
        if users is None:
            return Vocabulary.from_ids(state.target[Columns.User]) if added is None else added.users
        ids = ids_of(users, "users")
        own = state.target[Columns.User].dtype
        if ids.len() and ids.dtype != own:
            raise InputError(
                f"users holds {ids.dtype} ids (for example {ids[0]!r}) and the model's are {own} "
                f"(for example {state.target[Columns.User][0]!r}); cast them"
            )
        return Vocabulary(ids.cast(own).unique(maintain_order=True))

    def _unknown(self, ids: pl.Series) -> None:
        raise UnknownUserError(
            f"{ids.len():,} of the users have no history here, for example {ids[0]!r}; pass history=, or "
            "choose on_unknown_users='popular' or 'skip'"
        )

    def __repr__(self) -> str:
        if self._state is None:
            return f"Recommender({len(self.pretrained)} sources, not fitted)"
        return f"Recommender({len(self._state.items):,} items, ships {self.verdict.contender!r})"


def _require_length(k: object) -> None:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"k={k!r}; expected a whole number from 1")


def _require_choice(choice: object) -> None:
    if choice not in get_args(OnUnknownUsers):
        raise InputError(f"on_unknown_users={choice!r}; choose one of {get_args(OnUnknownUsers)}")


def load_recommender(folder: str | Path) -> Recommender:
    """Read what `Recommender.save` wrote.

    Raises:
        ArtefactError: The folder is missing, damaged, altered, or holds something else.
    """
    saved = load_artefact(folder, kind=KIND)
    state, config = read(saved, saved.card.get(KIND))
    return Recommender.of(state, config)
