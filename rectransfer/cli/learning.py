"""Commands that learn: from public data to a source, and from a thin log to a model."""

from pathlib import Path
from typing import Any

from rectransfer.cli.options import (
    add_command,
    add_output,
    add_reading,
    add_seed,
    count_from_1,
    share,
)

__all__ = ["data", "fit", "pretrain"]


def pretrain(commands: Any) -> None:
    """What `pretrain` takes."""
    command = add_command(
        commands,
        "pretrain",
        "learn from a mature domain's log and save what can be carried over",
        "rectransfer pretrain /data/chain/*.parquet --columns household_id=user_id -o chain",
    )
    command.add_argument("logs", nargs="+", metavar="LOG", help="Parquet or CSV files, or folders of them")
    add_output(command, "DIR", "the folder to save to")
    add_reading(command)
    add_seed(command)
    command.add_argument(
        "--deterministic", action="store_true", help="equal results from equal input, on one thread"
    )
    command.add_argument("--dimensions", type=count_from_1, metavar="N", help="length of an item's vector")
    command.add_argument(
        "--epochs", type=count_from_1, metavar="N", help="passes over the log for the vectors"
    )


def fit(commands: Any) -> None:
    """What `fit` takes."""
    command = add_command(
        commands,
        "fit",
        "start a new domain from its thin log, with what was pretrained where that helps",
        "rectransfer fit store-12.parquet --pretrained chain -o store-12",
    )
    command.add_argument("logs", nargs="+", metavar="TARGET", help="Parquet or CSV files, or folders of them")
    command.add_argument(
        "--pretrained",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="DIR",
        help="what pretrain saved; several if you like; without it the target stands alone",
    )
    add_output(command, "MODEL", "the folder to save to")
    command.add_argument(
        "--items", type=Path, metavar="FILE", help="more items on sale: an item_id column, or a .txt of ids"
    )
    command.add_argument(
        "--link", type=Path, metavar="FILE", help="target_id and source_id, where items are named differently"
    )
    command.add_argument(
        "--min-coverage",
        type=share,
        default=0.05,
        metavar="X",
        help="share of the target that a source has to reach (default: %(default)s)",
    )
    add_reading(command)
    add_seed(command)


def data(commands: Any) -> None:
    """What `data` takes."""
    command = add_command(
        commands,
        "data",
        "fetch public data, verify it, and write log.parquet and items.parquet",
        "rectransfer data ml-100k -o ml-100k",
    )
    command.add_argument("name", metavar="NAME", help="complete-journey, ml-1m or ml-100k")
    add_output(command, "DIR", "the folder to write to (default: NAME, here)", required=False)
    command.add_argument(
        "--from",
        dest="from_file",
        type=Path,
        metavar="FILE",
        help="a file or folder to take instead of fetching",
    )
