"""The commands and their options."""

import sys
from argparse import (
    SUPPRESS,
    Action,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NoReturn

from rectransfer.errors import InputError

__all__ = ["PROGRAM", "build_parser"]

PROGRAM: Final = "rectransfer"

_EXAMPLE: Final = """\
example:
  rectransfer pretrain chain.parquet --columns household_id=user_id -o chain
  rectransfer fit store-12.parquet --pretrained chain -o store-12
  rectransfer recommend store-12 --users active.csv -k 20 -o recs.parquet
"""
_LARGEST_SEED: Final = 2**32 - 1  # what NumPy takes


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


class _AddColumns(Action):
    """Joins the mappings of several `--columns`."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        known = dict(getattr(namespace, self.dest) or {})
        if twice := known.keys() & values.keys():
            parser.error(f"argument --columns: {min(twice)!r} is named twice")
        setattr(namespace, self.dest, known | values)


def build_parser() -> ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog=PROGRAM,
        description="Transfer learning for recommenders: pretrain on a mature domain, start a new one with it.",
        epilog=_EXAMPLE,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (_pretrain, _fit, _recommend, _evaluate, _demo, _data):
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
    _output(command, "DIR", "the folder to save to")
    _columns(command)
    _seed(command)
    command.add_argument(
        "--deterministic", action="store_true", help="equal results from equal input, on one thread"
    )
    command.add_argument("--dimensions", type=_count, metavar="N", help="length of an item's vector")
    command.add_argument("--epochs", type=_count, metavar="N", help="passes over the log for the vectors")


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
    _output(command, "MODEL", "the folder to save to")
    command.add_argument(
        "--items", type=Path, metavar="FILE", help="more items on sale: an item_id column, or a .txt of ids"
    )
    command.add_argument(
        "--link", type=Path, metavar="FILE", help="target_id and source_id, where items are named differently"
    )
    command.add_argument(
        "--min-coverage",
        type=_share,
        default=0.05,
        metavar="X",
        help="share of the target that a source has to reach (default: %(default)s)",
    )
    _columns(command)
    _seed(command)


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
    _history(command)
    command.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="the only items allowed: an item_id column, or a .txt of ids",
    )
    _length(command)
    _output(command, "FILE", "a .parquet or .csv file to write")
    command.add_argument(
        "--on-unknown-users",
        choices=("popular", "skip", "raise"),
        default="popular",
        help="what users without any history get (default: %(default)s)",
    )
    command.add_argument(
        "--no-filter-viewed",
        dest="filter_viewed",
        action="store_false",
        help="recommend what a user has had, too",
    )
    _columns(command)


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
    _history(command)
    _length(command)
    _json(command)
    _columns(command)
    _seed(command)


def _demo(commands: Any) -> None:
    command = _command(
        commands,
        "demo",
        "run the main job on real data, against the usual baselines (minutes)",
        "rectransfer demo --json results/demo.json",
    )
    _json(command)
    _seed(command)


def _data(commands: Any) -> None:
    command = _command(
        commands,
        "data",
        "fetch public data, verify it, and write log.parquet and items.parquet",
        "rectransfer data ml-100k -o ml-100k",
    )
    command.add_argument("name", metavar="NAME", help="complete-journey, ml-1m or ml-100k")
    _output(command, "DIR", "the folder to write to (default: NAME, here)", required=False)
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


def _output(command: ArgumentParser, metavar: str, what: str, *, required: bool = True) -> None:
    command.add_argument("-o", "--output", type=Path, required=required, metavar=metavar, help=what)


def _columns(command: ArgumentParser) -> None:
    command.add_argument(
        "--columns",
        action=_AddColumns,
        type=_mapping,
        metavar="YOURS=OURS,...",
        help="your names to user_id, item_id, timestamp, weight, session_id",
    )


def _seed(command: ArgumentParser) -> None:
    command.add_argument(
        "--seed",
        type=_seed_number,
        default=0,
        metavar="N",
        help="where randomness starts (default: %(default)s)",
    )


def _history(command: ArgumentParser) -> None:
    command.add_argument(
        "--history",
        nargs="+",
        metavar="LOG",
        help="what users did whom the model has not seen, or since then",
    )


def _length(command: ArgumentParser) -> None:
    command.add_argument(
        "-k", type=_count, default=10, metavar="N", help="items for each user (default: %(default)s)"
    )


def _json(command: ArgumentParser) -> None:
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")


def _mapping(text: str) -> dict[str, str]:
    pairs = [part.split("=") for part in text.split(",")]
    if wrong := [part for part in pairs if len(part) != 2 or not all(name.strip() for name in part)]:
        raise ArgumentTypeError(
            f"{'='.join(wrong[0])!r} is no pair of names; expected for example "
            "household_id=user_id,product_id=item_id"
        )
    names = {theirs.strip(): ours.strip() for theirs, ours in pairs}
    if len(names) < len(pairs):
        raise ArgumentTypeError(f"a column is named twice in {text!r}")
    return names


def _number(
    convert: Callable[[str], Any], right: Callable[[Any], bool], expected: str
) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not right(value):
            raise ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


_count = _number(int, lambda value: value >= 1, "a whole number from 1")
_seed_number = _number(
    int, lambda value: 0 <= value <= _LARGEST_SEED, f"a whole number from 0 to {_LARGEST_SEED}"
)
_share = _number(float, lambda value: 0 <= value <= 1, "a number from 0 to 1")
