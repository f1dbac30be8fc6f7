import copy
import dataclasses
import json
import pickle

import numpy as np
import polars as pl
import pytest

from rectransfer.artefacts.card import card_sha256
from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import ArtefactError, InputError
from rectransfer.vocabulary import Vocabulary


def make_table(ids=("apple", "apple pie", "pear", "nail"), **changes) -> EmbeddingTable:
    rng = np.random.default_rng(0)
    n = len(ids)
    fields = {
        "vocabulary": Vocabulary(pl.Series(ids)),
        "vectors": rng.normal(size=(n, 3)).astype(np.float32),
        "contexts": rng.normal(size=(n, 3)).astype(np.float32),
        "counts": np.arange(1, n + 1),
        "ns_exponent": 0.5,
        "provenance": {"model": "planted", "span": [1, 9]},
    }
    return EmbeddingTable(**{**fields, **changes})


@pytest.mark.parametrize("name", ["vectors", "contexts", "counts", "log_prior"])
def test_arrays_are_read_only(name: str) -> None:
    array = getattr(make_table(), name)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    assert array.base is None  # there is no other way to the memory


def test_the_callers_array_is_copied_and_left_writeable() -> None:
    vectors = np.ones((4, 3), dtype=np.float32)
    table = make_table(vectors=vectors)
    vectors[0] = 7
    assert table.vectors[0].tolist() == [1, 1, 1]


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_table().vectors = None
    with pytest.raises(TypeError):
        make_table().provenance["model"] = "other"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": np.ones((5, 3))}, "vectors has 5 rows, the vocabulary has 4 ids"),
        ({"contexts": np.ones((4, 2))}, "expected 3 dimensions, contexts has 2"),
        ({"vectors": np.ones(4)}, r"shape \(4,\); expected floats of shape \(n, d\)"),
        ({"vectors": np.ones((4, 0))}, "dimensions"),
        ({"vectors": np.ones((4, 3), dtype=int)}, "expected floats"),
        (
            {"contexts": np.array([[1, 1, 1], [1, np.nan, 1], [1, 1, np.inf], [1, 1, 1]])},
            "infinity in 2 of 4 rows",
        ),
        ({"counts": [1, 2, 3]}, r"counts is int64 of shape \(3,\); expected integers of shape \(4,\)"),
        ({"counts": [1.0, 2, 3, 4]}, "counts is float64"),
        ({"counts": [1, 0, 3, 4]}, "1 of 4 counts are under 1"),
        ({"ns_exponent": np.nan}, "ns_exponent=nan"),
    ],
)
def test_what_does_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_table(**changes)


def test_log_prior_is_the_log_of_the_noise_distribution() -> None:
    noise = np.sqrt([1, 2, 3, 4]) / np.sqrt([1, 2, 3, 4]).sum()
    np.testing.assert_allclose(make_table().log_prior, np.log(noise), rtol=1e-6)
    assert make_table().log_prior.dtype == np.float32


def test_nearest_by_hand() -> None:
    table = make_table(vectors=np.array([[2, 0, 0], [0, 5, 0], [3, 4, 0], [-1, 0, 0]], dtype=np.float32))
    near = table.nearest("apple", k=2)
    assert near.columns == ["item_id", "score", "rank"]
    assert near["item_id"].to_list() == ["pear", "apple pie"]
    assert near["score"].to_list() == pytest.approx([0.6, 0.0])
    assert near["rank"].to_list() == [1, 2]
    assert table.nearest("apple", k=99)["score"].to_list() == pytest.approx([0.6, 0.0, -1.0])


def test_a_vector_of_zeros_is_near_nothing() -> None:
    table = make_table(vectors=np.array([[0, 0, 0], [0, 5, 0], [3, 4, 0], [-1, 0, 0]], dtype=np.float32))
    assert table.nearest("apple")["score"].to_list() == [0, 0, 0]


def test_nearest_of_an_unknown_item_names_those_alike() -> None:
    with pytest.raises(
        InputError, match=r"'Apple' is not among the table's 4 items; did you mean 'apple', 'apple pie'\?"
    ):
        make_table().nearest("Apple")
    with pytest.raises(InputError, match=r"did you mean 'pear'\?"):
        make_table().nearest("paer")
    with pytest.raises(InputError, match="whose ids are Int64, for example 3"):
        make_table(ids=(3, 1, 2, 4)).nearest("3")
    with pytest.raises(InputError, match="k=0"):
        make_table().nearest("pear", k=0)


@pytest.mark.parametrize("ids", [("apple", "0042", "é", ""), (7, -1, 3, 2**62)])
def test_saved_and_loaded_bit_for_bit(tmp_path, ids) -> None:
    table = make_table(ids=ids)
    table.save(tmp_path / "table")
    back = EmbeddingTable.load(tmp_path / "table")
    assert back.digest() == table.digest()
    assert back.vocabulary == table.vocabulary
    for name in ("vectors", "contexts", "counts"):
        assert getattr(back, name).tobytes() == getattr(table, name).tobytes()
        assert getattr(back, name).dtype == getattr(table, name).dtype
        assert not getattr(back, name).flags.writeable
    assert back.ns_exponent == table.ns_exponent
    assert dict(back.provenance) == dict(table.provenance)


def test_digest_tells_tables_apart() -> None:
    table = make_table()
    nudged = np.array(table.vectors)
    nudged[3, 2] = np.nextafter(nudged[3, 2], np.float32(9))
    others = [
        make_table(vectors=nudged),
        make_table(contexts=table.vectors),
        make_table(counts=[1, 2, 3, 5]),
        make_table(ns_exponent=0.75),
        make_table(ids=("apple", "apple pie", "pear", "nails")),
        make_table(ids=("apple", "pear", "apple pie", "nail")),
    ]
    assert len({table.digest(), *(other.digest() for other in others)}) == 7
    assert make_table().digest() == table.digest()


def test_a_card_that_does_not_fit_its_files(tmp_path) -> None:
    make_table().save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["table"]["items"] == 4
    del card["table"]["ns_exponent"]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match=r"card\.json was altered"):
        EmbeddingTable.load(tmp_path)
    card["card_sha256"] = card_sha256(card)
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match=r"does not fit its card.*ns_exponent"):
        EmbeddingTable.load(tmp_path)


def test_altered_vectors_are_not_loaded(tmp_path) -> None:
    make_table().save(tmp_path)
    (path,) = tmp_path.glob("vectors-*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"vectors-.*\.safetensors was altered"):
        EmbeddingTable.load(tmp_path)


def test_inside_a_larger_artefact(tmp_path) -> None:
    from rectransfer.artefacts import load_artefact, save_artefact

    source, target = make_table(), make_table(counts=[4, 3, 2, 1])
    files = {**source.writers("source/"), **target.writers("target/")}
    save_artefact(
        tmp_path, kind="pair", files=files, card={"source": source.fields(), "target": target.fields()}
    )
    saved = load_artefact(tmp_path, kind="pair")
    assert EmbeddingTable.read(saved, saved.card["source"], "source/").digest() == source.digest()
    assert EmbeddingTable.read(saved, saved.card["target"], "target/").digest() == target.digest()


def test_a_table_survives_pickling_and_copying() -> None:
    table = make_table()
    for again in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert again.digest() == table.digest()
        assert again.provenance == table.provenance
