"""A saved recommender is the same recommender, or an error that names the file."""

import json

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import ArtefactError, InputError
from rectransfer.recommend import load_recommender


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path / "store-12")
    return tmp_path / "store-12"


def test_identical_rows(model, folder, strangers, target):
    loaded = load_recommender(folder)
    some = target.items.ids[5:40]
    for asked in (
        {"k": 60},
        {"users": ["nobody", *model.users[:3]], "k": 4},
        {"history": strangers, "k": 7},
        {"items": some, "filter_viewed": False},
    ):
        assert loaded.recommend(**asked).equals(model.recommend(**asked))


def test_everything_else_comes_back(model, folder):
    loaded = load_recommender(folder)
    assert loaded.verdict == model.verdict
    assert loaded.config == model.config
    assert loaded.coverage == model.coverage
    assert loaded.users == model.users
    assert loaded.signals == model.signals
    assert repr(loaded) == repr(model)


def test_without_a_source(alone, tmp_path):
    alone.save(tmp_path / "alone")
    loaded = load_recommender(tmp_path / "alone")
    assert loaded.recommend(k=9).equals(alone.recommend(k=9))
    assert np.isnan(loaded.verdict.difference)
    assert loaded.verdict.reason == alone.verdict.reason
    assert loaded.coverage is None


def test_saved_twice_over(model, folder):
    load_recommender(folder).save(folder)
    assert load_recommender(folder).recommend(k=3).equals(model.recommend(k=3))


def test_no_pickle(folder):
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors", ".parquet"}


def test_every_file_is_checked(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "card.json")
    assert len(files) >= 7
    for file in files:
        whole = file.read_bytes()
        altered = bytearray(whole)
        altered[len(whole) // 3] ^= 1
        for damaged in (bytes(altered), whole[:-1], b"", None):
            file.write_bytes(damaged) if damaged is not None else file.unlink()
            with pytest.raises(ArtefactError, match=file.name):
                load_recommender(folder)
        file.write_bytes(whole)
    load_recommender(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.clear(),
        lambda fields: fields.pop("verdict"),
        lambda fields: fields["verdict"].pop("reason"),
        lambda fields: fields["signals"].pop(),
        lambda fields: fields.update(signals=["x.y"] * len(fields["signals"])),
        lambda fields: fields.update(hidden=3),
        lambda fields: fields["evidence"].append("stranger"),
        lambda fields: fields["towers"].update(stranger={}),
        lambda fields: next(iter(fields["towers"].values())).update(hidden=3),
        lambda fields: fields["config"].update(folds=0),
        lambda fields: fields["coverage"].update(source={}),
    ],
)
def test_a_card_that_does_not_fit_is_an_artefact_error(folder, change):
    card = json.loads((folder / "card.json").read_text())
    change(card["recommender"])
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match="store-12"):
        load_recommender(folder)


def test_another_kind_and_a_missing_folder(pretrained, tmp_path):
    pretrained.save(tmp_path / "source")
    for wrong in (tmp_path / "source", tmp_path / "nowhere"):
        with pytest.raises(ArtefactError, match=wrong.name):
            load_recommender(wrong)


def test_somebody_elses_folder_is_left_alone(model, tmp_path):
    pl.DataFrame({"a": [1]}).write_csv(tmp_path / "mine.csv")
    with pytest.raises(InputError):
        model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
