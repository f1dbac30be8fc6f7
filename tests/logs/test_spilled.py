from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, plant, read_log, spill_log, spilled

LOG = plant().source


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    shuffled = LOG.frame.sample(fraction=1.0, shuffle=True, seed=0)
    for number, part in enumerate(shuffled.iter_slices(700)):
        part.write_parquet(folder / f"{number:02d}.parquet")
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(spilled, "_BATCH", 300)
    monkeypatch.setattr(spilled, "_PART", 500)


def test_its_parts_are_the_log(files):
    with spill_log(files, name="big") as log:
        parts = list(log.parts())
        assert log.n_parts == len(parts) > 3
        users = [set(part.users.ids) for part in parts]
        assert sum(map(len, users)) == len(set.union(*users)) == LOG.n_users  # each user is in one part
        whole = InteractionLog.from_frame(pl.concat([part.frame for part in parts]))
        assert whole.frame.sort(whole.frame.columns).equals(LOG.frame.sort(LOG.frame.columns))
        assert (len(log), log.n_users, log.n_items, log.span) == (
            len(LOG),
            LOG.n_users,
            LOG.n_items,
            LOG.span,
        )
        assert log.users == LOG.users
        assert log.items == LOG.items
        assert log.has_sessions
        assert repr(log).startswith(f"SpilledLog('big': {len(LOG):,} rows")


def test_rows_of_one_moment_keep_the_order_of_the_files(tmp_path):
    n = 2_000
    frame = pl.DataFrame(
        {"user_id": [number % 3 for number in range(n)], "item_id": range(n), "timestamp": [7] * n}
    )
    frame.write_parquet(tmp_path / "log.parquet")
    with spill_log(tmp_path / "log.parquet") as log:
        for part in log.parts():
            for _, rows in part.frame.group_by("user_id"):
                assert rows["item_id"].is_sorted()
        assert sum(len(part) for part in log.parts()) == n
    assert read_log(frame).frame.sort("user_id", "item_id")["item_id"].len() == n


def test_a_sample_has_all_rows_of_its_users(files):
    with spill_log(files) as log:
        sample = log.sample(len(LOG) // 4, seed=3)
        assert 0.15 < len(sample) / len(LOG) < 0.35
        expected = LOG.frame.filter(pl.col("user_id").is_in(sample.users.ids.to_list()))
        assert sample.frame.drop("session_id").equals(expected.drop("session_id"))
        assert log.sample(len(LOG) // 4, seed=3).frame.equals(sample.frame)
        assert len(log.sample(10**9)) == len(LOG)
        with pytest.raises(InputError, match="at least 1"):
            log.sample(0)


def test_its_files_go_when_it_is_closed(files, tmp_path):
    home = tmp_path / "scratch"
    home.mkdir()
    with spill_log(files, folder=home) as log:
        assert Path(log.folder).parent == home
        assert list(home.iterdir())
    assert not list(home.iterdir())


def test_a_bad_row_is_named_with_its_file_and_nothing_stays(tmp_path):
    rows = {"user_id": range(900), "item_id": range(900), "timestamp": [*range(899), None]}
    pl.DataFrame(rows).write_parquet(tmp_path / "log.parquet")
    home = tmp_path / "scratch"
    home.mkdir()
    with pytest.raises(InputError, match=r"log\.parquet, 900 rows from row 600 on.*1 nulls.*row 299"):
        spill_log(tmp_path / "log.parquet", folder=home)
    assert not list(home.iterdir())


def test_what_is_in_memory_is_refused():
    frame = pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1]})
    with pytest.raises(InputError, match=r"reads files, got a DataFrame; .*read_log"):
        spill_log(frame)


def test_what_is_not_parquet_or_empty_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n1,1,1\n")
    with pytest.raises(InputError, match=r"read from Parquet.*sink_parquet"):
        spill_log(tmp_path / "log.csv")
    LOG.frame.clear().write_parquet(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="0 rows"):
        spill_log(tmp_path / "none.parquet")
