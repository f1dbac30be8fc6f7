from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from rectransfer.artefacts import packed, rounded, unpacked
from rectransfer.compression import LADDER, Compression, compress, shrunk
from rectransfer.compression.measure import bytes_on_disk, validation
from rectransfer.compression.shrink import largest_weights, principal_basis, projected_layers, pruned_ranker
from rectransfer.embeddings import Item2Vec
from rectransfer.errors import ArtefactError, InputError
from rectransfer.logs import PlantedConfig, plant
from rectransfer.neighbours import ItemWeights
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import TowerConfig, Towers, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig, load_recommender

PARTS = {"item2vec": Item2Vec(dimensions=16, epochs=10), "tower": TowerConfig(hidden=8, width=4)}


@pytest.fixture(scope="module")
def model() -> Recommender:
    """The transfer ships: the target is thin, and half of its users are known."""
    domains = plant(
        PlantedConfig(
            source_users=200, target_users=60, source_items=120, target_items=120, shared_items=1.0,
            shared_users=0.5, taste=0.7, drift=0.1,
        )
    )  # fmt: skip
    source = pretrain(domains.source, config=PretrainConfig(train=TrainConfig(epochs=2), **PARTS))
    config = RecommenderConfig(train=TrainConfig(epochs=2), fine_tune=TrainConfig(epochs=1), folds=2, **PARTS)
    return Recommender(source, config=config).fit(domains.target)


def test_the_budget_is_kept_and_the_table_says_what_was_measured(model, tmp_path):
    small = compress(model, budget=0.6)
    assert small.after.bytes <= 0.6 * small.before.bytes
    assert small.before.bytes == bytes_on_disk(model)
    small.model.save(tmp_path / "small")
    assert sum(path.stat().st_size for path in (tmp_path / "small").rglob("*")) == pytest.approx(
        small.after.bytes, rel=0.01
    )
    table = dict(zip(small.table()["what"], small.table()["after"], strict=True))
    examples = validation(model.state)
    state = small.model.state
    assert table["ndcg@10"] == pytest.approx(state.scene.ndcg(state.ranker, examples).mean())
    assert small.difference.mean == pytest.approx(table["ndcg@10"] - small.before.ndcg.mean())
    assert f"{small.after.bytes:,} bytes" in str(small)
    assert small.as_dict()["settings"]["precision"] == small.settings.precision


def test_a_small_model_loads_as_it_was_measured(model, tmp_path):
    small = compress(model, budget=0.6).model
    small.save(tmp_path / "small")
    loaded = load_recommender(tmp_path / "small")
    assert loaded.recommend(k=7).equals(small.recommend(k=7))
    loaded.save(tmp_path / "again")
    assert load_recommender(tmp_path / "again").recommend(k=7).equals(small.recommend(k=7))
    assert bytes_on_disk(loaded) == pytest.approx(bytes_on_disk(small), rel=0.01)


def test_the_given_model_stays_as_it_is(model):
    before = model.recommend(k=5)
    compress(model, budget=0.6)
    assert model.recommend(k=5).equals(before)
    assert model.state.precision == "float32"


def test_half_precision_hardly_changes_a_list(model):
    half = Recommender.of(shrunk(model.state, Compression("float16")), model.config)
    whole, rounded_ = (one.recommend(k=10).select("user_id", "item_id") for one in (model, half))
    assert whole.join(rounded_, on=["user_id", "item_id"], how="semi").height > 0.97 * whole.height


def test_stronger_steps_are_smaller(model):
    sizes = [bytes_on_disk(Recommender.of(shrunk(model.state, how), model.config)) for how in LADDER]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] < 0.75 * bytes_on_disk(model)
    assert sizes[-1] < 0.5 * sizes[0]


def test_budgets_that_cannot_be_kept_name_the_smallest(model):
    with pytest.raises(InputError, match=r"nothing fits into 100 bytes: the smallest takes [\d,]+ \(int8"):
        compress(model, budget=100)
    for wrong in (0, -1, float("nan"), True, 1):
        with pytest.raises(InputError, match="budget"):
            compress(model, budget=wrong)
    with pytest.raises(InputError, match="nothing fits"):
        compress(model, budget=0.01, settings=Compression("float16"))


@pytest.mark.parametrize(
    "wrong", [{"precision": "int4"}, {"dimensions": 0.0}, {"hidden": 1.5}, {"neighbours": 0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        Compression(**wrong)


class TestParts:
    def test_projecting_along_all_that_is_there_changes_no_score(self, model):
        """Tables that lie in half of their dimensions lose nothing by keeping that half."""
        rng = np.random.default_rng(0)
        one = model.state.scene.evidence[0]
        n, d = one.vectors.shape
        turn = np.linalg.qr(rng.normal(size=(d, d)))[0][: d // 2]
        flat = replace(
            one,
            vectors=(rng.normal(size=(n, d // 2)) @ turn).astype(np.float32),
            contexts=(rng.normal(size=(n, d // 2)) @ turn).astype(np.float32),
        )
        towers = Towers(flat, TowerConfig(hidden=8, width=4), n=2)
        layers = {
            name: value + rng.normal(size=value.shape).astype(np.float32)
            for name, value in towers.layers().items()
        }
        towers = Towers.load(flat, towers.config, layers)
        basis = principal_basis(flat.vectors, flat.contexts, 0.5)
        small = replace(flat, vectors=flat.vectors @ basis, contexts=flat.contexts @ basis)
        projected = Towers.load(small, towers.config, projected_layers(layers, basis))
        examples = validation(model.state)
        before = towers.encode_users(examples) @ towers.encode_items().T
        after = projected.encode_users(examples) @ projected.encode_items().T
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())

    def test_a_layer_that_is_not_known_is_refused(self):
        with pytest.raises(InputError, match=r"'0.attention' \(16, 3\) has no projection to 8"):
            projected_layers({"0.attention": np.ones((16, 3), np.float32)}, np.eye(16, 8, dtype=np.float32))

    def test_the_largest_weights_of_each_item_stay(self, model):
        weights = next(one.weights for one in model.state.scene.evidence if one.weights is not None)
        few = largest_weights(weights, 3).solution
        assert isinstance(few, ItemWeights)
        assert np.diff(few.weights.indptr).max() == 3
        many = weights.pruned(10_000).solution.weights.toarray()
        for row, kept in zip(many, few.weights.toarray(), strict=True):
            assert sorted(np.abs(kept[kept != 0])) == pytest.approx(sorted(np.abs(row))[-3:])

    def test_the_ranker_keeps_the_units_that_matter(self, model):
        ranker = model.state.ranker
        assert pruned_ranker(ranker, 1.0) is ranker
        examples = uncut_slate(model)
        half = pruned_ranker(ranker, 0.5)
        assert half.hidden == round(ranker.hidden / 2)
        rest = np.corrcoef(ranker.score(examples)[examples.present], half.score(examples)[examples.present])
        assert rest[0, 1] > 0.95
        eight = pruned_ranker(ranker, 1.0, int8=True)
        np.testing.assert_allclose(
            eight.score(examples)[examples.present], ranker.score(examples)[examples.present], atol=0.05
        )
        values = eight.arrays()["network.0.weight"]
        assert all(len(np.unique(row)) <= 255 for row in values)


def uncut_slate(model):
    scene = model.state.scene
    examples = validation(model.state)
    return scene.slate(examples, scene.candidates(examples, exclude=examples.seen))


class TestPacking:
    ARRAYS: ClassVar = {
        "vectors": np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32),
        "contexts": np.zeros((2, 3), np.float32),
        "weights.inverse": np.diag([1e-3, 1e3, 1.0]).astype(np.float32),
        "weights.data": np.array([0.5, -3e5], np.float32),
        "weights.indices": np.array([0, 300, 70_000]),
        "scalars": np.array([1.5, 2.5]),
        "known": np.array([True, False]),
    }

    @pytest.mark.parametrize(("precision", "error"), [("float32", 0), ("float16", 6e-4), ("int8", 5e-3)])
    def test_there_and_back(self, precision, error):
        back = rounded(self.ARRAYS, precision)
        assert back.keys() == self.ARRAYS.keys()
        for name, array in self.ARRAYS.items():
            assert back[name].dtype.kind == array.dtype.kind
            largest = np.abs(array).max()
            np.testing.assert_allclose(back[name], array, atol=error * largest, rtol=0)
        again = rounded(back, precision)
        for name in back:
            np.testing.assert_array_equal(again[name], back[name])

    def test_a_scale_that_does_not_fit_is_refused(self):
        few = packed(self.ARRAYS, "int8")
        with pytest.raises(ArtefactError, match="scale"):
            unpacked({**few, "vectors|scale": few["vectors|scale"][:-1]})
        with pytest.raises(ArtefactError, match="scale"):
            unpacked({**few, "vectors": few["vectors"].astype(np.float64)})
        with pytest.raises(InputError, match="precision='int4'"):
            packed(self.ARRAYS, "int4")
