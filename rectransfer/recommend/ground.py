"""The common ground of sources and target: one vocabulary, one log, who is shared."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import SOURCE, Pretrained, not_apart
from rectransfer.ranking import Histories, done_at_once, every
from rectransfer.recommend.brought import brought
from rectransfer.recommend.views import SourceView, view_of
from rectransfer.tastes import TasteSpace, find_tastes
from rectransfer.transfer import bridges, require_bridge
from rectransfer.transfer.link import Link
from rectransfer.vocabulary import Vocabulary

__all__ = ["Ground", "prepare"]

logger = logging.getLogger(__name__)

_FEWEST_COUNTS: Final = 100
"""Pairs of user and item below which nothing is said of tastes."""

_STRANGERS: Final = (0.5, 0.9)
"""The least and the largest share of users who are met as if new."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Sources and target over one vocabulary of items.

    Attributes:
        target: The target's log.
        merged: The same, with what shared users did in the sources.
        items: Items of the catalogue and, where users are shared, of their histories.
        on_sale: Which of them may be recommended, shape `(n_items,)`.
        sources: The sources.
        at_once: Whether hardly anybody came twice, neither to the target nor to any source. A target whose
            users haven't come twice *yet* is another matter: what its sources know of the next visit says
            more than what stands together in the first.
    """

    target: InteractionLog
    merged: InteractionLog
    items: Vocabulary
    on_sale: npt.NDArray[np.bool_]
    sources: tuple[SourceView, ...]
    at_once: bool = False

    @cached_property
    def shares_users(self) -> bool:
        """Whether users bring a history from a source."""
        return self.merged is not self.target

    def histories(
        self, log: InteractionLog, users: Vocabulary, *, own: InteractionLog | None = None
    ) -> Histories:
        """Users' histories in the rows of the ground's items, to be cut into what is known and what is asked.

        Args:
            log: As in `Histories.from_log`; so is `own`.
            users: Whose.
            own: Likewise.
        """
        return Histories.from_log(log, self.items, users, own=own).to_cut(at_once=self.at_once)

    @cached_property
    def had_elsewhere(self) -> SourceView | None:
        """The first source whose users bring what is on sale here, if it knows their habits."""
        sold = self.items.ids.filter(pl.Series(self.on_sale)).implode()
        for view in self.sources:
            carried = None if view.pretrained.habits is None else view.carried
            if carried is not None and carried.items.ids.is_in(sold).any():
                return view
        return None

    @cached_property
    def sharing(self) -> SourceView | None:
        """The first source that shares users with the target."""
        return next((view for view in self.sources if view.bridges.by_users), None)

    @cached_property
    def known_elsewhere(self) -> Vocabulary:
        """The users of the sources that share users with the target."""
        ids = [view.users.ids for view in self.sources if view.bridges.by_users]
        return Vocabulary.from_ids(pl.concat([self.target.users.ids[:0], *ids]))

    @cached_property
    def strangers(self) -> float:
        """The share of shared users to be met as if new to the target; 0 where users aren't shared.

        That of the sources' users who aren't in the target, within bounds: those who are in it already come
        back, and of a target that has met almost everybody some are still new.
        """
        elsewhere = len(self.known_elsewhere)
        if not self.shares_users or not elsewhere:
            return 0.0
        here = int((self.known_elsewhere.rows(self.target.users.ids) >= 0).sum())
        return float(np.clip(1 - here / elsewhere, *_STRANGERS))

    def met_as_new(self, users: Vocabulary) -> npt.NDArray[np.bool_]:
        """Which of some users are met as if new to the target, of those who are known elsewhere."""
        found = np.zeros(len(users), np.bool_)
        shared = np.flatnonzero(self.known_elsewhere.rows(users.ids) >= 0)
        found[shared[every(len(shared), self.strangers)]] = True
        return found

    @cached_property
    def tastes(self) -> TasteSpace | None:
        """Where users of the source that shares them stand by what isn't on sale here.

        None where no source shares users and keeps counts, or next to none are of other items.
        """
        if self.sharing is None or self.sharing.taken is None:
            return None
        others = np.flatnonzero(~self.on_sale)
        place = (np.ones(len(others), np.float32), (others, others))
        counts = csr_array(self.sharing.taken @ csr_array(place, shape=(len(self.items),) * 2))
        return find_tastes(counts) if counts.nnz >= _FEWEST_COUNTS else None


def prepare(
    target: InteractionLog,
    pretrained: Sequence[Pretrained],
    *,
    items: Iterable[str] | Iterable[int] | None,
    link: Link | Sequence[Link | None] | None,
    min_coverage: float,
) -> Ground:
    """Lay sources and target out over one vocabulary.

    Raises:
        CoverageError: A source and the target share neither items nor users.
        InputError: Ids differ in type, `items` lacks any of the right type, or there aren't as many links as
            sources.
    """
    catalogue, links = _catalogue(target, items), _links(link, len(pretrained))
    found = [
        bridges(
            one.items.vocabulary,
            one.users.vocabulary,
            target,
            link=linked,
            min_coverage=min_coverage,
            catalogue=catalogue,
        )
        for one, linked in zip(pretrained, links, strict=True)
    ]
    at_once = done_at_once(target)
    for one, bridge, linked in zip(pretrained, found, links, strict=True):
        require_bridge(bridge)
        _warn_of_types("users", one.users.vocabulary, target.users)
        if linked is None:
            _warn_of_types("items", one.items.vocabulary, catalogue)
        if not (at_once and one.at_once):  # rows without times are alike where users and items are
            _require_apart(one, target)
    carried = [
        brought(one, target, catalogue, linked, at_once=at_once and one.at_once) if bridge.by_users else None
        for one, bridge, linked in zip(pretrained, found, links, strict=True)
    ]
    logs = [log for log in carried if log is not None]
    merged = _merge(target, logs)
    ids = pl.concat([catalogue.ids, *(log.items.ids for log in logs)])
    vocabulary = Vocabulary.from_ids(ids)
    names = [SOURCE] if len(pretrained) == 1 else [f"{SOURCE}{n}" for n in range(1, len(pretrained) + 1)]
    views = tuple(
        view_of(name, one, target, vocabulary, catalogue, bridge, linked, carried=log)
        for name, one, bridge, linked, log in zip(names, pretrained, found, links, carried, strict=True)
    )
    on_sale = catalogue.rows(vocabulary.ids) >= 0
    at_once = at_once and all(one.at_once for one in pretrained)
    return Ground(target, merged, vocabulary, on_sale, views, at_once)


def _catalogue(target: InteractionLog, items: Iterable[str] | Iterable[int] | None) -> Vocabulary:
    if items is None:
        return target.items
    given = Vocabulary.from_ids(items)
    if given.dtype != target.items.dtype:
        raise InputError(
            f"items holds {given.dtype} ids and the target's log {target.items.dtype}; cast one of them"
        )
    return Vocabulary.from_ids(pl.concat([given.ids, target.items.ids]))


def _links(link: Link | Sequence[Link | None] | None, n_sources: int) -> Sequence[Link | None]:
    """A link for each source: one that is given alone is for all of them."""
    if not isinstance(link, list | tuple):
        return [link] * n_sources  # type: ignore[list-item]  # no other sequence is a link
    if len(link) != n_sources:
        raise InputError(
            f"{len(link)} links and {n_sources} sources: give one for each, None where ids are equal; pairs "
            "of ids make one link by dict(pairs)"
        )
    return link


def _warn_of_types(what: str, theirs: Vocabulary, ours: Vocabulary) -> None:
    """Warn where ids share nothing because they are numbers on one side and text on the other."""
    if theirs.dtype == ours.dtype:
        return
    there = Vocabulary.from_ids(theirs.ids.cast(pl.String))
    if n := np.count_nonzero(there.rows(ours.ids.cast(pl.String)) >= 0):
        logger.warning(
            "%s of %s %s would be the source's, too, but ids are %s there and %s in the target: they count "
            "as others; cast one of them if they are the same",
            *(f"{n:,}", f"{len(ours):,}", what, theirs.dtype, ours.dtype),
        )


def _require_apart(one: Pretrained, target: InteractionLog) -> None:
    """Refuse a source that has learned from the target's rows, and warn of one that goes on after them."""
    if wrong := not_apart(one, target):
        raise InputError(wrong)
    kept = one.histories
    if kept is None or kept.frame[Columns.Timestamp].dtype != target.frame[Columns.Timestamp].dtype:
        return
    first, last = target.span
    # a tenth of the target's span: two logs that were cut at one day don't end in the same second
    if (kept.span[1] - last) * 10 > last - first:  # type: ignore[operator]  # of one type
        logger.warning(
            "the source's log goes on until %s and the target's ends on %s: what the source knows of the "
            "time after may flatter the transfer; cut it with between(source, end=...)",
            kept.span[1],
            last,
        )


def _merge(target: InteractionLog, carried: Sequence[InteractionLog]) -> InteractionLog:
    if not carried:
        return target
    key = [Columns.User, Columns.Item, Columns.Timestamp]
    frames = [log.frame.select(key) for log in (*carried, target)]
    return InteractionLog.from_frame(pl.concat(frames), name=f"{target.name} with its users' past")
