"""Sources in the order of what they are likely to gain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from rectransfer.errors import InputError
from rectransfer.pretrained import Pretrained

__all__ = ["SCHEMA", "Score", "Selection"]

Score = Literal["gain", "transferability", "lift", "probe", "neighbour_overlap", "interactions"]
"""What sources may be ranked by."""

SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "name": pl.String(),
    "rank": pl.Int64(),
    "bridge": pl.String(),
    "gain": pl.Float64(),
    "gain_low": pl.Float64(),
    "gain_high": pl.Float64(),
    "probe": pl.Float64(),
    "lift": pl.Float64(),
    "lift_low": pl.Float64(),
    "lift_high": pl.Float64(),
    "transferability": pl.Float64(),
    "neighbour_overlap": pl.Float64(),
    "items": pl.Float64(),
    "interactions": pl.Float64(),
    "users": pl.Float64(),
    "reason": pl.String(),
}


@dataclass(frozen=True, eq=False)
class Selection:
    """Sources in the order of what they are likely to gain.

    Attributes:
        table: A row for each source, best first: `name`, `rank` (from 1; null for one that cannot be scored),
            `bridge` ("items", "users", "both" or "none"), `gain` with `gain_low` and `gain_high`, `probe`,
            `lift` with `lift_low` and `lift_high`, `transferability`, `neighbour_overlap`, the shares of the
            target's `items`, `interactions` and `users` that it reaches, and `reason`: why it has no score.
        by: What they are ranked by.
        candidates: The sources by name.
        n_users: Users of the target whom all scores but `gain` were measured on.
    """

    table: pl.DataFrame
    by: Score
    candidates: Mapping[str, Pretrained] = field(repr=False)
    n_users: int

    @property
    def best_name(self) -> str:
        """The name of the first."""
        return str(self.table["name"][0])

    @property
    def best(self) -> Pretrained:
        """The first."""
        return self.candidates[self.best_name]

    def top(self, k: int) -> list[Pretrained]:
        """The first `k` of those with a score, for `Recommender([...])`, whose gate weighs them.

        Raises:
            InputError: `k` is below 1.
        """
        if k < 1:
            raise InputError(f"k={k}; expected at least 1")
        scored = self.table.filter(pl.col("rank").is_not_null())
        return [self.candidates[name] for name in scored["name"][:k]]

    @property
    def words(self) -> str:
        """What came out, in a line."""
        first = self.table.row(0, named=True)
        fitted = first["gain"] is not None
        what, name = ("a small model", "gain") if fitted else ("a quick probe", "lift")
        gain, low, high = (first[column] for column in (name, f"{name}_low", f"{name}_high"))
        told = gain if fitted else first["transferability"]
        hope = "and it may help"
        if low is not None and low > 0:
            hope = "and it is likely to help"
        elif told is not None and told <= 0:
            hope = "and none is likely to help"
        return (
            f"{self.best_name!r} is the best of {self.table['rank'].count()} sources by {self.by} "
            f"({first[self.by]:.4f}), {hope}: {what} gains {gain:+.4f} NDCG@10 ({low:+.4f} to {high:+.4f}), "
            "on users of the target whom it hasn't seen"
        )

    def __str__(self) -> str:
        return self.words
