"""A small domain that tests of this folder share."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rectransfer.logs import InteractionLog
from rectransfer.neighbours import solve_neighbours
from rectransfer.ranking import Evidence, Histories


@pytest.fixture
def evidence() -> Evidence:
    """Random tables over 30 items in three groups; C favours the own group."""
    rng = np.random.default_rng(0)
    groups = np.eye(3, 8)[np.arange(30) % 3]
    vectors, contexts = ((groups + rng.normal(scale=0.3, size=(30, 8))).astype(np.float32) for _ in range(2))
    return Evidence(
        "source",
        vectors,
        contexts,
        log_prior=np.log(rng.dirichlet(np.ones(30))).astype(np.float32),
        popularity=np.log1p(rng.integers(1, 30, 30)).astype(np.float32),
        known=np.ones(30, bool),
        weights=solve_neighbours(csr_array(rng.poisson(0.3, (80, 30)).astype(np.float32)), l2=5.0),
    )


@pytest.fixture(scope="session")
def histories() -> Histories:
    """60 users with eight visits, most of them to their own of three groups of items."""
    rng = np.random.default_rng(1)
    rows = [
        (user, int(rng.choice(10)) * 3 + (user % 3 if rng.random() < 0.8 else int(rng.integers(3))), visit)
        for user in range(60)
        for visit in range(8)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    log = InteractionLog.from_frame(frame)
    assert log.n_items == 30
    return Histories.from_log(log, log.items)
