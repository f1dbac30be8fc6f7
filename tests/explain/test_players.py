"""Who plays."""

import pytest

from rectransfer.errors import InputError
from rectransfer.explain import Players

TABLES = ("affinity_recent", "affinity_steady", "neighbours", "popularity", "unknown", "tower")


def signals(*domains: str) -> list[str]:
    return [f"{domain}.{name}" for domain in domains for name in TABLES]


def test_few_signals_play_for_themselves() -> None:
    assert Players.of(signals("target")).names == tuple(signals("target"))


def test_more_are_grouped_by_what_they_look_at() -> None:
    names = [*signals("source", "target"), "profile.affinity", "profile.missing", "target.season"]

    found = Players.of(names)

    assert found.names == (
        *("source.taste", "source.neighbours", "source.popularity"),
        *("target.taste", "target.neighbours", "target.popularity"),
        *("profile", "target.season"),
    )
    assert [names[column] for column in found.columns[0]] == [
        *("source.affinity_recent", "source.affinity_steady", "source.tower")
    ]
    assert sorted(column for columns in found.columns for column in columns) == list(range(len(names)))


def test_many_sources_play_as_domains() -> None:
    assert Players.of(signals("a", "b", "c", "d", "joint", "target")).names == (
        *("a", "b", "c", "d", "joint", "target"),
    )


def test_groups_of_ones_own() -> None:
    found = Players.of(["a.x", "a.y", "b.x"], {"mine": ["b.x", "a.x"], "other": ["a.y"]})

    assert found.names == ("mine", "other")
    assert found.groups == (0, 1, 0)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"mine": ["a.x"]}, "leave out a.y"),
        ({"mine": ["a.x", "a.y"], "other": ["a.x"]}, "'a.x' twice"),
        ({"mine": ["a.x", "a.y", "a.z"]}, "'a.z', which is no signal; there are a.x, a.y"),
    ],
)
def test_groups_that_do_not_fit(groups: dict[str, list[str]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Players.of(["a.x", "a.y"], groups)


def test_more_players_than_can_be_enumerated() -> None:
    names = [f"domain{place}.popularity" for place in range(20)]

    with pytest.raises(InputError, match=r"20 players have 1,048,576 coalitions, too many; join signals"):
        Players.of(names)
    with pytest.raises(InputError, match="20 players"):
        Players.of(names, {name: [name] for name in names})
