"""The contract tests pass on our own parts, and fail on parts that break a promise."""

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.evaluation import Ease, ItemKnn, Popularity
from rectransfer.logs import InteractionLog
from rectransfer.ranking import SIGNALS
from rectransfer.retrieval import ExactIndex, FaissIndex
from rectransfer.testing import check_baseline, check_index, check_model, check_signal


@pytest.mark.parametrize(
    "make",
    [
        ExactIndex,
        lambda: FaissIndex("flat"),
        lambda: FaissIndex("hnsw", effort=300),
        lambda: FaissIndex("ivf", effort=5000),
    ],
)
def test_our_indexes_keep_the_contract(make):
    check_index(make)


@pytest.mark.parametrize(
    ("make", "learns"),
    [(lambda: Ease(l2=1.0), True), (lambda: ItemKnn(k=5), True), (Popularity, False)],
)
def test_our_baselines_keep_the_contract(make, learns):
    check_baseline(make, learns=learns)


def test_popularity_does_not_learn_the_checkerboard():
    with pytest.raises(AssertionError, match="of 12 users don't get what their group takes"):
        check_baseline(Popularity)


@pytest.mark.parametrize("name", SIGNALS)
def test_our_signals_keep_the_contract(name):
    check_signal(SIGNALS[name])


class Unsorted(ExactIndex):
    def search(self, queries, k, *, allowed=None):
        scores, rows = super().search(queries, k, allowed=allowed)
        return scores[:, ::-1], rows[:, ::-1]


class Heedless(ExactIndex):
    def search(self, queries, k, *, allowed=None):
        return super().search(queries, k)


class Padding(ExactIndex):
    def search(self, queries, k, *, allowed=None):
        scores, rows = super().search(queries, k, allowed=allowed)
        if k > rows.shape[1]:
            rows = np.pad(rows, ((0, 0), (0, k - rows.shape[1])), constant_values=-1)
        return scores, rows


class Eager(ExactIndex):
    def search(self, queries, k, *, allowed=None):
        if not self.n:
            return np.zeros((len(queries), k), np.float32), np.zeros((len(queries), k), np.int64)
        return super().search(queries, k, allowed=allowed)


class Broken(ExactIndex):
    def search(self, queries, k, *, allowed=None):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("make", "promise"),
    [
        (Unsorted, "best first"),
        (Heedless, "isn't allowed"),
        (Padding, "with two rows allowed"),
        (Eager, "search before build is accepted"),
        (Broken, "search before build raises ZeroDivisionError"),
        (lambda: object(), "lacks a method"),
    ],
)
def test_an_index_that_breaks_a_promise_is_named(make, promise):
    with pytest.raises(AssertionError, match=promise):
        check_index(make)


def test_an_approximate_index_may_miss_some():
    class Lossy(ExactIndex):
        """Finds the second to eleventh."""

        def search(self, queries, k, *, allowed=None):
            super().search(queries, k)  # for its checks
            scores, rows = super().search(queries, k + 1, allowed=allowed)
            skip = 1 if rows.shape[1] > k else 0
            return scores[:, skip:], rows[:, skip:]

    with pytest.raises(AssertionError, match=r"0\.900 of the nearest"):
        check_index(Lossy)
    check_index(Lossy, recall=0.85)


def test_a_signal_that_depends_on_its_neighbours_is_named():
    def relative(evidence, batch):
        """How popular the item is among the candidates."""
        found = evidence.popularity[batch.candidates]
        return found - found.mean(axis=1, keepdims=True)

    def silent(evidence, batch):
        return evidence.popularity[batch.candidates]

    def wide(evidence, batch):
        """Too precise."""
        return evidence.popularity[batch.candidates].astype(np.float64)

    for signal, promise in (
        (relative, "filling rows up with -1"),
        (silent, "no docstring"),
        (wide, "float64; expected float32"),
    ):
        with pytest.raises(AssertionError, match=promise):
            check_signal(signal)


LOG = InteractionLog.from_frame(
    pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "z"], "timestamp": [1, 2, 1]})
)


class BestSellers:
    """Right in every respect, unless told otherwise."""

    def __init__(self, **faults):
        self.faults = faults

    def recommend(self, users=None, k=10, *, filter_viewed=True):
        if k < 1:
            raise InputError("k")
        asked = pl.DataFrame({"user_id": users or []}, schema={"user_id": pl.String})
        items = pl.DataFrame({"item_id": ["v", "w", "x", "y", "z"], "score": [5.0, 4.0, 3.0, 2.0, 1.0]})
        pairs = asked.join(items, how="cross", maintain_order="left_right")
        if filter_viewed and "viewed" not in self.faults:
            pairs = pairs.join(LOG.frame, on=["user_id", "item_id"], how="anti", maintain_order="left")
        rank = pl.int_range(1, pl.len() + 1).over("user_id").alias("rank")
        found = pairs.with_columns(rank).filter(pl.col("rank") <= k)
        for fault in self.faults.values():
            found = fault(found) if fault else found
        return found


def test_a_right_model_passes():
    check_model(BestSellers(), LOG)


@pytest.mark.parametrize(
    ("faults", "promise"),
    [
        ({"viewed": None}, "items that the user has had"),
        ({"columns": lambda found: found.rename({"score": "value"})}, "columns are"),
        ({"ranks": lambda found: found.with_columns(pl.col("rank") + 1)}, "count from 1"),
        ({"scores": lambda found: found.with_columns(-pl.col("score"))}, "fall with the rank"),
        ({"nan": lambda found: found.with_columns(score=pl.lit(float("nan")))}, "NaN or infinite"),
        ({"order": lambda found: found.sort("user_id", maintain_order=True)}, "order asked for"),
        ({"type": lambda found: found.with_columns(pl.col("item_id").cast(pl.Categorical))}, "item_id is"),
        ({"twice": lambda found: found.with_columns(item_id=pl.lit("w"))}, "an item twice"),
    ],
)
def test_a_model_that_breaks_a_promise_is_named(faults, promise):
    with pytest.raises(AssertionError, match=promise):
        check_model(BestSellers(**faults), LOG)
