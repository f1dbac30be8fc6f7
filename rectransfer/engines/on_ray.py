"""Ray: the only module that imports it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from rectransfer.errors import MissingExtraError

try:
    import ray
    import ray.data
except ImportError as error:
    raise MissingExtraError("ray", extra="ray") from error

__all__ = ["map_all", "stream"]

In = TypeVar("In")
Out = TypeVar("Out")
Row = dict[str, Any]

_TRIES_AGAIN = 3


def map_all(function: Callable[[In], Out], things: Sequence[In], cpus: float = 1) -> list[Out]:
    """What a function gives for each thing, in order; each is a task, tried again if its worker dies."""
    _connect()
    task = ray.remote(num_cpus=cpus, max_retries=_TRIES_AGAIN)(_call)
    shared = ray.put(function)  # once, however many things there are
    found: list[Out] = ray.get([task.remote(shared, one) for one in things])
    return found


def _call(function: Callable[[Any], Any], thing: Any) -> Any:
    return function(thing)


def stream(
    make: Callable[[], Callable[[Row], Row]], rows: Sequence[Row], workers: int, cpus: float = 1
) -> Iterator[Row]:
    """What workers give for rows, as they come, by Ray Data; one that dies is replaced, its rows done again.

    Args:
        make: Gives each worker what it does to a row, once.
        rows: Plain values.
        workers: How many.
        cpus: What Ray sets aside for each, in processors.
    """
    _connect()
    if not rows:
        return
    data = ray.data.from_items(list(rows), override_num_blocks=len(rows))
    work = data.map(
        _Worker,  # type: ignore[arg-type]  # a class that is called: Ray makes one a worker
        fn_constructor_args=(make,),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows)), max_tasks_in_flight_per_actor=2),
        num_cpus=cpus,
    )
    yield from work.iter_rows()


class _Worker:
    def __init__(self, make: Callable[[], Callable[[Row], Row]]) -> None:
        self.work = make()

    def __call__(self, row: Row) -> Row:
        return self.work(row)


def _connect() -> None:
    if ray.is_initialized():
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
