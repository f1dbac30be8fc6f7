"""What is seen of users whom tables and rankers haven't learned from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import OFFERED, Choice, Examples, Ranker, Returns, Slate
from rectransfer.scene import top_of

__all__ = ["Choosers", "Fold"]


@dataclass(frozen=True, eq=False)
class Choosers:
    """Users, what they had in the target, and what might be new to them.

    Attributes:
        examples: u users; labels are all that they took, had before or not.
        had: 1 where they had an item in the target, shape `(u, n_items)`.
        candidates: Of what they hadn't, shape `(u, m)`.
        slate: Their signals.
    """

    examples: Examples
    had: csr_array
    candidates: npt.NDArray[np.int64]
    slate: Slate

    def choice(self, ranker: Ranker, returns: Returns) -> Choice:
        """Between what they had and the best that a ranker finds of what they hadn't.

        Those who had nothing had no choice: what they take would say how good the new is for those who had.
        """
        some = np.flatnonzero(np.diff(self.had.indptr))
        scores = ranker.score(self.slate.take(some))
        best = top_of(np.arange(len(some)), self.candidates[some], scores, OFFERED)
        return Choice(self.examples.take(some), csr_array(self.had[some]), *best.padded(len(some)), returns)


@dataclass(frozen=True, eq=False)
class Fold:
    """A contender's view of the users of one fold, whom its tables have never seen.

    Attributes:
        learn: A slate that rankers of the other folds learn from.
        examples: What the fold's users are measured on.
        candidates: Their candidates.
        slate: Their signals.
        choosers: Whom habits are learned from: the same users, and those who took nothing new.
    """

    learn: Slate
    examples: Examples
    candidates: npt.NDArray[np.int64]
    slate: Slate
    choosers: tuple[Choosers, ...]
