"""One run at a time in a folder, by real processes."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.scoring import open_source, read_scores, score_parts
from rectransfer.scoring.lock import held
from rectransfer.scoring.memory import peak

JOB = Path(__file__).parent / "job.py"

INSIDE = """
import os, sys
from pathlib import Path
from rectransfer.errors import InputError
from rectransfer.scoring.lock import held
folder, times = Path(sys.argv[1]), 0
while times < 150:
    try:
        with held(folder):
            os.close(os.open(folder / "inside", os.O_CREAT | os.O_EXCL))  # fails where two are inside
            (folder / "inside").unlink()
            times += 1
    except InputError:
        pass
"""


@pytest.fixture
def users(tmp_path: Path) -> Path:
    rows = pl.DataFrame({"user_id": [user for user in range(5_000) for _ in range(3)]})
    path = tmp_path / "users.parquet"
    rows.with_columns(item_id=pl.int_range(pl.len()), timestamp=pl.int_range(pl.len())).write_parquet(path)
    return path


def test_a_second_run_is_refused_and_a_killed_one_lets_go(users: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, str(JOB), str(users), str(out)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE)
    while not list(out.glob("part-*")):
        assert first.poll() is None
        time.sleep(0.01)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    still_running = first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()

    assert still_running
    assert second.returncode == 1
    assert f"{out} is held by another run, process {first.pid} on " in second.stderr
    assert "wait for it to end, or choose another folder" in second.stderr
    assert (out / ".lock").exists()  # it had no time to tidy up
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert read_scores(out).collect()["user_id"].n_unique() == 5_000
    assert not (out / ".lock").exists()


def test_nothing_in_the_folder_is_touched_while_it_is_held(tmp_path: Path) -> None:
    source = open_source(pl.DataFrame({"user_id": [1]}))
    (tmp_path / ".scoring-abc").write_text("a part that is being written")

    with held(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()} on .* since 20.* UTC: wait"):
        score_parts(source, lambda part: part, tmp_path, job={})

    assert [path.name for path in tmp_path.iterdir()] == [".scoring-abc"]


def test_two_are_never_inside_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INSIDE, str(tmp_path)]
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate(timeout=120)[1] for process in several] == [""] * 4
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with caplog.at_level(logging.WARNING), held(tmp_path):
        pass

    assert "no locks on this file system" in caplog.text


def test_where_the_system_has_no_such_module_it_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "resource", None)
    with caplog.at_level(logging.WARNING), held(tmp_path), held(tmp_path):
        assert peak() == 0

    assert "no locks on this system" in caplog.text


def test_a_holder_that_has_not_said_who_it_is_is_refused_as_well(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="a process that has just begun"), held(tmp_path):
            pass
