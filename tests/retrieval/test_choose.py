import numpy as np
import pytest

from rectransfer.errors import InputError
from rectransfer.retrieval import (
    FLAT_UP_TO,
    ExactIndex,
    FaissIndex,
    build_for_recall,
    choose_index,
    measured_recall,
)

GENERATOR = np.random.default_rng(0)
VECTORS = GENERATOR.normal(size=(2000, 16)).astype(np.float32)
QUERIES = GENERATOR.normal(size=(50, 16)).astype(np.float32)


def test_size_and_recall_decide():
    assert choose_index(FLAT_UP_TO).kind == "flat"
    assert choose_index(FLAT_UP_TO + 1).kind == "hnsw"
    assert choose_index(FLAT_UP_TO + 1, recall=1.0).kind == "flat"
    assert choose_index(50, flat_up_to=49).kind == "hnsw"


@pytest.mark.parametrize(("n_items", "recall"), [(0, 0.9), (10, 0.0), (10, 1.1)])
def test_what_cannot_be_chosen_for_is_refused(n_items, recall):
    with pytest.raises(InputError, match="got"):
        choose_index(n_items, recall)


def test_recall_by_hand():
    class Fixed:
        n = 5

        def __init__(self, rows):
            self.rows = np.array(rows)

        def search(self, queries, k):
            return np.zeros(self.rows.shape), self.rows

    assert measured_recall(Fixed([[0, 1], [2, 3]]), Fixed([[1, 4], [3, 2]]), np.zeros((2, 1)), 2) == 3 / 4
    with pytest.raises(InputError, match="a query"):
        measured_recall(Fixed([]), Fixed([]), np.zeros((0, 1)), 2)


def test_flat_has_full_recall_and_low_effort_has_less():
    exact = ExactIndex().build(VECTORS)
    assert measured_recall(FaissIndex("flat").build(VECTORS), exact, QUERIES, 20) == 1.0
    assert measured_recall(FaissIndex("ivf", effort=1).build(VECTORS), exact, QUERIES, 20) < 0.9


def test_effort_rises_until_the_recall_is_measured():
    found = build_for_recall(VECTORS, QUERIES, k=20, recall=0.99, flat_up_to=10)
    assert found.recall >= 0.99
    assert found.recall == measured_recall(found.index, ExactIndex().build(VECTORS), QUERIES, 20)


def test_an_effort_beyond_the_catalogue_ends_in_an_exact_index(monkeypatch):
    from rectransfer.retrieval import choose

    monkeypatch.setattr(choose, "measured_recall", lambda index, *rest: 1.0 if index.kind == "flat" else 0.5)
    found = choose.build_for_recall(VECTORS, QUERIES, flat_up_to=10)
    assert (found.index.kind, found.recall) == ("flat", 1.0)


def test_the_fastest_that_finds_enough_and_fits_is_kept():
    found = build_for_recall(VECTORS, QUERIES, k=20, recall=0.9, kinds=["ivf", "sq", "pq"])
    table = found.table()
    fine = table.filter(table["recall"] >= 0.9)
    assert set(table["kind"]) == {"ivf", "sq", "pq"}
    assert found.index.kind == fine.sort("milliseconds")["kind"][0]
    assert found.recall == measured_recall(found.index, ExactIndex().build(VECTORS), QUERIES, 20)
    small = build_for_recall(VECTORS, QUERIES, k=20, recall=0.9, kinds=["ivf", "sq"], most_bytes=60_000)
    assert small.index.kind == "sq"
    assert small.index.bytes <= 60_000


def test_each_recall_of_the_report_is_what_it_was_measured_to_be():
    found = build_for_recall(VECTORS, QUERIES, k=10, recall=1.0, kinds=["ivf"])
    assert found.table()["recall"].is_sorted()  # more effort, more found
    assert found.table()["recall"][-1] == 1.0


def test_an_exact_index_stands_in_where_none_finds_enough():
    found = build_for_recall(VECTORS, QUERIES, k=20, recall=1.0, kinds=["pq"])
    assert (found.index.kind, found.recall) == ("flat", 1.0)
    assert found.table()["kind"].unique().sort().to_list() == ["flat", "pq"]


def test_a_budget_that_cannot_be_kept_is_an_error_with_the_best_that_fits():
    with pytest.raises(
        InputError, match=r"at most 60,000 bytes finds 100% of the top 20: the best .* \(pq\)"
    ):
        build_for_recall(VECTORS, QUERIES, k=20, recall=1.0, kinds=["pq"], most_bytes=60_000)
