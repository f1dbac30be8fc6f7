"""Users who are hardly known: some nine interactions each, in source and target; docs/ablation.md.

    python tests/benchmarks/ablation_short.py            # seven minutes
    python tests/benchmarks/ablation_short.py --render   # the page's tables only

Of each user a few interactions are kept, as many as reviews of a shop have, and two thirds of the users are
the source. The last interaction of each of the others is to be found, be the user learned from or not.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, recorded, run
from ablation_viewers import Ways, measured

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import BASELINES, Task
from rectransfer.logs import InteractionLog, share_of_users

RESULTS = ROOT / "docs" / "results" / "ablation-short.json"
SHARES = (0.1, 0.3, 1.0)
"""Of the target's users."""

FEWEST, END = 5, 0.2
"""A user keeps so many interactions at least; from there on that is the chance, after each, of no more."""

SOURCE = 2 / 3
SOLD_BEST = 1_500
"""How many of the groceries count: of more nearly none would be there three times."""

SEEN = 3
"""How often an item has to be in the target's log to be ranked."""

Rng = np.random.Generator


def in_a_row(log: pl.DataFrame, n: int, rng: Rng) -> pl.DataFrame:
    """Some of a user's rows that follow each other."""
    return log.slice(int(rng.integers(log.height - n + 1)), n)


def here_and_there(log: pl.DataFrame, n: int, rng: Rng) -> pl.DataFrame:
    """Some of a user's rows, drawn, in their order."""
    return log[np.sort(rng.choice(log.height, n, replace=False))]


def on_days_of_their_own(log: pl.DataFrame, n: int, rng: Rng) -> pl.DataFrame:
    """Some of a user's rows, drawn, in their order, but on days of two years."""
    days = pl.Series(Columns.Timestamp, np.sort(rng.integers(730, size=n)))
    return here_and_there(log, n, rng).with_columns(
        pl.from_epoch(days, "d").cast(log.schema[Columns.Timestamp])
    )


def shortened(log: InteractionLog, keep: Callable[[pl.DataFrame, int, Rng], pl.DataFrame]) -> InteractionLog:
    """A log of which only some of each user's rows are left."""
    rng, found = np.random.default_rng(0), []
    for _, rows in log.frame.group_by(Columns.User, maintain_order=True):
        found.append(keep(rows, min(rows.height, FEWEST - 1 + int(rng.geometric(END))), rng))
    return log.with_frame(pl.concat(found))


def task_of(log: InteractionLog, share: float) -> Task:
    """Two thirds of the users are the source; of the others all but the last row is known."""
    users = log.users.ids.sample(fraction=SOURCE, seed=0)
    theirs = pl.col(Columns.User).is_in(users.implode())
    here = log.frame.filter(~theirs)
    last = pl.int_range(pl.len()).over(Columns.User) == pl.len().over(Columns.User) - 1
    often = pl.len().over(Columns.Item) >= SEEN
    known = log.with_frame(here.filter(~last).filter(often))
    on_sale = pl.col(Columns.Item).is_in(known.items.ids.implode())
    return Task(
        name=f"short histories, {share:.0%}",
        source=log.with_frame(log.frame.filter(theirs)),
        target=known if share == 1 else share_of_users(known, share, seed=0).log,
        histories=known,
        test=log.with_frame(here.filter(last).filter(on_sale)),
        items=known.items,
        guarantee="of no user is anything known that came after what is to be found, or it; of others it is",
    )


def groceries() -> InteractionLog:
    """The first time that each household bought each of the products that sell best, by the day."""
    log = rt.fetch("complete-journey").log
    first = log.frame.group_by(Columns.User, Columns.Item, maintain_order=True).first()
    best = first[Columns.Item].value_counts(sort=True)[Columns.Item].head(SOLD_BEST)
    bought = first.filter(pl.col(Columns.Item).is_in(best.implode()))
    return log.with_frame(bought.with_columns(pl.col(Columns.Timestamp).dt.truncate("1d")))


def tables() -> Iterator[tuple[str, dict[str, Floats]]]:
    """Films and groceries, all shares, each with a table of its own."""
    ways: Ways = {ALL: (True, nullcontext()), "the target alone": (False, nullcontext())}
    films = rt.fetch("ml-1m").log
    for kind, log in (
        ("row", shortened(films, in_a_row)),
        ("drawn", shortened(films, on_days_of_their_own)),
        ("groceries", shortened(groceries(), here_and_there)),
    ):
        source = rt.pretrain(task_of(log, 1.0).source, seed=0, deterministic=True)
        for share in SHARES:
            yield f"short {kind} {share:g}", measured(task_of(log, share), source, ways, BASELINES, "full")


if __name__ == "__main__":
    run(__doc__, RESULTS, lambda: recorded(tables()))
