"""Users to look at: drawn, not picked for how good their lists are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.report.catalogue import Catalogue
from rectransfer.report.details import Advice, Because, Person
from rectransfer.report.segments import kinds_of_users
from rectransfer.report.trial import OURS, Trial

__all__ = ["SHOWN", "Drawn", "draw_people", "people", "shown_items"]

_SHOWN_HISTORY: Final = 8
SHOWN: Final = 5
"""How many items each of the users to look at is shown with."""

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Drawn:
    """A user to look at.

    Attributes:
        user: The id.
        kind: Which kind of user.
        n_history: Different items taken before the test.
    """

    user: Any
    kind: str
    n_history: int


def draw_people(trial: Trial, seed: int) -> tuple[Drawn, ...]:
    """One user of each kind there is, drawn from those measured."""
    rng = np.random.default_rng(seed)
    kinds, names = kinds_of_users(trial.history_sizes)
    drawn = []
    for kind, name in enumerate(names):
        if len(rows := np.flatnonzero(kinds == kind)):
            row = int(rng.choice(rows))
            drawn.append(Drawn(trial.users[row], name.partition(":")[0], int(trial.history_sizes[row])))
    return tuple(drawn)


def people(
    drawn: tuple[Drawn, ...],
    trial: Trial,
    log: InteractionLog,
    catalogue: Catalogue,
    *,
    reasons: Mapping[Pair, str],
    because: Mapping[Any, Because],
) -> tuple[Person, ...]:
    """The users with what they had, what they are recommended, and why.

    Args:
        drawn: Whom.
        trial: Of the model that ships.
        log: What users did before the test.
        catalogue: Titles and categories.
        reasons: In words, by user and item.
        because: Of each user's first item.
    """
    return tuple(_person(one, trial, log, catalogue, reasons, because.get(one.user)) for one in drawn)


def _person(
    one: Drawn,
    trial: Trial,
    log: InteractionLog,
    catalogue: Catalogue,
    reasons: Mapping[Pair, str],
    because: Because | None,
) -> Person:
    mine = pl.col(Columns.User) == one.user
    top = trial.lists[OURS].filter(mine).sort(Columns.Rank).head(SHOWN)
    taken = top[Columns.Item].is_in(trial.new.filter(mine)[Columns.Item].implode())
    titles = catalogue.titles(top[Columns.Item])
    advice = tuple(
        Advice(rank, title, str(item) if alike else "", was, reasons.get((one.user, item), ""))
        for rank, item, title, alike, was in zip(
            top[Columns.Rank], top[Columns.Item], titles, titles.is_duplicated(), taken, strict=True
        )
    )
    kind = one.kind.removesuffix("s")
    return Person(str(one.user), kind, one.n_history, _history(log, mine, catalogue), advice, because)


def _history(log: InteractionLog, mine: pl.Expr, catalogue: Catalogue) -> tuple[tuple[str, int], ...]:
    """The latest titles, and how many different items each stands for."""
    titles = catalogue.titles(_latest(log, mine))
    counted = titles.to_frame().group_by(titles.name, maintain_order=True).len("n").head(_SHOWN_HISTORY)
    return tuple((title, int(n)) for title, n in counted.iter_rows())


def _latest(log: InteractionLog, mine: pl.Expr) -> pl.Series:
    """Different items of a user, the last one first."""
    own = log.frame.filter(mine).sort(Columns.Timestamp, descending=True, maintain_order=True)
    return own[Columns.Item].unique(maintain_order=True)


def shown_items(drawn: tuple[Drawn, ...], log: InteractionLog, catalogue: Catalogue) -> pl.Series:
    """The items behind the titles that stand in the histories of the users to look at, each once.

    Args:
        drawn: Whom.
        log: What users did before the test.
        catalogue: Titles.
    """
    found = [log.frame[Columns.Item].clear()]
    for one in drawn:
        items = _latest(log, pl.col(Columns.User) == one.user)
        titles = catalogue.titles(items)
        latest = titles.unique(maintain_order=True).head(_SHOWN_HISTORY)
        found.append(items.filter(titles.is_in(latest.implode())))
    return pl.concat(found).unique(maintain_order=True)
