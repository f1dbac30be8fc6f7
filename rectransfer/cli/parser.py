"""The commands and their options."""

import sys
from argparse import (
    Action,
    ArgumentParser,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
)
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NoReturn

from rectransfer.cli.options import (
    add_catalogue,
    add_history,
    add_json,
    add_length,
    add_output,
    add_reading,
    add_seed,
    add_unknown,
    count_from_1,
    share,
)
from rectransfer.errors import InputError

__all__ = ["PROGRAM", "build_parser"]

PROGRAM: Final = "rectransfer"

_EXAMPLE: Final = """\
example:
  rectransfer pretrain chain.parquet --columns household_id=user_id -o chain
  rectransfer fit store-12.parquet --pretrained chain -o store-12
  rectransfer recommend store-12 --users active.csv -k 20 -o recs.parquet
"""


class _Parser(ArgumentParser):
    """An error is one line, raised: `main` prints it as any other."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see: {self.prog} --help")


class _Version(Action):
    """Looked up only when it is asked for."""

    def __call__(self, parser: ArgumentParser, *_: Any) -> None:
        try:
            found = version(PROGRAM)
        except PackageNotFoundError:  # a source tree on the path, not installed
            found = "0+unknown"
        sys.stdout.write(f"{PROGRAM} {found}\n")
        parser.exit()


def build_parser() -> ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Transfer learning for recommenders: learn a mature domain, start a new one with it.",
        epilog=_EXAMPLE,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_pretrain, _fit, _recommend, _score, _explain, _evaluate, _report, _demo, _data):
        add(commands)
    return parser


def _pretrain(commands: Any) -> None:
    command = _command(
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


def _fit(commands: Any) -> None:
    command = _command(
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


def _recommend(commands: Any) -> None:
    command = _command(
        commands,
        "recommend",
        "write the best items for each user: user_id, item_id, score, rank",
        "rectransfer recommend store-12 --users active.csv -k 20 -o recs.parquet",
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")
    command.add_argument(
        "--users", type=Path, metavar="FILE", help="a user_id column, or a .txt of ids; by default everybody"
    )
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
    add_reading(command)


def _explain(commands: Any) -> None:
    command = _command(
        commands,
        "explain",
        "write why: reasons in words, or contributions that add up to the scores",
        "rectransfer explain store-12 --users active.csv --titles products.csv -o reasons.parquet",
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")
    command.add_argument(
        "--users", type=Path, metavar="FILE", help="a user_id column, or a .txt of ids; by default everybody"
    )
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
    command.add_argument(
        "--on-unknown-users",
        choices=("popular", "skip", "raise"),
        default="popular",
        help="what users without any history get (default: %(default)s)",
    )
    add_reading(command)


def _score(commands: Any) -> None:
    command = _command(
        commands,
        "score",
        "score everybody into a folder of Parquet parts; the same command goes on where it was stopped",
        "rectransfer score store-12 customers.parquet -k 10 --memory 2GB -o scores",
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")
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


def _evaluate(commands: Any) -> None:
    command = _command(
        commands,
        "evaluate",
        "measure a model on what users did later",
        "rectransfer evaluate store-12 --test later.parquet --json test.json",
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")
    command.add_argument(
        "--test", nargs="+", required=True, metavar="LOG", help="what came after the model's log"
    )
    add_history(command)
    add_length(command)
    add_json(command)
    add_reading(command)
    add_seed(command)


def _report(commands: Any) -> None:
    command = _command(
        commands,
        "report",
        "write one HTML page for product teams: verdict, gains, reasons, limits",
        "rectransfer report store-12 --test later.parquet --catalogue products.csv -o report.html",
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")
    command.add_argument(
        "--test", nargs="+", required=True, metavar="LOG", help="what came after the model's log"
    )
    add_catalogue(command)
    add_history(command)
    command.add_argument("--title", default="Recommendation report", help="of the page")
    add_length(command)
    add_output(command, "FILE", "the .html file to write")
    add_reading(command)
    add_seed(command)


def _demo(commands: Any) -> None:
    command = _command(
        commands,
        "demo",
        "run the main job on real data, against the usual baselines (minutes)",
        "rectransfer demo --json results/demo.json --report results/report.html",
    )
    add_json(command)
    command.add_argument("--report", type=Path, metavar="FILE", help="also write a page for product teams")
    add_seed(command)


def _data(commands: Any) -> None:
    command = _command(
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


def _command(commands: Any, name: str, does: str, example: str) -> ArgumentParser:
    command: ArgumentParser = commands.add_parser(
        name,
        help=does,
        description=f"{does[0].upper()}{does[1:]}.",
        epilog=f"example:\n  {example}\n",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "--progress", action=BooleanOptionalAction, help="show progress (default: in a terminal)"
    )
    command.add_argument(
        "-v", "--verbose", action="count", default=0, help="log to standard error; -vv says more"
    )
    return command
