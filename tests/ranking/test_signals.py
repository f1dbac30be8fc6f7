"""Every signal by hand, on tables small enough to check on paper."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rectransfer.embeddings import EmbeddingTable
from rectransfer.neighbours import ItemWeights, Neighbours
from rectransfer.ranking import SIGNALS, Batch, Evidence, Examples, fill_unknown, lay_out, table_signals
from rectransfer.ranking import signals as room
from rectransfer.testing import check_signal
from rectransfer.vocabulary import Vocabulary

W = np.array([[1, 0], [0, 2], [3, 4], [0, 0]], dtype=np.float32)
C = np.array([[1, 1], [2, 0], [0, -1], [0, 0]], dtype=np.float32)
PULLS = np.array([[0, 0.5, 0.1, 0], [0.7, 0, -0.6, 0], [0, 0.3, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
# Two items in a history are typical, so that nothing is held back but what repeats: sqrt(log(1 + 1)).
CALLED_FOR = Neighbours(1.0, 2.0, np.ones(4, np.float32), ItemWeights(csr_array(PULLS), 1.0))
ONCE = np.sqrt(np.log(2))
EVIDENCE = Evidence(
    name="mine",
    vectors=W,
    contexts=C,
    log_prior=np.array([-1, -2, -3, -3], dtype=np.float32),
    popularity=np.log1p(np.array([9, 4, 1, 0], dtype=np.float32)),
    known=np.array([True, True, True, False]),
    weights=CALLED_FOR,
)
# The first user took item 0 three visits before the last, and item 1 on the last; the second nothing.
EXAMPLES = Examples(
    users=np.array([0, 1]),
    n_items=4,
    owner=np.array([0, 0]),
    items=np.array([0, 1]),
    ages=np.array([4, 1]),
    label_owner=np.zeros(0, np.int64),
    labels=np.zeros(0, np.int64),
)
CANDIDATES = np.array([[2, 3, 0], [0, 1, 3]])
BATCH = Batch.of(EXAMPLES, CANDIDATES)


def weights(half_life):
    raw = np.log1p(np.array([0.5 ** (3 / half_life), 1.0]))
    return raw / raw.sum()


@pytest.mark.parametrize(("name", "half_life"), [("affinity_recent", 3.0), ("affinity_steady", 20.0)])
def test_affinity(name, half_life):
    query = weights(half_life) @ W[:2]
    known = [query @ C[2], query @ C[0]]  # item 3 is unknown: neither good nor bad
    expected = [[known[0], np.mean(known), known[1]], [0, 0, 0]]
    np.testing.assert_allclose(SIGNALS[name](EVIDENCE, BATCH), expected, rtol=1e-5)


def test_recent_looks_at_the_last_visit_more_than_steady():
    # item 0 has W·C = 1 from the old item and 2 from the fresh one
    recent, steady = (SIGNALS[name](EVIDENCE, BATCH)[0, 2] for name in ("affinity_recent", "affinity_steady"))
    assert 1.5 < steady < recent < 2


def test_neighbours_are_the_log_of_what_the_history_calls_for():
    # item 2 is called for by .1 - .6 < 0, item 3 by nothing, item 0 by .7
    expected = np.log([[0.03, 0.03, 0.7 * ONCE + 0.03], [0.03] * 3])
    np.testing.assert_allclose(SIGNALS["neighbours"](EVIDENCE, BATCH), expected, rtol=1e-5)


def test_neighbours_count_repeats_damped_and_hold_long_histories_back():
    often = replace(EXAMPLES, owner=np.zeros(4, np.int64), items=np.array([1, 1, 2, 3]), ages=np.ones(4, int))
    found = SIGNALS["neighbours"](EVIDENCE, Batch.of(often, np.array([[0, 1], [0, 1]])))
    held_back = (3 / 2) ** -0.25  # three different items
    expected = [[0.7 * np.sqrt(np.log(3)) * held_back, 0.3 * ONCE * held_back], [0, 0]]
    np.testing.assert_allclose(found, np.log(np.array(expected) + 0.03), rtol=1e-5)


def test_neighbours_without_weights_say_nothing():
    found = SIGNALS["neighbours"](replace(EVIDENCE, weights=None), BATCH)
    assert found.tolist() == [[0, 0, 0], [0, 0, 0]]


class TestFillUnknown:
    def test_by_hand(self):
        # item 3 is unknown: it gets the mean of the user's others; -1 fills up, and counts for nothing
        batch = Batch.of(EXAMPLES, np.array([[2, 3, 0, -1], [3, 1, -1, -1]]))
        values = np.array([[4, 99, 1, 50], [99, 7, 50, 50]], np.float32)
        found = fill_unknown(EVIDENCE, batch, values)
        assert found.dtype == np.float32
        assert found[:, :3].tolist() == [[4, 2.5, 1], [7, 7, 7]]
        assert np.isfinite(found).all()

    def test_all_known_stays_as_it_is(self):
        batch = Batch.of(EXAMPLES, np.array([[2, 0], [1, 0]]))
        values = np.array([[4, 1], [2, 3]], np.float32)
        assert fill_unknown(EVIDENCE, batch, values).tolist() == values.tolist()

    def test_nothing_known_is_0(self):
        batch = Batch.of(EXAMPLES, np.array([[3, 3], [3, -1]]))
        assert fill_unknown(EVIDENCE, batch, np.full((2, 2), 9, np.float32)).tolist() == [[0, 0], [0, 0]]


def test_popularity_and_unknown():
    np.testing.assert_allclose(
        SIGNALS["popularity"](EVIDENCE, BATCH), np.log([[2, 1, 10], [10, 5, 1]]), rtol=1e-6
    )
    assert SIGNALS["unknown"](EVIDENCE, BATCH).tolist() == [[0, 1, 0], [0, 0, 1]]


def test_an_unknown_item_in_the_history_is_passed_over():
    examples = replace(EXAMPLES, items=np.array([3, 1]))
    batch = Batch.of(examples, np.array([[2], [2]]))
    fresh = weights(20.0)[1]  # item 1: W·C = -2; the unknown one adds nothing to the average
    np.testing.assert_allclose(SIGNALS["affinity_steady"](EVIDENCE, batch), [[-2 * fresh], [0]], rtol=1e-5)
    np.testing.assert_allclose(  # it calls for nothing, either: .1 - .6 becomes -.6, which is below 0
        SIGNALS["neighbours"](EVIDENCE, batch), np.log([[0.03], [0.03]]), rtol=1e-5
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_keeps_the_contract(name):
    check_signal(SIGNALS[name])


def test_columns_are_named_by_domain_and_signal():
    found = table_signals(EVIDENCE, BATCH)
    assert list(found) == [f"mine.{name}" for name in SIGNALS]
    assert all(column.shape == CANDIDATES.shape for column in found.values())


def test_a_new_signal_is_a_function_and_its_name(monkeypatch):
    def cheap(evidence, batch):
        """How cheap the item is."""
        return np.full(batch.candidates.shape, 7, np.float32)

    monkeypatch.setattr(room, "SIGNALS", {**SIGNALS, "cheap": cheap})
    found = table_signals(EVIDENCE, BATCH)
    assert list(found)[-1] == "mine.cheap"
    assert (found["mine.cheap"] == 7).all()


class TestLayOut:
    TABLE = EmbeddingTable(
        Vocabulary.from_ids(["a", "b"]), W[:2], C[:2], counts=np.array([1, 16]), ns_exponent=0.5
    )

    def test_by_equal_ids(self):
        items = Vocabulary(pl.Series(["x", "b"]))
        found = lay_out("s", self.TABLE, items, popularity=np.array([1, 2], np.float32))
        assert found.known.tolist() == [False, True]
        assert found.vectors.tolist() == [[0, 0], [0, 2]]
        assert found.contexts.tolist() == [[0, 0], [2, 0]]
        # noise: 1 ** .5 and 16 ** .5 of 5; what is unknown is as rare as the rarest
        np.testing.assert_allclose(found.log_prior, np.log([1 / 5, 4 / 5]), rtol=1e-5)
        assert found.popularity.tolist() == [1, 2]
        assert found.n_items == 2

    def test_by_rows(self):
        items = Vocabulary(pl.Series(["p", "q", "r"]))
        rows = np.array([1, -1, 1])
        found = lay_out("s", self.TABLE, items, popularity=np.zeros(3, np.float32), rows=rows)
        assert found.known.tolist() == [True, False, True]
        assert found.vectors.tolist() == [[0, 2], [0, 0], [0, 2]]

    def test_without_a_table_every_item_is_unknown(self):
        items = Vocabulary(pl.Series(["p", "q"]))
        found = lay_out("s", None, items, popularity=np.ones(2, np.float32))
        assert not found.known.any()
        assert not found.vectors.any()
        assert found.weights is None
