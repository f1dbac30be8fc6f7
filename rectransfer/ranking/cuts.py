"""Cutting histories into examples: what was before a visit, and what was new after it, or all of that."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

import numpy as np
import numpy.typing as npt

from rectransfer.errors import InputError
from rectransfer.ranking.examples import Examples
from rectransfer.ranking.histories import Histories

__all__ = ["LONGEST_HISTORY", "UNCUT_EVERY", "cut_at_random", "cut_at_share", "every", "uncut"]

LONGEST_HISTORY: Final = 1_000
"""Interactions of a history that are used: the latest."""

_ROUNDING: Final = 1e-9

UNCUT_EVERY: Final = 3
"""One in so many examples of users who are met as if new is all that they did, instead of a cut."""

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_Pair = tuple[int, Rows, Rows, Mask, Rows]


def cut_at_random(
    histories: Histories,
    n_items: int,
    rng: np.random.Generator,
    *,
    users: Iterable[int] | None = None,
    per_user: int = 2,
    labels_in: Mask | None = None,
    strangers: Mask | None = None,
    familiar: int = 0,
    again: bool = False,
) -> Examples:
    """Cut users' histories at random visits.

    An example's history is a run of visits before the cut, its length log-uniform, so that a model meets the
    thin histories of young domains as often as long ones; its labels are what is new in the run after the
    cut, one to three times as long.

    Args:
        histories: Users with one visit only give no example.
        n_items: How many items the rows count through.
        rng: Where randomness comes from.
        users: Whose; by default everybody's.
        per_user: Cuts tried a user.
        labels_in: Which items may be labels, shape `(n_items,)`; by default all.
        strangers: Users who are met as if they were new to the domain, shape `(len(histories),)`: their
            histories have nothing of its own (`Histories.own`), and what they had of it before the cut may be
            a label again. One in `UNCUT_EVERY` of their examples isn't cut: all that is of other domains is
            the history, and all of its own are labels. What is taken only once, and often first, would never
            be asked for otherwise.
        familiar: Cuts of each stranger with all that they had, beside the others, after their first visit
            here: strangers come back, and what counts then isn't learned from examples that hardly have any
            of it.
        again: Whether what they had before the cut may be a label, too.
    """
    pairs: list[_Pair] = []
    marks = np.zeros(n_items, np.bool_)
    met = count()
    for user in range(len(histories)) if users is None else users:
        items, steps = histories.of(user)
        visits = int(steps[-1]) + 1 if len(steps) else 0
        if visits < 2:
            continue
        own = histories.own_of(user)
        stranger = strangers is not None and bool(strangers[user])
        for place in range(per_user + familiar * stranger):
            forgotten = stranger and place < per_user
            if forgotten and next(met) % UNCUT_EVERY == 0:
                pairs.append(_parted(user, items, steps, own, labels_in))
                continue
            # who is familiar has been here by the cut
            first = int(steps[np.argmax(own)]) + 1 if stranger and not forgotten else 1
            if first >= visits:
                continue
            cut = int(rng.integers(first, visits))
            before = max(1, int(np.exp(rng.uniform(0, np.log(cut + 1)))))
            after = max(1, round(before * rng.uniform(1, 3)))
            runs = cut, before, after
            pairs.append(
                _pair(user, items, steps, own, runs, marks, labels_in, forgotten=forgotten, again=again)
            )
    return _collect([pair for pair in pairs if len(pair[-1])], n_items, histories)


def every(n: int, share: float) -> Mask:
    """A share of n places, evenly spread, shape `(n,)`."""
    return np.asarray(np.diff(np.floor(np.arange(n + 1) * share + _ROUNDING)) > 0)


def cut_at_share(
    histories: Histories,
    n_items: int,
    share: float = 0.75,
    *,
    users: Iterable[int] | None = None,
    labels_in: Mask | None = None,
) -> Examples:
    """Cut each history once, after `share` of its visits: a validation example a user.

    Raises:
        InputError: `share` outside (0, 1).
    """
    if not 0 < share < 1:
        raise InputError(f"share={share}; expected more than 0 and less than 1")
    pairs = []
    marks = np.zeros(n_items, np.bool_)
    for user in range(len(histories)) if users is None else users:
        items, steps = histories.of(user)
        visits = int(steps[-1]) + 1 if len(steps) else 0
        if visits >= 2:
            cut = min(max(1, round(visits * share)), visits - 1)
            runs = cut, cut, visits
            pairs.append(_pair(user, items, steps, histories.own_of(user), runs, marks, labels_in))
    return _collect([pair for pair in pairs if len(pair[-1])], n_items, histories)


def uncut(histories: Histories, n_items: int, *, longest: int | None = LONGEST_HISTORY) -> Examples:
    """Everybody's whole history, without labels: what a recommendation starts from.

    Args:
        histories: n of them.
        n_items: How many items the rows count through.
        longest: Latest interactions of each; None for all.
    """
    pairs: list[_Pair] = []
    for user in range(len(histories)):
        items, steps = histories.of(user)
        visits = int(steps[-1]) + 1 if len(steps) else 0
        latest = slice(None if longest is None else max(0, len(items) - longest), None)
        own = histories.own_of(user)[latest]
        pairs.append((user, items[latest], visits - steps[latest], own, items[:0]))
    return _collect(pairs, n_items, histories)


def _pair(
    user: int,
    items: Rows,
    steps: Rows,
    own: Mask,
    runs: tuple[int, int, int],
    marks: Mask,
    labels_in: Mask | None = None,
    *,
    forgotten: bool = False,
    again: bool = False,
) -> _Pair:
    """What a user had up to a visit, and what was taken after it; `marks`, all False, is lent for that.

    `runs` are the visit, and how many before and after it count.
    """
    cut, before, after = runs
    first, middle, last = np.searchsorted(steps, [cut - before, cut, cut + after])
    first = max(first, middle - LONGEST_HISTORY)
    history, ages, mine = items[first:middle], cut - steps[first:middle], own[first:middle]
    if forgotten:
        history, ages, mine = history[~mine], ages[~mine], mine[~mine]
    later, had = items[middle:last][own[middle:last]], history[:0] if again else history[mine]
    marks[had] = True
    new = np.sort(later[~marks[later]])
    marks[had] = False
    new = new[np.diff(new, prepend=-1) > 0]
    if labels_in is not None:
        new = new[labels_in[new]]
    return user, history, ages, mine, new


def _parted(user: int, items: Rows, steps: Rows, own: Mask, labels_in: Mask | None) -> _Pair:
    """All that a user had in other domains, and all that they took in this one at any time."""
    kept = np.flatnonzero(~own)[-LONGEST_HISTORY:]
    labels = np.unique(items[own])
    if labels_in is not None:
        labels = labels[labels_in[labels]]
    return user, items[kept], steps[-1] + 1 - steps[kept], own[kept], labels


def _collect(pairs: Sequence[_Pair], n_items: int, histories: Histories) -> Examples:
    none = np.zeros(0, np.int64)
    numbers = np.arange(len(pairs))
    own = None
    if histories.own is not None:
        own = np.concatenate([np.zeros(0, np.bool_), *(mine for *_, mine, _ in pairs)])
    ages = np.concatenate([none, *(ages for _, _, ages, *_ in pairs)])
    return Examples(
        users=np.array([user for user, *_ in pairs], dtype=np.int64),
        n_items=n_items,
        owner=np.repeat(numbers, [len(history) for _, history, *_ in pairs]),
        items=np.concatenate([none, *(history for _, history, *_ in pairs)]),
        ages=ages if histories.ordered else np.ones_like(ages),
        label_owner=np.repeat(numbers, [len(labels) for *_, labels in pairs]),
        labels=np.concatenate([none, *(labels for *_, labels in pairs)]),
        who=histories.users,
        own=own,
    )
