"""The part of a recommender that scores everybody into a folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from rectransfer.engines import Where
from rectransfer.errors import InputError
from rectransfer.recommend.config import RecommenderConfig
from rectransfer.recommend.explaining import called
from rectransfer.recommend.holder import Holder
from rectransfer.recommend.inputs import OnUnknownUsers
from rectransfer.recommend.job import run_job
from rectransfer.recommend.scorer import ScoringOptions, serve
from rectransfer.recommend.store import KIND
from rectransfer.scoring import PART_USERS, Scored, open_source
from rectransfer.serving import DEPTH, Server

__all__ = ["Scores"]


class Scores(Holder):
    """Scores all users of a fitted model, and goes on where it was stopped."""

    def __init__(self, config: RecommenderConfig) -> None:
        super().__init__(config)
        self._server: Server | None = None

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
            InputError: Users or titles that cannot be used; a folder with another job, or that another run
                holds. Finished parts are kept.
            ArtefactError: A part could not be written. Finished parts are kept.
        """
        state = self._fitted
        if titles is not None and not reasons:
            raise InputError("titles are for reasons: pass reasons=True, too")
        options = ScoringOptions(k, filter_viewed, on_unknown_users, depth, reasons)
        known = called(state, titles)
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
                titles=known,
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
