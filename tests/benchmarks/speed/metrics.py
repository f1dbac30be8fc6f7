"""Ranking metrics of a million recommendations: ours, RecTools' and ranx's.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/metrics.py

RecTools and ranx need older NumPy and pandas than we do, so they live in an environment of their own that
this builds in a scratch folder (`--environment` keeps it). Each library reads the same Parquet files and
measures the same six metrics from frames in memory to means; reading isn't counted. The libraries take turns
in processes of their own, and their values have to agree.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from report import write_result

HERE = Path(__file__).parent
K = 10
COLUMNS = {
    "ids": "ids",
    "library": "library",
    "seconds": "seconds",
    "fastest": "fastest",
    "ratio": "ours is faster by",
    "cpu": "CPU seconds",
    "cpu_ratio": "less CPU by",
}
SAME = ("recall@10", "precision@10", "map@10", "mrr@10", "hit_rate@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environment", type=Path, help="where RecTools and ranx are, or will be")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        other = python_with_rectools(args.environment or Path(scratch, "environment"))
        pythons = {"rectransfer": sys.executable, "RecTools": other, "ranx": other}
        whole = {name: python for name, python in pythons.items() if name != "ranx"}  # it takes text only
        rows = [
            *compare(Path(scratch), "integers", whole, args),
            *compare(Path(scratch), "text", pythons, args),
        ]
    write_result(
        "metrics",
        title="Metrics of a million recommendations",
        about=(
            f"NDCG, recall, precision, MAP, MRR and hit rate at {K} for {args.users:,} users with {K} "
            "recommendations each and about 5 items to be found, from frames in memory to six means. All "
            "three give the same recall, precision, MAP, MRR and hit rate, checked to 9 digits (RecTools' "
            "NDCG divides by another ideal). One thread each. ranx's "
            "time includes making its `Run` and `Qrels`, and leaves "
            "out compiling itself."
        ),
        columns=COLUMNS,
        rows=rows,
        settings={**vars(args), "environment": "venv", "k": K, "seed": 0, "metrics": [*SAME, "ndcg@10"]},
        order=30,
    )


def python_with_rectools(folder: Path) -> str:
    """An environment that has them, made if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "rectools", "ranx", "pyarrow<21"], check=True)
    return str(python)


def compare(
    scratch: Path, ids: str, pythons: dict[str, str], args: argparse.Namespace
) -> list[dict[str, Any]]:
    folder = scratch / ids
    folder.mkdir()
    write_lists(folder, args.users, text=ids == "text")
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "turns": [], "cpu": []} for name in pythons}
    threads = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    for _ in range(args.turns):
        for name, python in pythons.items():
            if name == "ranx" and found[name]["turns"]:  # minutes a turn
                continue
            command = [python, str(HERE / "metrics_child.py"), name, str(folder), str(args.repeats)]
            path = {
                **os.environ,
                **threads,
                "PYTHONPATH": str(HERE.parents[2]) if name == "rectransfer" else "",
            }
            said = json.loads(subprocess.run(command, check=True, capture_output=True, env=path).stdout)
            found[name]["seconds"] += said["seconds"]
            found[name]["cpu"] += said["cpu"]
            found[name]["turns"].append(median(said["seconds"]))
            found[name]["values"] = said["values"]
            found[name]["versions"] = said["versions"]
    ours = found["rectransfer"]
    for name in pythons:
        for metric in SAME:
            assert np.isclose(found[name]["values"][metric], ours["values"][metric], atol=1e-9), (
                name,
                metric,
            )
    return [
        {
            "ids": ids,
            "library": name,
            "seconds": round(median(one["seconds"]), 4),
            "fastest": round(min(one["seconds"]), 4),
            "ratio": round(median(b / a for a, b in zip(ours["turns"], one["turns"], strict=False)), 2),
            "cpu": round(median(one["cpu"]), 4),
            "cpu_ratio": round(median(one["cpu"]) / median(ours["cpu"]), 2),
            "values": one["values"],
            "versions": one["versions"],
        }
        for name, one in found.items()
    ]


def write_lists(folder: Path, users: int, *, text: bool, items: int = 20_000) -> None:
    """Lists and a test log, as `recommend` and a split would give them."""
    rng = np.random.default_rng(0)
    cumulated = np.cumsum((np.arange(items) + 20.0) ** -1.1)

    def draw(n: int) -> Any:
        return np.searchsorted(cumulated, rng.random(n) * cumulated[-1])

    drawn = pl.DataFrame({"user_id": np.repeat(np.arange(users), 2 * K), "item_id": draw(2 * K * users)})
    lists = drawn.unique(maintain_order=True).with_columns(
        rank=pl.int_range(1, pl.len() + 1).over("user_id", mapping_strategy="group_to_rows")
    )
    lists = lists.filter(pl.col("rank") <= K).with_columns(score=1 / pl.col("rank"))
    test = pl.DataFrame({"user_id": np.repeat(np.arange(users), 5), "item_id": draw(5 * users)})
    for name, frame in (("lists", lists), ("test", test.unique(maintain_order=True))):
        if text:
            frame = frame.with_columns(
                pl.format("user-{}", pl.col("user_id").cast(pl.String).str.zfill(7)).alias("user_id"),
                pl.format("item-{}", pl.col("item_id").cast(pl.String).str.zfill(7)).alias("item_id"),
            )
        frame.write_parquet(folder / f"{name}.parquet")


if __name__ == "__main__":
    main()
