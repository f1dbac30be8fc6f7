"""The target's users in parts: a model learns from the others, and is measured on one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, only_users
from rectransfer.metrics import Ndcg, ranks_from_lists
from rectransfer.pretrained import Pretrained
from rectransfer.ranking import VISIT, with_visits
from rectransfer.recommend import Recommender, RecommenderConfig

__all__ = ["Fitting", "Part", "cut_visits", "parts"]

_FEWEST: Final = 20
"""Users below which no two settings can be told apart."""

_KNOWN: Final = 0.75
"""The share of a user's visits that a model is shown."""

_LATE: Final = "late"
_FOLDS: Final = 1  # a stream of its own: the gate's parts inside are drawn independently

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fitting:
    """What `Recommender.fit` is told besides log and config.

    Attributes:
        items: Ids of the catalogue on sale.
        link: Target item ids to source item ids.
        min_coverage: The share of the target that a source has to reach.
    """

    items: Iterable[str] | Iterable[int] | None = None
    link: pl.DataFrame | Mapping[str, str] | Mapping[int, int] | None = None
    min_coverage: float = 0.05


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the target's users, and the log of the others.

    Attributes:
        rest: The others' log.
        history: What these users did in the first three quarters of their visits.
        later: `user_id` and `item_id` of what was new to them afterwards.
        items: The catalogue: all items of the target's log, and those given besides.
    """

    rest: InteractionLog
    history: InteractionLog
    later: pl.DataFrame
    items: pl.Series

    def ndcg(self, sources: list[Pretrained], config: RecommenderConfig, fitting: Fitting) -> Floats:
        """NDCG@10 of each user here, by a model fitted on the others: what ships, as a user would get it.

        Returns:
            One value for each user of `later`, ids ascending.
        """
        model = Recommender(sources or None, config=config).fit(
            self.rest, items=self.items, link=fitting.link, min_coverage=fitting.min_coverage
        )
        users = self.later[Columns.User].unique().sort()
        lists = model.recommend(users, 10, history=self.history)
        return Ndcg(10).per_user(ranks_from_lists(lists, self.later))


def parts(
    target: InteractionLog,
    folds: int,
    seed: int,
    items: Iterable[Any] | None = None,
    *,
    at_once: bool = False,
) -> list[Part]:
    """Split the target's users into folds, and the visits of each into earlier and later ones.

    A visit is a session, or a moment where the log has no sessions. Every user is in one fold; those without
    two visits, or without anything new later, are only learned from.

    Raises:
        InputError: Fewer than 20 users can be measured, or fewer than two of a fold.
    """
    early, later = cut_visits(target, at_once=at_once)
    measured = later[Columns.User].n_unique()
    if folds < 2 or measured < max(_FEWEST, 2 * folds):
        raise InputError(
            f"{target.name}: {measured:,} of {target.n_users:,} users have a later visit with something new, "
            f"and {folds} folds were asked for; settings can be told apart from 2 folds and "
            f"{max(_FEWEST, 2 * folds)} such users on. Keep the defaults until the log has grown"
        )
    catalogue = target.items.ids
    if items is not None:
        catalogue = pl.concat([catalogue, pl.Series(list(items), dtype=catalogue.dtype)]).unique().sort()
    # those who can be measured are dealt out evenly, whoever else there is
    draw = np.random.default_rng([seed, _FOLDS])
    able = pl.Series(later[Columns.User].unique().sort())
    others = target.users.ids.filter(~target.users.ids.is_in(able.implode()))
    dealt = [_deal(ids, folds, draw) for ids in (able, others)]
    found = []
    for out in range(folds):
        inside = pl.concat([part[out] for part in dealt])
        rest = pl.concat([part[fold] for part in dealt for fold in range(folds) if fold != out])
        found.append(
            Part(
                rest=only_users(target, rest),
                history=target.with_frame(early.filter(pl.col(Columns.User).is_in(inside.implode()))),
                later=later.filter(pl.col(Columns.User).is_in(inside.implode())),
                items=catalogue,
            )
        )
    return found


def _deal(ids: pl.Series, folds: int, draw: np.random.Generator) -> list[pl.Series]:
    order = draw.permutation(ids.len())
    return [ids.gather(np.sort(order[fold::folds])) for fold in range(folds)]


def cut_visits(target: InteractionLog, *, at_once: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cut each user's visits after three quarters of them.

    Args:
        target: Whose.
        at_once: Whether each row counts as a visit by itself, in an order that is drawn.

    Returns:
        The earlier rows of the users with something new later, and `user_id` and `item_id` of that, sorted.
    """
    frame, number = with_visits(target.frame, at_once=at_once), pl.col(VISIT)
    last = number.max().over(Columns.User)
    first_late = ((last + 1) * _KNOWN).round().clip(1, last).cast(pl.Int64)
    marked = frame.with_columns(((last > 0) & (number >= first_late)).alias(_LATE))
    key = [Columns.User, Columns.Item]
    early = marked.filter(~pl.col(_LATE)).drop(_LATE, VISIT)
    later = marked.filter(_LATE).select(key).unique().join(early.select(key), on=key, how="anti").sort(key)
    return early.join(later, on=Columns.User, how="semi", maintain_order="left"), later
