"""What a fitted recommender needs to explain itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.explain import Explainer, Explanations, sample_background, titles_of
from rectransfer.ranking import Examples, Histories, uncut
from rectransfer.recommend.by_habit import asked_with_habit, best_with_habit, with_habit
from rectransfer.recommend.state import State
from rectransfer.vocabulary import Vocabulary

__all__ = ["asked_items", "by_popularity", "called", "explained", "explainer_of"]

_BACKGROUND_USERS: Final = 2_000
_USERS_AT_ONCE: Final = 256


def explainer_of(state: State, rows: int, seed: int) -> Explainer:
    """An explainer against candidates of the model's own users."""
    users = Vocabulary.from_ids(state.target[Columns.User])
    if len(users) > _BACKGROUND_USERS:  # more than are drawn, and not all of them
        drawn = np.random.default_rng(seed).choice(len(users), _BACKGROUND_USERS, replace=False)
        users = Vocabulary(users.take(np.sort(drawn)))
    examples = uncut(Histories.from_log(state.log, state.items, users), len(state.items))
    viewed = state.viewed(users, None)
    shut = csr_array(viewed + state.elsewhere(examples, viewed))
    background = sample_background(state.scene, examples, rows, seed, exclude=shut)
    return Explainer(state.scene, state.ranker, state.items, background)


def asked_items(state: State, ids: pl.Series) -> npt.NDArray[np.int64]:
    """The rows of items that were asked for.

    Raises:
        InputError: One of them isn't on sale.
    """
    if not ids.len():
        raise InputError("items is empty: give the ids to explain, or None for the best k of each user")
    rows = state.items.rows(ids)
    missing = rows < 0
    missing[~missing] |= ~state.scene.on_sale[rows[~missing]]
    if missing.any():
        example = f", for example {ids.filter(pl.Series(missing))[0]!r}"
        raise InputError(
            f"{int(missing.sum()):,} of the {ids.len():,} ids in items are not on sale{example}; the "
            "catalogue is that of fit(target, items=...)"
        )
    return np.unique(rows)


def called(state: State, titles: pl.DataFrame | None, name: str = "titles") -> dict[Any, str]:
    """Ids of items to what they are called, of items of the model's.

    Args:
        state: A fitted model.
        titles: As `titles_of` takes them, and so is `name`.
        name: Likewise.

    Raises:
        InputError: As `titles_of`, or there are titles, and none is of an item of the model's.
    """
    known = titles_of(titles, state.items.dtype, name)
    if known and not (state.items.rows(list(known)) >= 0).any():
        raise InputError(
            f"{name}: none of the {len(known):,} ids with a title (for example {next(iter(known))!r}) is an "
            f"item of the model's (for example {state.items.ids[0]!r}); are they of another shop?"
        )
    return known


def explained(
    state: State,
    explainer: Explainer,
    users: Vocabulary,
    examples: Examples,
    viewed: csr_array,
    *,
    k: int,
    items: npt.NDArray[np.int64] | None,
    popular: bool,
) -> Iterator[Explanations]:
    """Explanations of some users at a time, in their order.

    Args:
        state: The model.
        explainer: Of it.
        users: u of them.
        examples: Their histories.
        viewed: What they must not get, shape `(u, n_items)`.
        k: How many items each, where `items` is None.
        items: Rows of the items.
        popular: Whether users about whom nothing is known are explained, by popularity.
    """
    known = state.known(examples)
    yield with_habit(state, explainer.nothing(users.dtype))
    for rows in np.array_split(np.arange(len(users)), max(1, -(-len(users) // _USERS_AT_ONCE))):
        told, strange = rows[known[rows]], rows[~known[rows]]
        some, ids, shut = examples.take(told), Vocabulary(users.take(told)), csr_array(viewed[told])
        if items is not None:
            parts = list(explainer.asked(some, ids, items, exclude=shut))
            if state.habits_elsewhere is not None:
                parts = [asked_with_habit(state, part, some, ids, shut) for part in parts]
        elif state.habits_elsewhere is None:
            parts = list(explainer.best(some, ids, k, exclude=shut))
        else:
            parts = [best_with_habit(state, explainer, some, ids, k, shut)]
        if popular and len(strange):
            parts.append(by_popularity(state, explainer, users, strange, viewed, k, items))
        if parts:
            whole = Explanations.joined([with_habit(state, part) for part in parts])
            order = np.argsort(users.rows(whole.users), kind="stable")
            yield whole.take(order) if len(parts) > 1 else whole


def by_popularity(
    state: State,
    explainer: Explainer,
    users: Vocabulary,
    strange: npt.NDArray[np.int64],
    viewed: csr_array,
    k: int,
    items: npt.NDArray[np.int64] | None,
) -> Explanations:
    """Users about whom nothing is known: popularity is all of their scores."""
    last = state.scene.evidence[-1]
    if items is None:
        owner, item, scores, ranks = state.popular(strange, k, viewed, None)
    else:
        owner, item = np.repeat(strange, len(items)), np.tile(items, len(strange))
        scores = last.popularity[item]
        ranks = np.concatenate([_standing(state, viewed, user, items) for user in strange])
    none = explainer.nothing(users.dtype)
    n, name = len(owner), f"{last.name}.popularity"
    values, contributions = np.full((n, len(none.signals)), np.nan), np.zeros((n, len(none.signals)))
    if name in none.signals:
        column = none.signals.index(name)
        values[:, column] = contributions[:, column] = scores
    base = scores - contributions.sum(axis=1)  # a model that doesn't look at it has no part for it
    return replace(
        none,
        users=users.take(owner),
        items=state.items.take(item),
        ranks=ranks,
        scores=scores.astype(np.float64),
        base=base,
        lengths=np.zeros(n, np.int64),
        values=values,
        contributions=contributions,
    )


def _standing(
    state: State, viewed: csr_array, user: int, items: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Places of items among those on sale that a user hasn't had, by popularity."""
    open_ = state.scene.on_sale.copy()
    open_[viewed.indices[viewed.indptr[user] : viewed.indptr[user + 1]]] = False
    popularity = state.scene.evidence[-1].popularity
    return np.array([int((popularity[open_] > popularity[item]).sum()) + 1 for item in items])
