"""Commands that say how good a model is: in numbers, and on a page."""

from pathlib import Path
from typing import Any

from rectransfer.cli.options import (
    add_catalogue,
    add_command,
    add_history,
    add_json,
    add_length,
    add_model,
    add_output,
    add_reading,
    add_seed,
    add_test,
    add_viewed,
)

__all__ = ["demo", "evaluate", "report"]


def evaluate(commands: Any) -> None:
    """What `evaluate` takes."""
    command = add_command(
        commands,
        "evaluate",
        "measure a model on what users did later",
        "rectransfer evaluate store-12 --test later.parquet --json test.json",
    )
    add_model(command)
    add_test(command)
    add_history(command)
    add_length(command)
    add_viewed(command)
    add_json(command)
    add_reading(command)
    add_seed(command)


def report(commands: Any) -> None:
    """What `report` takes."""
    command = add_command(
        commands,
        "report",
        "write one HTML page for product teams: verdict, gains, reasons, limits",
        "rectransfer report store-12 --test later.parquet --catalogue products.csv -o report.html",
    )
    add_model(command)
    add_test(command)
    add_catalogue(command)
    add_history(command)
    command.add_argument("--title", default="Recommendation report", help="of the page")
    add_length(command)
    add_output(command, "FILE", "the .html file to write")
    add_reading(command)
    add_seed(command)


def demo(commands: Any) -> None:
    """What `demo` takes."""
    command = add_command(
        commands,
        "demo",
        "run the main job on real data, against the usual baselines (minutes)",
        "rectransfer demo --json results/demo.json --report results/report.html",
    )
    add_json(command)
    command.add_argument("--report", type=Path, metavar="FILE", help="also write a page for product teams")
    add_seed(command)
