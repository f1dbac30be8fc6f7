from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.sequences import LONGEST_LINE, Sequences, sequences, write_corpus
from rectransfer.vocabulary import Vocabulary


def make_log(rows: list[tuple], sessions: bool = False) -> InteractionLog:
    columns = ["user_id", "item_id", "timestamp", *(["session_id"] if sessions else [])]
    return InteractionLog.from_frame(pl.DataFrame(rows, schema=columns, orient="row"))


def names(cut: Sequences) -> list[tuple]:
    """(user, ids of the items) of each sequence."""
    rows = zip(cut.items["user_id"].to_list(), cut.items["items"].to_list(), strict=True)
    return [(user, "".join(cut.vocabulary.take(items))) for user, items in rows]


LOG = make_log(
    [("u", "b", 3), ("v", "a", 1), ("u", "c", 1), ("u", "a", 2), ("u", "c", 9), ("u", "a", 9), ("v", "a", 5)]
)


def test_by_user_in_order_of_time_and_then_of_the_log() -> None:
    cut = sequences(LOG)
    assert names(cut) == [("u", "cabca"), ("v", "aa")]
    assert (cut.n, len(cut), cut.longest, cut.span, cut.by) == (2, 2, 5, (1, 9), "user")
    assert cut.lengths.tolist() == [5, 2]


def test_by_gap() -> None:
    assert names(sequences(LOG, by="gap", gap=4)) == [("u", "cab"), ("u", "ca"), ("v", "aa")]
    assert names(sequences(LOG, by="gap", gap=3)) == [("u", "cab"), ("u", "ca"), ("v", "a"), ("v", "a")]


def test_by_gap_of_dates() -> None:
    start = datetime(2024, 1, 1)
    log = make_log(
        [("u", item, start + timedelta(minutes=m)) for item, m in [("a", 0), ("b", 30), ("c", 61)]]
    )
    assert names(sequences(log, by="gap", gap=timedelta(minutes=30))) == [("u", "ab"), ("u", "c")]


def test_by_session_of_a_user() -> None:
    rows = [("u", "a", 1, 7), ("u", "b", 2, 8), ("u", "c", 3, 7), ("v", "a", 1, 7)]  # v's 7 is another one
    assert names(sequences(make_log(rows, sessions=True), by="session")) == [
        ("u", "ac"),
        ("u", "b"),
        ("v", "a"),
    ]


def test_without_repeats_the_first_place_counts() -> None:
    assert names(sequences(LOG, repeats=False)) == [("u", "cab"), ("v", "a")]
    assert names(sequences(LOG, by="gap", gap=4, repeats=False)) == [
        ("u", "cab"),
        ("u", "ca"),
        ("v", "aa"[:1]),
    ]


def test_rows_are_those_of_the_vocabulary_given() -> None:
    vocabulary = Vocabulary(pl.Series(["c", "x", "a"]))
    cut = sequences(LOG, vocabulary)
    assert cut.items["items"].to_list() == [[0, 2, 0, 2], [2, 2]]
    assert cut.vocabulary is vocabulary


def test_vocabulary_of_another_log() -> None:
    with pytest.raises(InputError, match="none of the log's 3 items is among the vocabulary's 1"):
        sequences(LOG, Vocabulary.from_ids(["x"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "basket"}, "'session', 'user', 'gap'"),
        ({"by": "session"}, "needs a column 'session_id'.*basket_id"),
        ({"by": "gap"}, "gap=None; a gap goes with by='gap'"),
        ({"by": "user", "gap": 3}, "a gap goes with by='gap'"),
        ({"by": "gap", "gap": timedelta(1)}, "expected a number"),
        ({"by": "gap", "gap": 0}, "above 0"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sequences(LOG, **arguments)


def test_a_number_as_gap_of_dates() -> None:
    with pytest.raises(InputError, match="expected a timedelta"):
        sequences(make_log([("u", "a", datetime(2024, 1, 1))]), by="gap", gap=30)


def test_corpus_has_a_line_a_sequence_and_none_of_one_item(tmp_path) -> None:
    corpus = write_corpus(sequences(LOG, by="gap", gap=3), tmp_path / "corpus.txt")
    assert corpus.path.read_text() == "2 0 1\n2 0\n"
    assert (corpus.n_lines, corpus.n_tokens) == (2, 5)
    assert corpus.counts.tolist() == [2, 1, 2]


@pytest.mark.parametrize(
    ("length", "lines"),
    [
        (LONGEST_LINE, [10_000]),
        (2 * LONGEST_LINE + 5_001, [10_000, 10_000, 5_001]),
        (LONGEST_LINE + 1, [10_000]),  # a single token has no pair
    ],
)
def test_long_lines_are_split_at_10_000(tmp_path, length: int, lines: list[int]) -> None:
    log = InteractionLog.from_frame(
        pl.DataFrame(
            {"user_id": [1] * length, "item_id": np.arange(length) % 977, "timestamp": np.arange(length)}
        )
    )
    corpus = write_corpus(sequences(log), tmp_path / "corpus.txt")
    written = [line.split() for line in corpus.path.read_text().splitlines()]
    assert [len(line) for line in written] == lines
    assert (corpus.n_lines, corpus.n_tokens) == (len(lines), sum(lines))
    assert [int(token) for line in written for token in line] == [i % 977 for i in range(sum(lines))]
    assert corpus.counts.sum() == sum(lines)


def test_no_pairs_at_all(tmp_path) -> None:
    with pytest.raises(InputError, match="none of the 2 sequences has two items"):
        write_corpus(sequences(make_log([("u", "a", 1), ("v", "a", 1)])), tmp_path / "corpus.txt")
