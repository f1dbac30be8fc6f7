"""Which fields of the configs are searched, and over what."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType, UnionType
from typing import Any, Final, TypeVar, get_args, get_type_hints

from rectransfer.errors import InputError
from rectransfer.pretrained import PretrainConfig
from rectransfer.recommend import RecommenderConfig
from rectransfer.tuning.ranges import (
    Choice,
    IntRange,
    Range,
    Suggests,
    choice,
    log_float,
    log_integer,
    uniform,
)

__all__ = ["PRETRAIN", "PRETRAINING", "RANKING", "SearchSpace", "Settings", "overridden"]

PRETRAIN: Final = "pretrain"
"""What the names of pretraining's fields begin with."""

_Config = TypeVar("_Config")

RANKING: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "tower.dropout": uniform(0.1, 0.6),
        "train.learning_rate": log_float(1e-4, 1e-2),
        "train.l2": log_float(1e-4, 1e-1),
        "fine_tune.learning_rate": log_float(1e-5, 1e-3),
        "ranker.hidden": choice(0, 8, 16, 32),
        "ranker.learning_rate": log_float(2e-3, 5e-2),
        "ranker.epochs": log_integer(6, 40),
        "item2vec.epochs": log_integer(5, 40),
    }
)
"""What is searched by default."""

PRETRAINING: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "pretrain.item2vec.dimensions": choice(32, 64, 128),
        "pretrain.item2vec.window": choice(None, 3, 8, 20),
        "pretrain.item2vec.negative": choice(5, 10, 20),
        "pretrain.item2vec.epochs": log_integer(5, 40),
        "pretrain.neighbours_l2": choice(
            (300.0, 1000.0, 3000.0), (30.0, 100.0, 300.0), (1000.0, 3000.0, 10000.0)
        ),
        "pretrain.tower.dropout": uniform(0.1, 0.6),
    }
)
"""What is searched besides where the source's log is there."""


@dataclass(frozen=True)
class Settings:
    """How to pretrain and how to fit.

    Attributes:
        config: Of the recommender.
        pretrain: Of the source; None where no source is pretrained.
    """

    config: RecommenderConfig
    pretrain: PretrainConfig | None = None

    def value(self, name: str) -> Any:
        """The value of a field, by its dotted name.

        Raises:
            InputError: There is no such field; those that there are are named.
        """
        found, rest = _root(self, name)
        for part in rest.split("."):
            names = [one.name for one in fields(found)] if is_dataclass(found) else []
            if part not in names:
                there = ", ".join(names) or "no fields of its own"
                raise InputError(f"the space's {name!r}: there is no {part!r} among {there}")
            found = getattr(found, part)
        return found

    def overridden(self, values: Mapping[str, Any]) -> "Settings":
        """The same with other values of some fields.

        Raises:
            InputError: A value out of its field's range.
        """
        ours = {name: value for name, value in values.items() if not _pretrains(name)}
        theirs = {name.partition(".")[2]: value for name, value in values.items() if _pretrains(name)}
        pretrain = self.pretrain if self.pretrain is None else overridden(self.pretrain, theirs)
        return Settings(overridden(self.config, ours), pretrain)


@dataclass(frozen=True)
class SearchSpace:
    """Dotted names of fields, and what each may be tried with.

    Names are those of `RecommenderConfig` (`"train.learning_rate"`); after `pretrain.` those of
    `PretrainConfig` (`"pretrain.item2vec.window"`).

    Attributes:
        ranges: By name, in the order of the table of trials.

    Raises:
        InputError: No name, or something that isn't a range.

    Examples:
        >>> space = SearchSpace({"tower.dropout": uniform(0.1, 0.5), "ranker.hidden": choice(0, 16)})
        >>> space.check(Settings(RecommenderConfig()))
        >>> SearchSpace({"tower.droput": uniform(0.1, 0.5)}).check(Settings(RecommenderConfig()))
        Traceback (most recent call last):
        rectransfer.errors.InputError: the space's 'tower.droput': there is no 'droput' among hidden, ...
    """

    ranges: Mapping[str, Range]

    def __post_init__(self) -> None:
        if not self.ranges:
            raise InputError("the space is empty: name a field, {'tower.dropout': uniform(0.1, 0.5)}")
        for name, found in self.ranges.items():
            if not isinstance(found, Range):
                raise InputError(
                    f"the space's {name!r} is {found!r}; expected log_float(low, high), uniform, integer, "
                    "log_integer or choice(...) of rectransfer.tuning"
                )
        object.__setattr__(self, "ranges", MappingProxyType(dict(self.ranges)))

    @classmethod
    def default(cls, pretrains: bool) -> "SearchSpace":
        """What is searched where nothing else is asked for."""
        return cls({**RANKING, **(PRETRAINING if pretrains else {})})

    def check(self, base: Settings) -> None:
        """Compare with the fields that there are.

        Raises:
            InputError: An unknown field, a field that isn't to be searched, or values that it doesn't take.
        """
        for name, found in self.ranges.items():
            now = base.value(name)
            if is_dataclass(now):
                inside = ", ".join(one.name for one in fields(now))
                raise InputError(f"the space's {name!r} is a group of fields; name one of them: {inside}")
            if name.rpartition(".")[2] in ("seed", "deterministic", "workers"):
                raise InputError(f"the space's {name!r} decides over luck and speed, not over quality")
            _check_type(name, found, base)
            for value in found.ends:
                try:
                    base.overridden({name: value})
                except (InputError, TypeError) as error:
                    raise InputError(f"the space's {name!r} cannot be {value!r}: {error}") from error

    def draw(self, trial: Suggests, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Let a trial draw a value for each name, or for some."""
        wanted = self.ranges if names is None else names
        return {name: self.ranges[name].suggest(trial, name) for name in wanted}

    def holding(self, base: Settings) -> dict[str, Any]:
        """The fields whose present value the space holds, as a study stores them."""
        now = {name: base.value(name) for name in self.ranges}
        return {
            name: found.encode(now[name]) for name, found in self.ranges.items() if found.holds(now[name])
        }


def overridden(config: _Config, values: Mapping[str, Any]) -> _Config:
    """A config with other values of some fields, all at once, so that they are checked together.

    Args:
        config: A frozen dataclass, perhaps of others.
        values: By dotted name.
    """
    own = {name: value for name, value in values.items() if "." not in name}
    for group in dict.fromkeys(name.partition(".")[0] for name in values if "." in name):
        inner = {name.partition(".")[2]: v for name, v in values.items() if name.startswith(f"{group}.")}
        own[group] = overridden(getattr(config, group), inner)
    return replace(config, **own) if own else config  # type: ignore[type-var]  # dataclasses all


def _pretrains(name: str) -> bool:
    return name.startswith(f"{PRETRAIN}.")


def _root(base: Settings, name: str) -> tuple[Any, str]:
    if not _pretrains(name):
        return base.config, name
    if base.pretrain is None:
        raise InputError(
            f"the space's {name!r} is of pretraining, which needs the source's log: tune(..., source=log)"
        )
    return base.pretrain, name.partition(".")[2]


def _check_type(name: str, found: Range, base: Settings) -> None:
    """Refuse fractions for a field that counts, and numbers for one that names."""
    if isinstance(found, Choice):
        return
    config, rest = _root(base, name)
    *groups, last = rest.split(".")
    for group in groups:
        config = getattr(config, group)
    hint = get_type_hints(type(config))[last]
    allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if float not in allowed and not (isinstance(found, IntRange) and int in allowed):
        raise InputError(
            f"the space's {name!r} is {getattr(hint, '__name__', hint)}, not a number from {found.low} to "
            f"{found.high}; use integer(...) for a whole number, choice(...) for anything else"
        )
