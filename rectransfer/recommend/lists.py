"""Ranking what users have had, here or elsewhere, together with what is new to them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import OFFERED, Examples, Habits, reference_of
from rectransfer.recommend.state import State
from rectransfer.scene import Ranked, with_had

__all__ = ["ranked_with_had"]

Mask = npt.NDArray[np.bool_]

Rank = Callable[[int, csr_array, Mask | None], Ranked]
"""Ranks users: how many items, what each must not get, what anybody may get."""


def ranked_with_had(
    state: State,
    examples: Examples,
    viewed: csr_array,
    k: int,
    rank: Rank,
    *,
    filter_viewed: bool,
    allowed: Mask | None = None,
) -> Ranked:
    """The best `k` items of each example.

    What is new to a user has the places among itself, and the scores, that the ranker gives it. What was had
    elsewhere, and what was had here unless it is left out, is put among it by habits. In a model that was
    saved before there were any it ranks like the rest.

    Args:
        state: A fitted model.
        examples: u users.
        viewed: What they have had here, shape `(u, n_items)`.
        k: How many.
        rank: Ranks the users.
        filter_viewed: Whether what they have had here is left out.
        allowed: What any user may get, shape `(n_items,)`.
    """
    scored: list[tuple[Habits, csr_array]] = []
    elsewhere = state.elsewhere(examples, viewed)
    shut = csr_array(viewed + elsewhere)
    if not filter_viewed:
        if state.habits is None:
            shut = elsewhere
        else:
            scored.append((state.habits, viewed))
    if state.habits_elsewhere is not None:
        scored.append((state.habits_elsewhere, elsewhere))
    if not scored:
        return rank(k, shut, allowed)
    best = rank(max(k, OFFERED), shut, None)
    found = best if allowed is None else rank(k, shut, allowed)
    reference = reference_of(best.padded(len(examples))[1])
    among = state.scene.on_sale if allowed is None else allowed
    for habits, had in scored:
        found = with_had(found, habits.scores(examples, had, reference), among, k)
    return found
