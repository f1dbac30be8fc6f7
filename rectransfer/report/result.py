"""What a report holds: plain values, computed once, drawn by whoever likes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rectransfer.metrics import Interval
from rectransfer.report.details import Atlas, Person, Signals

__all__ = [
    "Bridge",
    "Gate",
    "Headline",
    "Model",
    "Report",
    "Segment",
    "Segments",
    "Test",
]

Standing = Literal["better", "level", "worse"]


@dataclass(frozen=True)
class Headline:
    """The verdict.

    Attributes:
        sentence: In one sentence.
        standing: Against best sellers, on the test.
        meaning: What it means, a sentence each.
    """

    sentence: str
    standing: Standing
    meaning: tuple[str, ...]


@dataclass(frozen=True)
class Test:
    """What the model was measured on.

    Attributes:
        k: How many items a list has.
        n_users: Users measured.
        n_eligible: Users who could have been: those who took something new.
        n_unknown: Of those measured, users without any history.
        n_pairs: Pairs of user and item to be found.
        n_viewed: Pairs left out, because the user had the item before.
        first: The first moment of the test.
        last: Its last.
    """

    __test__ = False  # pytest: this is no test class

    k: int
    n_users: int
    n_eligible: int
    n_unknown: int
    n_pairs: int
    n_viewed: int
    first: str
    last: str


@dataclass(frozen=True)
class Model:
    """A model on the test.

    Attributes:
        label: What it is called.
        ours: Whether it is the one that ships.
        quality: NDCG, mean over users.
        hits: The share of users who find at least one item in their list.
        gain: Its NDCG less that of best sellers; None for best sellers.
        more_hits: The same for the share of users who find something.
        ahead: NDCG of the model that ships less that of this one; None for itself.
    """

    label: str
    ours: bool
    quality: Interval
    hits: Interval
    gain: Interval | None
    more_hits: Interval | None
    ahead: Interval | None


@dataclass(frozen=True)
class Gate:
    """What was measured on the target's own users before the test.

    Attributes:
        words: In a sentence.
        effect: What it says of the source.
        with_source: NDCG@10 of the best transferred model; None where it wasn't measured.
        without_source: That of the target alone.
        gain: The difference; None where it wasn't measured.
        n_users: Users it was measured on.
    """

    words: str
    effect: Literal["helps", "hurts", "unclear", "unmeasured", "none"]
    with_source: float | None
    without_source: float | None
    gain: tuple[float, float, float] | None
    n_users: int


@dataclass(frozen=True)
class Segment:
    """Some users, or some items, on the test.

    Attributes:
        label: Which.
        n_users: Users measured.
        ours: NDCG of the model that ships.
        popular: NDCG of best sellers.
        gain: The difference; None with fewer than two users.
    """

    label: str
    n_users: int
    ours: float
    popular: float
    gain: Interval | None


@dataclass(frozen=True)
class Segments:
    """One way to part users or items.

    Attributes:
        title: What they are parted by.
        note: How, in a sentence.
        rows: The parts.
    """

    title: str
    note: str
    rows: tuple[Segment, ...]


@dataclass(frozen=True)
class Bridge:
    """What a source reaches.

    Attributes:
        source: What it is called.
        shares: What is reached of the target's items, interactions and users, in words, by shared items or by
            shared users; each with its share, 0 to 1, and the counts in words.
    """

    source: str
    shares: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class Report:
    """All that a page shows.

    Attributes:
        title: Of the page.
        headline: The verdict.
        test: What was measured on.
        models: The models, best first.
        gate: What was measured before the test.
        segments: Where the model gains and where it doesn't.
        bridges: What each source reaches.
        atlas: A map of the items; None with too few.
        signals: What the ranking rests on; None where it isn't known.
        people: Users to look at.
        limits: What the page doesn't show, a sentence each.
        provenance: Names and values: data, versions, seed, card.
    """

    title: str
    headline: Headline
    test: Test
    models: tuple[Model, ...]
    gate: Gate
    segments: tuple[Segments, ...]
    bridges: tuple[Bridge, ...]
    atlas: Atlas | None
    signals: Signals | None
    people: tuple[Person, ...]
    limits: tuple[str, ...]
    provenance: Mapping[str, str]

    @property
    def ours(self) -> Model:
        """The model that ships."""
        return next(model for model in self.models if model.ours)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
