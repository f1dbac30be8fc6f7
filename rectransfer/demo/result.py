"""What the demo found."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any, Final

import polars as pl

from rectransfer.errors import InputError
from rectransfer.evaluation import Comparison, Contest, compare

__all__ = ["ALONE", "OURS", "DemoResult", "Household", "require_writable"]

OURS: Final = "rectransfer"
ALONE: Final = "rectransfer_target"


@dataclass(frozen=True, eq=False)
class Household:
    """Recommendations that a person can judge.

    Attributes:
        user: Who.
        history: `title` of what they had, the latest first.
        recommended: `rank`, `title`, `score` and `bought` (in the test), best first.
    """

    user: str | int
    history: pl.DataFrame
    recommended: pl.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class DemoResult:
    """The outcome of `run_demo`.

    Attributes:
        contest: Every model's values on the task's test.
        coverage: What the source reaches of the target, as `Coverage.as_dict` has it.
        verdict: What the gate measured and chose, before the test was looked at, as `Verdict.as_dict` has it.
        household: Recommendations for one of the users.
        seconds: What each stage took.
        peak_memory_bytes: The most memory that the process held; None where the system doesn't tell.
        seed: What everything was drawn with.
        versions: Of the libraries in use.
    """

    contest: Contest
    coverage: Mapping[str, float | int | str]
    verdict: Mapping[str, Any]
    household: Household
    seconds: Mapping[str, float]
    peak_memory_bytes: int | None
    seed: int
    versions: Mapping[str, str]

    @property
    def models(self) -> pl.DataFrame:
        """`name`, `ndcg@10`, `recall@10`, and `low` and `high` of the 95 % interval of the former."""
        return self.contest.table(seed=self.seed)

    @property
    def comparison(self) -> Comparison:
        """The transferred model against the best of the others on the test."""
        values = self.contest.values()
        others = [name for name in self.contest.names if name != OURS]
        best = max(others, key=lambda name: float(values[name].mean()))
        pair = {best: values[best], OURS: values[OURS]}
        return compare(pair, best, metric="ndcg@10", seed=self.seed)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: everything but the household, and the comparison in words."""
        return {
            "task": {
                "name": self.contest.task.name,
                "guarantee": self.contest.task.guarantee,
                "test": str(self.contest.task.matrices),
                "users": len(self.contest.task.users),
                "items": len(self.contest.task.items),
            },
            "models": self.models.to_dicts(),
            "settings": {entry.name: entry.settings for entry in self.contest.entries if entry.settings},
            "coverage": dict(self.coverage),
            "verdict": dict(self.verdict),
            "comparison": self.comparison.verdict,
            "seconds": dict(self.seconds),
            "peak_memory_bytes": self.peak_memory_bytes,
            "seed": self.seed,
            "versions": dict(self.versions),
        }

    def save(self, path: str | Path) -> None:
        """Write `as_dict` as JSON; the file appears whole, or not at all.

        Raises:
            InputError: The file cannot be written.
        """
        target = Path(path)
        require_writable(target)
        unfinished = target.with_name(f".{target.name}.unfinished")
        try:
            unfinished.write_text(dumps(self.as_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
            unfinished.replace(target)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise InputError(f"{target} cannot be written ({error}); choose another file") from error

    def __repr__(self) -> str:
        return f"DemoResult({self.comparison.verdict})"


def require_writable(path: Path) -> None:
    """Refuses, before hours of work, a file that has no folder or is one.

    Raises:
        InputError: As said.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into; make it first")
