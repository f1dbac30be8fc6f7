import logging

import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import EmbeddingTable, UserTable
from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.transfer import Coverage, align, bridges, require_bridge, user_coverage
from rectransfer.vocabulary import Vocabulary


def make_table(ids: list) -> EmbeddingTable:
    n = len(ids)
    return EmbeddingTable(Vocabulary(pl.Series(ids)), np.ones((n, 2)), np.ones((n, 2)), np.ones(n, dtype=int))


def make_log(rows: list[tuple]) -> InteractionLog:
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


TABLE = make_table(["tea", "milk", "rice"])
TARGET = make_log([("u", "milk", 1), ("u", "Brot", 2), ("v", "milk", 3), ("v", "tea", 4), ("w", "Brot", 5)])


def test_equal_ids() -> None:
    found = align(TABLE, TARGET)
    assert found.vocabulary.ids.to_list() == ["Brot", "milk", "tea"]
    assert found.rows.tolist() == [-1, 1, 0]
    assert found.known.tolist() == [False, True, True]
    assert found.link is None
    assert found.coverage == Coverage(2, 3, 2, all_items=3, all_interactions=5, all_users=3)
    with pytest.raises(ValueError, match="read-only"):
        found.rows[0] = 0


def test_coverage_in_numbers_and_words() -> None:
    coverage = align(TABLE, TARGET).coverage
    assert (coverage.items, coverage.interactions, coverage.users) == (2 / 3, 3 / 5, 2 / 3)
    assert coverage.as_dict()["interactions"] == 0.6
    assert coverage.as_dict()["n_items"] == 2
    assert coverage.as_dict()["by"] == "items"
    assert str(coverage) == (
        "66.7% of the items (2 of 3), 60.0% of the interactions (3 of 5), 66.7% of the users (2 of 3)"
    )
    assert Coverage(0, 0, 0, 0, 0, 0).items == 0.0


def test_a_catalogue_larger_than_the_log() -> None:
    catalogue = Vocabulary(pl.Series(["rice", "Brot", "tea", "milk", "Salz"]))
    found = align(TABLE, TARGET, vocabulary=catalogue)
    assert found.rows.tolist() == [2, -1, 0, 1, -1]
    assert (found.coverage.n_items, found.coverage.all_items, found.coverage.n_interactions) == (3, 5, 3)


@pytest.mark.parametrize(
    "link",
    [
        {"Brot": "rice", "milk": "milk", "tea": "milk"},
        pl.DataFrame(
            {"source_id": ["rice", "milk", "milk"], "other": 1, "target_id": ["Brot", "milk", "tea"]}
        ),
    ],
)
def test_a_link_table_many_to_one(link) -> None:
    found = align(TABLE, TARGET, link=link)
    assert found.rows.tolist() == [2, 1, 1]
    assert found.coverage.interactions == 1.0
    assert found.link is not None
    assert found.link.rows() == [("Brot", "rice"), ("milk", "milk"), ("tea", "milk")]


def test_with_a_link_table_equal_ids_are_an_accident() -> None:
    assert align(TABLE, TARGET, link={"Brot": "rice"}).rows.tolist() == [2, -1, -1]


def test_a_link_between_numbers_and_text() -> None:
    target = make_log([("u", 10, 1), ("u", 11, 2)])
    assert align(TABLE, target, link={10: "tea"}).rows.tolist() == [0, -1]


def test_pairs_that_cannot_be_placed_are_counted(caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="rectransfer"):
        found = align(TABLE, TARGET, link={"Brot": "rice", "Salz": "tea", "tea": "gone"})
    assert found.rows.tolist() == [2, -1, -1]
    assert (
        "2 of 3 pairs of the link table are left out: 1 name no item of the target, 1 no source item"
        in caplog.text
    )


def test_a_target_linked_to_two_sources() -> None:
    link = pl.DataFrame(
        {"target_id": ["Brot", "Brot", "tea", "tea"], "source_id": ["rice", "milk", "tea", "tea"]}
    )
    with pytest.raises(
        InputError, match=r"1 target ids link to more than one source id.*'Brot' to \['rice', 'milk'\]"
    ):
        align(TABLE, TARGET, link=link)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({}, "link table is empty"),
        (
            pl.DataFrame({"target": ["tea"], "source": ["tea"]}),
            r"columns are \['target', 'source'\]; expected",
        ),
        ({"rice": "Brot"}, "none of the link table's 1 pairs.*0 have an item of the target.*swapped"),
        ({"tea": 3}, "source_id ids are Int64.*String.*cast"),
        ({3: "tea"}, "target_id ids are Int64.*String.*cast"),
        ({"tea": None, "milk": "milk"}, "nulls"),
        ({"tea": 1.5}, "Float64"),
    ],
)
def test_link_tables_that_cannot_be_used(link, message: str) -> None:
    with pytest.raises(InputError, match=message):
        align(TABLE, TARGET, link=link)


def test_numbers_here_and_text_there() -> None:
    with pytest.raises(
        InputError, match=r"target's items ids are Int64 \(for example 3\).*String \('tea'\); cast"
    ):
        align(TABLE, make_log([("u", 3, 1)]))


def test_an_accidental_overlap_is_refused() -> None:
    target = make_log([("u", f"sku-{i}", i) for i in range(99)] + [("u", "milk", 100)])
    with pytest.raises(CoverageError) as caught:
        align(TABLE, target)
    message = str(caught.value)
    assert "1.0% of the interactions (1 of 100)" in message
    assert "at least 5.0%" in message
    assert "['tea', 'milk', 'rice'] (String)" in message
    assert "'sku-0'" in message
    assert "link={target id: source id}" in message
    assert "min_coverage=0.0" in message
    assert align(TABLE, target, min_coverage=0.01).coverage.n_items == 1


def test_no_overlap_passes_only_where_it_is_meant() -> None:
    target = make_log([("u", "Brot", 1)])
    with pytest.raises(CoverageError):
        align(TABLE, target, min_coverage=1e-9)
    assert align(TABLE, target, min_coverage=0.0).rows.tolist() == [-1]
    with pytest.raises(InputError, match="min_coverage=5"):
        align(TABLE, target, min_coverage=5)


USERS = UserTable(Vocabulary.from_ids(["v", "w", "x"]), np.ones((3, 2)), TABLE.vocabulary, TABLE.contexts)


def test_shared_users() -> None:
    expected = Coverage(3, 3, 2, all_items=3, all_interactions=5, all_users=3, by="users")
    assert user_coverage(USERS, TARGET) == expected
    assert user_coverage(USERS.vocabulary, TARGET) == expected
    with pytest.raises(InputError, match=r"target's users ids are String.*cast"):
        user_coverage(Vocabulary.from_ids([1]), TARGET)


STRANGE = make_table(["q"])
STRANGERS = Vocabulary.from_ids(["q"])


@pytest.mark.parametrize(
    ("items", "users", "kind"),
    [
        (TABLE, USERS, "both"),
        (TABLE, STRANGERS, "items"),
        (STRANGE.vocabulary, USERS, "users"),
        (STRANGE, STRANGERS, "none"),
        (make_table([1]), USERS, "users"),
        (TABLE, Vocabulary.from_ids([1]), "items"),
    ],
)
def test_which_bridges_there_are(items, users, kind: str) -> None:
    assert bridges(items, users, TARGET).kind == kind


def test_bridges_have_their_coverage() -> None:
    found = bridges(TABLE, USERS, TARGET)
    assert found.items == align(TABLE, TARGET).coverage
    assert found.users == user_coverage(USERS, TARGET)
    assert bridges(STRANGE, STRANGERS, TARGET, link={"Brot": "q"}).items.n_interactions == 2
    assert bridges(TABLE, USERS, TARGET, min_coverage=0.65).kind == "users"
    assert bridges(STRANGE, STRANGERS, TARGET, min_coverage=0.0).kind == "none"


@pytest.mark.parametrize("share", [-0.1, 2.0, float("nan")])
def test_a_coverage_is_a_share(share: float) -> None:
    with pytest.raises(InputError, match=r"min_coverage=.*; expected a share from 0 to 1"):
        bridges(TABLE, USERS, TARGET, min_coverage=share)


def test_no_bridge_no_transfer() -> None:
    found = bridges(TABLE, USERS, TARGET)
    assert require_bridge(found) is found
    with pytest.raises(CoverageError) as caught:
        require_bridge(bridges(make_table([1, 2]), STRANGERS, TARGET))
    message = str(caught.value)
    assert (
        "shared items reach 0.0% of the target's interactions, shared users are 0.0% of its users" in message
    )
    assert "[1, 2] (Int64)" in message
    assert "['Brot', 'milk', 'tea'] (String)" in message
    assert "link={target id: source id}" in message
