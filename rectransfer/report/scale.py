"""Where a value stands on an axis."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Scale", "Tick", "scale"]

_TICKS = 4


@dataclass(frozen=True)
class Tick:
    """A mark on an axis.

    Attributes:
        value: Where it stands.
        place: The same in percent of the axis, as SVG takes it.
        anchor: `start`, `middle` or `end`, so that its label stays within the axis.
    """

    value: float
    place: str
    anchor: str


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`.

    Attributes:
        low: Where it begins.
        high: Where it ends.
        ticks: Round values within.

    Examples:
        >>> axis = scale([0.03, 0.18], origin=True)
        >>> axis.at(0.1)
        '50.00%'
        >>> list(axis.ticks)
        [0.0, 0.05, 0.1, 0.15, 0.2]
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """Percent from the left."""
        return f"{self._share(value):.2f}%"

    def width(self, one: float, other: float) -> str:
        """Percent between two values."""
        return f"{abs(self._share(one) - self._share(other)):.2f}%"

    def left(self, one: float, other: float) -> str:
        """Percent from the left of the lower of two values."""
        return self.at(min(one, other))

    @property
    def marks(self) -> tuple[Tick, ...]:
        """The ticks with their places."""
        return tuple(Tick(value, self.at(value), self._anchor(value)) for value in self.ticks)

    def _share(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def _anchor(self, value: float) -> str:
        share = self._share(value)
        return "start" if share < 4 else "end" if share > 96 else "middle"


def scale(values: Iterable[float], *, origin: bool = True) -> Scale:
    """An axis with round ends over some values.

    Args:
        values: What it has to hold.
        origin: Whether zero is on it, too.
    """
    from matplotlib.ticker import MaxNLocator

    held = [*values, *([0.0] if origin else [])] or [0.0]
    low, high = min(held), max(held)
    if high - low < 1e-9:
        low, high = low - 0.5 * (low != 0), high + 0.5 * (low != 0) or 1.0
    ticks = [float(tick) for tick in MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    return Scale(ticks[0], ticks[-1], tuple(0.0 if abs(tick) < 1e-12 else round(tick, 10) for tick in ticks))
