"""A saved recommender is the same recommender, or an error that names the file."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.artefacts import read_arrays, write_arrays
from rectransfer.artefacts.card import card_sha256
from rectransfer.errors import ArtefactError, InputError
from rectransfer.neighbours import ItemWeights, UserKernel
from rectransfer.pretrained import load_pretrained, pretrain
from rectransfer.ranking import Ranker
from rectransfer.recommend import Recommender, load_recommender
from rectransfer.recommend.ground import prepare
from rectransfer.recommend.learn import Chosen, learn


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


@pytest.mark.parametrize("kept", [0, 1_000])
def test_weights_by_way_of_users(domains, tiny, source_config, target, strangers, only, tmp_path, kept):
    """Fewer users than items: the weights are a kernel of users, in each domain that still has them."""
    some = only(domains.source, domains.source.users.ids[:30].to_list())
    few = only(target, target.users.ids[:15].to_list())
    source = pretrain(some, config=replace(source_config, keep_histories=kept))
    model = Recommender(source, config=replace(tiny, neighbours_l2=(5.0,))).fit(few, min_coverage=0.0)
    scene = learn(
        prepare(few, [source], items=None, link=None, min_coverage=0.0), model.config, few.users, Chosen(), 0
    ).transferred
    forms = {one.name: type(one.weights.solution) for one in scene.evidence}
    assert forms == {"source": UserKernel if kept else ItemWeights, "joint": UserKernel, "target": UserKernel}
    ranker = Ranker.standard(scene.names, 2).load_arrays(_shaken(Ranker.standard(scene.names, 2)))
    model._state = replace(model._state, scene=scene, ranker=ranker)  # whichever ships: all of them
    model.save(tmp_path / "kernel")
    loaded = load_recommender(tmp_path / "kernel")
    for one, back in zip(scene.evidence, loaded._state.scene.evidence, strict=True):
        assert one.weights.arrays().keys() == back.weights.arrays().keys()
        for name, value in one.weights.arrays().items():
            np.testing.assert_array_equal(value, back.weights.arrays()[name])
    for asked in ({"k": 40}, {"history": strangers, "k": 7}):
        assert loaded.recommend(**asked).equals(model.recommend(**asked))


def _shaken(ranker):
    rng = np.random.default_rng(0)
    return {
        name: value + rng.normal(size=value.shape).astype(np.float32)
        for name, value in ranker.arrays().items()
    }


def test_a_source_that_keeps_nobody_still_helps_to_fit(domains, config, source_config, target, tmp_path):
    source = pretrain(domains.source, config=replace(source_config, keep_histories=0), deterministic=True)
    source.save(tmp_path / "source")
    kept = {path.name.split("-")[0].split(".")[0] for path in (tmp_path / "source").iterdir()}
    assert "histories" not in kept
    models = [
        Recommender(one, config=config).fit(target) for one in (source, load_pretrained(tmp_path / "source"))
    ]
    assert models[0].recommend(k=5).equals(models[1].recommend(k=5))
    verdict = models[0].verdict
    assert np.isfinite(verdict.difference)
    assert verdict.ships == "transfer"


def test_weights_for_other_items_are_refused(folder):
    (file,) = folder.glob("target-*.safetensors")
    arrays = read_arrays(file)
    arrays["weights.rarity"] = arrays["weights.rarity"][:-1]
    write_arrays(file, arrays)
    card = json.loads((folder / "card.json").read_text())
    (entry,) = [one for one in card["files"].values() if one["file"] == file.name]
    entry.update(sha256=hashlib.sha256(file.read_bytes()).hexdigest(), bytes=file.stat().st_size)
    card["card_sha256"] = card_sha256(card)
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match="item-item weights of target are for 59 items, not 60"):
        load_recommender(folder)


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
    card["card_sha256"] = card_sha256(card)  # so that it isn't the checksum that refuses it
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
