"""What the gate says: the numbers, and the choice."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Ships", "Verdict"]

Ships = Literal["transfer", "target"]


@dataclass(frozen=True)
class Verdict:
    """What the gate measured, and what it chose.

    Attributes:
        ships: `"transfer"` or `"target"`.
        reason: The same in a sentence.
        difference: NDCG@10 of the transferred model less that of the target alone, mean over users; NaN where
            it wasn't measured.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        n_users: Users whom it was measured on.
        contender: The model that ships.
        contenders: NDCG@10 of every model tried.
    """

    ships: Ships
    reason: str
    difference: float
    low: float
    high: float
    n_users: int
    contender: str
    contenders: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None, as JSON has none."""
        found = {name: _plain(value) for name, value in asdict(self).items()}
        found["contenders"] = {name: _plain(value) for name, value in self.contenders.items()}
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Verdict":
        """A verdict from what `as_dict` made of it."""
        numbers = {name: _number(found[name]) for name in ("difference", "low", "high")}
        contenders = {name: _number(value) for name, value in found["contenders"].items()}
        return cls(**{**found, **numbers, "contenders": contenders})

    def __str__(self) -> str:
        return self.reason


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
