"""What every speed benchmark shares: measuring side by side, and the JSON that docs/speed.md is made of."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rectransfer.artefacts import library_versions

__all__ = ["RESULTS", "ROOT", "provenance", "ratio", "side_by_side", "spread", "write_result"]

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "results" / "speed"


def side_by_side(
    runs: Mapping[str, Callable[[], object]], repeats: int, cpu: dict[str, list[float]] | None = None
) -> dict[str, list[float]]:
    """Seconds of each run, in turns, so that whatever else the machine does slows all of them alike.

    Every other turn goes backwards. `cpu`, if given, takes the seconds that the process worked: those of all
    threads, and none in which the machine did something else.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats):
        for name, run in list(runs.items())[:: -1 if turn % 2 else 1]:
            start, worked = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            if cpu is not None:
                cpu.setdefault(name, []).append(time.process_time() - worked)
    return seconds


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """The median and the fastest of several repetitions."""
    return {"seconds": round(median(seconds), 4), "fastest": round(min(seconds), 4)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as fast ours is: the median over the turns, each with its own two runs."""
    return round(median(b / a for a, b in zip(ours, theirs, strict=True)), 3)


def write_result(
    name: str,
    *,
    title: str,
    about: str,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    order: int = 100,
    folder: Path = RESULTS,
) -> Path:
    """Write `docs/results/speed/<name>.json`; `page.py` makes a section of docs/speed.md of it.

    Args:
        name: Of the file.
        title: The section's heading.
        about: What was measured, and what the figures say: Markdown.
        columns: Keys of the rows to their headings, in the order of the table; other keys stay in the JSON.
        rows: The figures.
        settings: Data, sizes, threads, seed: all that is needed to measure it again.
        order: Where the section stands; smaller ones come first.
        folder: Where to.
    """
    result = {
        "title": title,
        "about": about,
        "order": order,
        "columns": dict(columns),
        "rows": [dict(row) for row in rows],
        "settings": dict(settings),
        **provenance(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n")
    return path


def provenance() -> dict[str, Any]:
    """Where and with what something was measured."""
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()
    return {
        "commit": commit,
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "versions": library_versions(),
    }
