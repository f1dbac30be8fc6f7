"""Reasons in words: short positive sentences, each backed by what it contributes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.explain.explanations import Explanations
from rectransfer.vocabulary import as_ids

__all__ = ["ENGLISH", "Reason", "Templates", "reason_frame", "reasons_for", "titles_of"]

_TITLE: Final = "title"
_SCHEMA: Final = ("reason", "parts", "contribution")


@dataclass(frozen=True)
class Templates:
    """Sentences by what backs them, to be replaced or translated; `str.format` fills in `{items}`.

    Attributes:
        often: The history's items named were taken `often_from` times or more.
        taken: They were taken.
        untitled: The history, where none of its items that count has a title.
        signals: A sentence for each signal, by its whole name (`"target.popularity"`) or by what stands after
            the domain (`"popularity"`), for what isn't the history's in it: of the tower that is how the item
            does with everybody. Signals that aren't there give no sentence.
        two: Joins two titles.
        often_from: How often is often.

    Raises:
        InputError: A sentence that cannot be filled in.

    Examples:
        >>> Templates(taken="Weil Sie {items} gekauft haben.", two="{0} und {1}").often
        'Because you often buy {items}.'
        >>> Templates(taken="Because you bought {item}.")
        Traceback (most recent call last):
            ...
        rectransfer.errors.InputError: taken='Because you bought {item}.' has no place for {items}
    """

    often: str = "Because you often buy {items}."
    taken: str = "Because you bought {items}."
    untitled: str = "It goes well with what you buy."
    signals: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "popularity": "Many others choose it, too.",
                "tower": "It is a general favourite.",
                "profile.affinity": "It suits what you choose elsewhere.",
            }
        )
    )
    two: str = "{0} and {1}"
    often_from: int = 3

    def __post_init__(self) -> None:
        for name in ("often", "taken"):
            if "{items}" not in getattr(self, name):
                raise InputError(f"{name}={getattr(self, name)!r} has no place for {{items}}")
        for name, sentence in self._all():
            try:
                sentence.format("", "", items="")
            except (KeyError, IndexError, ValueError) as error:
                raise InputError(
                    f"{name}={sentence!r} cannot be filled in ({error!r}); it may hold {{items}}"
                ) from error

    def _all(self) -> Iterator[tuple[str, str]]:
        yield from ((name, getattr(self, name)) for name in ("often", "taken", "untitled", "two"))
        yield from self.signals.items()

    def of_signal(self, signal: str) -> str | None:
        """The sentence of a signal, if there is one."""
        return self.signals.get(signal, self.signals.get(signal.partition(".")[2]))


ENGLISH: Final = Templates()


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

    def sentences(self, pair: int, entries: slice) -> list[Reason]:
        """At most `most`, the user's own history first; none that adds less than `least` of all that is."""
        explained = self.explained
        contributions = explained.contributions[pair]
        found = [*self._of_history(pair, entries), *self._of_signals(pair)]
        enough = self.least * np.maximum(contributions, 0).sum()
        strong = [one for one in found if one.contribution > max(enough, 0)]
        return sorted(strong, key=lambda one: (not one.because, -one.contribution))[: self.most]

    def _upward(self, pair: int) -> Any:
        """Which signals speak for the item by being high, or against it by being low."""
        explained = self.explained
        return explained.contributions[pair] * (explained.values[pair] - explained.typical) > 0

    def _of_history(self, pair: int, entries: slice) -> Iterator[Reason]:
        explained, told = self.explained, self.explained.told
        split = [explained.signals.index(name) for name in told.signals]
        upward = self._upward(pair)[split]
        each = told.contributions[entries]
        adds = np.minimum(each.sum(axis=1), each[:, upward].sum(axis=1))
        order = [place for place in np.argsort(-adds, kind="stable").tolist() if adds[place] > 0]
        if not order:
            return
        parts = tuple(name for name, up in zip(told.signals, upward, strict=True) if up)
        ids, counts = told.items[entries], told.counts[entries]
        named: dict[str, int] = {}
        for place in order:
            title = self.titles.get(ids[place])
            if title is not None and title not in named and adds[place] > adds[order[0]] / 4:
                named[title] = place
            if len(named) == 2:
                break
        if not named:
            net = float(each.sum())
            if net > 0 and self.templates.untitled:
                yield Reason(pair, self.templates.untitled, parts, tuple(ids), net)
            return
        often = [title for title, place in named.items() if counts[place] >= self.templates.often_from]
        kept = often or list(named)
        sentence = self.templates.often if often else self.templates.taken
        items = self.templates.two.format(*kept) if len(kept) == 2 else kept[0]
        places = [named[title] for title in kept]
        added = float(each[places].sum())
        yield Reason(pair, sentence.format(items=items), parts, tuple(ids.gather(places)), added)

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
    """Sentences for each pair: first of the user's own history, then the strongest.

    A sentence about the history names one or two of its items, those that contribute most; one about a signal
    stands for all signals that say the same in different domains, and for what they contribute together. A
    sentence is never given where that isn't above zero, or where the signal adds to the score by being low.

    Args:
        explained: What to put into words.
        titles: `item_id` and `title`, or what `titles_of` makes of them; an item without a title isn't named.
        templates: The sentences.
        most: How many for each pair.
        least: What a sentence has to stand for, as a share of all that was added to the score.

    Returns:
        A list for each pair; empty where nothing is strong enough.

    Raises:
        InputError: As `titles_of`; `most` below 1, `least` outside
            [0, 1).
    """
    if most < 1 or not 0 <= least < 1:
        raise InputError(f"most={most}, least={least}; expected at least 1, and 0 up to, but not, 1")
    known = titles if isinstance(titles, Mapping) else titles_of(titles, explained.items.dtype)
    writer = _Writer(explained, templates, known, most, least)
    starts = np.searchsorted(explained.told.pair, np.arange(len(explained) + 1)).tolist()
    return [writer.sentences(pair, slice(*starts[pair : pair + 2])) for pair in range(len(explained))]


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
        InputError: It lacks a column, has ids of another type, or an id with several titles.

    Examples:
        >>> titles_of(pl.DataFrame({"item_id": [7, 9], "title": ["tea", " "]}), pl.Int64())
        {7: 'tea'}
    """
    if titles is None:
        return {}
    given: Any = titles
    if not isinstance(given, pl.DataFrame):
        raise InputError(
            f"{name} is a {type(given).__name__}; expected a polars frame with {Columns.Item} and {_TITLE}, "
            "such as pl.read_csv(FILE)"
        )
    if missing := [name for name in (Columns.Item, _TITLE) if name not in titles.columns]:
        raise InputError(
            f"{name} has no column {missing[0]!r}; its columns are {', '.join(titles.columns)}: expected "
            f"{Columns.Item} and {_TITLE}"
        )
    ids = as_ids(titles[Columns.Item], Columns.Item, nulls=True)
    if ids.dtype != kind and ids.len() > ids.null_count():
        raise InputError(f"{name}: {Columns.Item} is {ids.dtype} and the model's items are {kind}; cast it")
    words = titles[_TITLE].cast(pl.String).str.strip_chars()
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
