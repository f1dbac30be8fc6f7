"""Run commands a few at a time, each in a process and with one thread of its own."""

import logging
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DONE", "ONE_THREAD", "Job", "run"]

logger = logging.getLogger("suite")

DONE: Final = "done "
"""What a line on a job's standard output begins with that says that a part of it is finished."""

ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"),
    "1",
)


@dataclass(frozen=True)
class Job:
    """A command that says what it has finished.

    Attributes:
        name: What its log is called.
        command: What is run.
    """

    name: str
    command: tuple[str, ...]


def run(jobs: Sequence[Job], n: int, logs: Path, progress: Callable[[str], None] = logger.info) -> set[str]:
    """Run all jobs, `n` at a time, in the order given. A job that fails stops no other.

    Args:
        jobs: What to run.
        n: How many at a time.
        logs: A folder: a job's standard error goes to `<name>.log` there.
        progress: Called with each line that a job writes to its standard output.

    Returns:
        The first word after `done` of each such line: what is finished.
    """
    logs.mkdir(parents=True, exist_ok=True)
    finished: set[str] = set()
    lock = threading.Lock()

    def one(job: Job) -> None:
        path = logs / f"{job.name}.log"
        environment = {**os.environ, **ONE_THREAD}
        with (
            path.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                job.command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            ) as process,
        ):
            for line in process.stdout or ():
                with lock:
                    if line.startswith(DONE):
                        finished.add(line.split()[1])
                    progress(line.rstrip())
        if process.returncode:
            progress(f"{job.name} ended with {process.returncode}; see {path}")

    with ThreadPoolExecutor(n) as pool:
        for future in [pool.submit(one, job) for job in jobs]:
            future.result()
    return finished
