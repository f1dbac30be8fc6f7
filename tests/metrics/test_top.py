import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectransfer.errors import InputError
from rectransfer.metrics import top_k


@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(1, 12), st.integers(1, 15))
def test_agrees_with_a_stable_sort(seed, n, m, k):
    scores = np.random.default_rng(seed).integers(4, size=(n, m)).astype(np.float32)
    values, columns = top_k(scores, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert columns.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(scores, expected, axis=1).tolist()


def test_infinite_values_have_their_place():
    assert top_k(np.array([[-np.inf, 1.0, np.inf, -np.inf]]), 3)[1].tolist() == [[2, 1, 0]]


@pytest.mark.parametrize(("scores", "k"), [(np.ones(3), 1), (np.ones((1, 3)), 0)])
def test_bad_arguments_are_refused(scores, k):
    with pytest.raises(InputError, match="top_k needs a matrix"):
        top_k(scores, k)
