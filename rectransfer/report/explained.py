"""What the model says of itself: reasons, waterfalls and the importance of its signals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rectransfer.logs import InteractionLog
from rectransfer.recommend import Recommender
from rectransfer.report.people import Drawn
from rectransfer.report.result import Because, Signals
from rectransfer.report.trial import Trial

__all__ = ["Explained", "explained"]


@dataclass(frozen=True, eq=False)
class Explained:
    """What the model says of itself.

    Attributes:
        reasons: In words, by user and item.
        because: Of each user's first item.
        signals: What the ranking rests on.
    """

    reasons: Mapping[tuple[Any, Any], str] = field(default_factory=dict)
    because: Mapping[Any, Because] = field(default_factory=dict)
    signals: Signals | None = None


def explained(
    model: Recommender,
    trial: Trial,
    drawn: tuple[Drawn, ...],
    history: InteractionLog | None,
    titles: Any,
    *,
    seed: int,
) -> Explained:
    """Reasons for the lists of some users, and what the ranking rests on."""
    return Explained()
