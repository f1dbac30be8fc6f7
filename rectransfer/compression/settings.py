"""How much is taken off."""

from dataclasses import dataclass
from typing import Final, get_args

from rectransfer.artefacts import Precision
from rectransfer.errors import InputError

__all__ = ["LADDER", "Compression"]


@dataclass(frozen=True)
class Compression:
    """What is taken off a model.

    Attributes:
        precision: Of tables and item-item weights: `"float16"`, or `"int8"` with a scale a row for tables
            and half precision for the weights.
        dimensions: The share of the tables' dimensions that is kept, those of the largest variance (PCA
            without centring, so that inner products stay what they were, but for what is cut off).
        neighbours: Item-item weights, and transitions, kept of each item, the largest; None keeps all.
        hidden: The share of the ranker's hidden units that is kept, those of the largest weights.
        ranker_int8: Whether the ranker's network is rounded to one byte a weight, a scale a unit.

    Raises:
        InputError: A value out of its range.
    """

    precision: Precision = "float16"
    dimensions: float = 1.0
    neighbours: int | None = None
    hidden: float = 1.0
    ranker_int8: bool = False

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise InputError(f"precision={self.precision!r}; choose one of {', '.join(get_args(Precision))}")
        if not 0 < self.dimensions <= 1 or not 0 < self.hidden <= 1:
            raise InputError(
                f"dimensions={self.dimensions}, hidden={self.hidden}; expected shares above 0, up to 1"
            )
        if self.neighbours is not None and self.neighbours < 1:
            raise InputError(f"neighbours={self.neighbours}; expected at least 1, or None")

    def __str__(self) -> str:
        parts: list[str] = [self.precision]
        if self.dimensions < 1:
            parts.append(f"{self.dimensions:.0%} of the dimensions")
        if self.neighbours is not None:
            parts.append(f"{self.neighbours} neighbours")
        if self.hidden < 1:
            parts.append(f"{self.hidden:.0%} of the ranker")
        return ", ".join([*parts, *(["ranker int8"] if self.ranker_int8 else [])])


LADDER: Final = (
    Compression("float16"),
    Compression("int8", ranker_int8=True),
    Compression("int8", dimensions=0.5, hidden=0.75, ranker_int8=True),
    Compression("int8", dimensions=0.5, neighbours=100, hidden=0.75, ranker_int8=True),
    Compression("int8", dimensions=0.5, neighbours=50, hidden=0.5, ranker_int8=True),
    Compression("int8", dimensions=0.25, neighbours=20, hidden=0.25, ranker_int8=True),
)
"""From mild to strong: what `compress` tries."""
