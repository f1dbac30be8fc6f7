"""The best model that fits a budget."""

import logging
from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

from rectransfer.compression.measure import Measured, bytes_on_disk, measure, validation
from rectransfer.compression.settings import LADDER, Compression
from rectransfer.compression.shrink import shrunk
from rectransfer.errors import InputError
from rectransfer.metrics import Interval, paired_bootstrap
from rectransfer.recommend import Recommender

__all__ = ["Compressed", "compress"]

logger = logging.getLogger(__name__)

_FITTING: Final = 3
"""Of the ladder's steps that fit, so many are measured: a milder one is rarely worse."""


@dataclass(frozen=True, eq=False)
class Compressed:
    """A smaller recommender, and what it costs.

    Attributes:
        model: It recommends, saves and loads as any other.
        settings: What was taken off.
        before: The model that was given.
        after: This one.
        difference: NDCG@10 after less before, over the same validation users.
        sizes: Bytes on disk of everything that was looked at, by its settings.
    """

    model: Recommender
    settings: Compression
    before: Measured
    after: Measured
    difference: Interval
    sizes: dict[str, int]

    def table(self) -> pl.DataFrame:
        """`what`, `before`, `after` and `ratio`, for bytes, milliseconds a user, and NDCG@10."""
        pairs: list[tuple[str, float, float]] = [
            ("bytes on disk", self.before.bytes, self.after.bytes),
            ("milliseconds a user", self.before.milliseconds, self.after.milliseconds),
            ("ndcg@10", float(self.before.ndcg.mean()), float(self.after.ndcg.mean())),
        ]
        rows = [(what, old, new, new / old if old else None) for what, old, new in pairs]
        return pl.DataFrame(rows, schema=["what", "before", "after", "ratio"], orient="row")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "settings": asdict(self.settings),
            "table": self.table().to_dicts(),
            "difference": asdict(self.difference),
            "sizes": self.sizes,
        }

    def __str__(self) -> str:
        share = self.after.bytes / self.before.bytes
        return (
            f"{self.settings}: {self.after.bytes:,} bytes, {share:.0%} of {self.before.bytes:,}; "
            f"{self.after.milliseconds:.2f} ms a user (before: {self.before.milliseconds:.2f}); NDCG@10 "
            f"{self.after.ndcg.mean():.4f} (before: {self.before.ndcg.mean():.4f}, difference "
            f"{self.difference}, {self.difference.n_users} users)"
        )


def compress(
    model: Recommender, budget: float = 0.5, *, settings: Compression | None = None, seed: int = 0
) -> Compressed:
    """Make a fitted recommender smaller, and measure what that costs.

    Steps from mild to strong are tried (`LADDER`). Of the mildest three that fit the budget, the one with the
    best NDCG@10 is taken. It is measured on the target's own users, cut in time: no test data is looked at.

    Args:
        model: Fitted or loaded; it stays as it is.
        budget: Bytes of the saved folder, or a share of what it takes now: up to 1.0 is a share.
        settings: What to take off, instead of what the ladder has; it has to fit as well.
        seed: Of the validation users and the interval.

    Raises:
        NotFittedError: The model isn't fitted.
        InputError: A budget that isn't above 0, or that no step fits: the message names the smallest.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> target = plant(PlantedConfig(source_users=50, target_users=30, source_items=30)).target
        >>> small = compress(Recommender().fit(target), budget=0.8)
        >>> small.table()["what"].to_list()
        ['bytes on disk', 'milliseconds a user', 'ndcg@10']
        >>> small.after.bytes <= 0.8 * small.before.bytes
        True
    """
    given: Any = model
    if not isinstance(given, Recommender):
        raise InputError(f"model is a {type(given).__name__}; expected a fitted Recommender")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget > 0:
        raise InputError(f"budget={budget!r}; expected a number: bytes, or a share above 0 and up to 1")
    if isinstance(budget, int) and budget == 1:
        raise InputError(
            "budget=1 may be a byte or all of them; a share is 0.5 or 1.0, bytes are more than 1"
        )
    examples = validation(model.state, seed)
    before = measure(model, examples)
    most = budget * before.bytes if budget <= 1 else budget
    sizes: dict[str, int] = {}
    fitting: list[tuple[Compression, Recommender, Measured]] = []
    for how in LADDER if settings is None else (settings,):
        smaller = Recommender.of(shrunk(model.state, how), model.config)
        sizes[str(how)] = bytes_on_disk(smaller)
        if sizes[str(how)] > most:
            continue
        fitting.append((how, smaller, measure(smaller, examples)))
        logger.info("%s: %s bytes, NDCG@10 %.4f", how, sizes[str(how)], fitting[-1][2].ndcg.mean())
        if len(fitting) == _FITTING:
            break
    if not fitting:
        least = min(sizes, key=lambda name: sizes[name])
        raise InputError(
            f"nothing fits into {most:,.0f} bytes: the smallest takes {sizes[least]:,} ({least}), the model "
            f"{before.bytes:,}; its users' log and ids take their room in any case: allow more"
        )
    how, best, after = max(fitting, key=lambda one: float(one[2].ndcg.mean()))
    difference = paired_bootstrap(after.ndcg, before.ndcg, seed=seed)
    return Compressed(best, how, before, after, difference, sizes)
