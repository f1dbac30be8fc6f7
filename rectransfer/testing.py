"""Contract tests for parts that users bring: an index, a baseline, a model, a signal.

Each takes the part, runs it on small data, and raises an `AssertionError` that says which promise is broken.
They need no test framework:

    def test_my_index() -> None:
        check_index(MyIndex)
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError, NotFittedError
from rectransfer.evaluation import Baseline
from rectransfer.logs import InteractionLog
from rectransfer.metrics import top_k
from rectransfer.neighbours import solve_neighbours
from rectransfer.ranking import Batch, Evidence, Examples
from rectransfer.ranking.signals import Signal
from rectransfer.retrieval import VectorIndex

__all__ = ["Recommending", "check_baseline", "check_index", "check_model", "check_signal"]

_N_ITEMS: Final = 12
_SCHEMA: Final = {Columns.Score: (pl.Float32, pl.Float64), Columns.Rank: (pl.Int64, pl.UInt32, pl.Int32)}


class Recommending(Protocol):
    """What `check_model` needs of a fitted model; `Recommender` is one."""

    def recommend(
        self, users: Iterable[Any] | None = None, k: int = 10, *, filter_viewed: bool = True
    ) -> pl.DataFrame:
        """`user_id`, `item_id`, `score`, `rank`: the best items for each user."""
        ...


def check_index(make: Callable[[], VectorIndex], *, recall: float = 1.0) -> None:
    """Check an index against every inner product: order, `k` beyond the end, masks, building again, errors.

    Args:
        make: Makes a new, empty index.
        recall: The share of the true nearest that it has to find; below 1 for approximate ones.

    Raises:
        AssertionError: The promise of `VectorIndex` that is broken.

    Examples:
        >>> from rectransfer.retrieval import ExactIndex
        >>> check_index(ExactIndex)
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    queries = rng.normal(size=(30, 6)).astype(np.float32)
    index = make()
    _require(isinstance(index, VectorIndex), f"{type(index).__name__} lacks a method of VectorIndex")
    _require(index.n == 0, f"a new index holds {index.n} vectors; expected 0")
    _refuses(NotFittedError, lambda: index.search(queries, 3), "search before build")
    _require(index.build(vectors) is index, "build returns something else than the index itself")
    _require(index.n == len(vectors), f"n is {index.n} after building from {len(vectors)} vectors")
    allowed = rng.random(len(vectors)) < 0.3
    for mask in (None, allowed):
        _check_found(index, vectors, queries, mask, recall)
    few = np.isin(np.arange(len(vectors)), [5, 150])
    rows = index.search(queries, 9, allowed=few)[1]
    _require(
        np.sort(rows, axis=1).tolist() == [[5, 150]] * len(queries),
        "with two rows allowed, a search for nine has to give those two",
    )
    everything = index.search(queries, len(vectors) + 50)[1]
    _require(
        np.sort(everything, axis=1).tolist() == [list(range(len(vectors)))] * len(queries),
        "a search for more than there is has to give every row once, and none that isn't one",
    )
    _require(index.search(queries[:0], 3)[1].shape == (0, 3), "no queries have to give the shape (0, k)")
    _refuses(InputError, lambda: index.search(queries[:, :2], 3), "queries of other dimensions")
    _refuses(InputError, lambda: index.search(queries, 0), "k=0")
    _refuses(InputError, lambda: index.build(vectors * np.nan), "vectors of NaN")
    _require(index.build(vectors[:20]).n == 20, "building again has to replace what was there")


def _check_found(
    index: VectorIndex,
    vectors: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.bool_] | None,
    recall: float,
) -> None:
    scores, rows = index.search(queries, 10, allowed=allowed)
    _require(scores.shape == rows.shape == (len(queries), 10), f"shapes {scores.shape}, {rows.shape}")
    _require(
        (scores.dtype.name, rows.dtype.name) == ("float32", "int64"), f"types {scores.dtype}, {rows.dtype}"
    )
    _require(all(len(set(row)) == 10 for row in rows.tolist()), "a row was found twice by one query")
    _require(allowed is None or bool(allowed[rows].all()), "a row was found that isn't allowed")
    products = queries @ vectors.T
    _require(
        np.allclose(scores, np.take_along_axis(products, rows, axis=1), rtol=1e-4, atol=1e-5),
        "scores are not the inner products of the rows that were found",
    )
    _require(bool((np.diff(scores, axis=1) <= 1e-5).all()), "scores have to come best first")
    best = top_k(products if allowed is None else np.where(allowed, products, -np.inf), 10)[1]
    share = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), best.tolist(), strict=True)])
    _require(float(share) >= recall, f"{share:.3f} of the nearest were found; expected {recall} at least")


def check_baseline(make: Callable[[], Baseline], *, learns: bool = True) -> None:
    """Check a baseline: shapes, types, errors, repeatability, and that it learns a plain pattern.

    The pattern is a checkerboard: two groups of users take two groups of items, and the one item withheld
    from each user has to score above every item of the other group.

    Args:
        make: Makes a new model that isn't fitted.
        learns: Whether it looks at the history at all; False for popularity.

    Raises:
        AssertionError: The promise of `Baseline` that is broken.

    Examples:
        >>> from rectransfer.evaluation import Ease, Popularity
        >>> check_baseline(lambda: Ease(l2=1.0))
        >>> check_baseline(Popularity, learns=False)
    """
    withheld = np.arange(_N_ITEMS)
    same = withheld[:, None] % 2 == withheld % 2
    board = same & (withheld[:, None] != withheld)
    interactions = csr_array(board.astype(np.float32))
    before = interactions.toarray()
    model = make()
    _require(isinstance(model, Baseline), f"{type(model).__name__} lacks a method of Baseline")
    _require(bool(model.name), "the name is empty")
    _refuses(NotFittedError, lambda: model.scores(interactions), "scores before fit")
    _require(model.fit(interactions) is model, "fit returns something else than the model itself")
    scores = model.scores(interactions)
    _require(scores.shape == board.shape, f"scores have the shape {scores.shape}; expected {board.shape}")
    _require(scores.dtype == np.float32, f"scores are {scores.dtype}; expected float32")
    _require(bool(np.isfinite(scores).all()), "scores hold NaN or infinity")
    again = make().fit(interactions).scores(interactions)
    _require(np.array_equal(scores, again), "fitted twice on the same data, it scores differently")
    _require(np.array_equal(interactions.toarray(), before), "it changed the matrix that it was given")
    nobody = model.scores(csr_array((1, _N_ITEMS), dtype=np.float32))
    _require(bool(np.isfinite(nobody).all()), "a user without history gets NaN or infinity")
    none = model.scores(interactions[:0])
    _require(none.shape == (0, _N_ITEMS), f"no users give scores of the shape {none.shape}")
    _refuses(InputError, lambda: model.scores(csr_array((1, _N_ITEMS + 1))), "a history of other items")
    if learns:
        theirs = np.where(same, -np.inf, scores).max(axis=1)
        missed = np.flatnonzero(scores[withheld, withheld] <= theirs)
        _require(not len(missed), f"{len(missed)} of {_N_ITEMS} users don't get what their group takes")


def check_model(model: Recommending, seen: InteractionLog, *, k: int = 10) -> None:
    """Check the recommendations of a fitted model.

    Columns and types, the order of users, ranks from 1 without a gap, falling scores, no item twice, nothing
    that the user has had, fewer rows rather than a wrong one, and the same answer when asked twice.

    Args:
        model: Fitted.
        seen: What its users have had; two users at least.
        k: How many to ask for.

    Raises:
        AssertionError: The promise that is broken.
    """
    users = seen.users.ids.reverse().to_list()
    found = model.recommend(users=users, k=k)
    _check_frame(found, seen, k)
    asked = found[Columns.User].unique(maintain_order=True).to_list()
    _require(asked == [user for user in users if user in set(asked)], "users are not in the order asked for")
    had = found.join(seen.frame, on=[Columns.User, Columns.Item], how="semi")
    _require(had.is_empty(), f"{had.height} rows are items that the user has had, e.g. {had.head(1).rows()}")
    _require(found.equals(model.recommend(users=users, k=k)), "asked twice, it answers differently")
    first = model.recommend(users=users[:1], k=k)
    _require(
        first[Columns.Item].equals(found.filter(pl.col(Columns.User) == users[0])[Columns.Item]),
        "a user alone gets other items than the same user among others",
    )
    _check_frame(model.recommend(users=users, k=10**6), seen, 10**6)
    _require(
        model.recommend(users=users, k=1)[Columns.Item].to_list()
        == found.filter(pl.col(Columns.Rank) == 1)[Columns.Item].to_list(),
        "the best item for k=1 is another than the best for a larger k",
    )
    _require(model.recommend(users=[], k=k).is_empty(), "no users have to give no rows")
    everything = model.recommend(users=users, k=k, filter_viewed=False)
    _check_frame(everything, seen, k)


def _check_frame(found: pl.DataFrame, seen: InteractionLog, k: int) -> None:
    expected = [Columns.User, Columns.Item, Columns.Score, Columns.Rank]
    _require(found.columns == expected, f"columns are {found.columns}; expected {expected}")
    for column in (Columns.User, Columns.Item):
        own, theirs = found[column].dtype, seen.frame[column].dtype
        _require(own == theirs, f"{column} is {own}; in the log it is {theirs}")
    for name, kinds in _SCHEMA.items():
        _require(found[name].dtype in kinds, f"{name} is {found[name].dtype}")
    _require(found.null_count().sum_horizontal().sum() == 0, "there are nulls")
    _require(bool(found[Columns.Score].is_finite().all()), "a score is NaN or infinite")
    twice = found.select(Columns.User, Columns.Item).is_duplicated()
    _require(not twice.any(), f"{twice.sum()} rows recommend an item twice to one user")
    ranks = found.select(
        ok=pl.col(Columns.Rank).cast(pl.Int64) == pl.int_range(1, pl.len() + 1).over(Columns.User)
    )
    _require(bool(ranks["ok"].all()), "ranks have to count from 1 within each user, without gaps, in order")
    _require(found.filter(pl.col(Columns.Rank) > k).is_empty(), "a user gets more than k rows")
    rises = found.select(up=pl.col(Columns.Score).diff().over(Columns.User).fill_null(0) > 0)
    _require(not rises["up"].any(), "scores have to fall with the rank")


def check_signal(signal: Signal) -> None:
    """Check a signal: shape, type, finite values, and that they depend on nothing that they must not.

    A user's values depend neither on the other users, nor on the order of the candidates, nor on what fills
    up the row.

    Args:
        signal: Takes evidence and a batch, gives a number for every user and candidate.

    Raises:
        AssertionError: The promise that is broken.

    Examples:
        >>> from rectransfer.ranking import SIGNALS
        >>> for signal in SIGNALS.values():
        ...     check_signal(signal)
    """
    name = getattr(signal, "__name__", repr(signal))
    _require(bool(getattr(signal, "__doc__", None)), f"{name} has no docstring; reports show its first line")
    rng = np.random.default_rng(0)
    evidence, examples = _evidence(rng), _examples()
    candidates = np.array([[0, 3, 5, 7], [1, 2, 3, 11], [0, 4, 8, 11]])
    tables = [value.copy() for value in vars(evidence).values() if isinstance(value, np.ndarray)]

    def value(one: Evidence, some: Examples, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        found = signal(one, Batch.of(some, rows))
        _require(found.shape == rows.shape, f"{name} gives the shape {found.shape} for {rows.shape}")
        _require(found.dtype == np.float32, f"{name} gives {found.dtype}; expected float32")
        _require(bool(np.isfinite(found).all()), f"{name} gives NaN or infinity")
        return found

    found = value(evidence, examples, candidates)
    _require(np.array_equal(found, value(evidence, examples, candidates)), f"{name} differs when asked twice")
    after = [value for value in vars(evidence).values() if isinstance(value, np.ndarray)][: len(tables)]
    same = all(np.array_equal(a, b) for a, b in zip(tables, after, strict=True))
    _require(same, f"{name} changed the evidence that it was given")
    filled = np.hstack([candidates, np.full((3, 2), -1)])
    wider = value(evidence, examples, filled)[:, :4]
    _require(
        np.allclose(found, wider, atol=1e-5), f"{name}: filling rows up with -1 changes other candidates"
    )
    turned = value(evidence, examples, candidates[:, ::-1])[:, ::-1]
    _require(np.allclose(found, turned, atol=1e-5), f"{name} depends on the order of the candidates")
    alone = [value(evidence, examples.take(np.array([row])), candidates[[row]]) for row in range(3)]
    _require(np.allclose(found, np.vstack(alone), atol=1e-5), f"{name} depends on the batch's other users")
    value(replace(evidence, weights=None), examples, candidates)
    empty = examples.take(np.zeros(0, np.int64))
    value(evidence, empty, np.zeros((0, 4), np.int64))


def _evidence(rng: np.random.Generator) -> Evidence:
    """Random tables over twelve items, the last one unknown."""
    known = np.arange(_N_ITEMS) < _N_ITEMS - 1
    vectors, contexts = (rng.normal(size=(_N_ITEMS, 4)).astype(np.float32) * known[:, None] for _ in range(2))
    counts = rng.poisson(0.5, (4 * _N_ITEMS, _N_ITEMS)) * known
    weights = solve_neighbours(csr_array(counts.astype(np.float32)), l2=1.0)
    log_prior, popularity = (rng.normal(size=_N_ITEMS).astype(np.float32) for _ in range(2))
    return Evidence("mine", vectors, contexts, log_prior, np.abs(popularity), known, weights)


def _examples() -> Examples:
    """Three users: a history with a repeat, one with the unknown item, and one with none."""
    users = np.arange(3)
    return Examples(
        users=users,
        n_items=_N_ITEMS,
        owner=np.array([0, 0, 0, 1, 1]),
        items=np.array([1, 2, 1, 4, 11]),
        ages=np.array([3, 2, 1, 1, 1]),
        label_owner=users,
        labels=np.array([5, 2, 8]),
    )


def _require(holds: bool, broken: str) -> None:
    if not holds:
        raise AssertionError(broken)


def _refuses(kind: type[Exception], call: Callable[[], Any], what: str) -> None:
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {type(error).__name__}; expected {kind.__name__}") from error
    raise AssertionError(f"{what} is accepted; expected {kind.__name__}")
