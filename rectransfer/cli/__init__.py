"""The command line: arguments in, library calls, tables out."""

from rectransfer.cli.entry import main

__all__ = ["main"]
