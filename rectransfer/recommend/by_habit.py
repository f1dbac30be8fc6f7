"""Explanations of lists in which what users had elsewhere stands by habit."""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.explain import Explainer, Explanations, Players
from rectransfer.ranking import Examples, entries
from rectransfer.recommend.lists import ranked_with_had
from rectransfer.recommend.state import State
from rectransfer.scene import Ranked
from rectransfer.vocabulary import Vocabulary

__all__ = ["HABIT", "asked_with_habit", "best_with_habit", "with_habit"]

HABIT: Final = "elsewhere.habit"
"""What stands for all that a habit adds to a score; its value is how often the item was taken elsewhere."""

Rows = npt.NDArray[np.int64]


def with_habit(state: State, part: Explanations) -> Explanations:
    """The same with `elsewhere.habit` as one more signal, where the model has such habits."""
    if state.habits_elsewhere is None or HABIT in part.signals:
        return part
    nothing = np.zeros((len(part), 1))
    return replace(
        part,
        players=Players(
            (*part.groups, HABIT), (*part.signals, HABIT), (*part.players.groups, len(part.groups))
        ),
        values=np.hstack([part.values, nothing]),
        contributions=np.hstack([part.contributions, nothing]),
        typical=np.append(part.typical, 0.0),
    )


def asked_with_habit(
    state: State, part: Explanations, examples: Examples, users: Vocabulary, viewed: csr_array
) -> Explanations:
    """Items that were asked for, as the ranker sees them; and how often the user had them elsewhere.

    Args:
        state: A model with such habits.
        part: Explanations of some of the users.
        examples: u users.
        users: Their ids.
        viewed: What they have had here, shape `(u, n_items)`.
    """
    times = csr_array(examples.counts.multiply(state.elsewhere(examples, viewed)))
    found = with_habit(state, part)
    found.values[:, -1] = entries(times, users.rows(part.users), state.items.rows(part.items))
    return found


def best_with_habit(
    state: State, explainer: Explainer, examples: Examples, users: Vocabulary, k: int, viewed: csr_array
) -> Explanations:
    """The best `k` of each user: what is new as the ranker sees it, what was had elsewhere as a habit.

    Args:
        state: A model with such habits.
        explainer: Of it.
        examples: u users, with a history or a profile.
        users: Their ids.
        k: How many.
        viewed: What they must not get, shape `(u, n_items)`.
    """

    def rank(most: int, shut: csr_array, allowed: npt.NDArray[np.bool_] | None) -> Ranked:
        return state.scene.rank(state.ranker, examples, most, exclude=shut, allowed=allowed)

    ranked = ranked_with_had(state, examples, viewed, k, rank, filter_viewed=True)
    elsewhere = state.elsewhere(examples, viewed)
    lists, scores = ranked.padded(len(examples))
    owner = np.repeat(np.arange(len(lists)), lists.shape[1])
    habit = (entries(elsewhere, owner, lists) > 0) & (lists >= 0)
    places = csr_array(
        (ranked.ranks.astype(np.float32), (ranked.users, ranked.items)),
        shape=(len(examples), len(state.items)),
    )
    parts = list(
        explainer.listed(examples, users, np.where(habit, -1, lists), exclude=csr_array(viewed + elsewhere))
    )
    parts.append(_by_habit(state, explainer, examples, users, np.where(habit, lists, -1), scores))
    whole = Explanations.joined([with_habit(state, part) for part in parts])
    owner = users.rows(whole.users)
    ranks = entries(places, owner, state.items.rows(whole.items)).astype(np.int64)
    return replace(whole, ranks=ranks).take(np.lexsort((ranks, owner)))


def _by_habit(
    state: State,
    explainer: Explainer,
    examples: Examples,
    users: Vocabulary,
    lists: Rows,
    scores: npt.NDArray[np.float32],
) -> Explanations:
    """What stands in lists by habit, which is all that sets its score apart; -1 where nothing does."""
    owner, column = np.nonzero(lists >= 0)
    items = lists[owner, column]
    none = with_habit(state, explainer.nothing(users.dtype))
    had = np.diff(examples.counts.indptr)
    base = explainer.bases(np.log1p(had))[owner]
    values = np.full((len(owner), len(none.signals)), np.nan)
    contributions = np.zeros(values.shape)
    values[:, -1] = entries(examples.counts, owner, items)
    found = scores[owner, column].astype(np.float64)
    contributions[:, -1] = found - base
    return replace(
        none,
        users=users.take(owner),
        items=state.items.take(items),
        ranks=column + 1,
        scores=found,
        base=base,
        lengths=had[owner].astype(np.int64),
        values=values,
        contributions=contributions,
    )
