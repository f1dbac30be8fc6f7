"""Which parts matter, overall and by segment, and how much of the ranking comes from a source."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.explain.explanations import Explanations
from rectransfer.explain.formula import Doubles
from rectransfer.explain.players import domain_of
from rectransfer.metrics import bootstrap_mean

__all__ = ["EVERYTHING", "importance", "segments_of", "transfer_share"]

EVERYTHING: Final = "all"
"""The segment of all pairs."""

TARGET: Final = "target"

Segments = Mapping[str, npt.NDArray[np.bool_]]


def importance(
    explained: Explanations,
    segments: Segments | None = None,
    *,
    by: Literal["groups", "signals"] = "groups",
    seed: int = 0,
) -> pl.DataFrame:
    """How much each part moves scores, overall and by segment.

    Args:
        explained: The recommendations of many users.
        segments: Masks of the pairs, by name, as `segments_of` gives; all pairs are a segment anyway.
        by: What the parts are.
        seed: Of the intervals.

    Returns:
        `segment`, `part`, `mean` (of the contribution's size), `share` (of the segment's sum of them), `low`,
        `high` (the mean's 95 % interval, by resampling users) and `n_users`. A segment of fewer than two
        users is left out.
    """
    parts, names = (
        (explained.by_group, explained.groups)
        if by == "groups"
        else (explained.contributions, explained.signals)
    )
    sizes = np.abs(parts)
    rows = []
    for segment, users in _by_user(explained, segments):
        means = users(sizes)
        whole = means.mean(axis=0).sum()
        for name, values in zip(names, means.T, strict=True):
            found = bootstrap_mean(values, seed=seed)
            share = found.mean / whole if whole else 0.0
            rows.append((segment, name, found.mean, share, found.low, found.high, len(means)))
    numbers = dict.fromkeys(("mean", "share", "low", "high"), pl.Float64())
    schema = {"segment": pl.String(), "part": pl.String(), **numbers, "n_users": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def transfer_share(
    explained: Explanations, segments: Segments | None = None, *, seed: int = 0
) -> pl.DataFrame:
    """How much of what moves scores comes from each domain, and from any source: the transfer's share.

    A pair's share is the size of the domain's contributions over that of all; a user's is the mean of the
    pairs. The `joint` domain began as the source's and went on with the target: without a source there would
    be none, so it counts as transferred.

    Returns:
        `segment`, `domain` (one of them, or `"transferred"`: all but the target), `share`, `low`, `high` (its
        95 % interval, by resampling users) and `n_users`.
    """
    names = [domain_of(name) for name in explained.groups]
    sizes = np.abs(explained.by_group)
    shares = sizes / np.maximum(sizes.sum(axis=1, keepdims=True), 1e-300)
    domains = dict.fromkeys(names)
    columns = [shares[:, [name == domain for name in names]].sum(axis=1) for domain in domains]
    columns.append(shares[:, [name != TARGET for name in names]].sum(axis=1))
    rows = []
    for segment, users in _by_user(explained, segments):
        means = users(np.stack(columns, axis=1))
        for domain, values in zip((*domains, "transferred"), means.T, strict=True):
            found = bootstrap_mean(values, seed=seed)
            rows.append((segment, domain, found.mean, found.low, found.high, len(means)))
    numbers = dict.fromkeys(("share", "low", "high"), pl.Float64())
    schema = {"segment": pl.String(), "domain": pl.String(), **numbers, "n_users": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def segments_of(explained: Explanations, taken: pl.DataFrame) -> dict[str, npt.NDArray[np.bool_]]:
    """Segments that most teams ask for first.

    New and heavy users are those with at most, and with more than, the median number of different items in
    their history; cold and popular items those that at most, and more than, the median number of users took
    among the recommended ones. Covered items are known to every table of a source, uncovered ones to fewer.

    Args:
        explained: The recommendations.
        taken: `user_id` and `item_id`: who took what in the target, as `Recommender.taken`.

    Raises:
        InputError: `taken` lacks a column.
    """
    if missing := [name for name in (Columns.User, Columns.Item) if name not in taken.columns]:
        raise InputError(f"taken has no column {missing[0]!r}; its columns are {', '.join(taken.columns)}")
    heavy = explained.lengths > np.median(explained.lengths) if len(explained) else explained.lengths > 0
    buyers = taken.group_by(Columns.Item).agg(pl.col(Columns.User).n_unique().alias("n"))
    items = explained.items.alias(Columns.Item).to_frame()
    counts = (
        items.join(buyers, on=Columns.Item, how="left", maintain_order="left")["n"].fill_null(0).to_numpy()
    )
    popular = counts > np.median(counts) if len(counts) else counts > 0
    found = {"new users": ~heavy, "heavy users": heavy, "cold items": ~popular, "popular items": popular}
    columns = [
        place
        for place, name in enumerate(explained.signals)
        if name.endswith(".unknown") and domain_of(name) != TARGET
    ]
    if columns:
        uncovered = (np.nan_to_num(explained.values[:, columns]) > 0.5).any(axis=1)
        found |= {"source-covered items": ~uncovered, "uncovered items": uncovered}
    return found


def _by_user(
    explained: Explanations, segments: Segments | None
) -> list[tuple[str, Callable[[Doubles], Doubles]]]:
    """For each segment with two users at least a function that averages columns over each user's pairs."""
    masks = {EVERYTHING: np.ones(len(explained), np.bool_), **(segments or {})}
    owner = explained.users.rank("dense").to_numpy().astype(np.int64) - 1
    found = []
    for name, mask in masks.items():
        if len(mask) != len(explained):
            raise InputError(f"segment {name!r} has {len(mask)} values for {len(explained)} pairs")
        _, users = np.unique(owner[mask], return_inverse=True)
        if len(users) and users.max() > 0:
            found.append((name, _averager(mask, users)))
    return found


def _averager(mask: npt.NDArray[np.bool_], users: npt.NDArray[np.int64]) -> Callable[[Doubles], Doubles]:
    counts = np.bincount(users)

    def average(columns: Doubles) -> Doubles:
        chosen = columns[mask]
        sums = np.stack([np.bincount(users, column) for column in chosen.T], axis=1)
        return np.asarray(sums / counts[:, None])

    return average
