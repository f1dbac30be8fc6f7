"""A chain adds a department, and its customers are known from the others: Complete Journey."""

from functools import partial
from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.evaluation.tasks.journey import (
    LAST_WEEK,
    LEAST_HOUSEHOLDS,
    described,
    groceries,
    journey_log,
)
from rectransfer.evaluation.tasks.rehearsals import cold_users, first_steps
from rectransfer.evaluation.tasks.task import Task
from rectransfer.logs import InteractionLog, PublicData, hold_out_users, only_users, share_of_users
from rectransfer.vocabulary import Vocabulary

__all__ = ["category_launch"]

_COLD_SEED: Final = 0  # whatever the seed of the share: all shares and seeds have one test


def category_launch(
    data: PublicData, *, department: str, share: float = 1.0, seed: int = 0, cold: float = 0.2, few: int = 0
) -> Task:
    """A department opens for households that are known from all others; some have never bought there.

    The source is what all households bought in the other departments in weeks 1 to 43. A part of the
    households, drawn once, is cold: nothing that they do in the department is learned from. The target is
    what a share of the other households bought in the department in weeks 1 to 43. The test is what the cold
    households buy there from week 44 on; their history is what they did in the source. Ranked are the
    department's products.

    Args:
        data: `fetch("complete-journey")`.
        department: A category of its products, such as "Drug gm", "Meat" or "Produce"; case doesn't matter.
        share: Of the households that aren't cold, in (0, 1]; smaller shares are parts of larger ones.
        seed: Draws the households of the share.
        cold: The part of all households that is cold, in (0, 1), drawn with seed 0 always.
        few: With more than 0, the cold households' first baskets in the department, that many, are in the
            target and in their history: not cold, but nearly.

    Raises:
        InputError: The data is something else, there is no such department, or a number is out of range.
    """
    if few < 0:
        raise InputError(f"few={few}; expected 0 or the number of baskets that cold households begin with")
    rows = described(groceries(data, "category_launch"), data, "category")
    own = pl.col("category") == _spelt(department, rows["category"].unique())
    early = pl.col("week") <= LAST_WEEK
    source = journey_log(rows.filter(~own & early), f"all departments but {department}, weeks 1-43")
    before = journey_log(rows.filter(own & early), f"{department}, weeks 1-43")
    later = journey_log(rows.filter(own & ~early), f"{department}, weeks 44-53")
    out = hold_out_users(source, cold, seed=_COLD_SEED).held_out.users
    learned = share_of_users(_without(before, out), share, seed=seed).log
    begun = first_steps(only_users(before, out.ids), few) if few else None
    past = only_users(source, out.ids)
    return Task(
        name=f"category-launch {department}, {share:.0%}" + (f", {few} baskets" if few else ""),
        source=source,
        target=_joined(learned, begun),
        histories=_joined(past, begun),
        test=only_users(later, out.ids),
        items=before.items,
        guarantee=_guarantee(learned, out, seed, few),
        titles=data.items,
        context=source.items,
        rehearse=partial(cold_users, few=few),
    )


def _spelt(department: str, departments: pl.Series) -> str:
    """The department as the catalogue spells it."""
    for name in departments.sort():
        if name.casefold() == department.casefold():
            return str(name)
    raise InputError(f"no department is called {department!r}; there are {departments.sort().to_list()}")


def _without(log: InteractionLog, users: Vocabulary) -> InteractionLog:
    return log.with_frame(log.frame.filter(pl.Series(users.rows(log.frame[Columns.User]) < 0)))


def _joined(log: InteractionLog, more: InteractionLog | None) -> InteractionLog:
    return log if more is None else log.with_frame(pl.concat([log.frame, more.frame]))


def _guarantee(learned: InteractionLog, out: Vocabulary, seed: int, few: int) -> str:
    begun = (
        f"but the first {few} baskets of those who are tested"
        if few
        else "and no row of those who are tested"
    )
    return (
        f"one cut in time for everybody: every row of source and target is of week {LAST_WEEK} or earlier, "
        f"every test row of week {LAST_WEEK + 1} or later; source and target have no product in common; "
        f"tested are {len(out):,} households, the same for every share and seed, and the target's log has "
        f"the rows of {learned.n_users:,} others (seed {seed}), {begun}; only the lists of products that "
        f"{LEAST_HOUSEHOLDS} households buy, and of what the department sold by week {LAST_WEEK}, look at "
        "all households, for all models alike"
    )
