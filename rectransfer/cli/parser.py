"""The commands and their options."""

import sys
from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NoReturn

from rectransfer.cli.answering import explain, recommend, score
from rectransfer.cli.judging import demo, evaluate, report
from rectransfer.cli.learning import data, fit, pretrain
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
    for add in (pretrain, fit, recommend, score, explain, evaluate, report, demo, data):
        add(commands)
    return parser
