"""Small pieces of work on all cores: a thread each, and none of the libraries' own beside them."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Final, TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

from rectransfer.ranking.threads import threads_for

__all__ = ["one_thread", "side_by_side"]

Given = TypeVar("Given")
Made = TypeVar("Made")


class _Blas:
    """One thread of BLAS as long as anybody wants it so: what it is told counts for all threads."""

    def __init__(self) -> None:
        self._lock, self._wanted, self._limit = Lock(), 0, ExitStack()

    @contextmanager
    def one(self, pools: ThreadpoolController) -> Iterator[None]:
        with self._lock:
            if not self._wanted:
                self._limit.enter_context(pools.limit(limits=1, user_api="blas"))
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    self._limit.close()


_BLAS: Final = _Blas()


@contextmanager
def one_thread(pools: ThreadpoolController | None = None) -> Iterator[None]:
    """No threads of BLAS, OpenMP and torch within: on some users at a time they mostly wait for each other.

    What OpenMP and torch are told counts for the calling thread.

    Args:
        pools: The libraries, where they have been looked for already: it takes some milliseconds.
    """
    pools = pools or ThreadpoolController()
    with (
        _BLAS.one(pools),
        threads_for(0),  # torch has to see its own number before
        pools.limit(limits=1, user_api="openmp"),
    ):
        yield


def side_by_side(make: Callable[[Given], Made], parts: Iterable[Given]) -> Iterator[Made]:
    """What is made of each part, in their order; a few are made ahead, and no more are held."""
    pools = ThreadpoolController()

    def alone(part: Given) -> Made:
        with one_thread(pools):
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
    with one_thread(pools):  # threads to come are told by torch what was told last: the caller's number again
        pass


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
