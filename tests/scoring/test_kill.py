"""Killed at twenty random moments, a job ends with the rows of one that wasn't."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import ArtefactError
from rectransfer.scoring import MANIFEST, read_scores

JOB = Path(__file__).parent / "job.py"
USERS, KILLS, LONGEST = 3_000, 20, 0.1


def begin(users: Path, out: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(JOB), str(users), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(users: Path, out: Path) -> pl.DataFrame:
    process = begin(users, out)
    process.communicate()
    assert process.returncode == 0
    return read_scores(out).collect()


def test_twenty_kills_change_no_row(tmp_path: Path) -> None:
    rows = pl.DataFrame({"user_id": [user for user in range(USERS) for _ in range(3)]})
    users = tmp_path / "users.parquet"
    rows.with_columns(item_id=pl.int_range(pl.len()), timestamp=pl.int_range(pl.len())).write_parquet(users)
    whole = finish(users, tmp_path / "whole")
    draw, out = np.random.default_rng(5), tmp_path / "killed"
    killed_at = []
    for number in range(KILLS):
        before, process = _finished(out), begin(users, out)
        assert process.stdout is not None
        process.stdout.readline()
        while number % 2 and _finished(out) == before:  # every second one has done something, however slow
            time.sleep(0.002)
        time.sleep(draw.uniform(0, LONGEST))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        killed_at.append(_finished(out))

    again = finish(users, out)

    assert again.equals(whole)
    assert len(set(killed_at)) >= KILLS // 2  # it was at work when it was killed, and went on each time
    assert killed_at == sorted(killed_at)
    assert killed_at[-1] < USERS // 5  # and was never through
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


def test_what_is_unfinished_is_not_read(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"kind": "scores", "version": 1, "parts": 2, "job": {}}\n')

    with pytest.raises(ArtefactError, match="0 of 2 parts; run the same job again"):
        read_scores(tmp_path)


def _finished(out: Path) -> int:
    manifest = out / MANIFEST
    return max(0, manifest.read_bytes().count(b"\n") - 1) if manifest.exists() else 0
