"""What a field may be tried with: a range of numbers, or a few values."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

from rectransfer.errors import InputError

__all__ = [
    "Choice",
    "FloatRange",
    "IntRange",
    "Range",
    "Suggests",
    "choice",
    "integer",
    "log_float",
    "log_integer",
    "uniform",
]


class Suggests(Protocol):
    """The part of `optuna.Trial` that draws values."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from `low` to `high`."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from `low` to `high`."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> Any:
        """One of some names."""
        ...


@dataclass(frozen=True)
class FloatRange:
    """Numbers from `low` to `high`, both included; evenly spread, or their logarithms with `log`.

    Raises:
        InputError: Ends that aren't finite or in order, or `log` with an end that isn't above 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check(self.low, self.high, self.log)

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that stand for all of them when a config is checked."""
        return (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return _is_number(value) and self.low <= value <= self.high

    def encode(self, value: Any) -> Any:
        """The value as a study stores it."""
        return float(value)

    def decode(self, stored: Any) -> Any:
        """The value that a study stores so."""
        return float(stored)

    def suggest(self, trial: Suggests, name: str) -> Any:
        """Let a trial draw one."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class IntRange:
    """Whole numbers from `low` to `high`, both included.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Whether small ones get as much room as large ones.
        step: The distance of two; 1 with `log`.

    Raises:
        InputError: Ends that aren't whole or in order, a step that doesn't lead from one to the other, or
            `log` with an end below 1 or another step.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _check(self.low, self.high, self.log)
        if not all(isinstance(value, int) for value in (self.low, self.high, self.step)):
            raise InputError(f"{self}; expected whole numbers, or uniform({self.low}, {self.high})")
        if self.step < 1 or (self.high - self.low) % self.step or (self.log and self.step != 1):
            raise InputError(f"{self}; expected a step that leads from one end to the other, 1 with log")

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that stand for all of them when a config is checked."""
        return (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        whole = _is_number(value) and isinstance(value, int)
        return whole and self.low <= value <= self.high and not (value - self.low) % self.step

    def encode(self, value: Any) -> Any:
        """The value as a study stores it."""
        return int(value)

    def decode(self, stored: Any) -> Any:
        """The value that a study stores so."""
        return int(stored)

    def suggest(self, trial: Suggests, name: str) -> Any:
        """Let a trial draw one."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Choice:
    """A few values of any type, in no order.

    Raises:
        InputError: Fewer than two different values.
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len({repr(value) for value in self.values}) < max(2, len(self.values)):
            raise InputError(f"a choice needs two values at least, each once, got {self.values}")

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return repr(value) in map(repr, self.values)  # True is no 1 here

    def encode(self, value: Any) -> Any:
        """The value as a study stores it: what `repr` makes of it, as a study knows no tuples."""
        return repr(value)

    def decode(self, stored: Any) -> Any:
        """The value that a study stores so."""
        return next(value for value in self.values if repr(value) == stored)

    def suggest(self, trial: Suggests, name: str) -> Any:
        """Let a trial draw one."""
        return self.decode(trial.suggest_categorical(name, [repr(value) for value in self.values]))


Range = FloatRange | IntRange | Choice
"""What a field may be tried with."""


def log_float(low: float, high: float) -> FloatRange:
    """Numbers above 0 over orders of magnitude: learning rates, penalties."""
    return FloatRange(low, high, log=True)


def uniform(low: float, high: float) -> FloatRange:
    """Numbers, evenly: shares, probabilities."""
    return FloatRange(low, high)


def log_integer(low: int, high: int) -> IntRange:
    """Whole numbers above 0 over orders of magnitude: units, epochs."""
    return IntRange(low, high, log=True)


def integer(low: int, high: int, step: int = 1) -> IntRange:
    """Whole numbers, evenly."""
    return IntRange(low, high, step=step)


def choice(*values: Any) -> Choice:
    """A few values."""
    return Choice(values)


def _check(low: float, high: float, log: bool) -> None:
    if not (_is_number(low) and _is_number(high) and isfinite(low) and isfinite(high) and low < high):
        raise InputError(f"a range goes from a number to a larger one, got {low!r} to {high!r}")
    if log and low <= 0:
        raise InputError(f"a range of logarithms starts above 0, got {low!r}; uniform({low}, {high}) doesn't")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
