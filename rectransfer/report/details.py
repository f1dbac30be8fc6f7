"""The map, the signals and the users of a report: plain values, as in `result`."""

from dataclasses import dataclass

from rectransfer.report.signal_words import Kind

__all__ = [
    "Advice",
    "Atlas",
    "Because",
    "Landmark",
    "Person",
    "Point",
    "Share",
    "SignalImportance",
    "Signals",
    "Step",
]


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
