"""How many threads torch, and the libraries beside it, use for a piece of work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

import numpy.linalg  # noqa: F401 (each brings a BLAS of its own, which has to be there to be told)
import scipy.linalg  # noqa: F401
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

__all__ = ["one_thread", "threads_for"]

_WORTH_SHARING: Final = 500_000


@contextmanager
def threads_for(numbers: int) -> Iterator[None]:
    """One thread for steps over few numbers, where handing out the work costs more than doing it."""
    before = torch.get_num_threads()
    if numbers < _WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Libraries:
    """Libraries with threads of their own, and one thread of BLAS as long as anybody wants it so.

    What a BLAS is told counts for all threads, so it is told when the first of them comes, and told back when
    the last one goes. One that runs on OpenMP does as OpenMP is told in the thread that calls it.
    """

    def __init__(self) -> None:
        self._lock, self._wanted = Lock(), 0
        self._before: dict[str, tuple[Any, int]] = {}
        self._found: tuple[int, ThreadpoolController] | None = None

    def loaded(self) -> ThreadpoolController:
        """Those that are loaded; to look takes some milliseconds, so only once modules have come."""
        n = len(sys.modules)
        found = self._found
        if found is None or found[0] != n:
            found = self._found = n, ThreadpoolController()
        return found[1]

    @contextmanager
    def one_blas(self, loaded: ThreadpoolController) -> Iterator[None]:
        with self._lock:
            for one in loaded.select(user_api="blas").lib_controllers:
                if one.filepath not in self._before and getattr(one, "threading_layer", "") != "openmp":
                    self._before[one.filepath] = one, one.num_threads
                    _tell(one, 1)
            self._wanted += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= 1
                if not self._wanted:
                    for one, threads in self._before.values():
                        _tell(one, threads)
                    self._before.clear()


def _tell(library: Any, threads: int) -> None:
    """Tell a library how many threads, whichever thread asks: `set_num_threads` hears one thread only."""
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)


_LIBRARIES: Final = _Libraries()


@contextmanager
def one_thread() -> Iterator[None]:
    """No threads of BLAS, OpenMP and torch within: on some users at a time they mostly wait for each other.

    What OpenMP and torch are told counts for the calling thread. A library that is loaded within keeps its
    own threads until somebody enters anew; those of numpy, scipy and torch are there before.
    """
    loaded = _LIBRARIES.loaded()
    with (
        _LIBRARIES.one_blas(loaded),
        threads_for(0),  # torch has to see its own number before
        loaded.select(user_api="openmp").limit(limits=1),
    ):
        yield
