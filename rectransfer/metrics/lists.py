"""Ranks and labels out of recommendation lists, for models that hand out lists and no scores."""

from typing import Final, Literal

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.metrics.pairs import (
    Numbers,
    first_of_each,
    number_together,
    sorted_pairs,
    sorted_pairs_with,
)
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["label_lists", "ranks_from_lists"]

_MOST: Final = 2**31
"""Ranks lie below this, so that user and rank fit one number."""

_SIDES: Final[tuple[Literal["left", "right"], ...]] = ("left", "right")
_SPARSE: Final = 10  # how far users' numbers may spread to be counted in one array


def ranks_from_lists(recommended: pl.DataFrame, test: pl.DataFrame) -> RelevantRanks:
    """The rank that each item of the test log has in its user's list; `inf` where it isn't in the list.

    Args:
        recommended: `user_id`, `item_id` and `rank`, from 1, each rank and each item once a user.
        test: `user_id` and `item_id`; rows that repeat count once. Its users are those measured: one without
            a list gets `inf` throughout, and lists of other users are ignored.

    Returns:
        Ranks with the users in ascending order of their ids; `users` counts them from 0, and `n_candidates`
        is the length of the list.

    Raises:
        InputError: Columns are missing, ids differ in type, or a list repeats an item or a rank.

    Examples:
        >>> lists = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rank": [1, 2]})
        >>> ranks_from_lists(lists, pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "c"]})).ranks
        array([ 2., inf])
    """
    _check_ids(recommended, test, Columns.Rank)
    _check_ranks(recommended[Columns.Rank])
    n_users, listed_users, test_users = number_together(recommended[Columns.User], test[Columns.User])
    n_items, listed_items, test_items = number_together(recommended[Columns.Item], test[Columns.Item])
    listed_ranks = recommended[Columns.Rank].cast(pl.Int64).to_numpy()
    _check_once(sorted_pairs(listed_users, listed_ranks, _MOST), Columns.Rank)
    listed, place = sorted_pairs_with(listed_users, listed_items, n_items, listed_ranks)
    _check_once(listed, Columns.Item)
    wanted = sorted_pairs(test_users, test_items, n_items)
    wanted = wanted[first_of_each(wanted)]
    owner = wanted // n_items
    starts = np.flatnonzero(first_of_each(owner))
    own = owner[starts]  # ascending, as the ids are
    lengths = _lengths(listed_users, own, n_users)
    ranks = np.full(len(wanted), np.inf)
    if len(listed):
        at = np.searchsorted(listed, wanted)
        np.minimum(at, len(listed) - 1, out=at)
        found = np.flatnonzero(listed[at] == wanted)
        ranks[found] = place[at[found]]
    return RelevantRanks(
        ranks=ranks,
        offsets=np.append(starts, len(wanted)).astype(np.int64),
        n_candidates=lengths,
        users=np.arange(len(starts), dtype=np.int64),
        ties=np.ones(len(wanted), dtype=np.int64),
    )


def label_lists(recommended: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Whether each recommended item was taken: rows for `classification_report`.

    Args:
        recommended: `user_id` and `item_id`, and what else there is, as `recommend` gives it.
        test: `user_id` and `item_id` of what came next; a user who isn't in it took nothing.

    Returns:
        The same rows in the same order, with a column `label` of 0 and 1.

    Raises:
        InputError: Columns are missing, or ids differ in type.

    Examples:
        A recommender's scores are no probabilities, so its first place is what is predicted here.

        >>> lists = pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"], "rank": [1, 2, 3]})
        >>> rows = label_lists(lists, pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "z"]}))
        >>> rows["label"].to_list()
        [0, 1, 0]
        >>> from rectransfer.metrics import classification_report
        >>> classification_report(rows["label"], -rows["rank"], threshold=-1).precision
        0.0
    """
    _check_ids(recommended, test)
    key = [Columns.User, Columns.Item]
    taken = test.select(key).unique().with_columns(label=pl.lit(1, dtype=pl.Int8))
    return recommended.join(taken, on=key, how="left", maintain_order="left").with_columns(
        pl.col("label").fill_null(0)
    )


def _check_ranks(ranks: pl.Series) -> None:
    if ranks.null_count() or (ranks.len() and ranks.min() < 1):  # type: ignore[operator]
        raise InputError(
            f"{Columns.Rank} counts from 1, without nulls; {ranks.null_count()} of {ranks.len()} are null, "
            f"{(ranks < 1).sum()} lie below 1"
        )
    if ranks.len() and (ranks.max() >= _MOST or (ranks.dtype.is_float() and (ranks % 1 != 0).any())):  # type: ignore[operator]
        raise InputError(f"{Columns.Rank} is a whole number below {_MOST:,}; the largest is {ranks.max()!r}")


def _lengths(listed: Numbers, own: Numbers, n_users: int) -> Numbers:
    """How many rows some users have."""
    if n_users <= _SPARSE * (len(listed) + len(own)):
        return np.bincount(listed, minlength=n_users)[own].astype(np.int64)
    ordered = np.sort(listed)
    ends = [np.searchsorted(ordered, own, side) for side in _SIDES]
    return np.asarray(ends[1] - ends[0], dtype=np.int64)


def _check_once(pairs: Numbers, column: str) -> None:
    """Refuse sorted pairs that are there twice."""
    same = pairs[1:] == pairs[:-1]
    if not same.any():
        return
    twice = np.append(same, False) | np.append(False, same)
    raise InputError(
        f"{np.count_nonzero(twice)} of {len(pairs)} rows repeat a user's {column}: each may be there once"
    )


def _check_ids(recommended: pl.DataFrame, test: pl.DataFrame, *more: str) -> None:
    key = (Columns.User, Columns.Item)
    for name, frame, needed in (("recommended", recommended, (*key, *more)), ("test", test, key)):
        if missing := [column for column in needed if column not in frame.columns]:
            raise InputError(f"{name} lacks the columns {missing}; it has {frame.columns}")
    for name, frame in (("recommended", recommended), ("test", test)):
        for column in key:
            if missing_ids := frame[column].null_count():
                raise InputError(
                    f"{name}: {column} has {missing_ids} nulls in {frame.height} rows; drop them"
                )
    for column in key:
        if recommended.height and recommended.schema[column] != test.schema[column]:
            raise InputError(
                f"{column} is {recommended.schema[column]} in the lists and {test.schema[column]} in the "
                "test log: cast one of them"
            )
