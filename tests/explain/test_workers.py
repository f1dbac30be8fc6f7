"""Work on all cores: in order, and without threads of the libraries beside it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # ships no types

from rectransfer.explain import workers


def test_parts_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 3)
    meeting = threading.Barrier(3, timeout=20)

    def make(part: int) -> tuple[int, int, int]:
        meeting.wait()  # nobody leaves before three are there: they are side by side
        return part, torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info())

    found = list(workers.side_by_side(make, range(6)))

    assert found == [(part, 1, 1) for part in range(6)]


def test_no_more_are_held_than_are_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    begun: list[int] = []

    found = workers.side_by_side(str, (begun.append(part) or part for part in range(50)))

    assert next(found) == "0"
    assert len(begun) == 3
    assert list(found) == [str(part) for part in range(1, 50)]


@pytest.mark.parametrize("cores", [1, 2])
def test_one_part_and_none(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: cores)

    assert list(workers.side_by_side(str, [1])) == ["1"]
    assert list(workers.side_by_side(str, [])) == []


def test_what_was_set_before_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 3)
    with threadpool_limits(2):
        torch.set_num_threads(2)
        before = [pool["num_threads"] for pool in threadpool_info()]

        list(workers.side_by_side(lambda part: time.sleep(part / 100), [3, 1, 2, 0, 1]))  # they end anyhow

        assert torch.get_num_threads() == 2
        assert [pool["num_threads"] for pool in threadpool_info()] == before
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 2


def test_an_error_in_a_part_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)

    def fail(part: int) -> int:
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        list(workers.side_by_side(fail, range(4)))
