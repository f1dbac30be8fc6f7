"""How many threads torch uses for a piece of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

__all__ = ["threads_for"]

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
