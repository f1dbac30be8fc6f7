"""Cells on disk: a small JSON each, and each user's values beside it."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

__all__ = ["ROOT", "UNIT", "Key", "Store", "fingerprint"]

ROOT: Final = Path(__file__).parents[3]

UNIT: Final = 10_000
"""Users' values are whole numbers, in ten-thousandths."""

_USER: Final = "user_id"
_FRAME: Final = (  # they can't change a number
    *("cli", "compression", "demo", "engines", "explain", "report", "scoring", "serving", "testing"),
    "__main__.py",
)

State = Literal["missing", "current", "stale"]


@dataclass(frozen=True, order=True)
class Key:
    """Which cell.

    Attributes:
        task: Its name in the suite.
        share: Of the target's users.
        seed: Draws them, and starts the models.
    """

    task: str
    share: float
    seed: int

    @property
    def name(self) -> str:
        """`store-launch-005-3`: task, per cent, seed."""
        return f"{self.task}-{round(self.share * 100):03d}-{self.seed}"

    @classmethod
    def from_name(cls, name: str) -> "Key":
        """The key of a name.

        Raises:
            ValueError: It isn't one.
        """
        task, share, seed = name.rsplit("-", 2)
        return cls(task, int(share) / 100, int(seed))


@dataclass(frozen=True)
class Store:
    """A folder of cells: `cells/<name>.json` and `users/<name>.parquet`.

    Attributes:
        folder: Where.
    """

    folder: Path

    def write(self, key: Key, summary: Mapping[str, Any], users: pl.DataFrame) -> None:
        """Keep a finished cell. It is there when its JSON is, which comes last, and never in part.

        Args:
            key: Which cell.
            summary: Plain values; `code` says what was measured.
            users: `user_id` and a column for each model, values from 0 to 1.
        """
        values = users.select(
            _USER, *((pl.col(name) * UNIT).round().cast(pl.UInt16) for name in users.columns if name != _USER)
        )
        path = self._users(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        values.write_parquet(draft, compression="zstd", compression_level=19, statistics=False)
        digest = hashlib.sha256(draft.read_bytes()).hexdigest()
        cell = self._cell(key)
        cell.unlink(missing_ok=True)  # of two versions never the numbers of one beside the users of the other
        draft.replace(path)
        _write(cell, json.dumps({**summary, "users_sha256": digest}, indent=1) + "\n")

    def read(self, key: Key) -> tuple[dict[str, Any], pl.DataFrame]:
        """A cell's summary, and its users' values from 0 to 1.

        Raises:
            ValueError: The users' values aren't the ones that the summary belongs to.
        """
        summary: dict[str, Any] = json.loads(self._cell(key).read_text(encoding="utf-8"))
        if hashlib.sha256(self._users(key).read_bytes()).hexdigest() != summary["users_sha256"]:
            raise ValueError(f"{self._users(key)} isn't the file that {self._cell(key)} was written with")
        values = pl.read_parquet(self._users(key))
        return summary, values.with_columns(pl.exclude(_USER) / UNIT)

    def measured(self) -> list[Key]:
        """The cells that are there."""
        keys = (Key.from_name(path.stem) for path in (self.folder / "cells").glob("*.json"))
        return sorted(key for key in keys if self._users(key).exists())

    def state(self, key: Key, code: str) -> State:
        """Whether a cell is there, and measured with this code."""
        if not (self._cell(key).exists() and self._users(key).exists()):
            return "missing"
        try:
            found = json.loads(self._cell(key).read_text(encoding="utf-8")).get("code")
        except json.JSONDecodeError:
            return "missing"
        return "current" if found == code else "stale"

    def _cell(self, key: Key) -> Path:
        return self.folder / "cells" / f"{key.name}.json"

    def _users(self, key: Key) -> Path:
        return self.folder / "users" / f"{key.name}.parquet"


def fingerprint(
    package: Path = ROOT / "rectransfer", more: Iterable[Path] = (), *, without: Iterable[str] = ()
) -> str:
    """A hash of the code that numbers come from, so that a commit of text or results makes no cell stale.

    Args:
        package: Its Python files count, but for the command line and the demo.
        more: Other files that count.
        without: Rooms of the package that don't.
    """
    left_out = {*_FRAME, *without}
    files = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in left_out]
    digest = hashlib.sha256()
    for path in sorted([*files, *more]):
        digest.update(path.relative_to(package.parent).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _write(path: Path, text: str) -> None:
    """All of a file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
