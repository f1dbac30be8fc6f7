"""Scoring everybody with a fitted model: what `Recommender.score` and `rectransfer score` run."""

import functools
import hashlib
import importlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.artefacts import library_versions, load_artefact
from rectransfer.engines.every import Where, require_where
from rectransfer.errors import InputError, RectransferError, UnknownUserError
from rectransfer.recommend.scorer import Scorer, ScoringOptions, digest_of, serve
from rectransfer.recommend.state import State
from rectransfer.recommend.store import KIND, read
from rectransfer.recommend.telling import Teller
from rectransfer.scoring import Finished, Part, Scored, Source, as_bytes, score_parts
from rectransfer.scoring.run import Engine, score_part
from rectransfer.serving import Server

__all__ = ["run_job"]

logger = logging.getLogger(__name__)

_RAY: Final = "rectransfer.engines.on_ray"
_ERRORS: Final = {kind.__name__: kind for kind in (InputError, UnknownUserError)}


def run_job(
    state: State,
    source: Source,
    folder: str | Path,
    options: ScoringOptions,
    *,
    server: Callable[[], Server],
    saved: Callable[[], Path],
    engine: Where,
    workers: int | None,
    memory: int | str | None,
    titles: Mapping[Any, str],
    progress: bool,
) -> Scored:
    """Score whom isn't scored yet.

    Args:
        state: A fitted model.
        source: Whom.
        folder: Where the parts go.
        options: What is asked.
        server: Gives the model laid out for speed.
        saved: Gives a folder with the model, for workers elsewhere.
        engine: `"local"` or `"ray"`.
        workers: Parts worked on side by side; by default one a processor, of this machine or of the cluster.
        memory: What this process may take.
        titles: Ids of items to what reasons call them.
        progress: Whether to show progress.

    Raises:
        InputError: As `scoring.score_parts`, or an engine that there isn't, or fewer than one worker.
    """
    require_where(engine)
    n_workers = os.cpu_count() or 1 if workers is None else workers
    if n_workers < 1:
        raise InputError(f"workers={workers}; expected at least 1")
    limit = None if memory is None else as_bytes(memory)
    job: dict[str, Any] = {
        "model": digest_of(state),
        "rectransfer": library_versions()["rectransfer"],
        **asdict(options),
    }
    if options.reasons:
        job["titles"] = hashlib.sha256(repr(sorted(titles.items())).encode()).hexdigest()

    if engine == "ray":
        elsewhere = _on_ray(saved, options, titles, n_workers)
        return score_parts(source, _nowhere, folder, job=job, engine=elsewhere, progress=progress)
    scorer = functools.cache(lambda: Scorer(state, server(), options, _teller(state, options, titles)))
    with threadpool_limits(1):  # parts run side by side, and rows must not depend on how BLAS splits its work
        return score_parts(
            source,
            lambda frame: scorer()(frame),
            folder,
            job=job,
            workers=n_workers,
            memory=limit,
            progress=progress,
            before=scorer,
        )


def _teller(state: State, options: ScoringOptions, titles: Mapping[Any, str]) -> Teller | None:
    return Teller.of(state, titles) if options.reasons else None


def _nowhere(frame: pl.DataFrame) -> pl.DataFrame:
    raise AssertionError(f"{frame.height} rows came here instead of going to Ray")


def _on_ray(
    saved: Callable[[], Path], options: ScoringOptions, titles: Mapping[Any, str], workers: int
) -> Engine:
    on_ray: Any = importlib.import_module(_RAY)

    def run(source: Source, folder: Path, parts: list[Part]) -> Iterator[Finished]:
        make = functools.partial(_worker, saved(), options, titles, source, folder.resolve())
        failed: dict[str, str] = {}
        for row in on_ray.stream(make, [asdict(part) for part in parts], workers):
            if row["error"]:
                failed = row
                continue
            yield Finished(**{name: row[name] for name in Finished.__dataclass_fields__})
        if failed:
            raise _ERRORS.get(failed["error"], InputError)(failed["message"])

    return run


def _worker(
    model: Path, options: ScoringOptions, titles: Mapping[Any, str], source: Source, folder: Path
) -> Callable[[Any], Any]:
    """What a worker does: it loads the model once, and scores parts."""
    threadpool_limits(1)
    saved = load_artefact(model, kind=KIND)
    state, _ = read(saved, saved.card.get(KIND))
    scorer = Scorer(state, serve(state), options, _teller(state, options, titles))
    nothing = {
        "error": "",
        "message": "",
        "part": 0,
        "file": "",
        "users": 0,
        "rows": 0,
        "sha256": "",
        "bytes": 0,
    }

    def work(row: dict[str, Any]) -> dict[str, Any]:
        try:
            return nothing | asdict(score_part(source, scorer, folder, Part(**row)))
        except RectransferError as error:
            return nothing | {"error": type(error).__name__, "message": str(error)}

    return work
