"""One function over several things, here or on Ray."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeVar, get_args

from rectransfer.errors import InputError

__all__ = ["Where", "map_all", "require_where"]

Where = Literal["local", "ray"]

_RAY: Final = "rectransfer.engines.on_ray"

In = TypeVar("In")
Out = TypeVar("Out")


def map_all(
    function: Callable[[In], Out], things: Sequence[In], *, engine: Where = "local", cpus: float = 1
) -> list[Out]:
    """What a function gives for each thing, in order.

    Args:
        function: For `"ray"` it, the things and the results have to be picklable.
        things: What it is called with, one at a time.
        engine: `"local"`: one after another, in this process. `"ray"`: side by side, on the Ray cluster that
            this process is connected to, or on one started here; what a worker was doing when it died is done
            again.
        cpus: What Ray sets aside for each, in processors.

    Raises:
        InputError: An engine that there isn't.
        MissingExtraError: Ray isn't installed.

    Examples:
        >>> map_all(len, ["a", "bcd"])
        [1, 3]
    """
    require_where(engine)
    if engine == "local":
        return [function(one) for one in things]
    on_ray: Any = importlib.import_module(_RAY)
    found: list[Out] = on_ray.map_all(function, things, cpus)
    return found


def require_where(engine: str) -> None:
    """Refuse an engine that there isn't.

    Raises:
        InputError: So.
    """
    if engine not in get_args(Where):
        raise InputError(f"engine={engine!r}; choose one of {get_args(Where)}")
