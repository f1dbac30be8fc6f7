"""A job goes on where it stopped, and says what stopped it."""

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import ArtefactError, InputError
from rectransfer.scoring import MANIFEST, Source, open_source, read_scores, score_parts

JOB = {"model": "m", "k": 1}


def rows_of(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("user_id", item_id=pl.col("user_id") * 7 % 5, score=1.0, rank=1)


@pytest.fixture
def users() -> Source:
    return open_source(pl.DataFrame({"user_id": range(10)}), part_users=2)


def failing_at(part_of: int, error: Exception) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def score(frame: pl.DataFrame) -> pl.DataFrame:
        if part_of in frame["user_id"]:
            raise error
        return rows_of(frame)

    return score


def test_rows_and_parts_do_not_depend_on_the_workers(tmp_path: Path, users: Source) -> None:
    for workers in (1, 3):
        score_parts(users, rows_of, tmp_path / str(workers), job=JOB, workers=workers)
    one, three = (sorted((tmp_path / name).glob("part-*")) for name in "13")

    assert [path.name for path in one] == [f"part-0000{number}.parquet" for number in range(5)]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in three]
    assert read_scores(tmp_path / "3").collect()["user_id"].to_list() == list(range(10))


def test_what_is_finished_is_not_done_again(tmp_path: Path, users: Source) -> None:
    with pytest.raises(InputError, match="user 6"):
        score_parts(users, failing_at(6, InputError("user 6 is bad")), tmp_path, job=JOB)
    done = []

    def score(frame: pl.DataFrame) -> pl.DataFrame:
        done.extend(frame["user_id"])
        return rows_of(frame)

    found = score_parts(users, score, tmp_path, job=JOB)

    assert done == [6, 7, 8, 9]
    assert (found.users, found.rows, found.parts, found.done_now) == (10, 10, 5, 2)
    assert score_parts(users, failing_at(0, AssertionError()), tmp_path, job=JOB).done_now == 0


def test_with_several_workers_what_is_nearly_there_is_kept(tmp_path: Path, users: Source) -> None:
    both_begun = threading.Barrier(2)

    def score(frame: pl.DataFrame) -> pl.DataFrame:
        both_begun.wait(timeout=60)
        if 0 in frame["user_id"]:
            raise InputError("user 0 is bad")
        time.sleep(0.3)  # the other part is still worked on when this one is found bad
        return rows_of(frame)

    with pytest.raises(InputError, match="user 0"):
        score_parts(users, score, tmp_path, job=JOB, workers=2)

    assert [path.name for path in tmp_path.glob("part-*")] == ["part-00001.parquet"]
    assert score_parts(users, rows_of, tmp_path, job=JOB).done_now == 4


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * 10)])
def test_a_part_that_is_gone_or_altered_is_done_again(
    tmp_path: Path, users: Source, harm: Callable[[Path], object]
) -> None:
    score_parts(users, rows_of, tmp_path, job=JOB)
    before = read_scores(tmp_path).collect()
    harm(tmp_path / "part-00002.parquet")

    assert score_parts(users, rows_of, tmp_path, job=JOB).done_now == 1
    assert read_scores(tmp_path).collect().equals(before)


def test_a_manifest_that_was_cut_short_loses_its_last_line_only(tmp_path: Path, users: Source) -> None:
    score_parts(users, rows_of, tmp_path, job=JOB)
    manifest = tmp_path / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-5])

    assert score_parts(users, rows_of, tmp_path, job=JOB).done_now == 1
    assert read_scores(tmp_path).collect().height == 10


def test_another_job_is_refused_and_nothing_is_lost(tmp_path: Path, users: Source) -> None:
    score_parts(users, rows_of, tmp_path, job=JOB)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = open_source(pl.DataFrame({"user_id": range(10, 20)}), part_users=2)

    with pytest.raises(
        InputError, match=r"begun with another model: model was m, now n\. Its finished parts are kept"
    ):
        score_parts(users, rows_of, tmp_path, job=JOB | {"model": "n"})
    with pytest.raises(InputError, match="another k: k was 1, now 2"):
        score_parts(users, rows_of, tmp_path, job=JOB | {"k": 2})
    with pytest.raises(InputError, match="another input"):
        score_parts(other, rows_of, tmp_path, job=JOB)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_something_else_is_refused(tmp_path: Path, users: Source) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match=r"holds 1 files and no manifest\.jsonl, for example 'letters.txt'"):
        score_parts(users, rows_of, tmp_path, job=JOB)
    (tmp_path / MANIFEST).write_text("{}\n")
    with pytest.raises(ArtefactError, match="no manifest of scores"):
        score_parts(users, rows_of, tmp_path, job=JOB)


def test_a_folder_that_cannot_be_written_is_named(users: Source) -> None:
    with pytest.raises(ArtefactError, match="/proc/scores cannot be written"):  # even root can't
        score_parts(users, rows_of, "/proc/scores", job=JOB)


FULL = """
import sys, polars as pl
from rectransfer.errors import ArtefactError
from rectransfer.scoring import open_source, score_parts
users = open_source(pl.DataFrame({"user_id": range(8_000)}), part_users=2_000)
def score(frame):
    many = 10 if frame["user_id"][0] < 4_000 else 50_000
    noise = pl.Series(range(many)).hash(seed=frame["user_id"][0])
    return pl.DataFrame({"user_id": noise, "item_id": 1, "score": 1.0, "rank": 1})
try:
    score_parts(users, score, sys.argv[1], job={})
except ArtefactError as error:
    print(error)
    sys.exit(3)
"""


def test_a_full_disk_is_named_and_finished_parts_are_kept(tmp_path: Path) -> None:
    def no_large_files() -> None:  # a write beyond it fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    script = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + FULL
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=no_large_files)

    assert done.returncode == 3, done.stderr
    assert "part-00002.parquet could not be written" in done.stdout
    assert "finished parts are kept" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        MANIFEST,
        "part-00000.parquet",
        "part-00001.parquet",
    ]


def test_a_manifest_that_cannot_be_added_to_stays_whole(
    tmp_path: Path, users: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_parts(users, rows_of, tmp_path, job=JOB)
    lines = (tmp_path / MANIFEST).read_text().splitlines()
    (tmp_path / MANIFEST).write_text("\n".join(lines[:-1]) + "\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rectransfer.scoring.manifest.os.fsync", full)
    with pytest.raises(ArtefactError, match=r"No space left on device.*finished parts are kept"):
        score_parts(users, rows_of, tmp_path, job=JOB)
    monkeypatch.undo()

    assert score_parts(users, rows_of, tmp_path, job=JOB).done_now == 1


def test_memory_that_does_not_do_is_an_error_that_says_what_does(tmp_path: Path, users: Source) -> None:
    with pytest.raises(InputError, match=r"memory=1 MB: the process had .* allow more \(finished"):
        score_parts(users, rows_of, tmp_path, job=JOB, memory=10**6)

    assert score_parts(users, rows_of, tmp_path, job=JOB, memory=10**11, workers=2).done_now == 4


def test_memory_does_not_matter_where_no_part_is_left(tmp_path: Path) -> None:
    one = open_source(pl.DataFrame({"user_id": range(10)}))

    assert score_parts(one, rows_of, tmp_path, job=JOB, memory=1).done_now == 1
    assert score_parts(one, rows_of, tmp_path, job=JOB, memory=1).done_now == 0


def test_memory_that_does_not_do_lets_a_job_end_by_a_part_a_run(tmp_path: Path, users: Source) -> None:
    for _ in users.parts[:-1]:
        with pytest.raises(InputError, match="allow more"):
            score_parts(users, rows_of, tmp_path, job=JOB, memory=1)

    assert score_parts(users, rows_of, tmp_path, job=JOB, memory=1).done_now == 1
    assert read_scores(tmp_path).collect().height == 10


def test_where_memory_is_ample_the_first_parts_run_side_by_side(tmp_path: Path, users: Source) -> None:
    both = threading.Barrier(2, timeout=30)

    def score(frame: pl.DataFrame) -> pl.DataFrame:
        if frame["user_id"][0] < 4:
            both.wait()  # an error, if nobody else comes
        return rows_of(frame)

    assert score_parts(users, score, tmp_path, job=JOB, memory=10**11, workers=2).done_now == 5


@pytest.mark.parametrize("line", ["[1]", "3", '{"a": 1}', '{"kind": "scores", "version": 1}'])
def test_a_manifest_with_another_line_is_an_error(tmp_path: Path, users: Source, line: str) -> None:
    score_parts(users, rows_of, tmp_path, job=JOB)
    with (tmp_path / MANIFEST).open("a") as file:
        file.write(line + "\n")

    with pytest.raises(ArtefactError, match="or was damaged"):
        score_parts(users, rows_of, tmp_path, job=JOB)
    with pytest.raises(ArtefactError, match="or was damaged"):
        read_scores(tmp_path)


def test_a_folder_without_a_finished_part_may_be_begun_with_another_input(
    tmp_path: Path, users: Source
) -> None:
    def fails(part: pl.DataFrame) -> pl.DataFrame:
        raise InputError("row 5 has no item_id")

    with pytest.raises(InputError, match="row 5"):
        score_parts(users, fails, tmp_path, job=JOB | {"model": "n"})

    assert score_parts(users, rows_of, tmp_path, job=JOB).done_now == len(users.parts)


def test_a_file_that_is_damaged_in_the_middle_is_named_and_finished_parts_are_kept(tmp_path: Path) -> None:
    noise = pl.int_range(30_000, eager=True).hash(seed=1).cast(pl.String)
    frame = pl.DataFrame({"user_id": pl.int_range(30_000, eager=True) // 3, "item_id": noise, "timestamp": 1})
    frame[:3].write_parquet(tmp_path / "a.parquet")
    path = tmp_path / "b.parquet"
    frame[3:].write_parquet(path, row_group_size=10_000, use_pyarrow=False)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 500] = bytes(500)
    path.write_bytes(raw)
    source = open_source([tmp_path / "a.parquet", path], part_users=1_000)

    with pytest.raises(
        InputError, match=r"b\.parquet: row \d+,\d97 \(from 0\) and the 2,999 after it cannot be"
    ):
        score_parts(source, lambda part: part, tmp_path / "out", job=JOB)
    assert len(list((tmp_path / "out").glob("part-*"))) > 1


def test_a_folder_among_the_users_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [1]}).write_parquet(tmp_path / "users.parquet")

    with pytest.raises(InputError, match="which holds the users: its parts would be read as users"):
        score_parts(open_source(tmp_path), rows_of, tmp_path / "out", job=JOB)
    assert not (tmp_path / "out").exists()


def test_parts_cut_otherwise_are_not_mixed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": range(10)})
    score_parts(open_source(frame, part_users=6), rows_of, tmp_path, job=JOB)

    with pytest.raises(InputError, match="another part_users: part_users was 6, now 7"):
        score_parts(open_source(frame, part_users=7), rows_of, tmp_path, job=JOB)
