"""What is seen of users whom tables and rankers haven't learned from."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import OFFERED, Choice, Examples, Habits, Ranker, Returns, Slate, reference_of
from rectransfer.scene import ranked_ndcg, top_of, with_had

__all__ = ["Choosers", "Fold"]


@dataclass(frozen=True, eq=False)
class Choosers:
    """Users, what they had, and what might be new to them.

    Attributes:
        examples: u users; labels are all that they took, had before or not.
        had: 1 where they had an item, in the target or elsewhere, shape `(u, n_items)`.
        candidates: Of what they hadn't, shape `(u, m)`.
        slate: Their signals.
        returns: How many others come back for each item.
    """

    examples: Examples
    had: csr_array
    candidates: npt.NDArray[np.int64]
    slate: Slate
    returns: Returns

    def choice(self, ranker: Ranker) -> Choice:
        """Between what they had and the best that a ranker finds of what they hadn't.

        Those who had nothing had no choice: what they take would say how good the new is for those who had.
        """
        some = np.flatnonzero(np.diff(self.had.indptr))
        scores = ranker.score(self.slate.take(some))
        best = top_of(np.arange(len(some)), self.candidates[some], scores, OFFERED)
        had, new = csr_array(self.had[some]), best.padded(len(some))
        return Choice(self.examples.take(some), had, *new, self.returns)


@dataclass(frozen=True, eq=False)
class Fold:
    """A contender's view of the users of one fold, whom its tables have never seen.

    Attributes:
        learn: A slate that rankers of the other folds learn from.
        examples: What the fold's users are measured on.
        here: Whom is learned from what is taken again: the same users, and those who took nothing new.
        elsewhere: The same users between what they had elsewhere, and is on sale here, and what is new.
    """

    learn: Slate
    examples: Examples
    here: tuple[Choosers, ...]
    elsewhere: tuple[Choosers, ...]

    def ndcg(self, ranker: Ranker, habits: Habits | None) -> npt.NDArray[np.float64]:
        """NDCG@10 of each who is measured, shape `(u,)`.

        Args:
            ranker: Ranks what is new to them.
            habits: Put what they had elsewhere among it; None where it ranks like the rest.
        """
        some, n = self.examples, len(self.examples)
        if not n:
            return np.zeros(0)
        lists = top_of(np.arange(n), self.here[0].candidates, ranker.score(self.here[0].slate), OFFERED)
        if habits is not None:
            reference = reference_of(lists.padded(n)[1])
            others = replace(habits, returns=self.elsewhere[0].returns)  # their own would tell what they took
            had = others.scores(some, self.elsewhere[0].had, reference)
            lists = with_had(lists, had, np.ones(had.shape[1], np.bool_), OFFERED)
        return ranked_ndcg(some, lists)
