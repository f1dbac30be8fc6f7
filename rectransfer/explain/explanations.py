"""What a score is made of: parts that are signals and, below them, items of the history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError, MissingExtraError
from rectransfer.explain.formula import Doubles
from rectransfer.explain.players import Players

__all__ = ["BASE", "By", "Explanations", "Told"]

By = Literal["signals", "groups", "history"]

BASE: Final = "base"
"""The part that a score starts from: what the background's candidates would score for this user."""


@dataclass(frozen=True, eq=False)
class Told:
    """Contributions of items of the history, flat, by pair of user and recommended item.

    Attributes:
        signals: The signals that are split over the history, c of them.
        pair: Which pair an entry belongs to, ascending, shape `(h,)`.
        items: Ids of the history's items, `(h,)`.
        counts: How often the user took it, shape `(h,)`.
        contributions: Shape `(h, c)`.
    """

    signals: tuple[str, ...]
    pair: npt.NDArray[np.int64]
    items: pl.Series
    counts: npt.NDArray[np.int64]
    contributions: Doubles

    @property
    def totals(self) -> Doubles:
        """Contributions over all signals, shape `(h,)`."""
        return np.asarray(self.contributions.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Explanations:
    """Why n pairs of user and item score as they do.

    A pair's contributions and its base add up to its score.

    Attributes:
        users: Ids, `(n,)`.
        items: Ids, `(n,)`.
        ranks: The item's place among the user's candidates, from 1, shape `(n,)`.
        scores: Shape `(n,)`.
        base: What the background's candidates would score for this user on average, shape `(n,)`.
        lengths: Different items in the user's history, shape `(n,)`.
        players: The signals, s of them, and their groups.
        values: The signals, shape `(n, s)`.
        contributions: Shape `(n, s)`.
        typical: The signals' means in the background, shape `(s,)`.
        told: What the history's items contribute to signals that are sums over them.
    """

    users: pl.Series
    items: pl.Series
    ranks: npt.NDArray[np.int64]
    scores: Doubles
    base: Doubles
    lengths: npt.NDArray[np.int64]
    players: Players
    values: Doubles
    contributions: Doubles
    typical: Doubles
    told: Told

    @property
    def signals(self) -> tuple[str, ...]:
        """Their names, in the order of the columns."""
        return self.players.signals

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups of signals, g of them."""
        return self.players.names

    @cached_property
    def by_group(self) -> Doubles:
        """Contributions of the groups, shape `(n, g)`."""
        found = np.zeros((len(self), len(self.players)))
        for group, columns in enumerate(self.players.columns):
            found[:, group] = self.contributions[:, columns].sum(axis=1)
        return found

    @cached_property
    def apart(self) -> Doubles:
        """Contributions of the signals apart from what is the history's in them, shape `(n, s)`."""
        found = self.contributions.copy()
        for place, name in enumerate(self.told.signals):
            theirs = np.bincount(self.told.pair, self.told.contributions[:, place], minlength=len(self))
            found[:, self.signals.index(name)] -= theirs
        return found

    def frame(self, by: By = "signals") -> pl.DataFrame:
        """A row for each part of each pair; a pair's rows, its base among them, add up to its score.

        Args:
            by: `"signals"`; `"groups"` of them; or `"history"`, where signals that are sums over the history
                are given item by item, in the column `because`, and once more without an item if something
                is left.

        Returns:
            `user_id`, `item_id`, `part`, (`because`,) `value` and `contribution`. The value of a signal is
            the signal itself, of an item of the history how often it was taken, of a group nothing.

        Raises:
            InputError: Another `by`.
        """
        if by not in get_args(By):
            raise InputError(f"by={by!r}; choose one of {get_args(By)}")
        if by == "history":
            return self._history_frame()
        names = self.groups if by == "groups" else self.signals
        parts = self.by_group if by == "groups" else self.contributions
        values = self.values if by == "signals" else np.full(parts.shape, np.nan)
        wide = np.hstack([self.base[:, None], parts])
        each = len(names) + 1
        rows = np.repeat(np.arange(len(self)), each)
        return pl.DataFrame(
            [
                self.users.gather(rows).alias(Columns.User),
                self.items.gather(rows).alias(Columns.Item),
                _tiled((BASE, *names), len(self)).alias("part"),
                pl.Series("value", np.hstack([np.full((len(self), 1), np.nan), values]).ravel()),
                pl.Series("contribution", wide.ravel()),
            ]
        ).with_columns(pl.col("value").fill_nan(None))

    def shap(self, by: Literal["signals", "groups"] = "groups") -> Any:
        """As a `shap.Explanation` of n rows, for SHAP's own plots: waterfall, beeswarm, bar.

        A group of several signals has no value of its own; its column of data is what it contributes.

        Raises:
            InputError: Another `by`.
            MissingExtraError: `shap` isn't installed.
        """
        if by not in ("signals", "groups"):
            raise InputError(f"by={by!r}; choose 'signals' or 'groups'")
        try:
            import shap
        except ImportError as error:
            raise MissingExtraError("shap", extra="explain") from error
        groups = by == "groups"
        data = self.values
        if groups:
            alone = [len(columns) == 1 for columns in self.players.columns]
            firsts = self.values[:, [columns[0] for columns in self.players.columns]]
            data = np.where(alone, firsts, self.by_group)
        return shap.Explanation(
            values=self.by_group if groups else self.contributions,
            base_values=self.base,
            data=data,
            feature_names=list(self.groups if groups else self.signals),
        )

    def take(self, rows: npt.ArrayLike) -> "Explanations":
        """Some of the pairs, in this order."""
        kept = np.asarray(rows, dtype=np.int64)
        starts = np.searchsorted(self.told.pair, np.arange(len(self) + 1))
        entries = [np.arange(starts[row], starts[row + 1]) for row in kept]
        counts = [len(entry) for entry in entries]
        flat = np.concatenate([np.zeros(0, np.int64), *entries])
        told = replace(
            self.told,
            pair=np.repeat(np.arange(len(kept)), counts),
            items=self.told.items.gather(flat),
            counts=self.told.counts[flat],
            contributions=self.told.contributions[flat],
        )
        arrays = ("ranks", "scores", "base", "lengths", "values", "contributions")
        return replace(
            self,
            users=self.users.gather(kept),
            items=self.items.gather(kept),
            told=told,
            **{name: getattr(self, name)[kept] for name in arrays},
        )

    @classmethod
    def joined(cls, parts: Sequence["Explanations"]) -> "Explanations":
        """Several, of the same signals, one after another.

        Raises:
            InputError: None, or ones of other signals or groups.
        """
        if not parts or any(
            one.players != parts[0].players or one.told.signals != parts[0].told.signals for one in parts
        ):
            raise InputError(f"{len(parts)} explanations; expected at least one, all of the same signals")
        firsts = np.cumsum([0, *(len(one) for one in parts)])
        told = Told(
            signals=parts[0].told.signals,
            pair=np.concatenate([one.told.pair + first for one, first in zip(parts, firsts, strict=False)]),
            items=pl.concat([one.told.items for one in parts]),
            counts=np.concatenate([one.told.counts for one in parts]),
            contributions=np.concatenate([one.told.contributions for one in parts]),
        )
        arrays = ("ranks", "scores", "base", "lengths", "values", "contributions")
        return cls(
            users=pl.concat([one.users for one in parts]),
            items=pl.concat([one.items for one in parts]),
            players=parts[0].players,
            typical=parts[0].typical,
            told=told,
            **{name: np.concatenate([getattr(one, name) for one in parts]) for name in arrays},
        )

    def _history_frame(self) -> pl.DataFrame:
        told, split = self.told, [self.signals.index(name) for name in self.told.signals]
        left = self.apart
        rest = replace(self, contributions=left).frame("signals")
        each = len(self.signals) + 1
        wholes = np.ones((len(self), each), np.bool_)
        wholes[:, [column + 1 for column in split]] = (
            np.abs(left[:, split]) > 1e-9
        )  # else only rounding is left
        rest = rest.with_columns(
            pl.lit(None, self.items.dtype).alias("because"), pl.Series("pair", _numbers(len(self), each))
        ).filter(pl.Series(wholes.ravel()))
        n, c = told.contributions.shape
        rows = np.repeat(told.pair, c)
        items = pl.DataFrame(
            [
                self.users.gather(rows).alias(Columns.User),
                self.items.gather(rows).alias(Columns.Item),
                _tiled(told.signals, n).alias("part"),
                pl.Series("value", np.repeat(told.counts, c), dtype=pl.Float64),
                pl.Series("contribution", told.contributions.ravel()),
                told.items.gather(np.repeat(np.arange(n), c)).alias("because"),
                pl.Series("pair", rows),
            ]
        )
        names = [Columns.User, Columns.Item, "part", "because", "value", "contribution"]
        return pl.concat([rest, items]).sort("pair", maintain_order=True).select(names)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"Explanations({len(self):,} pairs, {len(self.groups)} groups of {len(self.signals)} signals)"


def _numbers(n: int, each: int) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(n), each)


def _tiled(names: Sequence[str], n: int) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(np.tile(np.arange(len(names)), n))
