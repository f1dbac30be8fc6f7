"""Where the model gains over best sellers, and where it doesn't."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.metrics import paired_bootstrap
from rectransfer.report.catalogue import CATEGORY, Catalogue
from rectransfer.report.result import Segment, Segments
from rectransfer.report.trial import BEST_SELLERS, OURS, Trial

__all__ = ["kinds_of_users", "segments"]

_MOST_CATEGORIES: Final = 8


def kinds_of_users(sizes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Users parted by how much is known of them: nothing, or thirds of the others.

    Args:
        sizes: Different items that each user had, shape `(n_users,)`.

    Returns:
        The part of each user, shape `(n_users,)`, and what the parts are called.

    Examples:
        >>> kinds_of_users(np.array([0, 1, 2, 3, 4, 5, 6]))[1][1:]
        ('Light users: 1 to 2 items', 'Regular users: 3 to 4 items', 'Heavy users: 5 items and more')
    """
    some = sizes[sizes > 0]
    if not len(some):
        return np.zeros(len(sizes), np.int64), ("New users: no history",)
    first, second = (int(np.quantile(some, share, method="lower")) for share in (1 / 3, 2 / 3))
    if first == some.max():
        known = f"Users with a history: {_span(int(some.min()), first)}"
        return (sizes > 0).astype(np.int64), ("New users: no history", known)
    parts = np.searchsorted([1, first + 1, second + 1], sizes, side="right")
    names = (
        "New users: no history",
        f"Light users: {_span(1, first)}",
        f"Regular users: {_span(first + 1, second)}",
        f"Heavy users: {second + 1} items and more",
    )
    return parts, names


def segments(
    trial: Trial, catalogue: Catalogue, sourced: pl.Series | None, *, seed: int = 0
) -> tuple[Segments, ...]:
    """The gain in parts of the users and of the items.

    Args:
        trial: Of the model that ships.
        catalogue: Titles and categories.
        sourced: Ids of the items that a source knows; None where none is in use.
        seed: Of the intervals.
    """
    found = [_by_history(trial, seed), _by_popularity(trial, seed)]
    if sourced is not None:
        known = trial.new[Columns.Item].is_in(sourced.implode())
        parts = [("The source knows them", known), ("New to the source", ~known)]
        note = "Only such items count as found. What the source doesn't know, the model has to learn here."
        found.append(Segments("Items that the source knows, or doesn't", note, _by_items(trial, parts, seed)))
    if catalogue.has_categories:
        found.append(_by_category(trial, catalogue, seed))
    return tuple(one for one in found if len(one.rows) > 1)


def _by_history(trial: Trial, seed: int) -> Segments:
    kinds, names = kinds_of_users(trial.history_sizes)
    ours, popular = (trial.values(name, trial.ndcg) for name in (OURS, BEST_SELLERS))
    rows = [
        _segment(name, ours[kinds == kind], popular[kinds == kind], seed) for kind, name in enumerate(names)
    ]
    note = "By how many different items a user had taken before the test; those with any, in thirds."
    return Segments("New, light and heavy users", note, tuple(row for row in rows if row.n_users))


def _by_popularity(trial: Trial, seed: int) -> Segments:
    counts = trial.new.join(trial.buyers, on=Columns.Item, how="left", maintain_order="left")["buyers"]
    few, many = _thirds(trial.buyers["buyers"])
    parts = [
        (f"Popular items: {many} buyers and more", counts >= many),
        (f"Items in between: {_span(few, many - 1, 'buyer')}", (counts >= few) & (counts < many)),
        (f"Seldom taken items: {_span(1, few - 1, 'buyer')}", (counts > 0) & (counts < few)),
        ("Cold items: nobody took it here yet", counts == 0),
        ("Not on sale when the model was made", counts.is_null()),
    ]
    note = (
        "Only such items count as found. Each of the first three kinds makes up about a third of what was "
        "taken in the log that the model was fitted on."
    )
    rows = _by_items(trial, [(name, mask.fill_null(False)) for name, mask in parts], seed)
    return Segments("Popular and cold items", note, rows)


def _thirds(buyers: pl.Series) -> tuple[int, int]:
    """Buyers from which an item is in between, and from which it is popular: thirds of what was taken."""
    sold = np.sort(buyers.to_numpy())
    share = np.cumsum(sold) / max(int(sold.sum()), 1)
    places = np.searchsorted(share, [1 / 3, 2 / 3]).clip(max=len(sold) - 1)
    few, many = sold[places].tolist()
    return max(few, 2), max(many, few + 1, 3)


def _by_category(trial: Trial, catalogue: Catalogue, seed: int) -> Segments:
    category = catalogue.categories(trial.new[Columns.Item])
    most = category.drop_nulls().value_counts().sort("count", CATEGORY, descending=[True, False])
    names = most[CATEGORY].head(_MOST_CATEGORIES).to_list()
    parts = [(name, (category == name).fill_null(False)) for name in names]
    note = f"Only items of the category count as found; the {len(names)} of which most was taken in the test."
    return Segments("Categories", note, _by_items(trial, parts, seed))


def _by_items(trial: Trial, parts: list[tuple[str, pl.Series]], seed: int) -> tuple[Segment, ...]:
    return tuple(_segments_of_items(trial, parts, seed))


def _segments_of_items(trial: Trial, parts: list[tuple[str, pl.Series]], seed: int) -> Iterator[Segment]:
    for name, mask in parts:
        new = trial.new.filter(mask)
        if new.height:
            ours, popular = (trial.values(model, trial.ndcg, new) for model in (OURS, BEST_SELLERS))
            yield _segment(name, ours, popular, seed)


def _segment(
    label: str, ours: npt.NDArray[np.float64], popular: npt.NDArray[np.float64], seed: int
) -> Segment:
    if len(ours) < 2:
        means = (float(ours[0]), float(popular[0])) if len(ours) else (0.0, 0.0)
        return Segment(label, len(ours), *means, None)
    gain = paired_bootstrap(ours, popular, seed=seed)
    return Segment(label, len(ours), float(ours.mean()), float(popular.mean()), gain)


def _span(low: int, high: int, noun: str = "item") -> str:
    if high <= low:
        return f"{low} {noun}{'' if low == 1 else 's'}"
    return f"{low} to {high} {noun}s"
