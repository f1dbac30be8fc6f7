"""The jobs, through the command line, on planted logs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rectransfer.demo
import rectransfer.logs
from rectransfer.artefacts import CARD
from rectransfer.cli import main
from rectransfer.logs import PUBLIC_DATA, PlantedDomains, PublicData
from rectransfer.recommend import load_recommender

NAMES = ["user_id", "item_id", "score", "rank"]


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """The same log with whole numbers for ids and days for times, under names of its own."""
    return frame.select(
        household_id=pl.col("user_id").str.slice(1).cast(pl.Int64),
        product_id=pl.col("item_id").str.slice(1).cast(pl.Int64),
        day=pl.col("timestamp").dt.epoch("d"),
    )


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_recommend_writes_what_the_library_recommends(home: Path, tmp_path: Path) -> None:
    assert run("recommend", home / "model", "-k", 3, "-o", tmp_path / "recs.parquet") == 0

    written = pl.read_parquet(tmp_path / "recs.parquet")
    assert written.equals(load_recommender(home / "model").recommend(k=3))
    assert written.columns == NAMES
    assert written["rank"].max() == 3


def test_another_process_writes_the_same(home: Path, tmp_path: Path) -> None:
    arguments = [home / "model", "-k", "3", "-o", tmp_path / "new" / "theirs.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "rectransfer", "recommend", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "rows   90" in done.stdout
    assert run("recommend", home / "model", "-k", 3, "-o", tmp_path / "ours.csv") == 0
    assert (tmp_path / "new" / "theirs.csv").read_text() == (tmp_path / "ours.csv").read_text()


def test_fit_takes_sources_more_items_and_a_link_table(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = pl.read_parquet(home / "target.parquet").with_columns(item_id="new " + pl.col("item_id"))
    target.write_parquet(tmp_path / "target.parquet")
    renamed = target.select(target_id="item_id", source_id=pl.col("item_id").str.strip_prefix("new "))
    renamed.unique().write_csv(tmp_path / "link.csv")
    (tmp_path / "items.txt").write_text("something else\n\n")
    files = ("--link", tmp_path / "link.csv", "--items", tmp_path / "items.txt")
    other = tmp_path / "other"
    assert run("pretrain", home / "source.parquet", "-o", other, "--seed", 7, "--dimensions", 8) == 0
    capsys.readouterr()
    where = ("--pretrained", home / "pretrained", other, "-o", tmp_path / "model")

    assert run("fit", tmp_path / "target.parquet", *where, *files, "--seed", 1) == 0

    model = load_recommender(tmp_path / "model")
    assert model.config.seed == 1
    assert model.coverage is not None
    assert model.coverage.n_items == 20
    assert "something else" in model.catalogue
    shown = " ".join(capsys.readouterr().out.split())
    for name, coverage in model.state.coverage.items():
        assert f"coverage of {name} {coverage}" in shown
    assert len(model.state.coverage) == 2
    assert "80.0% of the items (20 of 25)" in shown
    assert model.verdict.reason in shown
    for name, ndcg in model.verdict.contenders.items():
        assert f"{name} │ {ndcg:.4f}" in shown


def test_numbers_as_ids_under_names_of_their_own(small: PlantedDomains, tmp_path: Path) -> None:
    for name, log in {"source": small.source, "target": small.target}.items():
        numbered(log.frame).write_csv(tmp_path / f"{name}.csv")
    (tmp_path / "users.csv").write_text("household_id\n3\n1\n")
    names = ("--columns", "household_id=user_id,product_id=item_id", "--columns", "day=timestamp")
    few = ("--dimensions", 8, "--epochs", 2, "--deterministic")

    assert run("pretrain", tmp_path / "source.csv", "-o", tmp_path / "p", *names, *few) == 0
    where = ("--pretrained", tmp_path / "p", "-o", tmp_path / "m")
    assert run("fit", tmp_path / "target.csv", *where, *names) == 0
    files = ("--users", tmp_path / "users.csv", "-o", tmp_path / "recs.parquet", *names)
    assert run("recommend", tmp_path / "m", "-k", 2, *files) == 0

    written = pl.read_parquet(tmp_path / "recs.parquet")
    assert written["user_id"].to_list() == [3, 3, 1, 1]
    assert written["item_id"].dtype == pl.Int64
    config = json.loads((tmp_path / "p" / CARD).read_text())["pretrained"]["config"]["item2vec"]
    assert (config["dimensions"], config["epochs"], config["deterministic"]) == (8, 2, True)


def test_digits_in_text_files_are_text_where_the_ids_are(
    home: Path, small: PlantedDomains, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, later = tmp_path / "target.csv", tmp_path / "later.csv"
    for name, frame in {
        "source": small.source.frame,
        "target": small.target.frame,
        "later": pl.read_parquet(home / "later.parquet"),
    }.items():
        digits = frame.with_columns(pl.col("user_id", "item_id").str.slice(1))
        digits = digits.with_columns(pl.col("user_id", "item_id").str.strip_chars_start("0") + "0")
        digits.write_parquet(tmp_path / f"{name}.parquet")
        digits.write_csv(tmp_path / f"{name}.csv")
    few = ("--dimensions", 8, "--epochs", 2)
    assert run("pretrain", tmp_path / "source.parquet", "-o", tmp_path / "p", *few) == 0

    assert run("fit", target, "--pretrained", tmp_path / "p", "-o", tmp_path / "m") == 0
    for command in ("recommend", "explain"):
        out = tmp_path / f"{command}.parquet"
        assert run(command, tmp_path / "m", "-k", 1, "-o", out, "--history", later) == 0
        assert pl.read_parquet(out)["user_id"].n_unique() == 30
    assert run("evaluate", tmp_path / "m", "--test", later, "--history", target) == 0

    numbers = tmp_path / "numbers.parquet"
    pl.read_parquet(tmp_path / "later.parquet").cast({"item_id": pl.Int64}).write_parquet(numbers)
    for option in ("--test", "--history"):
        rest = ("--test", later) if option == "--history" else ()
        capsys.readouterr()
        assert run("evaluate", tmp_path / "m", *rest, option, numbers) == 2
        assert "numbers.parquet: item_id is Int64 (for example " in capsys.readouterr().err


def test_a_bridge_that_does_not_hold_names_options(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = pl.read_parquet(home / "target.parquet").with_columns(pl.col("user_id", "item_id") + "x")
    strange.write_parquet(tmp_path / "strange.parquet")

    where = ("--pretrained", home / "pretrained", "-o", tmp_path / "m")
    assert run("fit", tmp_path / "strange.parquet", *where) == 2

    said = capsys.readouterr().err
    assert "strange.parquet: nothing to transfer over" in said
    assert "pass --link FILE, or lower --min-coverage" in said


def test_unknown_users(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = tmp_path / "users.txt"
    users.write_text("u00001\nnobody\n")
    out = tmp_path / "recs.csv"
    base = ("recommend", home / "model", "--users", users, "-k", 2, "-o", out)

    assert run(*base) == 0
    assert pl.read_csv(out)["user_id"].to_list() == ["u00001"] * 2 + ["nobody"] * 2
    assert "2 of 2, 1 of them unknown: best sellers" in capsys.readouterr().out
    assert run(*base, "--on-unknown-users", "skip") == 0
    assert pl.read_csv(out)["user_id"].to_list() == ["u00001"] * 2
    assert "1 of 2" in capsys.readouterr().out
    before = out.read_bytes()
    assert run(*base, "--on-unknown-users", "raise") == 2
    assert out.read_bytes() == before
    assert "for example 'nobody'" in capsys.readouterr().err


def test_a_history_is_all_that_a_new_user_needs(home: Path, tmp_path: Path) -> None:
    first = pl.read_parquet(home / "target.parquet").head(3).with_columns(user_id=pl.lit("new"))
    first.write_parquet(tmp_path / "history.parquet")
    files = ("--history", tmp_path / "history.parquet", "-o", tmp_path / "recs.parquet")

    assert run("recommend", home / "model", "--on-unknown-users", "raise", *files) == 0

    written = pl.read_parquet(tmp_path / "recs.parquet")
    assert written["user_id"].unique().to_list() == ["new"]
    assert not set(written["item_id"]) & set(first["item_id"])


def test_items_restrict_and_viewed_ones_may_come_back(home: Path, tmp_path: Path) -> None:
    target = pl.read_parquet(home / "target.parquet")
    target.head(2).select("item_id").write_parquet(tmp_path / "items.parquet")
    target.head(1).select("user_id").write_parquet(tmp_path / "users.parquet")
    files = ("--items", tmp_path / "items.parquet", "--users", tmp_path / "users.parquet")
    base = ("recommend", home / "model", *files, "-o", tmp_path / "recs.parquet")

    assert run(*base) == 0
    assert pl.read_parquet(tmp_path / "recs.parquet").height == 0
    assert run(*base, "--no-filter-viewed") == 0
    written = pl.read_parquet(tmp_path / "recs.parquet")
    assert set(written["item_id"]) == set(target.head(2)["item_id"])


def test_evaluate_prints_and_writes_the_same_numbers(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_file = tmp_path / "results" / "test.json"
    test = ("--test", home / "later.parquet")

    assert run("evaluate", home / "model", *test, "-k", 5, "--json", json_file) == 0

    written = json.loads(json_file.read_text())
    assert (written["k"], written["n_users"], written["n_viewed"]) == (5, 30, 0)
    line = next(line for line in capsys.readouterr().out.splitlines() if "ndcg@5" in line)
    assert run("evaluate", home / "model", *test, "-k", 5, "--no-filter-viewed") == 0
    assert "0 left out" in capsys.readouterr().out
    assert f"{written['means']['ndcg@5']['mean']:.4f}" in line


def test_evaluate_takes_the_histories_of_others(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strangers = pl.col("user_id").str.replace("u", "x")
    for name in ("target", "later"):
        frame = pl.read_parquet(home / f"{name}.parquet").with_columns(strangers)
        frame.write_parquet(tmp_path / f"{name}.parquet")
    test, history = ("--test", tmp_path / "later.parquet"), ("--history", tmp_path / "target.parquet")

    assert run("evaluate", home / "model", *test, *history, "--json", tmp_path / "test.json") == 0
    written = json.loads((tmp_path / "test.json").read_text())
    assert (written["n_without_list"], written["n_unknown"]) == (0, 0)
    assert "unknown" not in "".join(capsys.readouterr())

    assert run("evaluate", home / "model", *test) == 0
    said = capsys.readouterr()
    assert "30 measured, 0 of them without a list, 30 unknown: best sellers" in said.out
    assert "later.parquet: the model knows nothing of 30 of 30 users" in said.err


def test_demo_shows_and_writes_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    class Result:
        def as_dict(self) -> dict[str, Any]:
            return {"seed": 7}

    def run_demo(**options: Any) -> Result:
        asked.append(options)
        if options["report"]:
            options["report"]("Reading")
        return Result()

    monkeypatch.setattr(rectransfer.demo, "run_demo", run_demo)
    monkeypatch.setattr(rectransfer.demo, "render", lambda result: f"shown: {result.as_dict()}")

    assert run("demo", "--json", tmp_path / "demo.json", "--seed", 7, "--progress") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("shown: {'seed': 7}\n", "Reading\n")
    assert json.loads((tmp_path / "demo.json").read_text()) == {"seed": 7}
    assert run("demo", "--no-progress") == 0
    assert [(one["seed"], one["progress"]) for one in asked] == [(7, True), (0, False)]
    assert asked[1]["report"] is None
    assert [one["page"] for one in asked] == [None, None]
    assert run("demo", "--report", tmp_path / "report.html", "--no-progress") == 0
    assert asked[2]["page"] == tmp_path / "report.html"
    assert run("demo", "--report", tmp_path) == 2


def test_data_writes_log_and_items(
    small: PlantedDomains,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    items = pl.DataFrame({"item_id": ["i1"], "title": ["Tea"]})
    found = PublicData(
        "ml-100k", small.target, items, None, small.target.frame, "somewhere", "free [for all]"
    )
    monkeypatch.setattr(rectransfer.logs, "fetch", lambda name, from_file: found)
    monkeypatch.chdir(tmp_path)

    assert run("data", "ml-100k") == 0
    assert pl.read_parquet(tmp_path / "ml-100k" / "log.parquet").equals(small.target.frame)
    assert pl.read_parquet(tmp_path / "ml-100k" / "items.parquet").equals(items)
    assert "free [for all]" in capsys.readouterr().out
    assert run("data", "ml-100k", "-o", tmp_path / "here") == 0
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["items.parquet", "log.parquet"]


def test_help_names_all_public_data(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--help"])

    out = capsys.readouterr().out
    assert all(name in out for name in PUBLIC_DATA)
    assert "example:" in out
