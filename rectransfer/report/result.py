"""What a report holds: plain values, computed once, drawn by whoever likes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rectransfer.metrics import Interval
from rectransfer.report.signal_words import Kind

__all__ = [
    "Advice",
    "Atlas",
    "Because",
    "Bridge",
    "Gate",
    "Headline",
    "Landmark",
    "Model",
    "Person",
    "Point",
    "Report",
    "Segment",
    "Segments",
    "Share",
    "SignalImportance",
    "Signals",
    "Step",
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
        shares: Shares of the target's items, interactions and users, 0 to 1, with the counts in words.
    """

    source: str
    shares: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True)
class Point:
    """An item on the map.

    Attributes:
        x: In [0, 1].
        y: In [0, 1].
        group: Its category's number, in the order of the map's.
    """

    x: float
    y: float
    group: int


@dataclass(frozen=True)
class Landmark:
    """A best seller on the map.

    Attributes:
        point: Where.
        title: What.
        category: Of which category.
        near: The titles of the items that are most like it.
    """

    point: Point
    title: str
    category: str | None
    near: tuple[str, ...]


@dataclass(frozen=True)
class Atlas:
    """A map of the items: what users take together lies together.

    Attributes:
        domain: Whose vectors.
        points: Items.
        groups: Categories with how many of the points have each, the last for all others.
        landmarks: Best sellers, numbered on the map.
        n_items: How many items have a vector.
        alike: The share of an item's ten nearest that have its category; None without categories.
        by_chance: What it would be if categories were dealt at random.
    """

    domain: str
    points: tuple[Point, ...]
    groups: tuple[tuple[str, int], ...]
    landmarks: tuple[Landmark, ...]
    n_items: int
    alike: float | None
    by_chance: float | None


@dataclass(frozen=True)
class Share:
    """A part of a whole, and the range it would move in with other users.

    Attributes:
        mean: From 0 to 1.
        low: Lower end of the 95 % interval.
        high: Its upper end.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class SignalImportance:
    """What a group of signals does to the ranking.

    Attributes:
        name: Of the group.
        meaning: In plain words.
        kind: Where it comes from.
        share: Of all that the signals do.
    """

    name: str
    meaning: str
    kind: Kind
    share: Share


@dataclass(frozen=True)
class Signals:
    """What the ranking rests on.

    Attributes:
        rows: The most important first.
        transferred: The share of signals that there would be none of without a source; None where there is
            none.
        by_segment: That share for kinds of users, with how many there are.
        n_users: Users it was measured on.
    """

    rows: tuple[SignalImportance, ...]
    transferred: Share | None
    by_segment: tuple[tuple[str, Share, int], ...]
    n_users: int


@dataclass(frozen=True)
class Step:
    """A step of a waterfall.

    Attributes:
        label: What moves the score.
        value: By how much.
    """

    label: str
    value: float


@dataclass(frozen=True)
class Because:
    """Why an item stands where it stands.

    Attributes:
        base: The score of an average candidate.
        steps: What moves it, the largest first, and the rest.
        score: Where it ends.
    """

    base: float
    steps: tuple[Step, ...]
    score: float


@dataclass(frozen=True)
class Advice:
    """A recommended item.

    Attributes:
        rank: From 1.
        title: What.
        item: Its id, where the title doesn't tell it from others on the page; else empty.
        taken: Whether the user took it in the test.
        reason: In words; empty where there is none.
    """

    rank: int
    title: str
    item: str
    taken: bool
    reason: str


@dataclass(frozen=True)
class Person:
    """A user to look at.

    Attributes:
        user: The id.
        kind: Which kind of user.
        n_history: Different items taken before the test.
        history: Titles of the latest, the last one first, and how many items each stands for.
        advice: What is recommended.
        because: Why the first item is; None where that isn't known.
    """

    user: str
    kind: str
    n_history: int
    history: tuple[tuple[str, int], ...]
    advice: tuple[Advice, ...]
    because: Because | None


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
