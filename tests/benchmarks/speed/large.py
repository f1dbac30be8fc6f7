"""Pretrain on a log of 20 million interactions from its Parquet file, and write down the peak of memory.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/large.py

The log is drawn, seeded, with a long tail (`long_tail.py`). The peak is that of the whole process (VmHWM),
from `import` to the saved folder, and it's noted after each stage. One epoch of Item2Vec by default: epochs
take time and no memory.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from long_tail import write_long_tail
from report import write_result

import rectransfer as rt
from rectransfer.logs import spill_log
from rectransfer.pretrained import PretrainConfig

COLUMNS = {"stage": "stage", "seconds": "seconds", "peak_gb": "peak so far, GB"}
LIMIT = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", type=Path, help="a log that was drawn before; by default one is drawn now")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    with tempfile.TemporaryDirectory() as folder:
        path = args.log or draw(Path(folder) / "log.parquet", args.rows)
        stages: list[dict[str, Any]] = []
        pretrained = run(path, Path(folder) / "saved", args, stages)
    peak = stages[-1]["peak_gb"]
    write_result(
        "large",
        title=f"Pretraining on {args.rows / 1e6:g} million interactions",
        about=(
            f"`rt.pretrain` of a log on disk: the whole process stays within {peak:.1f} GB "
            f"(the goal: {LIMIT:g}). All rows are in the item table, the profiles and the popularity; "
            "item-item weights, tower and "
            "ranker learn from a sample of users that has about "
            f"{PretrainConfig().most_rows / 1e6:g} million rows."
        ),
        columns=COLUMNS,
        rows=stages,
        settings={
            "rows": args.rows,
            "users": len(pretrained.users),
            "items": len(pretrained.items),
            "epochs": args.epochs,
            "workers": args.workers,
            "seed": 0,
            "peak_gb": peak,
            "within_gb": LIMIT,
            "sample": dict(pretrained.card["sample"]),
            "held_out": dict(pretrained.card["held_out"]),
        },
        order=20,
    )


def draw(path: Path, rows: int) -> Path:
    """In a process of its own: drawing takes more memory than pretraining may."""
    if child := os.fork():
        os.waitpid(child, 0)
    else:
        write_long_tail(path, rows)
        os._exit(0)
    return path


def run(path: Path, saved: Path, args: argparse.Namespace, stages: list[dict[str, Any]]) -> rt.Pretrained:
    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - start, 1)
        stages.append({"stage": name, "seconds": seconds, "peak_gb": round(peak_gb(), 2)})
        logging.info("%s", stages[-1])

    defaults = PretrainConfig()
    config = replace(defaults, item2vec=replace(defaults.item2vec, epochs=args.epochs, workers=args.workers))
    with stage("reading, checking and splitting the log"):
        log = spill_log(path)
    with log:
        with stage("pretraining"):
            pretrained = rt.pretrain(log, config=config)
        with stage("saving"):
            pretrained.save(saved)
    return pretrained


def peak_gb() -> float:
    """The most memory that the process ever had, in units of 10^9 bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e9


if __name__ == "__main__":
    main()
