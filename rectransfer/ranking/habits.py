"""Habits: what users take again of what they have had, and how that compares with what is new to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit

from rectransfer.artefacts import checked_array
from rectransfer.errors import ArtefactError
from rectransfer.ranking.examples import Examples, entries
from rectransfer.ranking.returns import Returns
from rectransfer.ranking.signals import RECENT, STEADY

__all__ = ["HABIT_SIGNALS", "OFFERED", "Choice", "Habits", "fit_habits", "reference_of"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

HABIT_SIGNALS: Final = ("had", "times", "recent", "steady", "returns", "visits", "breadth", "new", "score")
"""What a choice is weighed by. What was had: 1; how often the item was taken, of late, and over the months
(logs); how many of its users come back for it (log odds), which tells less the oftener this one did; the
user's visits and different items (logs). What is new: 1; the ranker's score, less the user's best ones'."""

OFFERED: Final = 20
"""Best new items of each user that habits are compared with."""

_REFERENCE: Final = 10
"""Of these the first so many, whose mean score is what others are measured by."""

_OF_HAD: Final = HABIT_SIGNALS.index("new")

_START: Final = (-1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, -2.0, 1.0)
"""Where nothing was learned elsewhere: how often it was taken over the months, and who comes back for it."""

_PULL: Final = 100.0
"""How strongly weights are drawn to where they start, in units of loss a pair; users have many pairs each."""

_LEAST_SLOPE: Final = 0.1
"""What a step on the ranker's scale is worth in log odds at least."""

_FAINT: Final = 0.01
"""What is added to a decayed count before its log is taken."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Users between what they had and the best that was new to them: what habits are learned from.

    Attributes:
        examples: u users; their labels are all that they took afterwards, whether they had had it or not.
        had: 1 where they had an item of this domain, shape `(u, n_items)`.
        new: Rows of items that are new to them, best first, shape `(u, m)`; -1 where there is none.
        scores: What the ranker gives those, shape `(u, m)`; -inf where there is none.
        returns: How many others come back for each item: counts of their own would tell what they took.
    """

    examples: Examples
    had: csr_array
    new: Rows
    scores: Floats
    returns: Returns


@dataclass(frozen=True, eq=False)
class Habits:
    """Scores what users have had, on the scale on which a ranker scores what is new to them.

    Whether something is taken again depends on how often and how lately it was taken, more than on what else
    was (Hu et al. 2020, "Modeling personalized item frequency information for next-basket recommendation",
    SIGIR; Li et al. 2023, "A next basket recommendation reality check", ACM TOIS 41). So this is a logistic
    regression on few numbers, of the items that were had and of the best that weren't; the ranker isn't
    asked, as it has only ever learned to tell new items apart.

    Attributes:
        returns: How many users come back for each item.
        weights: Of `HABIT_SIGNALS`, in that order.
    """

    returns: Returns
    weights: Doubles

    def odds(self, examples: Examples, had: csr_array) -> csr_array:
        """Log odds that users take again what they have had.

        Args:
            examples: u users.
            had: Not 0 where they had an item, shape `(u, n_items)`: also what is no longer in the history.
        """
        had = csr_array(had, copy=True)
        had.sum_duplicates()
        odds = _signals(examples, *_places(had), self.returns) @ self.weights[:_OF_HAD]
        return csr_array((odds.astype(np.float32), had.indices, had.indptr), shape=had.shape)

    def scores(self, examples: Examples, had: csr_array, reference: Floats) -> csr_array:
        """What users have had, on the ranker's scale.

        Args:
            examples: u users.
            had: As in `odds`.
            reference: What `reference_of` gives of their best new items, shape `(u,)`.
        """
        found = self.odds(examples, had)
        level, slope = self.weights[_OF_HAD:]
        found.data = ((found.data - level) / slope + np.repeat(reference, np.diff(found.indptr))).astype(
            np.float32
        )
        return found

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that is needed to have it back."""
        return {
            "takers": self.returns.takers,
            "returners": self.returns.returners,
            "weights": self.weights.astype(np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Habits":
        """What `arrays` gave.

        Raises:
            ArtefactError: An array is missing, they don't fit each other, or count what can't be.
        """
        takers = checked_array(arrays, "takers", (None,))
        returners = checked_array(arrays, "returners", takers.shape)
        if not ((returners >= 0) & (returners <= takers)).all():
            raise ArtefactError("more users come back for an item than took it, or fewer than none")
        weights = checked_array(arrays, "weights", (len(HABIT_SIGNALS),))
        return cls(Returns(takers, returners), weights.astype(np.float64))


def reference_of(scores: Floats) -> Floats:
    """The mean of each user's ten best scores, shape `(u,)`; 0 for users without any.

    Args:
        scores: Best first, shape `(u, m)`; -inf where there is none.
    """
    first = scores[:, :_REFERENCE]
    there = np.isfinite(first)
    sums = np.where(there, first, 0).sum(axis=1)
    return np.asarray(sums / np.maximum(there.sum(axis=1), 1), dtype=np.float32)


def fit_habits(choices: Sequence[Choice], returns: Returns, start: Habits | None = None) -> Habits:
    """Learn what habits weigh: a logistic regression, its weights drawn to where they start.

    Args:
        choices: Users, in parts; the rankers that scored what is new to them haven't learned from them.
        returns: How many users come back for each item, from now on.
        start: Another domain's habits; by default a rule of thumb.
    """
    parts = [_pairs(one) for one in choices]
    x = np.concatenate([np.zeros((0, len(HABIT_SIGNALS))), *(x for x, _ in parts)])
    y = np.concatenate([np.zeros(0), *(y for _, y in parts)])
    first = np.array(_START) if start is None else start.weights

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        odds, apart = x @ weights, weights - first
        value = np.logaddexp(0, odds).sum() - y @ odds + _PULL * (apart @ apart)
        return float(value), x.T @ (expit(odds) - y) + 2 * _PULL * apart

    free = [(None, None)] * (len(HABIT_SIGNALS) - 1)
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=[*free, (_LEAST_SLOPE, None)]).x
    return Habits(returns, found.astype(np.float32).astype(np.float64))  # as it is saved


def _pairs(choice: Choice) -> tuple[Doubles, Doubles]:
    """Signals of what users had and of the best that was new to them, and what of it they took."""
    examples = choice.examples
    owner, item = _places(choice.had)
    had = np.hstack([_signals(examples, owner, item, choice.returns), np.zeros((len(owner), 2))])
    user, column = np.nonzero(choice.new >= 0)
    new = np.zeros((len(user), had.shape[1]))
    apart = choice.scores - reference_of(choice.scores)[:, None]
    new[:, _OF_HAD], new[:, _OF_HAD + 1] = 1, apart[user, column]
    pairs = np.concatenate([owner, user]), np.concatenate([item, choice.new[user, column]])
    return np.vstack([had, new]), entries(examples.relevant, *pairs).astype(np.float64)


def _places(matrix: csr_array) -> tuple[Rows, Rows]:
    """Rows and columns of what is in a matrix, in its order."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices.astype(np.int64)


def _signals(examples: Examples, owner: Rows, item: Rows, returns: Returns) -> Doubles:
    """The signals of pairs that were had, shape `(n, 7)`; what is no longer in the history was taken once."""
    visits = np.zeros(len(examples))
    np.maximum.at(visits, examples.owner, examples.ages)
    times = np.maximum(entries(examples.counts, owner, item), 1)
    decayed = [entries(examples.decayed(half), owner, item) for half in (RECENT, STEADY)]
    columns = (
        np.ones(len(owner)),
        np.log(times),
        *(np.log(values + _FAINT) for values in decayed),
        returns.odds()[item] / times,
        np.log1p(visits)[owner],
        examples.lengths[owner],
    )
    return np.column_stack(columns).astype(np.float64)
