"""Rows that are hidden at random, instead of what came next: with times and without; docs/ablation.md.

    python tests/benchmarks/ablation_order.py            # a quarter of an hour
    python tests/benchmarks/ablation_order.py --render   # the page's tables only

From MovieLens 1M to MovieLens 100K, of which a fifth of the rows, drawn, is to be found. A share of the
users is learned from and tested.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from ablation import ALL, ROOT, Floats, recorded, run
from ablation_elsewhere import best_of, ndcg
from scipy.sparse import csr_array, vstack

import rectransfer as rt
from rectransfer.columns import Columns
from rectransfer.evaluation.baselines import Ease
from rectransfer.evaluation.matrix import interactions
from rectransfer.logs import InteractionLog, share_of_users
from rectransfer.vocabulary import Vocabulary

RESULTS = ROOT / "docs" / "results" / "ablation-order.json"
SHARES = (0.1, 1.0)
HIDDEN = 0.2
PENALTIES = (100.0, 300.0, 1000.0)
"""Of EASE; the best counts, picked on the test."""


def parted(log: InteractionLog) -> tuple[InteractionLog, pl.DataFrame]:
    """What is known, and what is hidden."""
    hidden = pl.Series(np.random.default_rng(0).random(len(log)) < HIDDEN)
    return log.with_frame(log.frame.filter(~hidden)), log.frame.filter(hidden)


def shuffled(log: InteractionLog) -> InteractionLog:
    """Rows in no order: tables learn from what stands near each other, too."""
    return log.with_frame(log.frame.sample(fraction=1.0, shuffle=True, seed=0))


def measured(
    known: InteractionLog, hidden: pl.DataFrame, sources: dict[str, rt.Pretrained], log: InteractionLog
) -> dict[str, Floats]:
    """NDCG@10 of each user of a log, by model.

    Args:
        known: What everybody is known to have taken.
        hidden: What is to be found.
        sources: With times, all at one moment, and that in no order.
        log: The rows of `known` that are learned from.
    """
    on_sale = pl.col(Columns.Item).is_in(known.items.ids.implode())
    labels = hidden.filter(on_sale, pl.col(Columns.User).is_in(log.users.ids.implode()))
    users = labels[Columns.User].unique().sort()

    def ours(source: rt.Pretrained | None, target: InteractionLog) -> Floats:
        model = rt.Recommender(source, seed=0).fit(target, items=known.items.ids)
        return ndcg(model.recommend(users, 10), labels)

    at_once = log.at_one_moment()
    found = {
        ALL: ours(sources["timed"], log),
        "all at one moment": ours(sources["at once"], at_once),
        "all at one moment, in no order": ours(sources["shuffled"], shuffled(at_once)),
        "the target alone": ours(None, log),
        "the target alone, all at one moment": ours(None, at_once),
    }
    some = Vocabulary.from_ids(users)
    past = interactions(log, some, known.items)
    own = interactions(log, log.users, known.items)
    source = sources["timed"].histories
    assert source is not None
    theirs = interactions(source, source.users, known.items)
    popular = np.tile(own.sum(axis=0), (len(some), 1))
    found["popularity"] = ndcg(best_of(some, known.items, popular, past), labels)
    for name, rows in (("EASE", own), ("EASE, pooled", rows_of(own, theirs))):
        scores = (Ease(l2).fit(rows).scores(past) for l2 in PENALTIES)
        values = [ndcg(best_of(some, known.items, each, past), labels) for each in scores]
        found[name] = max(values, key=np.mean)
    return found


def rows_of(*matrices: csr_array) -> csr_array:
    """Matrices one below another."""
    return csr_array(vstack(matrices))


def tables() -> Iterator[tuple[str, dict[str, Floats]]]:
    """Both shares, each with a table of its own."""
    log = rt.fetch("ml-1m").log
    sources = {
        "timed": rt.pretrain(log, seed=0, deterministic=True),
        "at once": rt.pretrain(log.at_one_moment(), seed=0, deterministic=True),
        "shuffled": rt.pretrain(shuffled(log.at_one_moment()), seed=0, deterministic=True),
    }
    known, hidden = parted(rt.fetch("ml-100k").log)
    for share in SHARES:
        some = known if share == 1 else share_of_users(known, share, seed=0).log
        yield f"order {share:g}", measured(known, hidden, sources, some)


if __name__ == "__main__":
    run(__doc__, RESULTS, lambda: recorded(tables()))
