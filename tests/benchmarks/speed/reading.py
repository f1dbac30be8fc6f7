"""Reading a log, splitting it by time and cutting it into sequences, against pandas.

    OMP_NUM_THREADS=1 python tests/benchmarks/speed/reading.py

Both sides read the same Parquet file, check the same things (no nulls, no empty log), sort by user and time,
cut at one moment and collect each user's items in order. Both run in one process, in turns.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
from long_tail import write_long_tail
from report import ratio, side_by_side, spread, write_result

import rectransfer as rt
from rectransfer.logs import InteractionLog, split_by_time
from rectransfer.sequences import sequences, write_corpus

COLUMNS = {
    "what": "what",
    "rows": "rows",
    "ours": "ours, s",
    "pandas": "pandas, s",
    "ratio": "ours is faster by",
}
USER_TIME = ["user_id", "timestamp"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--large-rows", type=int, default=20_000_000, help="for our sequences alone; 0 leaves it"
    )
    parser.add_argument("--large-log", type=Path, help="a log of that size that was drawn before")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.parquet")
        write_long_tail(path, args.rows)
        rows = compare(path, args.repeats)
        if args.large_rows:
            large = args.large_log or Path(folder, "large.parquet")
            if not large.exists():
                write_long_tail(large, args.large_rows)
            rows += alone(large, args.large_rows, Path(folder))
    write_result(
        "reading",
        title="Reading, splitting and sequences",
        about=(
            "Reading a Parquet log with its checks and sorting it by user and time; splitting it at one "
            "moment; and cutting it into a sequence a user. Polars works with all cores, pandas with one. "
            "The last rows are of the large log, ours alone."
        ),
        columns=COLUMNS,
        rows=rows,
        settings={**vars(args), "polars_threads": pl.thread_pool_size(), "pandas": pd.__version__, "seed": 0},
        order=40,
    )


def compare(path: Path, repeats: int) -> list[dict[str, Any]]:
    log, theirs = rt.read_log(path), pandas_read(path)
    moment = int(log.frame["timestamp"].quantile(0.8) or 0)
    assert (
        split_by_time(log, moment).before.n_users == theirs[theirs["timestamp"] < moment]["user_id"].nunique()
    )
    pairs = {
        "read, check, sort": (lambda: rt.read_log(path), lambda: pandas_read(path)),
        "split by time": (lambda: split_by_time(log, moment), lambda: pandas_split(theirs, moment)),
        "sequences": (lambda: sequences(log), lambda: pandas_sequences(theirs)),
    }
    rows = []
    for what, (ours, other) in pairs.items():
        seconds = side_by_side({"ours": ours, "pandas": other}, repeats)
        rows.append(
            {
                "what": what,
                "rows": len(log),
                **{name: spread(taken)["seconds"] for name, taken in seconds.items()},
                "ratio": ratio(seconds["ours"], seconds["pandas"]),
                "all_seconds": seconds,
            }
        )
    return rows


def alone(path: Path, n: int, folder: Path) -> list[dict[str, Any]]:
    found: dict[str, Any] = {}

    def read() -> None:
        found["log"] = rt.read_log(path)

    def cut() -> None:
        found["cut"] = sequences(InteractionLog(found["log"].frame))  # nothing that is cached counts

    steps = {
        "read, check, sort": read,
        "sequences": cut,
        "corpus file": lambda: write_corpus(found["cut"], folder / "corpus.txt"),
    }
    seconds = {what: side_by_side({what: step}, 1)[what][0] for what, step in steps.items()}
    seconds["read, sequences and corpus file together"] = sum(seconds.values())
    return [
        {"what": what, "rows": n, "ours": round(taken, 2), "pandas": None, "ratio": None}
        for what, taken in seconds.items()
    ]


def pandas_read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    assert len(frame)
    assert not frame.isna().any().any()
    return frame.sort_values(USER_TIME, kind="stable", ignore_index=True)


def pandas_split(frame: pd.DataFrame, moment: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    early = frame["timestamp"] < moment
    return frame[early], frame[~early]


def pandas_sequences(frame: pd.DataFrame) -> Any:
    codes = frame["item_id"].astype("category").cat.codes
    return frame.assign(row=codes).groupby("user_id", sort=False)["row"].agg(list)


if __name__ == "__main__":
    main()
