"""Films for viewers of others: what whole and familiar examples are good for; docs/ablation.md.

    python tests/benchmarks/ablation_viewers.py            # half an hour
    python tests/benchmarks/ablation_viewers.py --render   # the page's table only

MovieLens 1M, parted: three in ten of the films are the target, the others the source. A fifth of the viewers
is new to the target: all that they watched of the source is known, all they watched of the target is to be
found. Nothing is cut in time, as is usual where recommenders across domains are compared.

Then viewers who come back: of everybody the first 70 % of the visits to the target are known, and what they
watched of the source before the others. The others are to be found.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from unittest.mock import patch

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, recorded, run
from ablation_departments import always_cut

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import Budget, Task, run_baselines
from rectransfer.logs import InteractionLog, hold_out_users, share_of_users
from rectransfer.recommend import fit as fitting
from rectransfer.vocabulary import Vocabulary

RESULTS = ROOT / "docs" / "results" / "ablation-viewers.json"
SHARES = (0.02, 0.1)
"""Of the viewers who are known in the target."""

BASELINES = ("popularity", "itemknn_pooled", "ease_pooled", "ials_pooled")
ON_SALE = 0.3
NEW = 0.2
EARLY = 0.7

Ways = dict[str, tuple[bool, AbstractContextManager[None]]]
"""Names of models; whether each takes the source, and what is otherwise while it is fitted."""


def task_of(log: InteractionLog, share: float) -> Task:
    """Viewers of the source who have seen nothing of the target, and a share of those who have."""
    films = log.items.ids.sort().sample(fraction=ON_SALE, seed=0)
    here = pl.col(Columns.Item).is_in(films.implode())
    users = hold_out_users(log, NEW, seed=0)
    known, new = users.kept.frame.filter(here), users.held_out.frame
    target = log.with_frame(known)
    items = Vocabulary.from_ids(films)
    source = log.with_frame(log.frame.filter(~here))
    return Task(
        name=f"known viewers, {share:.0%}",
        source=source,
        target=share_of_users(target, share, seed=0).log,
        histories=log.with_frame(new.filter(~here)),
        test=log.with_frame(new.filter(here)),
        items=items,
        guarantee="nothing that new viewers watched of the target is learned from; nothing is cut in time",
        context=source.items,
    )


def returning(log: InteractionLog, share: float) -> Task:
    """Viewers of the source who have been in the target and come back, a share of all of them."""
    films = log.items.ids.sort().sample(fraction=ON_SALE, seed=0)
    here = pl.col(Columns.Item).is_in(films.implode())
    visit = pl.col(Columns.Timestamp).rle_id().over(Columns.User).cast(pl.Int64)
    late = visit >= ((visit.max().over(Columns.User)) * EARLY).cast(pl.Int64).clip(1)
    target = log.frame.filter(here).with_columns(late=late)
    cut = target.filter("late").group_by(Columns.User).agg(pl.col(Columns.Timestamp).min().alias("cut"))
    source = log.frame.filter(~here).join(cut, on=Columns.User, how="left")
    source = source.filter(pl.col("cut").is_null() | (pl.col(Columns.Timestamp) < pl.col("cut")))
    known = share_of_users(log.with_frame(target.filter(~pl.col("late")).drop("late")), share, seed=0).log
    back = pl.col(Columns.User).is_in(known.users.ids.implode())
    past = pl.concat([source.drop("cut").filter(back), known.frame])
    return Task(
        name=f"returning viewers, {share:.0%}",
        source=(elsewhere := log.with_frame(source.drop("cut"))),
        target=known,
        histories=log.with_frame(past),
        test=log.with_frame(target.filter("late", back).drop("late")),
        items=Vocabulary.from_ids(films),
        guarantee="of nobody is anything known that came after the first visit that is to be found",
        context=elsewhere.items,
    )


def measured(
    task: Task,
    source: rt.Pretrained,
    ways: Ways,
    baselines: Sequence[str] = BASELINES,
    budget: Budget = "small",
) -> dict[str, Floats]:
    """NDCG@10 of each user, by model."""
    contest = run_baselines(task, baselines, budget=budget)
    for name, (one, way) in ways.items():
        with way:
            model = rt.Recommender(source if one else None).fit(task.target, items=task.items.ids)
        contest = contest.add(name, lists=model.recommend(task.users.ids, 10, history=task.newcomers))
    found = {name: np.asarray(values, dtype=np.float64) for name, values in contest.values().items()}
    return {name: found[name] for name in (*ways, *baselines)}


@contextmanager
def never_familiar() -> Iterator[None]:
    """Who is met as if new is met in no other way."""
    with patch.object(fitting, "FAMILIAR", 0):
        yield


def tables() -> Iterator[tuple[str, dict[str, Floats]]]:
    """New viewers and returning ones, all shares, each with a table of its own."""
    log = rt.fetch("ml-1m").log
    for who, make in (("viewers", task_of), ("returning", returning)):
        source = rt.pretrain(make(log, 1.0).source, seed=0, deterministic=True)
        for share in SHARES:
            ways: Ways = {ALL: (True, nullcontext()), "never familiar": (True, never_familiar())}
            if make is task_of:
                ways["always cut"] = True, always_cut()
            else:
                ways["target alone"] = False, nullcontext()
            yield f"{who} {share:g}", measured(make(log, share), source, ways)


if __name__ == "__main__":
    run(__doc__, RESULTS, lambda: recorded(tables()))
