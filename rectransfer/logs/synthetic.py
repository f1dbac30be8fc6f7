"""Planted logs: two domains whose rules are known, so that a right answer can be told from a wrong one."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.logs.planted import Domain, Floats, PlantedConfig, Rows, Rules
from rectransfer.vocabulary import Vocabulary

__all__ = ["PlantedConfig", "PlantedDomains", "plant"]

_START: Final = datetime(2024, 1, 1)
_DAY: Final = 86_400_000_000  # microseconds
_STEPS_A_SESSION: Final = 4


@dataclass(frozen=True, eq=False)
class PlantedDomains:
    """Two logs and the rules that made them.

    Attributes:
        source: The mature domain's log: 90 days.
        target: The thin domain's log: the last 30 of them.
        items: `item_id`, `source_cluster` and `target_cluster` (null where the domain hasn't the item) and
            `popularity`, its weight inside a cluster.
        users: `user_id`, `taste` (a cluster), `in_source`, `in_target`.
        config: What was asked for.
    """

    source: InteractionLog
    target: InteractionLog
    items: pl.DataFrame
    users: pl.DataFrame
    config: PlantedConfig

    @cached_property
    def source_catalogue(self) -> Vocabulary:
        """All items that the source could show, taken or not."""
        return self._catalogue("source")

    @cached_property
    def target_catalogue(self) -> Vocabulary:
        """All items that the target could show, taken or not."""
        return self._catalogue("target")

    def best_next(self, history: InteractionLog, domain: Domain = "target") -> Floats:
        """The true distribution of the next item of each user: no model ranks better on average.

        Args:
            history: What the users took so far, in time; rows of this domain.
            domain: Whose catalogue and rules.

        Returns:
            Probabilities, shape `(history.n_users, n_catalogue)`: rows as `history.users`, columns as the
            domain's catalogue. They add up to 1; items of the history have 0.

        Raises:
            InputError: The history has a user or an item that wasn't planted in the domain.
        """
        catalogue = self.target_catalogue if domain == "target" else self.source_catalogue
        known = self.users.filter(pl.col(f"in_{domain}"))
        taste_of = Vocabulary(known[Columns.User]).rows(history.users.ids)
        frame = history.frame
        items = catalogue.rows(frame[Columns.Item])
        users = history.users.rows(frame[Columns.User])
        if (taste_of < 0).any() or (items < 0).any():
            raise InputError(f"{history.name}: it has users or items that were not planted in the {domain}")
        last = np.zeros(history.n_users, dtype=np.int64)
        last[users] = items  # rows are in order of time: the last one stays
        seen = np.zeros((history.n_users, len(catalogue)), dtype=np.bool_)
        seen[users, items] = True
        rules = Rules.of(self.items.filter(pl.col(f"{domain}_cluster").is_not_null()), domain, self.config)
        return rules.next_item(known["taste"].to_numpy()[taste_of], last, seen)

    def _catalogue(self, domain: Domain) -> Vocabulary:
        return Vocabulary(self.items.filter(pl.col(f"{domain}_cluster").is_not_null())[Columns.Item])


def plant(config: PlantedConfig | None = None) -> PlantedDomains:
    """Draws the logs of two domains from known rules.

    Args:
        config: What to plant; the default has 80 % of the target's items in the source, and no common user.

    Examples:
        >>> planted = plant(PlantedConfig(seed=7))
        >>> planted.target.n_users, len(planted.target)
        (100, 800)
        >>> planted.best_next(planted.target).sum(axis=1).round(6).max()
        np.float64(1.0)
    """
    config = config or PlantedConfig()
    draw_items, draw_users, draw_source, draw_target = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(4)
    )
    items, users = _items(config, draw_items), _users(config, draw_users)
    return PlantedDomains(
        _walks(items, users, "source", config, draw_source),
        _walks(items, users, "target", config, draw_target),
        items,
        users,
        config,
    )


def _items(config: PlantedConfig, draw: np.random.Generator) -> pl.DataFrame:
    n_shared = round(config.shared_items * min(config.target_items, config.source_items))
    n = config.source_items + config.target_items - n_shared
    source = np.arange(n) % config.clusters
    target = source.copy()
    first_shared, end_source = config.source_items - n_shared, config.source_items
    n_moved = n_shared - round(config.agreement * n_shared)
    moved = first_shared + draw.permutation(n_shared)[:n_moved]
    target[moved] = (source[moved] + draw.integers(1, config.clusters, n_moved)) % config.clusters
    popularity = (1.0 + draw.permutation(n) // config.clusters) ** -config.zipf
    rows = np.arange(n)
    frame = pl.DataFrame(
        {
            Columns.Item: [f"i{row:05d}" for row in draw.permutation(n)],  # the order of ids tells nothing
            "source_cluster": pl.Series(source).set(pl.Series(rows >= end_source), None),
            "target_cluster": pl.Series(target).set(pl.Series(rows < first_shared), None),
            "popularity": popularity,
        }
    )
    return frame.sort(Columns.Item)


def _users(config: PlantedConfig, draw: np.random.Generator) -> pl.DataFrame:
    n_shared = round(config.shared_users * min(config.target_users, config.source_users))
    n = config.source_users + config.target_users - n_shared
    rows = np.arange(n)
    frame = pl.DataFrame(
        {
            Columns.User: [f"u{row:05d}" for row in draw.permutation(n)],
            "taste": draw.integers(0, config.clusters, n),
            "in_source": rows < config.source_users,
            "in_target": rows >= config.source_users - n_shared,
        }
    )
    return frame.sort(Columns.User)


def _walks(
    items: pl.DataFrame, users: pl.DataFrame, domain: Domain, config: PlantedConfig, draw: np.random.Generator
) -> InteractionLog:
    steps = config.source_steps if domain == "source" else config.target_steps
    items = items.filter(pl.col(f"{domain}_cluster").is_not_null())
    users = users.filter(pl.col(f"in_{domain}"))
    rules, n = Rules.of(items, domain, config), users.height
    taken = np.empty((n, steps), dtype=np.int64)
    seen = np.zeros((n, items.height), dtype=np.bool_)
    for step in range(steps):
        chances = rules.next_item(users["taste"].to_numpy(), taken[:, step - 1] if step else None, seen)
        below = chances.cumsum(axis=1) <= draw.random((n, 1)) * chances.sum(axis=1, keepdims=True)
        # Rounding can point past the last item that is still free: the highest free one is meant then.
        taken[:, step] = np.minimum(below.sum(axis=1), items.height - 1 - (~seen[:, ::-1]).argmax(axis=1))
        seen[np.arange(n), taken[:, step]] = True
    first, days = (0, 90) if domain == "source" else (60, 30)
    moments = np.sort(draw.integers(first * _DAY, (first + days) * _DAY, (n, steps)), axis=1)
    frame = _frame(users, items, taken, moments, domain)
    return InteractionLog.from_frame(frame, name=f"planted {domain}")


def _frame(
    users: pl.DataFrame, items: pl.DataFrame, taken: Rows, moments: Rows, domain: Domain
) -> pl.DataFrame:
    n, steps = taken.shape
    sessions = np.arange(steps) // _STEPS_A_SESSION
    offsets = pl.Series(moments.ravel()).cast(pl.Duration("us"))
    return pl.DataFrame(
        {
            Columns.User: users[Columns.User].gather(np.repeat(np.arange(n), steps)),
            Columns.Item: items[Columns.Item].gather(taken.ravel()),
            Columns.Timestamp: offsets + _START,
            Columns.Session: [f"{domain}-{user}-{session}" for user in range(n) for session in sessions],
        }
    )
