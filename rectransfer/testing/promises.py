"""What a check does: it requires that a promise holds, or that what is wrong is refused."""

from collections.abc import Callable
from typing import Any

__all__ = ["refuses", "require"]


def require(holds: bool, broken: str) -> None:
    """An `AssertionError` that says what is broken, unless it holds."""
    if not holds:
        raise AssertionError(broken)


def refuses(kind: type[Exception], call: Callable[[], Any], what: str) -> None:
    """An `AssertionError`, unless the call raises an error of this kind."""
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__}; expected {kind.__name__}") from error
    raise AssertionError(f"{what} is accepted; expected {kind.__name__}")
