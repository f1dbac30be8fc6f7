"""What customers have had elsewhere: products and households shared; docs/ablation.md.

    python tests/benchmarks/ablation_elsewhere.py            # a quarter of an hour
    python tests/benchmarks/ablation_elsewhere.py --render   # the page's tables only

Complete Journey: of the chain's 150 largest stores 25, drawn once, are the target. The source is what all
households bought at the others in weeks 1 to 43. A share of the households that came to the 25 has a log
there, weeks 30 to 43. To be found is what households buy there in weeks 44 to 53 and had never bought there
as far as the log knows, whether they had it elsewhere or not.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import PropertyMock, patch

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, recorded, run
from scipy.sparse import csr_array

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation.baselines import Baseline, Ease, Ials
from rectransfer.evaluation.matrix import interactions
from rectransfer.evaluation.tasks.journey import LAST_WEEK, groceries, journey_log
from rectransfer.logs import InteractionLog, PublicData, share_of_users
from rectransfer.metrics import Ndcg, ranks_from_lists
from rectransfer.recommend.ground import Ground
from rectransfer.vocabulary import Vocabulary

RESULTS = ROOT / "docs" / "results" / "ablation-elsewhere.json"
LARGEST, OPEN, FIRST_WEEK = 150, 25, 30
SHARES = (0.05, 0.3)
"""Of the households that came to the target's stores."""

K = 10
PAIR = [Columns.User, Columns.Item]
RIVALS: dict[str, tuple[Baseline, ...]] = {
    "EASE, pooled": tuple(Ease(l2) for l2 in (100.0, 300.0, 1000.0)),
    "iALS, pooled": tuple(Ials(factors=64, alpha=alpha, regularization=10.0) for alpha in (1.0, 10.0)),
}
"""Of each the best counts, picked on the test: that favours them."""


class Chain:
    """The chain's stores, parted.

    Args:
        data: `fetch("complete-journey")`.
        seed: Draws the stores.
    """

    def __init__(self, data: PublicData, seed: int) -> None:
        rows, week = groceries(data, "the ablation"), pl.col("week")
        sizes = rows.filter(week <= LAST_WEEK).group_by("store_id").len()
        sizes = sizes.sort("len", "store_id", descending=[True, False]).head(LARGEST)
        stores = np.random.default_rng(seed).permutation(sizes["store_id"].sort().to_numpy())
        here = pl.col("store_id").is_in(stores[:OPEN].tolist())
        self.source = journey_log(rows.filter(~here, week <= LAST_WEEK), "the other stores")
        before = rows.filter(here, week.is_between(FIRST_WEEK, LAST_WEEK))
        self.whole = journey_log(before, "some stores")
        self.later = journey_log(rows.filter(here, week > LAST_WEEK), "some stores, later")
        self.items = Vocabulary.from_ids(pl.concat([self.source.items.ids, self.whole.items.ids]))

    def target(self, share: float) -> InteractionLog:
        """The log that is learned from."""
        return share_of_users(self.whole, share, seed=0).log

    def wanted(self, target: InteractionLog) -> dict[str, pl.DataFrame]:
        """What is to be found: of households that the target's log knows, and of those that it doesn't."""
        rows = self.later.frame.select(PAIR).unique().join(target.frame, on=PAIR, how="anti")
        on_sale = self.items.rows(rows[Columns.Item]) >= 0
        returning = target.users.rows(rows[Columns.User]) >= 0
        new = ~returning & (self.source.users.rows(rows[Columns.User]) >= 0)
        return {
            "new": rows.filter(pl.Series(on_sale & new)),
            "returning": rows.filter(pl.Series(on_sale & returning)),
        }


def measured(chain: Chain, source: rt.Pretrained, share: float) -> dict[str, dict[str, Floats]]:
    """NDCG@10 of each household, by who is asked and by model."""
    target = chain.target(share)
    labels = chain.wanted(target)
    never = patch.object(Ground, "had_elsewhere", PropertyMock(return_value=None))
    as_it_is: AbstractContextManager[Any] = nullcontext()
    ways: dict[str, tuple[rt.Pretrained | None, AbstractContextManager[Any]]] = {
        ALL: (source, as_it_is),
        "what was had elsewhere ranks like the rest": (source, never),
        "the target alone": (None, as_it_is),
    }
    found: dict[str, dict[str, Floats]] = {who: {} for who in labels}
    for name, (one, otherwise) in ways.items():
        with otherwise:
            model = rt.Recommender(one, seed=0).fit(target, items=chain.items.ids)
        for who, rows in labels.items():
            users = rows[Columns.User].unique().sort()
            found[who][name] = ndcg(model.recommend(users, K), rows)
    for who, rows in labels.items():
        for name, lists in _others(chain, target, rows[Columns.User].unique().sort()):
            value = ndcg(lists, rows)
            if name not in found[who] or value.mean() > found[who][name].mean():
                found[who][name] = value
    return found


def ndcg(lists: pl.DataFrame, labels: pl.DataFrame) -> Floats:
    """NDCG@10 of each user of the labels, ascending."""
    return np.asarray(Ndcg(K).per_user(ranks_from_lists(lists, labels)), dtype=np.float64)


def _others(chain: Chain, target: InteractionLog, users: pl.Series) -> Iterable[tuple[str, pl.DataFrame]]:
    """Lists of simple models, over all that was bought at any store; what was had here is left out."""
    rows = pl.concat([log.frame.select(*PAIR, Columns.Timestamp) for log in (chain.source, target)])
    both, some = InteractionLog.from_frame(rows), Vocabulary.from_ids(users)
    everybody, past = both.users, interactions(both, some, chain.items)
    shut = interactions(target, some, chain.items)
    sellers = interactions(target, target.users, chain.items).sum(axis=0)
    yield "popularity", best_of(some, chain.items, np.tile(sellers, (len(some), 1)), shut)
    visits = rows.unique([*PAIR, Columns.Timestamp])
    often = interactions(InteractionLog.from_frame(visits), some, chain.items, binary=False).toarray()
    least = sellers / (sellers.max() + 1)
    yield "what each bought most often", best_of(some, chain.items, often + least, shut)
    pooled = interactions(both, everybody, chain.items)
    for name, models in RIVALS.items():
        for model in models:
            yield name, best_of(some, chain.items, model.fit(pooled).scores(past), shut)


def best_of(users: Vocabulary, items: Vocabulary, scores: Any, shut: csr_array) -> pl.DataFrame:
    """Lists of what scores best, without what is shut."""
    values = np.where(shut.toarray() > 0, -np.inf, scores)
    top = np.argsort(-values, axis=1, kind="stable")[:, :K]
    owner = np.repeat(np.arange(len(users)), K)
    ids = users.take(owner).alias(Columns.User), items.take(top.ravel()).alias(Columns.Item)
    return pl.DataFrame([*ids, pl.Series(Columns.Rank, np.tile(np.arange(1, K + 1), len(users)))])


def tables() -> Iterator[tuple[str, dict[str, Floats]]]:
    """Both shares, each with a table for new households and one for returning ones."""
    chain = Chain(rt.fetch("complete-journey"), 0)
    source = rt.pretrain(chain.source, seed=0, deterministic=True)
    for share in SHARES:
        for who, found in measured(chain, source, share).items():
            yield f"elsewhere-{who} {share:g}", found


if __name__ == "__main__":
    run(__doc__, RESULTS, lambda: recorded(tables()))
