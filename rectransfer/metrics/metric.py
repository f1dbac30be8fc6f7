"""What a ranking metric is, and the cut at `k` that most of them share."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["AtK", "Metric"]


@runtime_checkable
class Metric(Protocol):
    """One value in [0, 1] for each user, higher is better."""

    @property
    def name(self) -> str:
        """How tables call it, such as `ndcg@10`."""
        ...

    def per_user(self, ranks: RelevantRanks) -> npt.NDArray[np.float64]:
        """The value of each user, shape `(n_users,)`, in the order of `ranks.users`."""
        ...


@dataclass(frozen=True)
class AtK:
    """A cut after the first `k` places.

    Attributes:
        k: How many places count, at least 1.

    Raises:
        InputError: `k` is not a positive whole number.
    """

    label: ClassVar[str] = ""

    k: int = 10

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1:
            raise InputError(f"k is the number of places that count, a whole number from 1; got {self.k!r}")

    @property
    def name(self) -> str:
        """The metric and its cut, such as `ndcg@10`."""
        return f"{self.label}@{self.k}"
