"""A job in a process of its own, to be killed: `python job.py USERS OUT`."""

import sys
import time
from pathlib import Path

import polars as pl

from rectransfer.scoring import open_source, score_parts

PART_USERS = 5
K = 3


def score(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that depend on all that went in, and take a while."""
    time.sleep(0.005)
    lists = frame.group_by("user_id", maintain_order=True).agg(pl.col("item_id").sum() % 97, pl.len())
    ranks = pl.DataFrame({"rank": range(1, K + 1)})
    rows = lists.join(ranks, how="cross").with_columns(
        item_id=(pl.col("item_id") + pl.col("rank")) % 97, score=pl.col("len") / pl.col("rank")
    )
    return rows.select("user_id", "item_id", "score", "rank")


def main(users: Path, out: Path) -> None:
    """Run it."""
    source = open_source(users, part_users=PART_USERS)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    score_parts(source, score, out, job={"model": "m"}, workers=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
