import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.metrics import CatalogueCoverage, Novelty

LISTS = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "a", "c"], "rank": [1, 2, 1, 2]})


def test_coverage_by_hand():
    assert CatalogueCoverage(1).of(LISTS, n_items=4) == 1 / 4
    assert CatalogueCoverage(2).of(LISTS, n_items=4) == 3 / 4
    assert CatalogueCoverage(2).name == "coverage@2"


def test_coverage_refuses_a_catalogue_that_is_too_small():
    with pytest.raises(InputError, match="3 items were recommended out of a catalogue of 2"):
        CatalogueCoverage(2).of(LISTS, n_items=2)


def test_novelty_by_hand():
    log = pl.DataFrame({"user_id": [1, 2, 3, 1, 3], "item_id": ["a", "a", "a", "b", "a"]})
    found = Novelty(2).per_user(LISTS, log)
    a, b, c = -np.log2([4 / 4, 2 / 4, 1 / 4])
    assert found["user_id"].to_list() == [1, 2]
    assert found["novelty@2"].to_list() == pytest.approx([(a + b) / 2, (a + c) / 2])
    assert Novelty(1).per_user(LISTS, log)["novelty@1"].to_list() == [0.0, 0.0]
