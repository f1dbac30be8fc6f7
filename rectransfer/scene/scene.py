"""The scene: evidence and towers over one vocabulary, and what they make of users."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rectransfer.ranking import (
    LEANING,
    STEADY,
    Batch,
    Evidence,
    Examples,
    Profiles,
    Ranker,
    Slate,
    Towers,
    entries,
    fill_unknown,
    profile_signals,
    table_signals,
)
from rectransfer.retrieval import VectorIndex, choose_index
from rectransfer.scene.candidates import Call, chunks, rows_by_user, scorers
from rectransfer.scene.ranked import Ranked, list_ndcg, top_of

__all__ = ["Scene"]

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_SCORED_BY_TOWER: Final = "tower"
_PROFILE: Final = "profile"


@dataclass(frozen=True, eq=False)
class Scene:
    """Evidence of several domains over one vocabulary of items, and the towers trained on it.

    Attributes:
        evidence: One a domain, all in the same item rows; the last one's popularity is the fallback for
            users about whom nothing is known.
        towers: By the domain whose tables they take.
        on_sale: Which items may be recommended, shape `(n_items,)`.
        depth: How many candidates each retriever brings.
        profiles: What users bring from a source, if any do.
    """

    evidence: tuple[Evidence, ...]
    towers: dict[str, Towers]
    on_sale: Mask
    depth: int = 300
    profiles: Profiles | None = None
    _indexes: dict[str, VectorIndex] = field(default_factory=dict, repr=False)
    _tower_vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @cached_property
    def shelf(self) -> Rows:
        """The rows of the items on sale."""
        return np.flatnonzero(self.on_sale)

    @cached_property
    def best_sellers(self) -> Rows:
        """The items on sale by popularity in the last domain, then in the others, then by row."""
        popularity = [-evidence.popularity[self.shelf] for evidence in self.evidence]
        keys_with_row: list[npt.NDArray[Any]] = [self.shelf, *popularity]
        return self.shelf[np.lexsort(tuple(keys_with_row))]

    def candidates(
        self, examples: Examples, *, exclude: csr_array | None = None, allowed: Mask | None = None, k: int = 0
    ) -> Rows:
        """The union of what each retriever finds.

        Retrievers are affinity to each domain's table, each domain's item-item weights and transitions,
        towers, profiles, leanings and best sellers.

        Args:
            examples: u users.
            exclude: What a user must not get, shape `(u, n_items)`.
            allowed: What any user may get, shape `(n_items,)`, besides being on sale.
            k: How many each retriever brings at least.

        Returns:
            Item rows, shape `(u, m)`, ascending; -1 fills up the rows of users with fewer.
        """
        shut = csr_array((len(examples), len(self.on_sale))) if exclude is None else exclude
        call = Call(
            shelf=self.shelf,
            n_items=len(self.on_sale),
            depth=max(self.depth, k),
            shut=csr_array(shut[:, self.shelf]),
            allowed=None if allowed is None else allowed[self.shelf],
        )
        found = [call.first_of(self.best_sellers)]
        found += [call.nearest(self._index(name), queries) for name, queries in self._queries(examples)]
        found += [call.best_by(score, examples) for one in self.evidence for score in scorers(one)]
        return rows_by_user(np.unique(np.concatenate(found)), len(examples), len(self.on_sale))

    def slate(self, examples: Examples, candidates: Rows) -> Slate:
        """The signals of candidates, and which of them are the examples' labels."""
        parts = [self._signals(examples.take(rows), candidates[rows]) for rows in chunks(len(examples))]
        signals = np.concatenate(parts) if parts else np.zeros((0, 0, len(self.names)), np.float32)
        return Slate(self.names, signals, candidates >= 0, _taken(examples, candidates), examples.lengths)

    def lesson(
        self,
        examples: Examples,
        rng: np.random.Generator,
        others: int = 200,
        *,
        exclude: csr_array | None = None,
    ) -> Slate:
        """A slate to learn from: the labels that were retrieved, and a sample of the other candidates.

        A uniform sample leaves the softmax's gradients right but for a constant, and learning costs a
        fraction of what it would cost on all candidates.

        Args:
            examples: u users, with labels.
            rng: Where randomness comes from.
            others: How many other candidates are kept of each user.
            exclude: What is no candidate, shape `(u, n_items)`; by default what they had in the domain that
                is learned.
        """
        candidates = self.candidates(examples, exclude=examples.had if exclude is None else exclude)
        if not candidates.size:
            return self.slate(examples, candidates)
        taken = _taken(examples, candidates)
        draw = rng.random(candidates.shape, dtype=np.float32)
        draw[taken] = -1.0  # labels first, then a random sample, then the filling
        draw[candidates < 0] = 2.0
        kept = min(candidates.shape[1], others + int(taken.sum(axis=1).max()))
        order = np.argsort(draw, axis=1)[:, :kept]
        return self.slate(examples, np.sort(np.take_along_axis(candidates, order, axis=1), axis=1))

    def rank(
        self,
        ranker: Ranker,
        examples: Examples,
        k: int,
        *,
        exclude: csr_array | None = None,
        allowed: Mask | None = None,
    ) -> Ranked:
        """The best `k` items of each example; fewer where fewer are left. Equal scores: by row.

        Args:
            ranker: Over any of the scene's signals.
            examples: u users.
            k: How many.
            exclude: What a user must not get, shape `(u, n_items)`.
            allowed: What any user may get, shape `(n_items,)`.
        """
        parts = []
        for rows in chunks(len(examples)):
            part = examples.take(rows)
            shut = None if exclude is None else csr_array(exclude[rows])
            candidates = self.candidates(part, exclude=shut, allowed=allowed, k=k)
            if candidates.shape[1]:
                scores = ranker.score(self.slate(part, candidates))
                parts.append(top_of(rows, candidates, scores, k))
        none = np.zeros(0, np.int64)
        empty = Ranked(none, none, np.zeros(0, np.float32), none)
        return Ranked(
            users=np.concatenate([part.users for part in (*parts, empty)]),
            items=np.concatenate([part.items for part in (*parts, empty)]),
            scores=np.concatenate([part.scores for part in (*parts, empty)]),
            ranks=np.concatenate([part.ranks for part in (*parts, empty)]),
        )

    def ndcg(self, ranker: Ranker, examples: Examples, k: int = 10) -> npt.NDArray[np.float64]:
        """NDCG@k of each example's list against its labels, shape `(u,)`; what it had before is left out."""
        if not len(examples):
            return np.zeros(0)
        candidates = self.candidates(examples, exclude=examples.seen)
        return list_ndcg(examples, candidates, ranker.score(self.slate(examples, candidates)), k)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The signals' names, in the order of a slate's columns."""
        nobody = Examples(*(np.zeros(0, np.int64), len(self.on_sale)), *(np.zeros(0, np.int64),) * 5)
        batch = Batch.of(nobody, np.zeros((0, 0), np.int64))
        own = [name for evidence in self.evidence for name in table_signals(evidence, batch)]
        if self.profiles is not None:
            own += profile_signals(self.profiles, batch)
        return (*own, *(f"{name}.{_SCORED_BY_TOWER}" for name in self.towers))

    def _signals(self, examples: Examples, candidates: Rows) -> npt.NDArray[np.float32]:
        batch = Batch.of(examples, candidates)
        columns = [column for one in self.evidence for column in table_signals(one, batch).values()]
        if self.profiles is not None:
            columns += profile_signals(self.profiles, batch).values()
        for name, tower in self.towers.items():
            users, items = tower.encode_users(examples), self._tower_items(name)
            found = np.einsum("ud,umd->um", users, items[candidates])
            columns.append(fill_unknown(self._of(name), batch, found))
        return np.stack(columns, axis=2)

    def _queries(self, examples: Examples) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        pooled = examples.pooled(STEADY)
        ones = np.ones((len(examples), 1), np.float32)
        for one in self.evidence:
            if one.known[self.shelf].any():
                yield one.name, np.hstack([np.asarray(pooled @ one.vectors, np.float32), ones])
        if self.profiles is not None:
            yield _PROFILE, self.profiles.of(examples)[0]
            if (leanings := self.profiles.leanings) is not None:
                apart = leanings.of(examples.counts)
                yield LEANING, np.hstack([apart, np.ones((len(apart), 1), np.float32)])
        for name, tower in self.towers.items():
            yield f"{name}.{_SCORED_BY_TOWER}", tower.encode_users(examples)

    def _index(self, name: str) -> VectorIndex:
        if name not in self._indexes:
            vectors = self._vectors(name)[self.shelf]
            self._indexes[name] = choose_index(len(vectors)).build(vectors)
        return self._indexes[name]

    def _vectors(self, name: str) -> npt.NDArray[np.float32]:
        if name == _PROFILE and self.profiles is not None:
            return self.profiles.contexts
        if name == LEANING and self.profiles is not None and self.profiles.leanings is not None:
            return np.hstack([self.profiles.leanings.calls, self.profiles.leanings.common[:, None]])
        domain, _, tower = name.partition(".")
        if tower:
            return self._tower_items(domain)
        one = self._of(domain)
        return np.hstack([one.contexts, one.log_prior[:, None]])

    def _of(self, domain: str) -> Evidence:
        return next(one for one in self.evidence if one.name == domain)

    def _tower_items(self, domain: str) -> npt.NDArray[np.float32]:
        if domain not in self._tower_vectors:
            self._tower_vectors[domain] = self.towers[domain].encode_items()
        return self._tower_vectors[domain]


def _taken(examples: Examples, candidates: Rows) -> Mask:
    """Which candidates are labels of their user, shape `(u, m)`."""
    owner = np.repeat(np.arange(len(examples)), candidates.shape[1])
    labels = entries(examples.relevant, owner, candidates)
    return np.asarray((labels > 0) & (candidates >= 0), dtype=np.bool_)
