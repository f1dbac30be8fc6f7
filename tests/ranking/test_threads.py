"""One thread within, and what was set before afterwards."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.ranking.threads import one_thread


def sizes() -> list[int]:
    """Threads of each library's pool."""
    return [pool["num_threads"] for pool in threadpool_info()]


def test_one_thread_within_and_what_was_set_before_afterwards() -> None:
    with threadpool_limits(2):
        torch.set_num_threads(2)
        before = sizes()
        with one_thread():
            assert torch.get_num_threads() == max(sizes()) == 1
            with one_thread():
                assert max(sizes()) == 1
            assert max(sizes()) == 1
        assert torch.get_num_threads() == 2
        assert sizes() == before


def test_blas_has_one_thread_until_the_last_one_leaves() -> None:
    def blas() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    inside, left = Barrier(2, timeout=20), Barrier(2, timeout=20)

    def first() -> None:
        with one_thread():
            inside.wait()
        left.wait()

    with threadpool_limits(2), ThreadPoolExecutor(1) as pool:
        before = blas()
        done = pool.submit(first)
        with one_thread():
            inside.wait()
            left.wait()
            assert max(blas()) == 1
        done.result()
        assert blas() == before


LATER = """
from threadpoolctl import threadpool_info
from rectransfer.ranking.threads import one_thread
def blas():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
before = blas()
with one_thread():
    assert set(blas().values()) == {1}, blas()
    known = set(blas())
    import numpy, scipy.linalg, torch  # these are there already
    assert set(blas()) == known, (blas(), known)
    import faiss
    with one_thread():
        assert set(blas().values()) == {1}, blas()
with one_thread():
    assert set(blas().values()) == {1}, blas()
assert {path: blas()[path] for path in before} == before, (blas(), before)
"""

TAKING_TURNS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from threadpoolctl import threadpool_info
from rectransfer.ranking.threads import one_thread
def sizes():
    return [pool["num_threads"] for pool in threadpool_info()]
come, second_came, gone = Event(), Event(), Event()
def first():
    with one_thread():
        come.set()
        second_came.wait(20)
    gone.set()
def second():
    come.wait(20)
    with one_thread():
        second_came.set()
        gone.wait(20)
before = sizes()
with ThreadPoolExecutor(2) as pool:
    one, other = pool.submit(first), pool.submit(second)
    one.result(), other.result()
    assert sizes() == before, (sizes(), before)  # both threads live on, waiting for work
"""


@pytest.mark.parametrize("script", [LATER, TAKING_TURNS], ids=["loaded later", "taking turns"])
def test_in_a_new_process(script: str) -> None:
    """Where no library has been told anything yet, and not all of them are loaded."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "2"},
    )

    assert done.returncode == 0, done.stderr
