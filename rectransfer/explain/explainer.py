"""From a scene, a ranker and users to explanations."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.explain.background import Background
from rectransfer.explain.coalitions import pulls
from rectransfer.explain.explanations import Explanations, Told
from rectransfer.explain.formula import Doubles, Formula
from rectransfer.explain.history import Entries, Split, sums
from rectransfer.explain.lists import Part, chunks, columns_of, held, in_order, standing, with_items
from rectransfer.explain.players import Players
from rectransfer.explain.workers import side_by_side
from rectransfer.metrics import top_k
from rectransfer.ranking import Examples, Ranker
from rectransfer.scene import Scene
from rectransfer.vocabulary import Vocabulary

__all__ = ["Explainer"]

Rows = npt.NDArray[np.int64]


class Explainer:
    """Explains a ranker's scores of a scene's candidates against a background.

    Which game: see `pulls` for signals and their groups. A signal that is a sum over the history is split
    over its items exactly, by linearity: an item that is absent keeps its place in the average (pooling
    weights and their sum stay as they are, and so does the history's length), and what it says there is
    replaced by what the signal is in the background. So an item counts by how much more it calls for the
    recommended one than histories call for a typical candidate. The item-item signal is the log of such a
    sum; along the straight way from the background's sum to the user's each term keeps its part.

    Args:
        scene: Where candidates and signals come from.
        ranker: What scores them.
        items: The items behind the scene's rows.
        background: What to compare with.
        groups: Names of groups with the signals in each; by default `Players.of` chooses.

    Raises:
        InputError: Groups that don't fit the ranker's signals.
    """

    def __init__(
        self,
        scene: Scene,
        ranker: Ranker,
        items: Vocabulary,
        background: Background,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.scene, self.ranker, self.items, self.background = scene, ranker, items, background
        self.formula = Formula.of(ranker)
        self.players = Players.of(ranker.names, groups)
        columns = [background.names.index(name) for name in ranker.names]
        self._raw = background.signals[:, columns].astype(np.float64)
        self._others = self.formula.scaled(self._raw)

    def best(
        self,
        examples: Examples,
        users: Vocabulary,
        k: int,
        *,
        exclude: csr_array | None = None,
    ) -> Iterator[Explanations]:
        """Explain the best `k` items of each user, some users at a time.

        Args:
            examples: u of them, with a history or a profile.
            users: Their ids.
            k: How many.
            exclude: What a user must not get, shape `(u, n_items)`.
        """

        def best(part: Part) -> Explanations | None:
            rows, some, shut = part
            candidates = self.scene.candidates(some, exclude=shut, k=k)
            if not candidates.shape[1]:
                return None
            return self._explained(some, users.take(rows), candidates, k=k)

        yield from (found for found in side_by_side(best, chunks(examples, exclude)) if found is not None)

    def asked(
        self,
        examples: Examples,
        users: Vocabulary,
        items: Rows,
        *,
        exclude: csr_array | None = None,
    ) -> Iterator[Explanations]:
        """Explain some items for each user, as they stand among the user's candidates.

        An item that no retriever brings, or that the user mustn't get, is scored beside those that may be
        recommended; its rank says where it would stand.

        Args:
            examples: u of them, with a history or a profile.
            users: Their ids.
            items: Rows of the items, each once.
            exclude: What a user must not get, shape `(u, n_items)`.
        """

        def asked(part: Part) -> Explanations:
            rows, some, shut = part
            candidates = with_items(self.scene.candidates(some, exclude=shut), items)
            return self._explained(some, users.take(rows), candidates, items=items, shut=shut)

        yield from side_by_side(asked, chunks(examples, exclude))

    def listed(
        self, examples: Examples, users: Vocabulary, lists: Rows, *, exclude: csr_array | None = None
    ) -> Iterator[Explanations]:
        """Explain a list of each user's own, some users at a time; ranks are by score within it.

        An item that a domain doesn't know gets there what the user's candidates have on average; for lists
        that hold one candidates are looked for, and these users come last.

        Args:
            examples: u of them, with a history or a profile.
            users: Their ids.
            lists: Rows of items, each once a user, -1 where there are fewer; shape `(u, k)`.
            exclude: What a user must not get, shape `(u, n_items)`.
        """
        shelf = self.scene.on_sale  # a domain that knows nothing on sale says the same of all
        told = [one.known for one in self.scene.evidence if one.known[shelf].any()]
        known = np.all([np.ones(len(shelf), np.bool_), *told], axis=0)
        strange = ((lists >= 0) & ~known[lists]).any(axis=1)
        k = lists.shape[1]
        for averaged in (False, True):
            of = np.flatnonzero(strange == averaged)
            for rows, some, shut in chunks(examples.take(of), None if exclude is None else exclude[of]):
                mine = candidates = in_order(lists[of[rows]])
                if averaged:
                    candidates = with_items(self.scene.candidates(some, exclude=shut, k=k), mine)
                yield self._explained(some, users.take(of[rows]), candidates, k=k, among=mine)

    def nothing(self, users: pl.DataType) -> Explanations:
        """No explanations, of this one's signals and groups.

        Args:
            users: The type of users' ids.
        """
        none, s = np.zeros(0, np.int64), len(self.players.signals)
        entries = Entries.of(_nobody(len(self.items)), none, none)
        return Explanations(
            users=pl.Series([], dtype=users),
            items=self.items.take(none),
            ranks=none,
            scores=np.zeros(0),
            base=np.zeros(0),
            lengths=none,
            players=self.players,
            values=np.zeros((0, s)),
            contributions=np.zeros((0, s)),
            typical=self._raw.mean(axis=0),
            told=self._told(
                entries, none.reshape(0, 0), np.zeros((0, s)), np.zeros((0, s, len(self._others)))
            ),
        )

    def scores_of(self, length: float) -> Callable[[npt.ArrayLike], Doubles]:
        """The ranker as a function of signals, for explainers of others.

        Args:
            length: `log(1 + different items in the history)` of the user.

        Returns:
            Takes signals of the shape `(n, s)`, gives scores of the shape `(n,)`.
        """

        def scores(signals: npt.ArrayLike) -> Doubles:
            z = self.formula.scaled(signals)
            return self.formula.score(z, np.full(len(z), length))

        return scores

    @property
    def background_signals(self) -> Doubles:
        """The background in the columns of the ranker's signals, shape `(b, s)`."""
        return self._raw.copy()

    def _explained(
        self,
        examples: Examples,
        users: pl.Series,
        candidates: Rows,
        *,
        k: int = 0,
        items: Rows | None = None,
        shut: csr_array | None = None,
        among: Rows | None = None,
    ) -> Explanations:
        slate = self.scene.slate(examples, candidates)
        scores = self.ranker.score(slate)
        if among is not None:
            scores[~held(candidates, among)] = -np.inf
        if items is None:
            columns = top_k(scores, min(k, scores.shape[1]))[1]
            ranks = np.broadcast_to(np.arange(1, columns.shape[1] + 1), columns.shape)
        else:
            columns = columns_of(candidates, items)
            ranks = standing(scores, candidates, columns, shut)
        there = np.isfinite(np.take_along_axis(scores, columns, axis=1))
        owner, column = np.nonzero(there)[0], columns[there]
        values = slate.columns(self.ranker.names)[owner, column].astype(np.float64)
        entries = Entries.of(examples, owner, candidates[owner, column])
        items_had = np.diff(examples.counts.indptr)
        z, lengths = self.formula.scaled(values), np.log1p(items_had)[owner]
        pull = pulls(self.formula, self.players, z, self._others, lengths)
        moved = pull * (z[:, :, None] - self._others.T)
        return Explanations(
            users=users.gather(owner),
            items=self.items.take(entries.items),
            ranks=ranks[there].astype(np.int64),
            scores=self.formula.score(z, lengths),
            base=self.bases(np.log1p(items_had))[owner],
            lengths=items_had[owner].astype(np.int64),
            players=self.players,
            values=values,
            contributions=moved.sum(axis=2),
            typical=self._raw.mean(axis=0),
            told=self._told(entries, candidates, values, moved),
        )

    def bases(self, lengths: npt.NDArray[np.floating]) -> Doubles:
        """What the background scores for each user on average, shape `(u,)`.

        Args:
            lengths: `log(1 + different items in the history)`, shape `(u,)`.
        """
        return np.array([self.formula.score(self._others, length).mean() for length in lengths])

    def _told(self, entries: Entries, candidates: Rows, values: Doubles, moved: Doubles) -> Told:
        splits = sums(self.scene, self.ranker.names, entries, candidates)
        found = np.zeros((len(entries.pair), len(splits)))
        for place, (name, split) in enumerate(splits.items()):
            column, others = self.ranker.names.index(name), self.background.sums[name]
            away = split.wholes[:, None] - others
            if name.endswith(".tower"):  # biases and priors aren't the history's
                away = values[:, column, None] - self._raw[:, column]
            found[:, place] = _shared(entries, split, others, away, moved[:, column])
        return Told(
            signals=tuple(splits),
            pair=entries.pair,
            items=self.items.take(entries.history),
            counts=entries.counts,
            contributions=found,
        )


def _nobody(n_items: int) -> Examples:
    none = np.zeros(0, np.int64)
    return Examples(none, n_items, none, none, none, none, none)


def _shared(entries: Entries, split: Split, others: Doubles, away: Doubles, moved: Doubles) -> Doubles:
    """What a signal contributes against each row of the background, over the history: shape `(h,)`.

    Args:
        entries: n pairs with their histories.
        split: The signal as a sum.
        others: What it sums up to in the background, shape `(b,)`.
        away: How far the whole of it is from each row, shape `(n, b)`.
        moved: What that contributes, shape `(n, b)`.
    """
    rate = np.divide(moved, away, out=np.zeros_like(moved), where=np.abs(away) > 1e-12)
    own, replaced = rate.sum(axis=1), rate @ others
    return np.asarray(own[entries.pair] * split.terms - replaced[entries.pair] * split.shares)
