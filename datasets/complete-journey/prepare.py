"""Writes Complete Journey as Parquet: python datasets/complete-journey/prepare.py FOLDER."""

import argparse
from pathlib import Path

from rectransfer.logs import fetch


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Complete Journey as log.parquet, items.parquet and raw.parquet"
    )
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument(
        "--from-file", type=Path, help="a folder with transactions.parquet and products.parquet"
    )
    arguments = parser.parse_args()
    data = fetch("complete-journey", from_file=arguments.from_file)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, frame in {"log": data.log.frame, "items": data.items, "raw": data.raw}.items():
        frame.write_parquet(arguments.folder / f"{name}.parquet")
    print(data.log.describe())


if __name__ == "__main__":
    main()
