"""Each kind of index on a large catalogue: recall on queries, speed and memory.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/retrieval.py

The vectors are clustered as item vectors are, with a dimension for popularity; queries lie near items.
"""

import argparse
from typing import Any

import numpy as np
from report import write_result

from rectransfer.retrieval import FaissIndex, build_for_recall

COLUMNS = {
    "kind": "index",
    "effort": "effort",
    "recall": "recall@100",
    "milliseconds": "ms a query",
    "ratio": "faster than exact",
    "megabytes": "MB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--recall", type=float, default=0.95)
    args = parser.parse_args()
    vectors, queries = draw(args.items, args.dimensions, args.queries)
    found = build_for_recall(
        vectors, queries, 100, args.recall, kinds=["flat", "hnsw", "ivf", "sq", "pq"], threads=1
    )
    exact = next(one for one in found.tried if one.kind == "flat")
    rows: list[dict[str, Any]] = [
        {
            "kind": one.kind,
            "effort": one.effort,
            "recall": round(one.recall, 4),
            "milliseconds": round(one.milliseconds, 4),
            "ratio": round(exact.milliseconds / one.milliseconds, 2),
            "megabytes": round(one.bytes / 1e6, 1),
        }
        for one in found.tried
    ]
    write_result(
        "retrieval",
        title="Indexes by recall",
        about=(
            f"What `build_for_recall` reports for {args.items:,} items and a recall of {args.recall:g}: each "
            "kind's effort is doubled until it finds enough or all it can, and the fastest that finds enough "
            f"is kept: here `{found.index.kind}`. One thread, {args.queries} queries together."
        ),
        columns=COLUMNS,
        rows=rows,
        settings={**vars(args), "seed": 0, "threads": 1, "kept": found.index.kind},
        order=50,
    )
    assert isinstance(found.index, FaissIndex)


def draw(items: int, dimensions: int, queries: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(500, dimensions))
    own = centres[rng.integers(0, 500, items)] + 0.7 * rng.normal(size=(items, dimensions))
    popularity = np.sort(rng.exponential(size=items))[::-1, None]
    wanted = centres[rng.integers(0, 500, queries)] + 0.7 * rng.normal(size=(queries, dimensions))
    vectors = np.hstack([own, popularity]).astype(np.float32)
    return vectors, np.hstack([wanted, np.ones((queries, 1))]).astype(np.float32)


if __name__ == "__main__":
    main()
