"""Scoring a part: users or their histories in, rows out; what `recommend` does, laid out for speed."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.columns import Columns
from rectransfer.errors import InputError, UnknownUserError
from rectransfer.logs import InteractionLog
from rectransfer.ranking import Histories
from rectransfer.recommend.inputs import frame_of, history_of, in_visits_of, joined
from rectransfer.recommend.lists import ranked_with_had
from rectransfer.recommend.state import Part, State
from rectransfer.recommend.telling import Teller
from rectransfer.serving import DEPTH, Server, prepare
from rectransfer.vocabulary import Vocabulary

__all__ = ["Scorer", "ScoringOptions", "digest_of", "serve"]

_SAMPLE: Final = 300
"""Users who are ranked the whole way, to lay the model out by."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScoringOptions:
    """What is scored.

    Attributes:
        k: Items for each user.
        filter_viewed: Whether items that the user has had are left out.
        on_unknown_users: What users without any history get: `"popular"`, `"skip"`, or an error (`"raise"`).
        depth: Candidates that the ranker looks at of each user.
        reasons: Whether each row says why.
    """

    k: int = 10
    filter_viewed: bool = True
    on_unknown_users: str = "popular"
    depth: int = DEPTH
    reasons: bool = False

    def __post_init__(self) -> None:
        for name in ("k", "depth"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r}; expected a whole number from 1")
        if self.on_unknown_users not in ("popular", "skip", "raise"):
            raise InputError(
                f"on_unknown_users={self.on_unknown_users!r}; choose one of ('popular', 'skip', 'raise')"
            )


def serve(state: State) -> Server:
    """Lay out a fitted model by a sample of the users that it knows."""
    histories = Histories.from_log(state.log, state.items)
    there = np.flatnonzero(histories.lengths)
    if len(there) > _SAMPLE:
        there = np.sort(np.random.default_rng(0).choice(there, _SAMPLE, replace=False))
    with threadpool_limits(1):
        return Server.of(state.scene, state.ranker, prepare(_some(histories, there), len(state.items)))


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores parts of users, or of histories.

    Attributes:
        state: A fitted model.
        server: The same, laid out for speed.
        options: What is asked.
        teller: Gives reasons, where they are asked for.
    """

    state: State
    server: Server
    options: ScoringOptions = field(default_factory=ScoringOptions)
    teller: Teller | None = None

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of a part: `user_id`, `item_id`, `score` and `rank`, and `reasons` if asked for.

        Args:
            frame: `user_id`, each once; or all rows of some users: `user_id`, `item_id`, `timestamp`.

        Raises:
            UnknownUserError: As asked for.
            InputError: Histories that cannot be used.
        """
        with threadpool_limits(1, user_api="openmp"):  # it counts for this thread alone
            if Columns.Item in frame.columns:
                users, histories, viewed = self._of_histories(frame)
            else:
                users = Vocabulary(frame[Columns.User])
                histories = _some(self._known, self._known.users.rows(users.ids), users)
                viewed = self._had(users)
            return self._rank(users, histories, viewed)

    def _rank(self, users: Vocabulary, histories: Histories, viewed: csr_array) -> pl.DataFrame:
        state, options = self.state, self.options
        examples = prepare(histories, len(state.items))
        known = state.known(examples)
        if options.on_unknown_users == "raise" and not known.all():
            first = users.ids[int(np.argmin(known))]
            raise UnknownUserError(
                f"{int((~known).sum()):,} of the users have no history here, for example {first!r}; give "
                "their histories, or choose on_unknown_users='popular' or 'skip'"
            )
        server = self.server.with_depth(options.depth)
        ranked = ranked_with_had(
            state,
            examples,
            viewed,
            options.k,
            lambda k, shut, _: server.rank(examples, k, exclude=shut),
            filter_viewed=options.filter_viewed,
        )
        told = known[ranked.users]
        parts = [(ranked.users[told], ranked.items[told], ranked.scores[told], ranked.ranks[told])]
        if options.on_unknown_users == "popular" and not known.all():
            parts.append(state.popular(np.flatnonzero(~known), options.k, self._shut(viewed), None))
        rows = frame_of(state.items, users, parts)
        return rows if self.teller is None else self._with_reasons(rows, users, histories, viewed, parts)

    def _shut(self, viewed: csr_array) -> csr_array:
        """What users must not get of what they have had."""
        return viewed if self.options.filter_viewed else csr_array(viewed.shape, dtype=np.float32)

    def _with_reasons(
        self,
        rows: pl.DataFrame,
        users: Vocabulary,
        histories: Histories,
        viewed: csr_array,
        parts: list[Part],
    ) -> pl.DataFrame:
        assert self.teller is not None  # noqa: S101 (only called where there is one)
        told, *popular = parts
        shut, had = self._shut(viewed), None if self.options.filter_viewed else viewed
        found = [self.teller.told(users, histories, shut, told, had)]
        if popular:
            strangers = np.unique(popular[0][0])
            found.append(self.teller.popular(users, strangers, shut, self.options.k))
        key = [Columns.User, Columns.Item]
        return rows.join(pl.concat(found), on=key, how="left", maintain_order="left")

    def _of_histories(self, frame: pl.DataFrame) -> tuple[Vocabulary, Histories, csr_array]:
        added, items = history_of(frame), self.state.items
        if added is None:
            nobody = Vocabulary(self._known.users.ids.clear())
            return nobody, _some(self._known, np.zeros(0, np.int64), nobody), self._had(nobody)
        added = in_visits_of(self.state.log, added)
        users = Vocabulary(frame[Columns.User].unique(maintain_order=True))
        if (self._known.users.rows(users.ids) >= 0).any() or (self._taken[0].rows(users.ids) >= 0).any():
            past = self.state.log.frame.filter(pl.col(Columns.User).is_in(users.ids.implode()))
            log = joined(InteractionLog.from_frame(past), added) if past.height else added
            own = Histories.from_log(added, items, users)
            return users, Histories.from_log(log, items, users), _pairs(own, len(items)) + self._had(users)
        histories = Histories.from_log(added, items, users)
        return users, histories, _pairs(histories, len(items))

    def _had(self, users: Vocabulary) -> csr_array:
        """What users have had in the target, shape `(u, n_items)`."""
        known, taken = self._taken
        rows = known.rows(users.ids)
        found = csr_array((len(users), len(self.state.items)), dtype=np.float32)
        if not (rows >= 0).any():
            return found
        there = np.flatnonzero(rows >= 0)
        pick = csr_array((np.ones(len(there), np.float32), (there, rows[there])), (len(users), len(known)))
        return csr_array(pick @ taken)

    @cached_property
    def _known(self) -> Histories:
        return Histories.from_log(self.state.log, self.state.items)

    @cached_property
    def _taken(self) -> tuple[Vocabulary, csr_array]:
        known = Vocabulary.from_ids(self.state.target[Columns.User])
        return known, self.state.viewed(known, None)


def digest_of(state: State) -> str:
    """A fingerprint of a fitted model: equal ones give equal rows."""
    digest = hashlib.sha256()

    def add(name: str, values: npt.NDArray[Any]) -> None:
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)

    for name, values in state.ranker.arrays().items():
        add(f"ranker.{name}", values)
    for kind, habits in (("habits", state.habits), ("habits elsewhere", state.habits_elsewhere)):
        for name, values in (habits.arrays() if habits else {}).items():
            add(f"{kind}.{name}", values)
    for domain, towers in state.scene.towers.items():
        for name, values in towers.layers().items():
            add(f"{domain}.{name}", values)
    for one in state.scene.evidence:
        for name in ("vectors", "contexts", "log_prior", "popularity", "known"):
            add(f"{one.name}.{name}", getattr(one, name))
        for name, values in (one.weights.arrays() if one.weights else {}).items():
            add(f"{one.name}.weights.{name}", values)
    if state.scene.profiles is not None:
        add("profiles.vectors", state.scene.profiles.vectors)
        add("profiles.contexts", state.scene.profiles.contexts)
        if (leanings := state.scene.profiles.leanings) is not None:
            for name, values in leanings.arrays().items():
                add(f"leanings.{name}", values)
    add("on_sale", state.scene.on_sale)
    log, target = state.log.frame, state.target
    users = Vocabulary.from_ids(pl.concat([log[Columns.User], target[Columns.User]]))
    for name, frame in (("log", log), ("target", target)):
        add(f"{name}.users", users.rows(frame[Columns.User]))
        add(f"{name}.items", state.items.rows(frame[Columns.Item]))
    add("log.times", log[Columns.Timestamp].to_physical().to_numpy())
    for ids in (state.items.ids, users.ids):
        digest.update("\x1f".join(map(str, ids.to_list())).encode())
    return digest.hexdigest()


def _pairs(histories: Histories, n_items: int) -> csr_array:
    ones = np.ones(len(histories.items), np.float32)
    return csr_array((ones, histories.items, histories.offsets), shape=(len(histories), n_items))


def _some(histories: Histories, rows: Rows, users: Vocabulary | None = None) -> Histories:
    """The histories in some rows; -1 has none."""
    lengths = np.where(rows >= 0, histories.lengths[rows], 0) if len(histories) else np.zeros(len(rows), int)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    starts = histories.offsets[rows] if len(histories) else np.zeros(len(rows), int)
    flat = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    who = Vocabulary(histories.users.take(rows)) if users is None else users
    return Histories(who, offsets, histories.items[flat], histories.steps[flat])
