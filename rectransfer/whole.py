"""Whole numbers: sizes, counts and seeds."""

from numbers import Integral

from rectransfer.errors import InputError

__all__ = ["require_whole"]


def require_whole(what: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too small a one.

    Args:
        what: What it is, in errors.
        value: NumPy's integers are fine, True and False aren't.
        least: The smallest that will do.

    Raises:
        InputError: It isn't one.

    Examples:
        >>> require_whole("seed=-1", -1, 0)
        Traceback (most recent call last):
            ...
        rectransfer.errors.InputError: seed=-1; expected a whole number from 0
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{what}; expected a whole number from {least}")
