"""Ranks and labels out of recommendation lists, for models that hand out lists and no scores."""

from typing import Any

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.metrics.matching import MOST, Lists, Taken, match
from rectransfer.metrics.pairs import number_together
from rectransfer.metrics.ranks import RelevantRanks

__all__ = ["label_lists", "ranks_from_lists"]


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
        InputError: One is no polars frame, columns are missing, ids differ in type, ranks are no whole
            numbers from 1, or a list repeats an item or a rank.

    Examples:
        >>> lists = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rank": [1, 2]})
        >>> ranks_from_lists(lists, pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "c"]})).ranks
        array([ 2., inf])
    """
    _check_ids(recommended, test, Columns.Rank)
    _check_ranks(recommended[Columns.Rank])
    listed_users, test_users = number_together(recommended[Columns.User], test[Columns.User])
    listed_items, test_items = number_together(recommended[Columns.Item], test[Columns.Item])
    lists = Lists(listed_users, listed_items, recommended[Columns.Rank].cast(pl.Int64).to_numpy())
    _require_once(lists.repeated_ranks, recommended.height, Columns.Rank)
    found = match(lists, Taken(test_users, test_items))
    _require_once(found.repeated, recommended.height, Columns.Item)
    starts = np.flatnonzero(np.diff(found.users, prepend=-1))
    return RelevantRanks(
        ranks=np.where(found.ranks, found.ranks, np.inf),
        offsets=np.append(starts, len(found.users)),
        n_candidates=lists.lengths(found.users[starts]),
        users=np.arange(len(starts)),
        ties=np.ones(len(found.users), np.int64),
    )


def label_lists(recommended: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Whether each recommended item was taken: rows for `classification_report`.

    Args:
        recommended: `user_id` and `item_id`, and what else there is, as `recommend` gives it.
        test: `user_id` and `item_id` of what came next; a user who isn't in it took nothing.

    Returns:
        The same rows in the same order, with a column `label` of 0 and 1.

    Raises:
        InputError: One is no polars frame, columns are missing, or ids differ in type.

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
    if ranks.dtype == pl.Null:  # nothing there to tell the type from
        ranks = ranks.cast(pl.Int64)
    if ranks.len() and not ranks.dtype.is_numeric():
        raise InputError(
            f"column {Columns.Rank!r} is {ranks.dtype}, expected whole numbers from 1; where it holds such "
            f"numbers as text, cast it: frame.with_columns(pl.col({Columns.Rank!r}).cast(pl.Int64)); "
            "otherwise number each user's rows, the best first: frame.with_columns("
            f"pl.int_range(1, pl.len() + 1).over({Columns.User!r}).alias({Columns.Rank!r}))"
        )
    if ranks.null_count() or (ranks.len() and ranks.min() < 1):  # type: ignore[operator]
        raise InputError(
            f"{Columns.Rank} counts from 1, without nulls; {ranks.null_count()} of {ranks.len()} are null, "
            f"{(ranks < 1).sum()} lie below 1"
        )
    if ranks.len() and (ranks.max() >= MOST or (ranks.dtype.is_float() and (ranks % 1 != 0).any())):  # type: ignore[operator]
        raise InputError(f"{Columns.Rank} is a whole number below {MOST:,}; the largest is {ranks.max()!r}")


def _require_once(repeated: int, rows: int, column: str) -> None:
    if repeated:
        raise InputError(f"{repeated} of {rows} rows repeat a user's {column}: each may be there once")


def _check_frame(given: Any, name: str) -> None:
    if isinstance(given, pl.DataFrame):
        return
    kind = f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}".removeprefix("builtins.")
    remedies = {
        "pandas.DataFrame": "pl.from_pandas(frame)",
        "polars.LazyFrame": "frame.collect()",
        "pyarrow.Table": "pl.from_arrow(table)",
    }
    raise InputError(
        f"{name} is a {kind}; expected a polars.DataFrame: {remedies.get(kind, 'pl.DataFrame(data)')}"
    )


def _check_ids(recommended: pl.DataFrame, test: pl.DataFrame, *more: str) -> None:
    key = (Columns.User, Columns.Item)
    _check_frame(recommended, "recommended")
    _check_frame(test, "test")
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
