import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from gensim.models import Word2Vec

from rectransfer.embeddings import EmbeddingTable, Item2Vec
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.sequences import sequences, write_corpus
from rectransfer.vocabulary import Vocabulary

TASTES = 3
ITEMS = 8  # of a taste
CONFIG = Item2Vec(dimensions=16, epochs=20, negative=10, learning_rate=0.05, deterministic=True)


def planted(n_baskets: int = 900, seed: int = 1) -> InteractionLog:
    """Baskets of five from one taste each; within a taste, item k is drawn in proportion to 1 / (k + 1).

    The ids count down, so that the order of ids, of rows and of frequency all differ.
    """
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, ITEMS + 1)
    frames = []
    for basket in range(n_baskets):
        taste = basket % TASTES
        items = rng.choice(ITEMS, size=5, replace=False, p=p / p.sum())
        frames.append({"user_id": basket, "item_id": [name(taste, k) for k in items], "timestamp": [0] * 5})
    return InteractionLog.from_frame(pl.DataFrame(frames).explode("item_id", "timestamp"))


def name(taste: int, k: int) -> str:
    return f"{99 - (k * TASTES + taste):02d}"


def taste_of(table: EmbeddingTable) -> np.ndarray:
    return np.array([(99 - int(item)) % TASTES for item in table.vocabulary.ids])


@pytest.fixture(scope="module")
def log() -> InteractionLog:
    return planted()


@pytest.fixture(scope="module")
def table(log: InteractionLog) -> EmbeddingTable:
    return CONFIG.fit(sequences(log))


def test_affinity_recovers_who_was_planted_with_whom(table: EmbeddingTable) -> None:
    affinity = table.vectors @ table.contexts.T
    same = taste_of(table)[:, None] == taste_of(table)
    away = ~np.eye(len(table), dtype=bool)
    assert affinity[same & away].min() > affinity[~same].max() + 1


def test_affinity_and_prior_recover_the_conditional_probability(
    log: InteractionLog, table: EmbeddingTable
) -> None:
    baskets = np.zeros((log.n_users, len(table)))
    baskets[log.users.rows(log.frame["user_id"]), table.vocabulary.rows(log.frame["item_id"])] = 1
    together = baskets.T @ baskets
    np.fill_diagonal(together, 0)
    rows, columns = np.nonzero(together)
    log_p = np.log((together / together.sum(axis=1, keepdims=True))[rows, columns])
    score = (table.vectors @ table.contexts.T + table.log_prior)[rows, columns]
    assert np.corrcoef(score, log_p)[0, 1] > 0.95
    # Levy and Goldberg: up to log(negative), which is a constant, they are even equal
    assert np.median(score + np.log(CONFIG.negative) - log_p) == pytest.approx(0, abs=0.35)


def test_nearest_are_of_the_same_taste(table: EmbeddingTable) -> None:
    tastes = dict(zip(table.vocabulary.ids, taste_of(table), strict=True))
    alike = [
        tastes[near] == tastes[item]
        for item in table.vocabulary.ids
        for near in table.nearest(item, k=3)["item_id"]
    ]
    assert np.mean(alike) > 0.9  # by chance 0.3


def test_counts_and_ids_belong_together(log: InteractionLog, table: EmbeddingTable) -> None:
    expected = log.frame["item_id"].value_counts().sort("item_id")
    assert table.vocabulary.ids.to_list() == expected["item_id"].to_list()
    assert table.counts.tolist() == expected["count"].to_list()


def test_rows_are_mapped_back_from_gensims_order(
    log: InteractionLog, table: EmbeddingTable, tmp_path
) -> None:
    """The same training, by gensim alone, word by word."""
    assert len(set(table.counts.tolist())) == len(table), "ties would leave gensim's order open"
    cut = sequences(log)
    corpus = write_corpus(cut, tmp_path / "corpus.txt")
    chosen = CONFIG.chosen_for(cut)
    model = Word2Vec(
        corpus_file=str(corpus.path), sg=1, hs=0, vector_size=16, window=chosen.window, min_count=1, sample=0,
        negative=10, alpha=0.05, epochs=20, seed=0, workers=1, shrink_windows=chosen.shrink_windows,
    )  # fmt: skip
    assert [int(word) for word in model.wv.index_to_key] != sorted(
        int(word) for word in model.wv.index_to_key
    )
    for word in model.wv.index_to_key:
        row = table.vocabulary.rows([cut.vocabulary.ids[int(word)]])[0]
        np.testing.assert_array_equal(table.vectors[row], model.wv[word])
        np.testing.assert_array_equal(table.contexts[row], model.syn1neg[model.wv.key_to_index[word]])


def test_deterministic_fits_are_equal_bit_for_bit(log: InteractionLog, table: EmbeddingTable) -> None:
    again = CONFIG.fit(sequences(log))
    np.testing.assert_array_equal(again.vectors, table.vectors)
    np.testing.assert_array_equal(again.contexts, table.contexts)
    assert again.digest() == table.digest()


def test_deterministic_across_processes() -> None:
    code = (
        "import polars as pl\n"
        "from rectransfer.embeddings import Item2Vec\n"
        "from rectransfer.logs import InteractionLog\n"
        "from rectransfer.sequences import sequences\n"
        "frame = pl.DataFrame({'user_id': [1, 1, 2, 2], 'item_id': list('abac'), 'timestamp': range(4)})\n"
        "log = InteractionLog.from_frame(frame)\n"
        "print(Item2Vec(dimensions=4, deterministic=True).fit(sequences(log)).digest())\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    digests = [process.communicate(timeout=60)[0] for process in started]
    assert digests[0] == digests[1] != ""


def test_another_seed_gives_other_vectors(log: InteractionLog, table: EmbeddingTable) -> None:
    other = Item2Vec(dimensions=16, epochs=1, seed=1, deterministic=True).fit(sequences(log))
    assert not np.array_equal(other.vectors, table.vectors)


def test_several_workers_learn_the_same_structure(log: InteractionLog) -> None:
    table = Item2Vec(dimensions=16, learning_rate=0.05, workers=2).fit(sequences(log))
    affinity = table.vectors @ table.contexts.T
    same = taste_of(table)[:, None] == taste_of(table)
    assert affinity[same].mean() > affinity[~same].mean() + 2


def test_rare_items_and_lone_ones_are_left_out() -> None:
    rows = [(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a"), (3, "rare"), (4, "alone")]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").with_row_index("timestamp")
    cut = sequences(InteractionLog.from_frame(frame))
    assert Item2Vec(min_count=2).fit(cut).vocabulary.ids.to_list() == ["a", "b"]
    assert Item2Vec().fit(cut).vocabulary.ids.to_list() == ["a", "b", "rare"]
    assert Item2Vec().fit(cut).counts.tolist() == [3, 2, 1]
    with pytest.raises(InputError, match=r"no item occurs 4 times \(most: 3\)"):
        Item2Vec(min_count=4).fit(cut)


def test_going_on_from_another_table(log: InteractionLog, table: EmbeddingTable) -> None:
    # with no step to speak of, what comes out is what went in: by id, though the rows differ
    half = log.with_frame(log.frame.filter(pl.col("item_id") > "85"))
    still = Item2Vec(dimensions=16, epochs=1, learning_rate=1e-12, deterministic=True)
    went_on = still.fit(sequences(half), start=table)
    rows = table.vocabulary.rows(went_on.vocabulary.ids)
    assert 0 < len(went_on) < len(table)
    np.testing.assert_allclose(went_on.vectors, table.vectors[rows], atol=1e-6)
    np.testing.assert_allclose(went_on.contexts, table.contexts[rows], atol=1e-6)
    assert went_on.provenance["start"] == table.digest()


def test_a_start_that_does_not_fit(log: InteractionLog, table: EmbeddingTable) -> None:
    with pytest.raises(
        InputError, match=r"expected 8 dimensions, start has 16; use Item2Vec\(dimensions=16\)"
    ):
        Item2Vec(dimensions=8).fit(sequences(log), start=table)
    foreign = EmbeddingTable(Vocabulary.from_ids(["x"]), np.ones((1, 16)), np.ones((1, 16)), np.array([1]))
    with pytest.raises(InputError, match="none of the 24 items is in start, whose ids look like 'x'"):
        Item2Vec(dimensions=16).fit(sequences(log), start=foreign)


def test_windows_cover_a_basket_and_stay_near_in_a_history(log: InteractionLog) -> None:
    with_sessions = log.frame.with_columns(session_id=pl.col("user_id"))
    by_session = sequences(InteractionLog.from_frame(with_sessions), by="session")
    chosen = Item2Vec().chosen_for(by_session)
    assert (chosen.window, chosen.shrink_windows) == (4, False)
    frame = pl.DataFrame({"user_id": [1] * 80, "item_id": range(80), "timestamp": range(80)})
    history = InteractionLog.from_frame(frame)
    chosen = Item2Vec().chosen_for(sequences(history))
    assert (chosen.window, chosen.shrink_windows) == (10, True)
    assert Item2Vec().chosen_for(sequences(history, by="gap", gap=5)).window == 5
    assert Item2Vec(window=3, shrink_windows=False).chosen_for(by_session).window == 3


def test_provenance_says_where_it_comes_from(log: InteractionLog, table: EmbeddingTable) -> None:
    provenance = table.provenance
    assert provenance["hyper_parameters"]["window"] == 4
    assert provenance["sequences"] == {"by": "user", "lines": 900, "tokens": 4500}
    assert provenance["span"] == [0, 0]
    assert "gensim" in provenance["versions"]


def test_progress_counts_epochs(log: InteractionLog, capsys) -> None:
    Item2Vec(dimensions=4, epochs=3).fit(sequences(log), progress=True)
    assert "3/3" in capsys.readouterr().err
    Item2Vec(dimensions=4, epochs=1).fit(sequences(log))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 0}, "dimensions=0"),
        ({"epochs": 0}, "epochs=0"),
        ({"negative": 0}, "negative=0"),
        ({"min_count": 0}, "min_count=0"),
        ({"window": 0}, "window=0"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"sample": 1}, "sample=1"),
        ({"sample": -0.1}, "sample=-0.1"),
        ({"ns_exponent": float("nan")}, "ns_exponent=nan"),
        ({"seed": -1}, "seed=-1"),
        ({"workers": 0}, "workers=0"),
        ({"workers": 2, "deterministic": True}, "takes one worker, not workers=2"),
    ],
)
def test_values_out_of_range(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Item2Vec(**changes)
