"""What each step of compression costs a recommender of real data: bytes, milliseconds, NDCG.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/compression.py --model store-12

`--model` is a saved recommender; without one, a store launch on the Complete Journey data is pretrained and
fitted first, which takes many minutes.
"""

import argparse
from pathlib import Path
from typing import Any

from report import write_result

import rectransfer as rt
from rectransfer.compression import LADDER, shrunk
from rectransfer.compression.measure import measure, validation
from rectransfer.evaluation import store_launch
from rectransfer.metrics import paired_bootstrap
from rectransfer.recommend import Recommender

COLUMNS = {
    "what": "model",
    "megabytes": "MB on disk",
    "share": "share",
    "milliseconds": "ms a user",
    "faster": "faster by",
    "ndcg": "NDCG@10",
    "difference": "difference [95 %]",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="a saved recommender")
    args = parser.parse_args()
    model = rt.load_recommender(args.model) if args.model else fitted()
    examples = validation(model.state)
    before = measure(model, examples)
    rows: list[dict[str, Any]] = [row("as it was fitted", before, before)]
    for how in LADDER:
        smaller = Recommender.of(shrunk(model.state, how), model.config)
        rows.append(row(str(how), measure(smaller, examples), before))
    write_result(
        "compression",
        title="Compression",
        about=(
            "Each step of `rt.compress` on a recommender of a grocery store: bytes of the saved folder, "
            "milliseconds of `recommend(k=10)` a user, and NDCG@10 of the target's own users cut in time. "
            "The model has learned from them, so the level is high; what counts is the difference."
        ),
        columns=COLUMNS,
        rows=rows,
        settings={
            "model": "a store launch on the Complete Journey data",
            "items": len(model.state.items),
            "validation_users": len(examples),
            "ships": model.verdict.contender,
        },
        order=70,
    )


def row(what: str, one: Any, before: Any) -> dict[str, Any]:
    return {
        "what": what,
        "megabytes": round(one.bytes / 1e6, 2),
        "share": f"{one.bytes / before.bytes:.0%}",
        "milliseconds": round(one.milliseconds, 3),
        "faster": round(before.milliseconds / one.milliseconds, 2),
        "ndcg": round(float(one.ndcg.mean()), 4),
        "difference": "" if one is before else str(paired_bootstrap(one.ndcg, before.ndcg)),
    }


def fitted() -> Recommender:
    task = store_launch(rt.fetch("complete-journey"), share=0.1)
    return Recommender(rt.pretrain(task.source)).fit(task.target, items=task.items.ids)


if __name__ == "__main__":
    main()
