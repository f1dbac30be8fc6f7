"""Every error that rectransfer raises on purpose.

    RectransferError
    ├── InputError            a log, file, column or argument that cannot be used (also a ValueError)
    │   └── CoverageError     nothing, or too little, bridges source and target
    ├── UnknownUserError      a user without history, where the caller asked for an error (also a KeyError)
    ├── ArtefactError         a saved folder that is missing, damaged, altered or of another version
    ├── NotFittedError        a model asked for something before `fit` (also a RuntimeError)
    └── MissingExtraError     an optional dependency that is not installed (also an ImportError)

A message names what was found (column, row count, file), what was expected, and the remedy.
"""

__all__ = [
    "ArtefactError",
    "CoverageError",
    "InputError",
    "MissingExtraError",
    "NotFittedError",
    "RectransferError",
    "UnknownUserError",
]


class RectransferError(Exception):
    """The parent of every error that the library raises on purpose."""


class InputError(RectransferError, ValueError):
    """A log, a file, a column or an argument cannot be used as it is."""


class CoverageError(InputError):
    """Source and target share no bridge, or less of one than was asked for."""


class UnknownUserError(RectransferError, KeyError):
    """A user has no history and the caller asked for an error."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return str(self.args[0]) if self.args else ""


class ArtefactError(RectransferError):
    """A saved folder is missing, damaged, altered or of another schema version."""


class NotFittedError(RectransferError, RuntimeError):
    """`fit` has to come first."""


class MissingExtraError(RectransferError, ImportError):
    """An optional dependency is not installed; the message names the extra.

    Examples:
        >>> str(MissingExtraError("implicit", extra="ials"))
        "this needs the package 'implicit': pip install 'rectransfer[ials]'"
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs the package {package!r}: pip install 'rectransfer[{extra}]'")
