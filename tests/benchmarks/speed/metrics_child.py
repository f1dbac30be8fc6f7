"""One library's six metrics, timed: `metrics_child.py LIBRARY FOLDER REPEATS`; prints JSON.

It runs in the environment that has the library, so it imports nothing of ours but for our own turn.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

K = 10


def rectransfer(folder: Path) -> Callable[[], dict[str, float]]:
    import polars as pl

    from rectransfer.metrics import HitRate, Map, Mrr, Ndcg, Precision, Recall, ranks_from_lists

    lists, test = pl.read_parquet(folder / "lists.parquet"), pl.read_parquet(folder / "test.parquet")
    metrics = (Ndcg(K), Recall(K), Precision(K), Map(K), Mrr(K), HitRate(K))

    def run() -> dict[str, float]:
        ranks = ranks_from_lists(lists, test)
        return {metric.name: float(metric.per_user(ranks).mean()) for metric in metrics}

    return run


def rectools(folder: Path) -> Callable[[], dict[str, float]]:
    import pandas as pd
    from rectools.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall, calc_metrics

    lists, test = pd.read_parquet(folder / "lists.parquet"), pd.read_parquet(folder / "test.parquet")
    metrics = {
        f"ndcg@{K}": NDCG(K),
        f"recall@{K}": Recall(K),
        f"precision@{K}": Precision(K),
        f"map@{K}": MAP(K),
        f"mrr@{K}": MRR(K),
        f"hit_rate@{K}": HitRate(K),
    }
    return lambda: {name: float(value) for name, value in calc_metrics(metrics, lists, test).items()}


def ranx(folder: Path) -> Callable[[], dict[str, float]]:
    import pandas as pd
    from ranx import Qrels, Run, evaluate

    lists, test = pd.read_parquet(folder / "lists.parquet"), pd.read_parquet(folder / "test.parquet")
    ids = {"user_id": str, "item_id": str}  # ranx takes text only
    lists, test = lists.astype(ids), test.astype(ids).assign(relevant=1)
    names = [f"{name}@{K}" for name in ("ndcg", "recall", "precision", "map", "mrr", "hit_rate")]

    def run() -> dict[str, float]:
        wanted = Qrels.from_df(test, q_id_col="user_id", doc_id_col="item_id", score_col="relevant")
        found = Run.from_df(lists, q_id_col="user_id", doc_id_col="item_id", score_col="score")
        return {
            name: float(value) for name, value in evaluate(wanted, found, names, make_comparable=True).items()
        }

    run()  # compiles
    return run


def main(library: str, folder: str, repeats: str) -> None:
    warnings.simplefilter("ignore")
    makes: dict[str, Any] = {"rectransfer": rectransfer, "RecTools": rectools, "ranx": ranx}
    run = makes[library](Path(folder))
    seconds: list[float] = []
    cpu: list[float] = []
    for _ in range(int(repeats) if library != "ranx" else 1):
        start, worked = time.perf_counter(), time.process_time()
        values = run()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - worked)
    versions = {name: version(name) for name in _libraries(library)}
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "values": values, "versions": versions}))


def _libraries(library: str) -> tuple[str, ...]:
    return ("numpy", "polars") if library == "rectransfer" else (library, "numpy", "pandas")


if __name__ == "__main__":
    main(*sys.argv[1:])
