"""Small pieces of work on all cores: a thread each, and none of the libraries' own beside them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rectransfer.ranking.threads import one_thread

__all__ = ["side_by_side"]

Given = TypeVar("Given")
Made = TypeVar("Made")


def side_by_side(make: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
    """What is made of each part, in their order; a few are made ahead, and no more are held.

    Each part has one thread (`one_thread`): a library that a part loads is told so from the next part on.
    """

    def alone(part: Given) -> Made:
        with one_thread():
            return make(part)

    n = cores()
    if n < 2:
        yield from map(alone, parts)
        return
    with ThreadPoolExecutor(n) as pool:
        ahead: deque[Future[Made]] = deque()
        for part in parts:
            ahead.append(pool.submit(alone, part))
            if len(ahead) > n:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    with one_thread():  # threads to come are told by torch what was told last: the caller's number again
        pass


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
