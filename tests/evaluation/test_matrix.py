import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation import binary, interactions, pooled
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary


def log(users, items, weight=None):
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": list(range(len(users)))})
    return InteractionLog.from_frame(
        frame if weight is None else frame.with_columns(weight=pl.Series(weight))
    )


ITEMS = Vocabulary.from_ids(["a", "b", "c"])


def test_binary_and_counted():
    found = log(["v", "u", "u", "u"], ["a", "b", "b", "c"])
    assert interactions(found, found.users, ITEMS).toarray().tolist() == [[0, 1, 1], [1, 0, 0]]
    counted = interactions(found, found.users, ITEMS, binary=False)
    assert counted.toarray().tolist() == [[0, 2, 1], [1, 0, 0]]
    assert counted.dtype == np.float32


def test_weights_add_up():
    found = log(["u", "u"], ["a", "a"], weight=[0.5, 2.0])
    assert interactions(found, found.users, ITEMS, binary=False).toarray().tolist() == [[2.5, 0, 0]]
    assert interactions(found, found.users, ITEMS).toarray().tolist() == [[1, 0, 0]]


def test_what_the_vocabularies_lack_is_left_out():
    found = log(["u", "v", "v"], ["a", "z", "b"])
    assert interactions(found, Vocabulary.from_ids(["v", "w"]), ITEMS).toarray().tolist() == [
        [0, 1, 0],
        [0, 0, 0],
    ]


def test_pooling_merges_users_by_id():
    found = pooled(log(["u", "v"], ["a", "a"]), log(["v", "w", "v"], ["b", "c", "a"]), ITEMS)
    assert found.toarray().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_pooling_ids_of_two_types_is_refused():
    with pytest.raises(InputError, match="user_id is String in the source and Int64 in the target"):
        pooled(log(["u"], ["a"]), log([1], ["a"]), ITEMS)


def test_binary_leaves_its_argument_alone():
    matrix = csr_array(
        (np.array([2.0, -1.0, 0.0, 3.0]), np.array([1, 0, 2, 1]), np.array([0, 4])), shape=(1, 3)
    )
    assert binary(matrix).toarray().tolist() == [[1, 1, 0]]
    assert matrix.nnz == 4
