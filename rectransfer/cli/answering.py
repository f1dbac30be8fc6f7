"""Commands that ask a model: what to recommend, to some or to everybody, and why."""

from pathlib import Path
from typing import Any

from rectransfer.cli.options import (
    add_catalogue,
    add_command,
    add_history,
    add_length,
    add_model,
    add_output,
    add_reading,
    add_unknown,
    add_users,
    add_viewed,
    count_from_1,
)

__all__ = ["explain", "recommend", "score"]


def recommend(commands: Any) -> None:
    """What `recommend` takes."""
    command = add_command(
        commands,
        "recommend",
        "write the best items for each user: user_id, item_id, score, rank",
        "rectransfer recommend store-12 --users active.csv -k 20 -o recs.parquet",
    )
    add_model(command)
    add_users(command)
    add_history(command)
    command.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="the only items allowed: an item_id column, or a .txt of ids",
    )
    add_length(command)
    add_output(command, "FILE", "a .parquet or .csv file to write")
    add_unknown(command)
    add_viewed(command)
    add_reading(command)


def score(commands: Any) -> None:
    """What `score` takes."""
    command = add_command(
        commands,
        "score",
        "score everybody into a folder of Parquet parts; the same command goes on where it was stopped",
        "rectransfer score store-12 customers.parquet -k 10 --memory 2GB -o scores",
    )
    add_model(command)
    command.add_argument(
        "users",
        nargs="+",
        metavar="USERS",
        help="Parquet or CSV files or folders: user_id; or histories: user_id, item_id, timestamp (Parquet "
        "sorted by user); or a .txt of ids",
    )
    add_length(command)
    add_output(command, "DIR", "a new folder, or one that the same command began")
    add_unknown(command)
    add_viewed(command)
    add_reading(command)
    command.add_argument("--reasons", action="store_true", help="also say why, in a column of sentences")
    add_catalogue(
        command, "Parquet or CSV: item_id and title; without it reasons name no items", required=False
    )
    command.add_argument(
        "--depth", type=count_from_1, metavar="N", help="candidates that the ranker looks at of each user"
    )
    command.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="where it runs (default: %(default)s)"
    )
    command.add_argument(
        "--workers", type=count_from_1, metavar="N", help="parts side by side (default: one a processor)"
    )
    command.add_argument("--memory", metavar="SIZE", help="what the process may take, such as 2GB")
    command.add_argument(
        "--part-users",
        type=count_from_1,
        metavar="N",
        help="users of a part: fewer need less memory (default: 5,000)",
    )


def explain(commands: Any) -> None:
    """What `explain` takes."""
    command = add_command(
        commands,
        "explain",
        "write why: reasons in words, or contributions that add up to the scores",
        "rectransfer explain store-12 --users active.csv --titles products.csv -o reasons.parquet",
    )
    add_model(command)
    add_users(command)
    add_history(command)
    command.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="items to explain for each user, recommended or not; by default the best k",
    )
    add_length(command)
    add_output(command, "FILE", "a .parquet or .csv file to write")
    command.add_argument(
        "--titles", type=Path, metavar="FILE", help="item_id and title: without it reasons name no items"
    )
    command.add_argument(
        "--by",
        choices=("reasons", "groups", "signals", "history"),
        default="reasons",
        help="what a row is for (default: %(default)s)",
    )
    add_unknown(command)
    add_reading(command)
