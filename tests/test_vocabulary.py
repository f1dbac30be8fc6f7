import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.vocabulary import Vocabulary, as_ids, first_rows


def test_ids_are_unique_and_ascending():
    assert Vocabulary.from_ids([30, 10, 20, 10]).ids.to_list() == [10, 20, 30]
    assert Vocabulary.from_ids(pl.Series(["b", "a", "B"])).ids.to_list() == ["B", "a", "b"]


def test_rows_and_take_undo_each_other():
    vocabulary = Vocabulary(pl.Series(["c", "a", "b"]))  # any order, kept as given
    rows = vocabulary.rows(pl.Series(["b", "c", "x", None, "b"]))
    assert rows.dtype == np.int64
    assert rows.tolist() == [2, 0, -1, -1, 2]
    assert vocabulary.take(rows[rows >= 0]).to_list() == ["b", "c", "b"]
    assert rows.flags.writeable


def test_many_rows_against_a_dictionary():
    draw = np.random.default_rng(0)
    ids = draw.choice(10_000, 1000, replace=False)
    vocabulary, asked = Vocabulary(pl.Series(ids)), draw.integers(0, 10_000, 5000)
    expected = {int(one): row for row, one in enumerate(ids)}
    assert vocabulary.rows(pl.Series(asked)).tolist() == [expected.get(int(one), -1) for one in asked]


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt16, pl.Int32, pl.UInt64])
def test_integers_of_any_width_are_one_type(kind):
    vocabulary = Vocabulary.from_ids(pl.Series([3, 1], dtype=kind))
    assert vocabulary.dtype == pl.Int64
    assert vocabulary.rows(pl.Series([3, 2], dtype=kind)).tolist() == [1, -1]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["007", "x"])])
def test_categories_are_text_and_keep_their_zeros(kind):
    vocabulary = Vocabulary.from_ids(pl.Series(["x", "007"], dtype=kind))
    assert vocabulary.dtype == pl.String
    assert vocabulary.ids.to_list() == ["007", "x"]
    assert "7" not in vocabulary


def test_numpy_and_python_iterables_are_taken():
    assert Vocabulary.from_ids(np.array([2, 1])).ids.to_list() == [1, 2]
    assert Vocabulary.from_ids(np.array(["b", "a"])).ids.to_list() == ["a", "b"]
    assert Vocabulary.from_ids(one for one in "ba").ids.to_list() == ["a", "b"]


def test_in_asks_for_the_same_type():
    numbers, words = Vocabulary.from_ids([1, 2]), Vocabulary.from_ids(["1", "2"])
    assert 1 in numbers
    assert np.int32(2) in numbers
    assert "1" in words
    for absent in (3, "1", True, 1.0, None, 2**80):
        assert absent not in numbers
    assert 1 not in words


def test_equal_means_the_same_ids_in_the_same_order():
    assert Vocabulary(pl.Series([1, 2])) == Vocabulary(pl.Series("other", [1, 2]))
    assert Vocabulary(pl.Series([1, 2])) != Vocabulary(pl.Series([2, 1]))
    assert Vocabulary(pl.Series([1])) != Vocabulary(pl.Series(["1"]))
    assert Vocabulary(pl.Series([1])) != [1]


def test_empty_vocabulary_finds_nothing():
    empty = Vocabulary.from_ids([])
    assert len(empty) == 0
    assert empty.rows(pl.Series(["a"])).tolist() == [-1]
    assert empty.take([]).to_list() == []
    assert Vocabulary.from_ids([1]).rows([]).tolist() == []
    assert repr(Vocabulary.from_ids(range(1234))) == "Vocabulary(1,234 Int64 ids)"


def test_mixing_integers_and_text_names_both_types_and_the_cast():
    with pytest.raises(InputError, match=r"holds Int64 ids .*asked for String ids.*cast\(pl.Int64\)"):
        Vocabulary.from_ids([1]).rows(pl.Series(["1"]))
    with pytest.raises(InputError, match=r"holds String ids .*asked for Int64 ids.*cast\(pl.String\)"):
        Vocabulary.from_ids(["1"]).rows(pl.Series([1]))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, "a"], "mixes types .*int, str"),
        ([1.0, 2.0], "Float64 values .*for example 1.0"),
        ([True], "Boolean"),
        ([b"a"], "Binary"),
        ([2**70], "above 2"),
        (["a", None], "1 nulls in 2 rows, the first in row 1"),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), "above 2"),
        (pl.Series([object()], dtype=pl.Object), "Object"),
    ],
)
def test_ids_of_other_types_are_refused(ids, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_ids(ids)


def _lazy(frame):
    return frame.lazy()


def _pandas(frame):
    return frame.to_pandas()


@pytest.mark.parametrize("make", [pl.DataFrame, _lazy, _pandas, pl.DataFrame.to_arrow, pl.DataFrame.to_dict])
def test_a_table_is_not_read_as_the_names_of_its_columns(make):
    table = make(pl.DataFrame({"user_id": ["a", "b"]}))
    with pytest.raises(InputError, match=r"users is a \w+; pass its column of ids, .*frame\['user_id'\]"):
        as_ids(table, "users")
    for take in (Vocabulary.from_ids, Vocabulary.from_ids(["a"]).rows):
        with pytest.raises(InputError, match="pass its column of ids"):
            take(table)


@pytest.mark.parametrize("one", ["ab", 7, np.int64(7)])
def test_one_id_is_no_list_of_them(one):
    with pytest.raises(InputError, match="is one id; pass a list of ids"):
        Vocabulary.from_ids(one)


def test_repeated_ids_are_refused_by_the_constructor():
    with pytest.raises(InputError, match="2 of 4 ids repeat an earlier one, for example 7"):
        Vocabulary(pl.Series([7, 7, 8, 7]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([-1, 0], "1 of 2 rows lie outside 0 to 1.*-1"),
        ([2], "for example 2"),
        ([0.0], "float64"),
        ([[0]], "shape"),
    ],
)
def test_rows_outside_the_vocabulary_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_ids(["a", "b"]).take(rows)


def test_a_frozen_vocabulary_cannot_be_changed():
    with pytest.raises(AttributeError):
        Vocabulary.from_ids([1]).ids = pl.Series([2])


def test_nulls_pass_only_where_they_may():
    assert as_ids(pl.Series([1, None]), "item", nulls=True).to_list() == [1, None]
    with pytest.raises(InputError, match="column 'item' has 1 nulls"):
        as_ids(pl.Series([1, None]), "item")


def test_first_rows_in_words():
    assert first_rows(pl.Series([False, True])) == "row 1"
    assert first_rows(pl.Series([True] * 7)) == "rows 0, 1, 2, 3, 4, ..."
