"""What several commands share: how they begin, their options, and what the values are."""

from argparse import (
    Action,
    ArgumentParser,
    ArgumentTypeError,
    BooleanOptionalAction,
    Namespace,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = [
    "add_catalogue",
    "add_columns",
    "add_command",
    "add_history",
    "add_json",
    "add_length",
    "add_model",
    "add_output",
    "add_reading",
    "add_seed",
    "add_test",
    "add_unknown",
    "add_users",
    "add_viewed",
    "count_from_1",
    "share",
]

_LARGEST_SEED: Final = 2**32 - 1  # what NumPy takes


class _AddColumns(Action):
    """Joins the mappings of an option that is given several times."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, *_: Any) -> None:
        known = dict(getattr(namespace, self.dest) or {})
        if twice := known.keys() & values.keys():
            parser.error(f"argument {self.option_strings[0]}: {min(twice)!r} is named twice")
        setattr(namespace, self.dest, known | values)


def add_command(commands: Any, name: str, does: str, example: str) -> ArgumentParser:
    """A command with what all of them have: help with an example, `--progress` and `-v`.

    Args:
        commands: The subparsers.
        name: What it is called.
        does: What it does, in half a sentence.
        example: A whole command line.
    """
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


def add_model(command: ArgumentParser) -> None:
    """The model."""
    command.add_argument("model", type=Path, metavar="MODEL", help="what fit saved")


def add_users(command: ArgumentParser) -> None:
    """`--users`."""
    command.add_argument(
        "--users", type=Path, metavar="FILE", help="a user_id column, or a .txt of ids; by default everybody"
    )


def add_test(command: ArgumentParser) -> None:
    """`--test`."""
    command.add_argument(
        "--test", nargs="+", required=True, metavar="LOG", help="what came after the model's log"
    )


def add_output(command: ArgumentParser, metavar: str, what: str, *, required: bool = True) -> None:
    """Where the result goes."""
    command.add_argument("-o", "--output", type=Path, required=required, metavar=metavar, help=what)


def add_reading(command: ArgumentParser) -> None:
    """How logs are read: `--columns` and `--timestamp-format`."""
    add_columns(command)
    command.add_argument(
        "--timestamp-format",
        metavar="FORMAT",
        help="of times that are text, such as %%d.%%m.%%Y (default: found out)",
    )


def add_columns(command: ArgumentParser) -> None:
    """`--columns`, which may be given several times."""
    command.add_argument(
        "--columns",
        action=_AddColumns,
        type=_mapping,
        metavar="YOURS=OURS,...",
        help="your names to user_id, item_id, timestamp, weight, session_id",
    )


def add_unknown(command: ArgumentParser) -> None:
    """`--on-unknown-users`."""
    command.add_argument(
        "--on-unknown-users",
        choices=("popular", "skip", "raise"),
        default="popular",
        help="what users without any history get (default: %(default)s)",
    )


def add_viewed(command: ArgumentParser) -> None:
    """`--no-filter-viewed`."""
    command.add_argument(
        "--no-filter-viewed",
        dest="filter_viewed",
        action="store_false",
        help="what a user has had may be recommended, too, where habits put it",
    )


def add_catalogue(
    command: ArgumentParser,
    what: str = "Parquet or CSV: item_id, title and, if you like, category",
    *,
    required: bool = True,
) -> None:
    """`--catalogue` and `--catalogue-columns`."""
    command.add_argument(
        "--catalogue",
        type=Path,
        required=required,
        metavar="FILE",
        help=what,
    )
    command.add_argument(
        "--catalogue-columns",
        action=_AddColumns,
        type=_mapping,
        metavar="YOURS=OURS,...",
        help="your names to item_id, title, category",
    )


def add_seed(command: ArgumentParser) -> None:
    """`--seed`."""
    command.add_argument(
        "--seed",
        type=_seed_number,
        default=0,
        metavar="N",
        help="where randomness starts (default: %(default)s)",
    )


def add_history(command: ArgumentParser) -> None:
    """`--history`."""
    command.add_argument(
        "--history",
        nargs="+",
        metavar="LOG",
        help="what users did whom the model has not seen, or since then",
    )


def add_length(command: ArgumentParser) -> None:
    """`-k`."""
    command.add_argument(
        "-k", type=count_from_1, default=10, metavar="N", help="items for each user (default: %(default)s)"
    )


def add_json(command: ArgumentParser) -> None:
    """`--json`."""
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


count_from_1 = _number(int, lambda value: value >= 1, "a whole number from 1")
_seed_number = _number(
    int, range(_LARGEST_SEED + 1).__contains__, f"a whole number from 0 to {_LARGEST_SEED}"
)
share = _number(float, lambda value: 0 <= value <= 1, "a number from 0 to 1")
