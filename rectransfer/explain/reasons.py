"""Reasons in words: short positive sentences, each backed by what it contributes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.explain.explanations import Explanations
from rectransfer.explain.formula import Doubles
from rectransfer.explain.templates import ENGLISH, Templates
from rectransfer.texts import as_text
from rectransfer.vocabulary import as_ids
from rectransfer.whole import require_whole

__all__ = ["Reason", "reason_frame", "reasons_for", "titles_of"]

_TITLE: Final = "title"
_PERSON: Final = "profile."
_MUCH: Final = 0.25
"""Of what the strongest item of the history adds: an item that adds less isn't named."""

_REMEDIES: Final = {"pandas.DataFrame": "pl.from_pandas(frame)", "polars.LazyFrame": "frame.collect()"}
_SCHEMA: Final = ("reason", "parts", "contribution")


@dataclass(frozen=True)
class Reason:
    """A sentence for a recommendation.

    Attributes:
        pair: The number of the pair of user and item.
        text: The sentence.
        parts: The signals that it speaks of.
        because: Ids of the history's items that it names or speaks of.
        contribution: What these have added to the score: above 0.
    """

    pair: int
    text: str
    parts: tuple[str, ...]
    because: tuple[Any, ...]
    contribution: float


@dataclass(frozen=True, eq=False)
class _Writer:
    """Finds the sentences of one pair after another."""

    explained: Explanations
    templates: Templates
    titles: Mapping[Any, str]
    most: int
    least: float

    @cached_property
    def spoken(self) -> dict[str, list[int]]:
        """The columns of the signals that each sentence speaks of."""
        found: dict[str, list[int]] = {}
        for column, name in enumerate(self.explained.signals):
            if sentence := self.templates.of_signal(name):
                found.setdefault(sentence, []).append(column)
        return found

    @cached_property
    def split(self) -> list[int]:
        """The columns of the signals that are split over the history."""
        return [self.explained.signals.index(name) for name in self.explained.told.signals]

    @cached_property
    def ids(self) -> list[Any]:
        """Of the histories' items."""
        return self.explained.told.items.to_list()

    @cached_property
    def special(self) -> Doubles:
        """How much more an item of the history adds here than to the user's other items, shape `(h,)`."""
        told = self.explained.told
        each = pl.DataFrame(
            {
                "user": self.explained.users.gather(told.pair),
                "item": told.items,
                "total": told.totals,
            }
        )
        usual = each.select(pl.col("total").mean().over("user", "item"))["total"].to_numpy()
        return np.asarray(told.totals - usual, dtype=np.float64)

    def sentences(self, pair: int, entries: slice) -> list[Reason]:
        """At most `most`, of the user first; none that adds less than `least` of all that was added.

        What makes an item do well with everybody is said where nothing of the user is strong enough, or
        where it is the largest part: more than the whole history.
        """
        explained = self.explained
        enough = self.least * np.maximum(explained.contributions[pair], 0).sum()
        history = next((one for one in self._of_history(pair, entries) if one.contribution > enough), None)
        rest = sorted(self._of_signals(pair), key=lambda one: -one.contribution)
        strong = [one for one in rest if one.contribution > max(enough, 0)]
        own = [*([history] if history else []), *(one for one in strong if _personal(one))]
        general = [one for one in strong if not _personal(one)][:1]
        largest = max(
            float(explained.told.contributions[entries].sum()), *(one.contribution for one in own), 0.0
        )
        if own and general and general[0].contribution <= largest:
            general = []
        return [*own, *general][: self.most]

    def _upward(self, pair: int) -> Any:
        """Which signals speak for the item by being high, or against it by being low."""
        explained = self.explained
        return explained.contributions[pair] * (explained.values[pair] - explained.typical) > 0

    def _of_history(self, pair: int, entries: slice) -> Iterator[Reason]:
        """With items named, and then of the history as a whole."""
        told, upward = self.explained.told, self._upward(pair)[self.split]
        each = told.contributions[entries]
        adds = np.minimum(each.sum(axis=1), each[:, upward].sum(axis=1))
        if not len(adds) or adds.max() <= 0:
            return
        parts = tuple(name for name, up in zip(told.signals, upward, strict=True) if up)
        ids, counts = self.ids[entries], told.counts[entries]
        named = self._named(ids, adds, self.special[entries])
        if named:
            often = [title for title, place in named.items() if counts[place] >= self.templates.often_from]
            kept = often or list(named)
            sentence = self.templates.often if often else self.templates.taken
            items = self.templates.two.format(*kept) if len(kept) == 2 else kept[0]
            places = [named[title] for title in kept]
            because = tuple(ids[place] for place in places)
            yield Reason(pair, sentence.format(items=items), parts, because, float(each[places].sum()))
        net = float(each.sum())
        if net > 0 and self.templates.untitled:
            yield Reason(pair, self.templates.untitled, parts, tuple(ids), net)

    def _named(self, ids: list[Any], adds: Doubles, special: Doubles) -> dict[str, int]:
        """At most two titles with their places: of what adds much, what adds to this item above all.

        Where nothing sets the item apart, as there is no other of the user's, what adds most.
        """
        much = np.flatnonzero(adds > adds.max() * _MUCH)
        named: dict[str, int] = {}
        for place in much[np.lexsort((-adds[much], -special[much]))].tolist():
            title = self.titles.get(ids[place])
            if title is not None and len(named) < 2:
                named.setdefault(title, place)
        return named

    def _of_signals(self, pair: int) -> Iterator[Reason]:
        explained, upward = self.explained, self._upward(pair)
        for sentence, columns in self.spoken.items():
            added = explained.apart[pair, columns]
            parts = tuple(
                explained.signals[column]
                for column, one in zip(columns, added, strict=True)
                if one > 0 and upward[column]
            )
            if parts:
                yield Reason(pair, sentence, parts, (), float(added.sum()))


def reasons_for(
    explained: Explanations,
    *,
    titles: pl.DataFrame | Mapping[Any, str] | None = None,
    templates: Templates = ENGLISH,
    most: int = 2,
    least: float = 0.05,
) -> list[list[Reason]]:
    """Sentences for each pair: what sets this item apart for this user.

    A sentence about the history names one or two of its items: of those that add at least a quarter of what
    the strongest adds the ones that do so for this item more than for the user's other ones. One about a
    signal stands for all signals that say the same in different domains, and for what they contribute
    together; that many choose an item is said of it only where nothing of the user is strong enough, or where
    it adds more than all of the history. A sentence is never given where what it stands for isn't above zero,
    or where a signal adds to the score by being low.

    Args:
        explained: What to put into words.
        titles: `item_id` and `title`, or what `titles_of` makes of them; an item without a title isn't named.
        templates: The sentences.
        most: How many for each pair.
        least: What a sentence has to stand for, as a share of all that was added to the score.

    Returns:
        A list for each pair; empty where nothing is strong enough.

    Raises:
        InputError: As `titles_of`; `most` is no whole number from 1, `least` no number in [0, 1), or
            `templates` are none.
    """
    require_whole(f"most={most!r}", most, 1)
    if not isinstance(least, int | float | np.integer | np.floating) or not 0 <= least < 1:
        raise InputError(f"least={least!r}; expected a number from 0 up to, but not, 1")
    if not isinstance(templates, Templates):
        raise InputError(
            f"templates is a {type(templates).__name__}; expected rectransfer.explain.Templates, such as "
            "Templates(taken='As you bought {items}.')"
        )
    known = titles if isinstance(titles, Mapping) else titles_of(titles, explained.items.dtype)
    writer = _Writer(explained, templates, known, most, least)
    starts = np.searchsorted(explained.told.pair, np.arange(len(explained) + 1)).tolist()
    return [writer.sentences(pair, slice(*starts[pair : pair + 2])) for pair in range(len(explained))]


def _personal(reason: Reason) -> bool:
    """Whether it speaks of the user, not of how the item does with everybody."""
    return bool(reason.because) or any(part.startswith(_PERSON) for part in reason.parts)


def reason_frame(explained: Explanations, reasons: Iterable[Iterable[Reason]]) -> pl.DataFrame:
    """A row for each pair: `user_id`, `item_id`, `score`, `rank`, `reason`, `parts` and `contribution`.

    `reason` holds the pair's sentences; it is null where there is none. `parts` names the signals behind it,
    and `contribution` is what they and the items named have added to the score.
    """
    rows = []
    for mine in (list(one) for one in reasons):
        parts = dict.fromkeys(part for reason in mine for part in reason.parts)
        rows.append(
            (
                " ".join(reason.text for reason in mine) or None,
                "; ".join(parts) or None,
                sum(reason.contribution for reason in mine),
            )
        )
    kinds = dict(zip(_SCHEMA, (pl.String(), pl.String(), pl.Float64()), strict=True))
    words = pl.DataFrame(rows, schema=kinds, orient="row")
    return pl.DataFrame(
        [
            explained.users.alias(Columns.User),
            explained.items.alias(Columns.Item),
            pl.Series(Columns.Score, explained.scores, dtype=pl.Float32),
            pl.Series(Columns.Rank, explained.ranks, dtype=pl.Int64),
        ]
    ).hstack(words)


def titles_of(titles: pl.DataFrame | None, kind: pl.DataType, name: str = "titles") -> dict[Any, str]:
    """Ids of items to what they are called; blank titles are none.

    Args:
        titles: `item_id` and `title`.
        kind: The type of the model's items.
        name: What to call it in an error.

    Raises:
        InputError: It lacks a column, has ids of another type, titles that are no text, or an id with several
            titles.

    Examples:
        >>> titles_of(pl.DataFrame({"item_id": [7, 9], "title": ["tea", " "]}), pl.Int64())
        {7: 'tea'}
    """
    if titles is None:
        return {}
    given: Any = titles
    if not isinstance(given, pl.DataFrame):
        make = f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}".removeprefix("builtins.")
        raise InputError(
            f"{name} is a {make}; expected a polars.DataFrame with {Columns.Item} and {_TITLE}, such as "
            f"{_REMEDIES.get(make, 'pl.read_csv(FILE)')}"
        )
    if missing := [name for name in (Columns.Item, _TITLE) if name not in titles.columns]:
        raise InputError(
            f"{name} has no column {missing[0]!r}; its columns are {', '.join(titles.columns)}: expected "
            f"{Columns.Item} and {_TITLE}"
        )
    ids = as_ids(titles[Columns.Item], Columns.Item, nulls=True)
    if ids.dtype != kind and ids.len() > ids.null_count():
        raise InputError(f"{name}: {Columns.Item} is {ids.dtype} and the model's items are {kind}; cast it")
    words = as_text(titles[_TITLE], name)
    frame = pl.DataFrame({Columns.Item: ids, _TITLE: words}).drop_nulls().filter(pl.col(_TITLE) != "")
    frame = frame.unique(maintain_order=True)
    if (twice := frame[Columns.Item].is_duplicated()).any():
        several = frame.filter(twice)
        raise InputError(
            f"{name}: {several[Columns.Item].n_unique():,} ids have several titles, the first is "
            f"{several[Columns.Item][0]!r}; keep one of each: "
            f"frame.unique({Columns.Item!r}, keep='first', maintain_order=True)"
        )
    return dict(frame.iter_rows())
