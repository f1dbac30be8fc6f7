"""Run a job: what is missing of it, a part at a time, each there whole or not at all."""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.exceptions
from tqdm import tqdm

from rectransfer.columns import Columns
from rectransfer.errors import ArtefactError, InputError
from rectransfer.scoring.lock import held
from rectransfer.scoring.manifest import MANIFEST, Finished, Manifest, read_lines, sha256_of
from rectransfer.scoring.memory import in_words, peak, resident
from rectransfer.scoring.source import PART_USERS, Part, Source

__all__ = ["Engine", "Score", "Scored", "read_scores", "score_part", "score_parts"]

logger = logging.getLogger(__name__)

Score = Callable[[pl.DataFrame], pl.DataFrame]
"""Gives the rows of some users, from a part's rows."""

Engine = Callable[[Source, Path, list[Part]], Iterator[Finished]]
"""Writes parts, somewhere and in any order, and tells of each when it is on disk."""

_TEMPORARY: Final = ".scoring-"

_ROOMY: Final = 500_000_000
"""Bytes that no usual part takes: where there are as many for each worker, the first parts that memory is
measured by run side by side; else there is one of them, and the others wait for it."""


@dataclass(frozen=True)
class Scored:
    """A finished job.

    Attributes:
        folder: Where the parts lie.
        users: How many were scored, in this run and before.
        rows: How many came out.
        parts: How many parts there are.
        done_now: How many of them this run did.
        seconds: How long this run took.
        peak_memory: The most bytes that this process had.
    """

    folder: Path
    users: int
    rows: int
    parts: int
    done_now: int
    seconds: float
    peak_memory: int


def score_parts(
    source: Source,
    score: Score,
    folder: str | Path,
    *,
    job: Mapping[str, Any],
    workers: int = 1,
    memory: int | None = None,
    engine: Engine | None = None,
    progress: bool = False,
    before: Callable[[], object] | None = None,
) -> Scored:
    """Score what isn't scored yet.

    Args:
        source: Whom.
        score: Gives a part's rows; it has to give the same for the same part. It runs on several threads.
        folder: Where the parts go: `part-00000.parquet` and on, and `manifest.jsonl`.
        job: What has to be equal for a run to go on where another stopped, in plain values: a fingerprint of
            the model, options. The source's own fingerprint is added.
        workers: Parts worked on side by side; neither parts nor rows depend on it.
        memory: Bytes that the process may take; fewer parts are worked on side by side where they are scarce.
        engine: What does the parts; by default threads of this process.
        progress: Whether to show users a second and the time left.
        before: Called before the first part, if any is missing: what takes time that isn't scoring.

    Returns:
        What is there in all.

    Raises:
        InputError: The folder holds another job, or another run holds the folder; a file cannot be read, or
            memory doesn't do. Finished parts are kept.
        ArtefactError: A part could not be written; finished parts are kept.

    Examples:
        >>> import tempfile
        >>> from rectransfer.scoring import open_source
        >>> users = open_source(pl.DataFrame({"user_id": [1, 2, 3]}), part_users=2)
        >>> def same(part):
        ...     return part.with_columns(item_id=7, score=0.5, rank=1)
        >>> found = score_parts(users, same, tempfile.mkdtemp(), job={"model": "m"})
        >>> found.parts, found.rows, read_scores(found.folder).collect().height
        (2, 3, 3)
    """
    began, folder = time.perf_counter(), Path(folder)
    job = {
        **job,
        "input": source.digest,
        "part_users": source.part_users,
        "part_rows": source.part_rows,
    }
    _require_apart(folder, source)
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
            for path in folder.glob(f"{_TEMPORARY}*"):  # of a run that was killed
                path.unlink(missing_ok=True)
            manifest = Manifest(folder, job, len(source.parts))
        except OSError as error:
            raise ArtefactError(
                f"{folder} cannot be written ({error.strerror or error}); choose another folder"
            ) from error
        missing = [part for part in source.parts if not manifest.intact(part.number)]
        todo = {one.number for one in missing}
        kept = [manifest.finished[one.number].users for one in source.parts if one.number not in todo]
        if kept:
            logger.info("%s: %s of %s parts are finished", folder, len(kept), len(source.parts))
        if before is not None and missing:
            before()
        run = engine or threads(score, workers, memory)
        with tqdm(total=source.n_users, initial=sum(kept), unit=" users", disable=not progress) as bar:
            for one in run(source, folder, missing):
                try:
                    manifest.add(one)
                except OSError as error:
                    raise _unwritable(folder / MANIFEST, error) from error
                bar.update(one.users)
    every = manifest.finished.values()
    return Scored(
        folder,
        users=sum(one.users for one in every),
        rows=sum(one.rows for one in every),
        parts=len(source.parts),
        done_now=len(missing),
        seconds=time.perf_counter() - began,
        peak_memory=peak(),
    )


def threads(score: Score, workers: int, memory: int | None = None) -> Engine:
    """An engine of threads in this process."""

    def run(source: Source, folder: Path, parts: list[Part]) -> Iterator[Finished]:
        left = iter(parts)
        width = workers

        def work(part: Part) -> Finished:
            return score_part(source, score, folder, part)

        with ThreadPoolExecutor(workers) as pool:
            if memory is not None and parts:
                before = resident()
                roomy = _ROOMY * max(1, source.part_users / PART_USERS)
                several = int(max(1, min(workers, len(parts), (memory - before) // roomy)))
                yield from _as_they_come(work, islice(left, several), pool, several)
                if several > 1 and peak() > memory:
                    taken = in_words(peak())
                    logger.warning(
                        "memory=%s: %s parts side by side took %s", in_words(memory), several, taken
                    )
                if len(parts) > several:  # else nothing is left that might not fit
                    width = _width(workers, memory, before, (peak() - before) // several, source)
            yield from _as_they_come(work, left, pool, width)

    return run


def score_part(source: Source, score: Score, folder: Path, part: Part) -> Finished:
    """Read a part, score it, and put it on disk in one step.

    Raises:
        InputError: The part cannot be read.
        ArtefactError: The file could not be written.
    """
    frame = source.read(part)
    users = frame[Columns.User].n_unique()
    rows = score(frame)
    path = folder / f"part-{part.number:05d}.parquet"
    temporary = folder / f"{_TEMPORARY}{secrets.token_hex(6)}"
    try:
        rows.write_parquet(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        found = Finished(
            part.number, path.name, users, rows.height, sha256_of(temporary), temporary.stat().st_size
        )
        temporary.replace(path)
        _sync(folder)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return found


def read_scores(folder: str | Path) -> pl.LazyFrame:
    """The rows of a finished job, in the order of its users.

    Raises:
        ArtefactError: There is no job, or it isn't finished.
    """
    folder = Path(folder)
    lines, _ = read_lines(folder / MANIFEST)
    files = {line["part"]: line["file"] for line in lines[1:]}
    total = lines[0]["parts"] if lines else 0
    if len(files) < total or not total:
        raise ArtefactError(
            f"{folder} has {len(files):,} of {total:,} parts; run the same job again to go on"
        )
    if gone := [name for name in files.values() if not (folder / name).is_file()]:
        raise ArtefactError(f"{folder} has lost {gone[0]}; run the same job again to have it back")
    return pl.scan_parquet([folder / files[part] for part in range(total)], glob=False)


def _as_they_come(
    work: Callable[[Part], Finished], parts: Iterable[Part], pool: ThreadPoolExecutor, width: int
) -> Iterator[Finished]:
    """Results in the order in which they are ready; no more parts are begun than are worked on."""
    left = iter(parts)
    running: set[Future[Finished]] = {pool.submit(work, part) for part in islice(left, width)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        failed = [one for one in done if one.exception() is not None]
        for one in done:
            if one not in failed:
                yield one.result()
        if failed:
            for one in wait(running).done:  # what is nearly there is kept
                if one.exception() is None:
                    yield one.result()
            failed[0].result()
        running |= {pool.submit(work, part) for part in islice(left, len(done))}


def _width(workers: int, memory: int, before: int, part: int, source: Source) -> int:
    """How many parts fit side by side."""
    if before + part > memory:
        smaller = f", or begin a new folder with part_users (--part-users) below {source.part_users:,}"
        raise InputError(
            f"memory={in_words(memory)}: the process had {in_words(before)} before the first part and "
            f"{in_words(before + part)} with it; allow more (finished parts are "
            f"kept){smaller if before < memory else ''}"
        )
    fit = 1 + int((memory - before - part) // max(part, 1))
    if fit < workers:
        logger.warning("memory=%s: %s of %s parts side by side", in_words(memory), fit, workers)
    return max(1, min(workers, fit))


def _require_apart(folder: Path, source: Source) -> None:
    """Refuses a folder whose parts would be users of the next run."""
    within = [one for one in source.given.folders if folder.resolve().is_relative_to(one.resolve())]
    if within:
        raise InputError(
            f"{folder} lies within {within[0]}, which holds the users: its parts would be read as users; "
            "choose a folder elsewhere"
        )


def _unwritable(path: Path, error: Exception) -> ArtefactError:
    return ArtefactError(
        f"{path} could not be written ({error}); finished parts are kept: see to the disk's space and the "
        "folder's permissions, and run the same job again"
    )


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
