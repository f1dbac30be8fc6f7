"""What is bought again: lists that may hold what users have had; docs/ablation.md.

    python tests/benchmarks/ablation_again.py            # a quarter of an hour
    python tests/benchmarks/ablation_again.py --render   # the page's tables only

The store launch and the chain's own brand, as in the results, but all that households buy in weeks 44 to 53
is to be found, whether they bought it in weeks 40 to 43 or not.
"""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
from ablation import ALL, ROOT, Floats, recorded, run

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation import Task, private_label, store_launch
from rectransfer.metrics import Ndcg, ranks_from_lists

RESULTS = ROOT / "docs" / "results" / "ablation-again.json"
TASKS = {"again-stores": store_launch, "again-own-brand": private_label}
SHARES = (0.02, 0.1, 1.0)
"""Of the target's users who are learned from."""

K = 10
PAIR = [Columns.User, Columns.Item]


def wanted(task: Task) -> pl.DataFrame:
    """All that users take in the test and that is on sale, of users with a history."""
    users = task.histories.users.ids
    on_sale = pl.Series(task.items.rows(task.test.frame[Columns.Item]) >= 0)
    return task.test.frame.filter(on_sale, pl.col(Columns.User).is_in(users.implode())).select(PAIR).unique()


def by_frequency(task: Task) -> pl.DataFrame:
    """What each user bought on most visits, of equals the latest; then the best sellers (Li et al. 2023)."""
    buyers = task.target.frame.group_by(Columns.Item).agg(pl.col(Columns.User).n_unique().alias("buyers"))
    own = task.histories.frame.group_by(PAIR).agg(
        pl.col(Columns.Timestamp).n_unique().alias("times"), pl.col(Columns.Timestamp).max().alias("last")
    )
    everybody = own.select(Columns.User).unique()
    best = everybody.join(
        buyers.sort("buyers", Columns.Item, descending=[True, False]).head(200), how="cross"
    )
    both = own.join(best.drop("buyers"), on=PAIR, how="full", coalesce=True)
    both = both.join(buyers, on=Columns.Item, how="left").with_columns(pl.col("times").fill_null(0))
    order = [Columns.User, "times", "last", "buyers", Columns.Item]
    both = both.sort(order, descending=[False, True, True, True, False], nulls_last=True)
    return both.with_columns((pl.int_range(pl.len()).over(Columns.User) + 1).alias(Columns.Rank)).filter(
        pl.col(Columns.Rank) <= K
    )


def measured(task: Task, source: rt.Pretrained) -> dict[str, Floats]:
    """NDCG@10 of each user, by model."""
    labels = wanted(task)
    users = labels[Columns.User].unique().sort()

    def fitted(one: rt.Pretrained | None) -> rt.Recommender:
        link = None if one is None else task.link
        return rt.Recommender(one).fit(task.target, items=task.items.ids, link=link)

    def lists(model: rt.Recommender, *, new: bool = False) -> pl.DataFrame:
        return model.recommend(users, K, history=task.histories, filter_viewed=new)

    model = fitted(source)
    alike = rt.Recommender.of(replace(model._fitted, habits=None), model.config)
    found = {
        ALL: lists(model),
        "habits of the target alone": lists(fitted(replace(source, habits=None))),
        "the target alone": lists(fitted(None)),
        "no habits, what was had ranks like the rest": lists(alike),
        "only what is new": lists(model, new=True),
        "what each bought most often": by_frequency(task),
    }
    return {name: Ndcg(K).per_user(ranks_from_lists(rows, labels)) for name, rows in found.items()}


def tables() -> Iterator[tuple[str, dict[str, Floats]]]:
    """Both tasks, all shares, each with a table of its own."""
    data = rt.fetch("complete-journey")
    for what, make in TASKS.items():
        source = rt.pretrain(make(data, share=1.0, seed=0).source, seed=0, deterministic=True)
        for share in SHARES:
            yield f"{what} {share:g}", measured(make(data, share=share, seed=0), source)


if __name__ == "__main__":
    run(__doc__, RESULTS, lambda: recorded(tables()))
