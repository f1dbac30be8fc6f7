"""Measure what scoring loses against `recommend`, by depth, and write docs/results/scoring-depth.json.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/scoring_depth.py
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/scoring_depth.py --pretrained FOLDER

The store launch, half of whose target's households are learned from; the others are measured on the second
half of their visits in the target's own weeks. The test weeks aren't looked at.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from provenance import commit

import rectransfer as rt
from rectransfer.evaluation import store_launch
from rectransfer.logs import only_users
from rectransfer.metrics import Ndcg, ranks_from_lists
from rectransfer.ranking import Examples, Histories, cut_at_share
from rectransfer.recommend.scorer import serve
from rectransfer.scene import Ranked
from rectransfer.serving import prepare
from rectransfer.vocabulary import Vocabulary

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "scoring-depth.json"
DEPTHS, K = (20, 32, 50, 100, 200), 10


def ndcg(found: Ranked, cut: Examples) -> np.ndarray:
    """NDCG@10 of each example."""
    lists = pl.DataFrame({"user_id": found.users, "item_id": found.items, "rank": found.ranks})
    wanted = pl.DataFrame({"user_id": cut.label_owner, "item_id": cut.labels})
    return Ndcg(K).per_user(ranks_from_lists(lists, wanted))


def overlap(one: Ranked, other: Ranked) -> float:
    """The share of the other's items that one has, too."""
    mine, theirs = (pl.DataFrame({"user": found.users, "item": found.items}) for found in (one, other))
    return mine.join(theirs, on=["user", "item"], how="semi").height / theirs.height


def main() -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pretrained", type=Path, help="the task's source; by default it is learned now")
    folder = parser.parse_args().pretrained
    data = rt.fetch("complete-journey")
    half, whole = store_launch(data, share=0.5), store_launch(data)
    source = rt.pretrain(half.source, deterministic=True) if folder is None else rt.load_pretrained(folder)
    state = rt.Recommender(source).fit(half.target, items=half.items.ids)._fitted
    new = whole.target.users.ids.filter(pl.Series(half.target.users.rows(whole.target.users.ids) < 0))
    histories = Histories.from_log(only_users(whole.target, new), state.items, Vocabulary(new))
    cut = cut_at_share(histories, len(state.items), 0.5, labels_in=state.scene.on_sale)
    ends = np.searchsorted(cut.owner, np.arange(len(cut) + 1))
    users = prepare(
        Histories(Vocabulary(new.gather(cut.users)), ends, cut.items, cut.ages.max() - cut.ages),
        len(state.items),
    )
    start = time.thread_time()
    true = state.scene.rank(state.ranker, cut, K, exclude=cut.seen)
    seconds, base = time.thread_time() - start, ndcg(true, cut)
    server, rows = serve(state), list[dict[str, Any]]()
    server.rank(users, K, exclude=users.seen)  # compiled now: it is no part of the time
    for depth in DEPTHS:
        start = time.thread_time()
        found = server.with_depth(depth).rank(users, K, exclude=users.seen)
        took, less = time.thread_time() - start, ndcg(found, cut) - base
        rows.append(
            {
                "depth": depth,
                "overlap": round(overlap(found, true), 4),
                "ndcg_less": round(float(less.mean()), 5),
                "half_width": round(float(1.96 * less.std() / len(less) ** 0.5), 5),
                "times_as_fast": round(seconds / took, 1),
            }
        )
    facts = {"users": len(cut), "ndcg": round(float(base.mean()), 4), "commit": commit()}
    RESULTS.write_text(json.dumps({**facts, "depths": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
