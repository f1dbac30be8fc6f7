"""One contract for all indexes; approximate ones are run at an effort that makes them exact here."""

import numpy as np
import pytest

from rectransfer.errors import ArtefactError, InputError, NotFittedError
from rectransfer.metrics import top_k
from rectransfer.retrieval import ExactIndex, FaissIndex, VectorIndex

INDEXES = {
    "exact": ExactIndex,
    "flat": lambda: FaissIndex("flat"),
    "hnsw": lambda: FaissIndex("hnsw", effort=500),
    "ivf": lambda: FaissIndex("ivf", effort=10_000),
}
GENERATOR = np.random.default_rng(0)
VECTORS = GENERATOR.normal(size=(300, 8)).astype(np.float32)
QUERIES = GENERATOR.normal(size=(40, 8)).astype(np.float32)


@pytest.fixture(params=INDEXES)
def index(request):
    return INDEXES[request.param]()


class TestContract:
    def test_is_an_index(self, index):
        assert isinstance(index, VectorIndex)
        assert index.n == 0
        assert index.build(VECTORS) is index
        assert index.n == 300

    def test_finds_the_largest_inner_products_in_order(self, index):
        scores, rows = index.build(VECTORS).search(QUERIES, 10)
        expected, places = top_k(QUERIES @ VECTORS.T, 10)
        assert rows.tolist() == places.tolist()
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
        assert (scores.dtype, rows.dtype) == (np.float32, np.int64)

    @pytest.mark.parametrize("k", [300, 301, 5000])
    def test_more_than_there_are_gives_all_of_them_once(self, index, k):
        scores, rows = index.build(VECTORS).search(QUERIES, k)
        assert scores.shape == rows.shape == (40, 300)
        assert np.sort(rows, axis=1).tolist() == [list(range(300))] * 40

    def test_only_allowed_rows_are_found(self, index):
        allowed = np.random.default_rng(1).random(300) < 0.1
        rows = index.build(VECTORS).search(QUERIES, 12, allowed=allowed)[1]
        expected = np.where(allowed, QUERIES @ VECTORS.T, -np.inf)
        assert rows.tolist() == top_k(expected, 12)[1].tolist()

    def test_fewer_allowed_than_asked_for_gives_fewer(self, index):
        allowed = np.zeros(300, dtype=bool)
        index.build(VECTORS)
        assert index.search(QUERIES, 5, allowed=allowed)[1].shape == (40, 0)
        allowed[[7, 200]] = True
        assert np.sort(index.search(QUERIES, 5, allowed=allowed)[1]).tolist() == [[7, 200]] * 40

    def test_no_queries(self, index):
        scores, rows = index.build(VECTORS).search(QUERIES[:0], 3)
        assert scores.shape == rows.shape == (0, 3)

    def test_one_vector(self, index):
        assert index.build(VECTORS[:1]).search(QUERIES[:2], 3)[1].tolist() == [[0], [0]]

    def test_building_again_replaces(self, index):
        assert index.build(VECTORS).build(VECTORS[:20]).n == 20

    def test_the_callers_vectors_may_change_later(self, index):
        vectors = VECTORS.copy()
        index.build(vectors)
        vectors[:] = 0
        assert index.search(QUERIES, 3)[1].tolist() == top_k(QUERIES @ VECTORS.T, 3)[1].tolist()

    def test_saved_and_loaded_it_finds_the_same(self, index, tmp_path):
        index.build(VECTORS).save(tmp_path / "an index.bin")
        assert [path.name for path in tmp_path.iterdir()] == ["an index.bin"]
        loaded = type(index).load(tmp_path / "an index.bin")
        assert loaded.n == 300
        for ours, theirs in zip(index.search(QUERIES, 10), loaded.search(QUERIES, 10), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize("content", [None, b"", b"not an index at all, only text"])
    def test_a_bad_file_is_named(self, index, tmp_path, content):
        path = tmp_path / "index.bin"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ArtefactError, match=r"index\.bin"):
            type(index).load(path)

    def test_build_comes_first(self, index, tmp_path):
        with pytest.raises(NotFittedError, match="call build"):
            index.search(QUERIES, 3)
        with pytest.raises(NotFittedError, match="nothing to save"):
            index.save(tmp_path / "index")
        assert not list(tmp_path.iterdir())

    def test_vectors_that_cannot_be_indexed_are_refused(self, index):
        bad = VECTORS.copy()
        bad[[3, 5], 1] = np.nan
        with pytest.raises(InputError, match="2 of 300 vectors hold NaN"):
            index.build(bad)
        with pytest.raises(InputError, match=r"shape \(n, dimensions\)"):
            index.build(VECTORS[0])
        with pytest.raises(InputError, match="one vector at least"):
            index.build(VECTORS[:0])

    @pytest.mark.parametrize(
        ("queries", "k", "allowed", "message"),
        [
            (QUERIES[:, :5], 3, None, "expected queries of 8 dimensions, as the index has, got 5"),
            (QUERIES * np.nan, 3, None, "40 of 40 queries hold NaN"),
            (QUERIES, 0, None, "at least 1; got 0"),
            (QUERIES, 3, np.ones(299, bool), r"mask of shape \(300,\)"),
            (QUERIES, 3, np.ones(300), "type bool"),
        ],
    )
    def test_searches_that_do_not_fit_are_refused(self, index, queries, k, allowed, message):
        with pytest.raises(InputError, match=message):
            index.build(VECTORS).search(queries, k, allowed=allowed)


@pytest.mark.parametrize("build", [ExactIndex, lambda: FaissIndex("flat")])
@pytest.mark.parametrize("k", [5, 50, 120])
def test_equal_scores_come_by_ascending_row(build, k):
    generator = np.random.default_rng(2)
    vectors = generator.integers(2, size=(200, 3)).astype(np.float32)
    queries = generator.integers(3, size=(50, 3)).astype(np.float32)
    scores, rows = build().build(vectors).search(queries, k)
    expected, places = top_k(queries @ vectors.T, k)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(rows, places)


def test_exact_blocks_change_nothing(monkeypatch):
    from rectransfer.retrieval import exact

    index = ExactIndex().build(VECTORS)
    whole = index.search(QUERIES, 7)[1]
    monkeypatch.setattr(exact, "_VALUES_A_BLOCK", 1000)
    assert index.search(QUERIES, 7)[1].tolist() == whole.tolist()


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_low_effort_never_leaves_a_gap(kind):
    allowed = np.zeros(300, dtype=bool)
    allowed[::60] = True
    rows = FaissIndex(kind, effort=1).build(VECTORS).search(QUERIES, 4, allowed=allowed)[1]
    assert rows.shape == (40, 4)
    assert allowed[rows].all()
    assert all(len(set(row)) == 4 for row in rows.tolist())


@pytest.mark.parametrize(("kind", "effort"), [("hnsw", 77), ("ivf", 3), ("sq", 2), ("pq", None)])
def test_effort_is_saved(tmp_path, kind, effort):
    FaissIndex(kind, effort, links=8).build(VECTORS).save(tmp_path / "index")
    assert FaissIndex.load(tmp_path / "index") == FaissIndex(kind, effort, links=8)


def test_faisss_own_files_are_refused(tmp_path):
    import faiss

    path = str(tmp_path / "other")
    faiss.write_index(faiss.IndexFlatIP(4), path)
    with pytest.raises(ArtefactError, match="other could not be read"):
        FaissIndex.load(path)


class TestQuantised:
    """What holds for indexes whose scores are approximations."""

    @pytest.fixture(params=["sq", "pq"])
    def kind(self, request):
        return request.param

    def test_most_of_the_best_are_found(self, kind):
        rows = FaissIndex(kind, effort=10_000).build(VECTORS).search(QUERIES, 10)[1]
        best = top_k(QUERIES @ VECTORS.T, 10)[1]
        share = np.mean(
            [len(set(a) & set(b)) / 10 for a, b in zip(rows.tolist(), best.tolist(), strict=True)]
        )
        assert share > {"sq": 0.95, "pq": 0.6}[kind]

    def test_it_takes_less_memory(self, kind):
        vectors = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
        exact, small = FaissIndex("flat").build(vectors), FaissIndex(kind).build(vectors)
        assert exact.bytes == vectors.nbytes
        assert small.bytes < {"sq": 0.35, "pq": 0.16}[kind] * exact.bytes

    @pytest.mark.parametrize("n", [1, 2, 39, 255, 300])
    def test_any_number_of_vectors_comes_back_whole(self, kind, n, tmp_path, capfd):
        index = FaissIndex(kind, effort=1).build(VECTORS[:n])
        scores, rows = index.search(QUERIES[:5], 400)
        assert np.sort(rows).tolist() == [list(range(n))] * 5
        assert (np.diff(scores, axis=1) <= 0).all()
        index.save(tmp_path / "index")
        again = FaissIndex.load(tmp_path / "index").search(QUERIES[:5], 400)
        np.testing.assert_array_equal(again[0], scores)
        np.testing.assert_array_equal(again[1], rows)
        assert capfd.readouterr().err == ""

    def test_filters_leave_no_gap(self, kind):
        allowed = np.zeros(300, dtype=bool)
        allowed[::60] = True
        rows = FaissIndex(kind, effort=1).build(VECTORS).search(QUERIES, 4, allowed=allowed)[1]
        assert rows.shape == (40, 4)
        assert allowed[rows].all()


def test_threads_are_the_indexs_own_matter():
    import faiss

    before = faiss.omp_get_max_threads()
    one = FaissIndex("hnsw", threads=1).build(VECTORS)
    again = FaissIndex("hnsw", threads=1).build(VECTORS)
    assert faiss.omp_get_max_threads() == before
    for ours, theirs in zip(one.search(QUERIES, 7), again.search(QUERIES, 7), strict=True):
        np.testing.assert_array_equal(ours, theirs)  # one thread builds the same graph every time


@pytest.mark.parametrize("settings", [{"kind": "tree"}, {"links": 1}, {"effort": 0}, {"threads": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="got"):
        FaissIndex(**settings)
