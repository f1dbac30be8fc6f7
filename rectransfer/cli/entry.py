"""From arguments to an exit status: a user's mistake is one line and status 2, never a traceback."""

import importlib
import logging
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rectransfer.cli.parser import PROGRAM, build_parser
from rectransfer.errors import InputError, RectransferError

__all__ = ["main"]

logger = logging.getLogger(__name__)

_BAD_INPUT: Final = 2
_INTERRUPTED: Final = 130  # what shells report for Ctrl-C

_LEVELS: Final = (logging.WARNING, logging.INFO, logging.DEBUG)
_CHATTY: Final = ("gensim", "faiss")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        0: done. 2: the command or its input cannot be used, and one line on standard error says why.
        130: interrupted.

    Examples:
        >>> main(["data", "no-such-data"])  # and on standard error which there are
        2
    """
    try:
        arguments = build_parser().parse_args(argv)
    except InputError as error:
        return _fail(str(error))
    with _logging(arguments.verbose):
        return _run(arguments)


def _run(arguments: Namespace) -> int:
    if arguments.progress is None:
        arguments.progress = sys.stderr.isatty()
    try:
        commands = importlib.import_module("rectransfer.cli.commands")  # late: `--help` has no need of it
        commands.COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
    except RectransferError as error:
        logger.debug("where it happened", exc_info=True)
        return _fail(str(error))
    except OSError as error:
        logger.debug("where it happened", exc_info=True)
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        _say("interrupted")
        return _INTERRUPTED
    return 0


def _fail(message: str) -> int:
    _say(f"error: {' '.join(message.split())}")
    return _BAD_INPUT


def _say(line: str) -> None:
    sys.stderr.write(f"{PROGRAM}: {line}\n")


@contextmanager
def _logging(verbose: int) -> Iterator[None]:
    """Our messages on standard error; gensim's and faiss's only where something is wrong."""
    ours = logging.getLogger(PROGRAM)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(_LEVELS[min(verbose, len(_LEVELS) - 1)])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)
