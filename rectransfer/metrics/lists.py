"""Ranks and labels out of recommendation lists, for models that hand out lists and no scores."""

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
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
        InputError: Columns are missing, ids differ in type, or a list repeats an item or a rank.

    Examples:
        >>> lists = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rank": [1, 2]})
        >>> ranks_from_lists(lists, pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "c"]})).ranks
        array([ 2., inf])
    """
    key = [Columns.User, Columns.Item]
    _check_lists(recommended, test)
    wanted = test.select(key).unique().sort(key)
    ranked = wanted.join(
        recommended.select(*key, Columns.Rank), on=key, how="left", maintain_order="left", nulls_equal=False
    )[Columns.Rank]
    sizes = wanted.group_by(Columns.User, maintain_order=True).len("relevant")
    lengths = sizes.join(
        recommended.group_by(Columns.User).len("listed"), on=Columns.User, how="left", maintain_order="left"
    )["listed"]
    return RelevantRanks(
        ranks=ranked.cast(pl.Float64).fill_null(float("inf")).to_numpy().copy(),
        offsets=np.concatenate([[0], np.cumsum(sizes["relevant"].to_numpy())]).astype(np.int64),
        n_candidates=lengths.fill_null(0).to_numpy().astype(np.int64),
        users=np.arange(sizes.height, dtype=np.int64),
        ties=np.ones(wanted.height, dtype=np.int64),
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


def _check_lists(recommended: pl.DataFrame, test: pl.DataFrame) -> None:
    _check_ids(recommended, test, Columns.Rank)
    if (ranks := recommended[Columns.Rank]).null_count() or (ranks.len() and not (ranks >= 1).all()):
        raise InputError(
            f"{Columns.Rank} counts from 1, without nulls; {ranks.null_count()} of {ranks.len()} are null, "
            f"{(ranks < 1).sum()} lie below 1"
        )
    for column in (Columns.Item, Columns.Rank):
        twice = recommended.select(pl.struct(Columns.User, column).is_duplicated()).to_series().sum()
        if twice:
            raise InputError(
                f"{twice} of {recommended.height} rows repeat a user's {column}: each may be there once"
            )


def _check_ids(recommended: pl.DataFrame, test: pl.DataFrame, *more: str) -> None:
    key = (Columns.User, Columns.Item)
    for name, frame, needed in (("recommended", recommended, (*key, *more)), ("test", test, key)):
        if missing := [column for column in needed if column not in frame.columns]:
            raise InputError(f"{name} lacks the columns {missing}; it has {frame.columns}")
    for column in key:
        if recommended.height and recommended.schema[column] != test.schema[column]:
            raise InputError(
                f"{column} is {recommended.schema[column]} in the lists and {test.schema[column]} in the "
                "test log: cast one of them"
            )
