import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "speed"))

from long_tail import write_long_tail
from page import PAGE, RESULTS, cell, render
from report import ratio, side_by_side, write_result


def test_the_page_shows_the_figures_that_are_in_the_results():
    assert PAGE.read_text() == render(RESULTS)


def test_a_result_is_shown_as_it_says(tmp_path):
    rows = [{"what": "ours", "seconds": 0.5, "hidden": 1}, {"what": "theirs", "seconds": 1.0}]
    write_result(
        "race", title="A race", about="Who wins.", columns={"what": "who", "seconds": "s"}, rows=rows,
        settings={"seed": 3}, folder=tmp_path,
    )  # fmt: skip
    page = render(tmp_path)
    assert "## A race\n\nWho wins.\n\n| who | s |\n|---|---:|\n| ours | 0.5 |\n| theirs | 1.00 |" in page
    assert "seed 3." in page
    assert "hidden" not in page
    assert "[race.json](results/speed/race.json)" in page


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_json_of_any_other_making_is_shown_too(tmp_path, wrapped):
    rows = [{"model": "a", "users_per_second": 12_345.6, "nested": {"x": 1}}]
    more = {"times": {"fast": {"seconds": 0.5}, "slow": {"seconds": 2.0}}, "load": 1.5, "versions": "none"}
    found = {"measurements": rows, "n_users": 5, "commit": "0123456789abcdef", **more} if wrapped else rows
    (tmp_path / "batch_scoring.json").write_text(json.dumps(found))
    page = render(tmp_path)
    assert "## Batch scoring" in page
    assert "| model | users per second |" in page
    assert "| a | 12,345.6 |" in page
    assert ("n users 5." in page) == wrapped
    assert ("| fast | 0.5 |" in page) == ("load 1.5" in page) == wrapped


def test_sections_stand_in_their_order(tmp_path):
    for name, order in (("a", 30), ("b", 10)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"title": f"Title {name}", "order": order}))
    (tmp_path / "c.json").write_text("{}")
    page = render(tmp_path)
    assert page.index("Title b") < page.index("Title a") < page.index("## C")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.12345, "0.123"), (1234567, "1,234,567"), (3.14159, "3.14"), ("a|b", "a\\|b")],
)
def test_cells(value, shown):
    assert cell(value) == shown


def test_runs_take_turns_and_ratios_are_of_turns():
    order = []
    seconds = side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "b", "a"]  # a machine that slows down slows both
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 2, "b": 2}
    assert ratio([1.0, 2.0, 1.0], [2.0, 4.0, 5.0]) == 2.0


def test_the_drawn_log_has_its_rows_a_long_tail_and_one_seed(tmp_path):
    write_long_tail(tmp_path / "a.parquet", 100_000)
    write_long_tail(tmp_path / "b.parquet", 100_000)
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame.equals(pl.read_parquet(tmp_path / "b.parquet"))
    assert frame.height == 100_000
    assert frame["timestamp"].is_sorted()
    counts = np.sort(frame["item_id"].value_counts()["count"].to_numpy())[::-1]
    tenth, half = counts[: len(counts) // 10].sum(), counts[len(counts) // 2 :].sum()
    assert tenth > 2 * frame.height / 10  # few items have much
    assert half < frame.height / 4  # and many little
