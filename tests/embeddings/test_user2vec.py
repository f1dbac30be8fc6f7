import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import EmbeddingTable, User2Vec, UserTable
from rectransfer.errors import ArtefactError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary

ITEMS = EmbeddingTable(
    Vocabulary.from_ids(["a", "b", "c"]),
    vectors=np.array([[1, 0], [0, 1], [2, 2]]) * 1.0,
    contexts=np.array([[1, 1], [2, 2], [3, 3]]) * 1.0,
    counts=np.array([3, 2, 1]),
)
LOG = InteractionLog.from_frame(
    pl.DataFrame(
        {
            "user_id": [7, 7, 7, 7, 5, 9],
            "item_id": ["a", "x", "b", "a", "c", "x"],
            "timestamp": [1, 2, 3, 4, 1, 1],
        }
    )
)


def clusters(n_users: int = 60) -> InteractionLog:
    """Two tastes of six items; user u has the taste u % 2."""
    rng = np.random.default_rng(0)
    rows = [
        (u, int(item) + 6 * (u % 2), t)
        for u in range(n_users)
        for t, item in enumerate(rng.integers(0, 6, 10))
    ]
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


def test_pooled_by_hand() -> None:
    users = User2Vec(decay=0.5).fit(LOG, ITEMS)
    # user 7: a (age 2), b (age 1), a (age 0); x is unknown and takes no place
    weights = np.array([0.25, 0.5, 1.0]) / 1.75
    assert users.vocabulary.ids.to_list() == [5, 7]  # 9 has nothing that is known
    np.testing.assert_allclose(users.vectors, [[2, 2], [weights[0] + weights[2], weights[1]]], rtol=1e-6)
    assert users.method == "pooled"
    assert users.contexts.tolist() == ITEMS.contexts.tolist()
    assert users.items == ITEMS.vocabulary


def test_decay_of_one_is_the_mean() -> None:
    users = User2Vec(decay=1).fit(LOG, ITEMS)
    np.testing.assert_allclose(users.vectors[1], [2 / 3, 1 / 3], rtol=1e-6)


def test_a_very_long_history_keeps_its_weight() -> None:
    n = 30_000  # 0.5 ** n is zero in floating point: the latest items have to carry the mean
    frame = pl.DataFrame({"user_id": [1] * n, "item_id": ["a"] * (n - 1) + ["b"], "timestamp": range(n)})
    users = User2Vec(decay=0.5).fit(InteractionLog.from_frame(frame), ITEMS)
    np.testing.assert_allclose(users.vectors, [[0.5, 0.5]], rtol=1e-6)


def test_pooled_needs_a_table_that_fits() -> None:
    with pytest.raises(InputError, match="needs the item table"):
        User2Vec().fit(LOG)
    other = EmbeddingTable(Vocabulary.from_ids(["q"]), np.ones((1, 2)), np.ones((1, 2)), np.array([1]))
    with pytest.raises(InputError, match=r"none of the log's 4 items .*'a'.* is among the table's 1"):
        User2Vec().fit(LOG, other)


@pytest.mark.parametrize("start", [False, True])
def test_pv_dbow_tells_tastes_apart(start: bool) -> None:
    log = clusters()
    items = EmbeddingTable(
        log.items, np.ones((12, 8)) * 0.01, np.ones((12, 8)) * 0.01, np.ones(12, dtype=int)
    )
    config = User2Vec("pv-dbow", dimensions=8, epochs=30, learning_rate=0.05, deterministic=True)
    users = config.fit(log, items if start else None)
    assert users.vocabulary == log.users
    affinity = users.vectors @ users.contexts.T
    own = (users.vocabulary.ids.to_numpy()[:, None] % 2) == (users.items.ids.to_numpy() >= 6)
    assert (
        affinity[own].reshape(60, 6).min(axis=1).mean() > affinity[~own].reshape(60, 6).max(axis=1).mean() + 1
    )
    assert (affinity.argmax(axis=1) >= 6).tolist() == [u % 2 == 1 for u in range(60)]
    assert config.fit(log, items if start else None).digest() == users.digest()


def test_pv_dbow_leaves_out_rare_items_and_users_of_nothing_else() -> None:
    config = User2Vec("pv-dbow", dimensions=4, epochs=1, min_count=2)
    users = config.fit(LOG)
    assert users.items.ids.to_list() == ["a", "x"]
    assert users.vocabulary.ids.to_list() == [7, 9]
    with pytest.raises(InputError, match="no item occurs 3 times in 6 rows"):
        User2Vec("pv-dbow", min_count=3).fit(LOG)


def test_pv_dbow_goes_over_long_histories_whole() -> None:
    from rectransfer.embeddings.user2vec import _Documents

    documents = list(_Documents(pl.Series([[1, 2], list(range(20_001))])))
    assert [(document.tags, len(document.words)) for document in documents] == [
        ([0], 2),
        ([1], 10_000),
        ([1], 10_000),
        ([1], 1),
    ]


def test_pv_dbow_with_a_table_of_another_size() -> None:
    with pytest.raises(InputError, match=r"expected 64 dimensions, the item table has 2"):
        User2Vec("pv-dbow").fit(LOG, ITEMS)
    other = EmbeddingTable(Vocabulary.from_ids(["q"]), np.ones((1, 2)), np.ones((1, 2)), np.array([1]))
    with pytest.raises(InputError, match="none of the log's 4 items"):
        User2Vec("pv-dbow", dimensions=2).fit(LOG, other)


@pytest.mark.parametrize("changes", [{"method": "mean"}, {"decay": 0}, {"decay": 1.1}, {"epochs": 0}])
def test_values_out_of_range(changes: dict) -> None:
    (name,) = changes
    with pytest.raises(InputError, match=f"{name}="):
        User2Vec(**changes)


def test_saved_and_loaded_bit_for_bit(tmp_path) -> None:
    users = User2Vec().fit(LOG, ITEMS)
    users.save(tmp_path)
    back = UserTable.load(tmp_path)
    assert back.digest() == users.digest()
    assert (back.vocabulary, back.items, back.method) == (users.vocabulary, users.items, "pooled")
    assert dict(back.provenance) == dict(users.provenance)
    assert back.provenance["hyper_parameters"] == {"method": "pooled", "decay": 0.9}
    assert repr(back) == "UserTable(2 Int64 ids by pooled, 2 dimensions)"
    with pytest.raises(ArtefactError, match="holds a 'user_table', expected a 'embedding_table'"):
        EmbeddingTable.load(tmp_path)


def test_user_vectors_are_read_only() -> None:
    users = User2Vec().fit(LOG, ITEMS)
    for array in (users.vectors, users.contexts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_user_tables_that_do_not_fit() -> None:
    users = Vocabulary.from_ids([1, 2])
    with pytest.raises(InputError, match="vectors has 3 rows, the vocabulary has 2 ids"):
        UserTable(users, np.ones((3, 2)), ITEMS.vocabulary, ITEMS.contexts)
    with pytest.raises(InputError, match="expected 4 dimensions, contexts has 2"):
        UserTable(users, np.ones((2, 4)), ITEMS.vocabulary, ITEMS.contexts)
    with pytest.raises(InputError, match="method='mean'"):
        UserTable(users, np.ones((2, 2)), ITEMS.vocabulary, ITEMS.contexts, "mean")
