import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from rectransfer.errors import InputError, NotFittedError
from rectransfer.retrieval import ExactIndex, FaissIndex, retrieve


def naive(vectors, queries, k, exclude, allowed):
    found = []
    for user, query in enumerate(queries):
        scores = vectors @ query
        left = [row for row in range(len(vectors)) if allowed[row] and not exclude[user, row]]
        best = sorted(left, key=lambda row: -scores[row])[:k]
        found += [(user, row, place) for place, row in enumerate(best, start=1)]
    return found


@pytest.mark.parametrize("build", [ExactIndex, lambda: FaissIndex("flat")], ids=["exact", "flat"])
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_agrees_with_naive_loops(build, seed, n_queries, k, share_seen, share_allowed):
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(20, 4)).astype(np.float32)
    queries = generator.normal(size=(n_queries, 4)).astype(np.float32)
    exclude = generator.random((n_queries, 20)) < share_seen * generator.random((n_queries, 1))
    allowed = generator.random(20) < share_allowed
    found = retrieve(build().build(vectors), queries, k, exclude=csr_array(exclude), allowed=allowed)
    listed = list(zip(found.queries.tolist(), found.rows.tolist(), found.ranks.tolist(), strict=True))
    assert listed == naive(vectors, queries, k, exclude, allowed)
    np.testing.assert_allclose(
        found.scores, (queries @ vectors.T)[found.queries, found.rows], rtol=1e-4, atol=1e-5
    )


def test_a_user_who_has_seen_everything_gets_nothing():
    index = ExactIndex().build(np.eye(3))
    found = retrieve(index, np.ones((2, 3)), 2, exclude=csr_array([[1, 1, 1], [0, 0, 0]]))
    assert found.queries.tolist() == [1, 1]
    assert len(found) == 2


def test_nobody_asks():
    index = ExactIndex().build(np.eye(3))
    assert len(retrieve(index, np.zeros((0, 3)), 2)) == 0
    with pytest.raises(NotFittedError):
        retrieve(ExactIndex(), np.zeros((0, 3)), 2)


def test_an_exclusion_of_another_shape_is_refused():
    index = ExactIndex().build(np.eye(3))
    with pytest.raises(InputError, match=r"exclude needs the shape \(2, 3\), got \(1, 3\)"):
        retrieve(index, np.ones((2, 3)), 2, exclude=csr_array((1, 3)))


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "sq", "pq"])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_filters_never_leave_too_few(kind, seed, k, share_seen, share_allowed, share_blocked):
    """However little an index searches, a query gets `k` rows, or all that its filters leave."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(120, 4)).astype(np.float32)
    queries = generator.normal(size=(5, 4)).astype(np.float32)
    exclude = generator.random((5, 120)) < share_seen * generator.random((5, 1))
    allowed, blocked = generator.random(120) < share_allowed, generator.random(120) < share_blocked
    index = FaissIndex(kind, effort=None if kind == "flat" else 1).build(vectors)
    found = retrieve(index, queries, k, exclude=csr_array(exclude), allowed=allowed, blocked=blocked)
    left = allowed & ~blocked & ~exclude
    assert np.bincount(found.queries, minlength=5).tolist() == np.minimum(left.sum(axis=1), k).tolist()
    assert left[found.queries, found.rows].all()
    assert len(set(zip(found.queries.tolist(), found.rows.tolist(), strict=True))) == len(found)


def test_a_blocked_mask_of_another_shape_is_refused():
    index = ExactIndex().build(np.eye(3))
    with pytest.raises(InputError, match=r"blocked is a mask of shape \(3,\)"):
        retrieve(index, np.ones((2, 3)), 2, blocked=np.ones(2, bool))
