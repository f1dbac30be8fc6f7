import json
import os

import accuracy
import polars as pl
import pytest
from suite.cells import Key, Store, fingerprint

KEY = Key("movielens", 0.05, 3)


def users(**models):
    n = len(next(iter(models.values())))
    return pl.DataFrame({"user_id": [f"u{i}" for i in range(n)], **models})


def test_a_key_and_its_name():
    assert KEY.name == "movielens-005-3"
    assert Key.from_name("category-drug-gm-100-0") == Key("category-drug-gm", 1.0, 0)


def test_what_is_written_is_read_to_four_decimals(tmp_path):
    store = Store(tmp_path)
    store.write(KEY, {"code": "a"}, users(ours=[0.123449, 1.0, 0.0]))
    summary, values = store.read(KEY)
    assert summary["code"] == "a"
    assert values["ours"].to_list() == pytest.approx([0.1234, 1.0, 0.0], abs=1e-12)
    assert store.measured() == [KEY]


def test_missing_current_stale(tmp_path):
    store = Store(tmp_path)
    assert store.state(KEY, "a") == "missing"
    store.write(KEY, {"code": "a"}, users(ours=[0.5]))
    assert store.state(KEY, "a") == "current"
    assert store.state(KEY, "b") == "stale"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [({}, ["new"]), ({"stale": True}, ["old", "new"]), ({"again": True}, ["old", "now", "new"])],
)
def test_which_cells_are_measured(tmp_path, flags, expected):
    store, seeds = Store(tmp_path), {"old": 0, "now": 1, "new": 2}
    keys = {name: Key("movielens", 0.1, seed) for name, seed in seeds.items()}
    store.write(keys["old"], {"code": "before"}, users(ours=[0.5]))
    store.write(keys["now"], {"code": "after"}, users(ours=[0.5]))
    todo = accuracy.to_measure(
        list(keys.values()), store, "after", again=flags.get("again", False), stale=flags.get("stale", False)
    )
    assert todo == [keys[name] for name in expected]


def test_a_cell_that_is_cut_off_is_not_there(tmp_path, monkeypatch):
    """Before the JSON is in its place there is no cell; old numbers aren't left beside new users."""
    store = Store(tmp_path)
    store.write(KEY, {"code": "a"}, users(ours=[0.5]))

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("suite.cells._write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        store.write(KEY, {"code": "b"}, users(ours=[0.7]))
    assert store.state(KEY, "a") == "missing"
    assert store.measured() == []


def test_values_of_another_measurement_are_refused(tmp_path):
    store = Store(tmp_path)
    store.write(KEY, {"code": "a"}, users(ours=[0.5]))
    (tmp_path / "cells" / "movielens-005-3.json").write_text(json.dumps({"users_sha256": "other"}))
    with pytest.raises(ValueError, match="isn't the file that"):
        store.read(KEY)


def test_only_code_that_numbers_come_from_makes_cells_stale(tmp_path):
    package = tmp_path / "package"
    for name in ("ranking", "cli"):
        (package / name).mkdir(parents=True)
        (package / name / "code.py").write_text("1")
    before = fingerprint(package)
    (package / "cli" / "code.py").write_text("2")
    (package / "notes.md").write_text("2")
    assert fingerprint(package) == before
    (package / "ranking" / "code.py").write_text("2")
    assert fingerprint(package) != before
    without = fingerprint(package, without=("ranking",))
    (package / "ranking" / "code.py").write_text("3")
    assert fingerprint(package, without=("ranking",)) == without


def test_the_slowest_cells_come_first_and_unknown_tasks_are_refused():
    keys = accuracy.cells(accuracy.parsed([]))
    assert len(keys) == 180
    assert keys[0].share == 1.0
    assert keys[-1].share == 0.02
    with pytest.raises(SystemExit, match="no task is called 'films'"):
        accuracy.cells(accuracy.parsed(["--task", "films"]))
    assert os.cpu_count() == accuracy.parsed([]).jobs
