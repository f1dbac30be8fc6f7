"""A user's mistake: status 2, one line on standard error, nothing written."""

import logging
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rectransfer.cli import commands, main
from rectransfer.cli.parser import build_parser
from rectransfer.errors import InputError

Fails = Callable[..., str]


@pytest.fixture
def fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fails:
    """Runs a command that must fail, and gives the line that says why."""

    def run(*arguments: object) -> str:
        before = _listing(tmp_path)
        assert main([str(argument) for argument in arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("rectransfer: error: ")
        assert captured.err.count("\n") == 1
        assert _listing(tmp_path) == before
        return captured.err

    return run


def _listing(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "the following arguments are required: COMMAND; see: rectransfer --help"),
        ("learn", "invalid choice: 'learn'"),
        ("fit", "required: TARGET, -o/--output; see: rectransfer fit --help"),
        ("fit t.csv -o m --deterministic", "unrecognized arguments: --deterministic"),
        ("fit t.csv -o m --pre p", "unrecognized arguments: --pre"),
        ("fit t.csv -o m --min-coverage 2", "--min-coverage: expected a number from 0 to 1, got '2'"),
        ("fit t.csv -o m --min-coverage nan", "expected a number from 0 to 1, got 'nan'"),
        ("fit t.csv -o m --seed -1", "--seed: expected a whole number from 0 to 4294967295, got '-1'"),
        ("pretrain l.csv -o p --seed 1.5", "got '1.5'"),
        ("pretrain l.csv -o p --epochs 0", "--epochs: expected a whole number from 1, got '0'"),
        ("pretrain l.csv -o p --columns user", "'user' is no pair of names"),
        ("pretrain l.csv -o p --columns a=user_id,", "'' is no pair of names"),
        ("pretrain l.csv -o p --columns a=b=c", "'a=b=c' is no pair of names"),
        ("pretrain l.csv -o p --columns =user_id", "'=user_id' is no pair of names"),
        ("pretrain l.csv -o p --columns a=user_id,a=item_id", "named twice"),
        ("pretrain l.csv -o p --columns a=user_id --columns a=item_id", "'a' is named twice"),
        ("recommend m -o r.csv -k 0", "-k: expected a whole number from 1, got '0'"),
        ("recommend m -o r.csv --on-unknown-users best", "invalid choice: 'best'"),
        ("evaluate m", "required: --test"),
        ("fit t.csv -o m --link l.csv", "--link goes with --pretrained"),
        ("data no-such", "there are complete-journey, ml-1m, ml-100k"),
        ("data ml-1m --from no-such.zip", "no such file: no-such.zip"),
    ],
)
def test_bad_usage(fails: Fails, arguments: str, expected: str) -> None:
    assert expected in fails(*arguments.split())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"user_id": pl.lit(1.5)}, "column 'user_id' holds Float64"),
        ({"item_id": pl.lit(None, pl.String)}, "column 'item_id' has 1,200 nulls"),
        ({"timestamp": pl.lit("soon")}, "no format was found for its timestamps, for example 'soon'"),
        ({"weight": pl.lit(float("nan"))}, "1,200 NaN"),
    ],
)
def test_logs_that_cannot_be_used(
    home: Path, tmp_path: Path, fails: Fails, change: dict[str, pl.Expr], expected: str
) -> None:
    log = tmp_path / "log.parquet"
    pl.read_parquet(home / "source.parquet").with_columns(**change).write_parquet(log)

    assert expected in fails("pretrain", log, "-o", tmp_path / "p")


def test_a_log_with_nothing_to_learn_from(home: Path, tmp_path: Path, fails: Fails) -> None:
    pl.read_parquet(home / "source.parquet").unique("user_id").write_parquet(tmp_path / "log.parquet")

    assert "no pairs to learn from" in fails("pretrain", tmp_path / "log.parquet", "-o", tmp_path / "p")


def test_files_that_cannot_be_read(home: Path, tmp_path: Path, fails: Fails) -> None:
    whole = (home / "source.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:500])
    (tmp_path / "empty.csv").touch()
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\n")
    (tmp_path / "log.txt").write_text("u i 1\n")
    (tmp_path / "folder").mkdir()

    def why(name: str) -> str:
        return fails("pretrain", tmp_path / name, "-o", tmp_path / "p")

    assert "no such file" in why("missing.parquet")
    assert "cut.parquet cannot be read" in why("cut.parquet")
    assert "0 bytes" in why("empty.csv")
    assert "0 rows" in why("rows.csv")
    assert "unknown ending '.txt'" in why("log.txt")
    assert "holds no file" in why("folder")


def test_columns_that_are_not_there(home: Path, tmp_path: Path, fails: Fails) -> None:
    base = ("pretrain", home / "source.parquet", "-o", tmp_path / "p", "--columns")

    assert "columns names 'household'" in fails(*base, "household=user_id")
    assert "turn it round" in fails(*base, "user_id=client")


def test_times_need_a_format_that_fits(tmp_path: Path, fails: Fails) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\n1,2,31.12.2024\n1,3,30.12.2024\n")
    base = ("pretrain", tmp_path / "log.csv", "-o", tmp_path / "p", "--timestamp-format")

    assert "conversion" in fails(*base, "%Y-%m-%d")
    assert main([*map(str, base), "%d.%m.%Y"]) == 0


def test_outputs_are_checked_before_anything_is_learned(
    home: Path, tmp_path: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rectransfer.cli.commands.read_logs", _never)
    (tmp_path / "notes.txt").write_text("mine")
    target, model = home / "target.parquet", home / "model"

    assert "holds files that rectransfer did not write" in fails("fit", target, "-o", tmp_path)
    assert "notes.txt is a file" in fails("fit", target, "-o", tmp_path / "notes.txt")
    assert "notes.txt is a file" in fails("pretrain", target, "-o", tmp_path / "notes.txt" / "p")
    assert "holds a 'recommender', no 'pretrained'" in fails("pretrain", target, "-o", model)
    assert "holds a 'pretrained', no 'recommender'" in fails("fit", target, "-o", home / "pretrained")
    assert "unknown ending '.xlsx'" in fails("recommend", model, "-o", tmp_path / "recs.xlsx")
    test = ("evaluate", model, "--test", target, "--json")
    assert "no ordinary file" in fails(*test, tmp_path)
    assert "notes.txt is a file" in fails(*test, tmp_path / "notes.txt" / "a.json")
    assert "no ordinary file" in fails("demo", "--json", tmp_path)
    (tmp_path / "ml-1m").write_text("a file")
    assert "ml-1m is a file" in fails("data", "ml-1m", "-o", tmp_path / "ml-1m")


def _never(*_: Any) -> Any:
    raise AssertionError("a log was read before the output was checked")


def test_a_folder_without_permission(
    home: Path, tmp_path: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # the tests may run as root, whom nothing stops

    assert "out cannot be written (Permission denied)" in fails(
        "fit", home / "target.parquet", "-o", tmp_path / "out"
    )
    assert "(Permission denied)" in fails("recommend", home / "model", "-o", tmp_path / "recs.csv")


def test_a_file_without_permission(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Namespace) -> None:
        raise PermissionError(13, "Permission denied", "log.csv")

    monkeypatch.setitem(commands.COMMANDS, "demo", refuse)

    assert fails("demo") == "rectransfer: error: log.csv: Permission denied\n"


def test_models_that_are_not_there_or_damaged(home: Path, tmp_path: Path, fails: Fails) -> None:
    out = ("-o", tmp_path / "recs.csv")

    assert "there is no folder" in fails("recommend", tmp_path / "none", *out)
    assert "holds a 'pretrained', expected a 'recommender'" in fails("recommend", home / "pretrained", *out)
    fit = ("fit", home / "target.parquet", "-o", tmp_path / "m", "--pretrained")
    assert "holds a 'recommender', expected a 'pretrained'" in fails(*fit, home / "model")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (home / "model").iterdir():
        content = file.read_bytes()
        (copy / file.name).write_bytes(content[:-1] if file.name.startswith("layers") else content)
    assert "bytes" in fails("recommend", copy, *out)


def test_domains_without_a_bridge(home: Path, tmp_path: Path, fails: Fails) -> None:
    other = pl.read_parquet(home / "target.parquet").with_columns(item_id="x" + pl.col("item_id"))
    other.with_columns(user_id="x" + pl.col("user_id")).write_parquet(tmp_path / "other.parquet")
    fit = ("fit", tmp_path / "other.parquet", "--pretrained", home / "pretrained", "-o", tmp_path / "m")

    assert "nothing to transfer over" in fails(*fit)
    (tmp_path / "link.csv").write_text("theirs,ours\nxi00001,i00001\n")
    assert "no column 'target_id'" in fails(*fit, "--link", tmp_path / "link.csv")


def test_lists_of_users_that_cannot_be_used(home: Path, tmp_path: Path, fails: Fails) -> None:
    pl.DataFrame({"user_id": [1, 2]}).write_parquet(tmp_path / "numbers.parquet")
    (tmp_path / "none.txt").write_text("\n\n")

    def why(name: str) -> str:
        users = tmp_path / name
        return fails("recommend", home / "model", "--users", users, "-o", tmp_path / "recs.csv")

    assert "no such file" in why("missing.csv")
    assert "holds no ids" in why("none.txt")
    assert "users holds Int64 ids" in why("numbers.parquet")


def test_a_test_that_holds_nothing_new(home: Path, tmp_path: Path, fails: Fails) -> None:
    test = ("--test", home / "target.parquet", "--json", tmp_path / "test.json")

    assert "something new" in fails("evaluate", home / "model", *test)


def test_an_error_of_many_lines_is_told_in_one(fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Namespace) -> None:
        raise InputError("first\n  second")

    monkeypatch.setitem(commands.COMMANDS, "demo", fail)

    assert fails("demo") == "rectransfer: error: first second\n"


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.COMMANDS, "demo", interrupt)

    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "rectransfer: interrupted\n"


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(commands.COMMANDS, "demo", _never)

    with pytest.raises(AssertionError):
        main(["demo"])


def test_verbose_logs_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(_: Namespace) -> None:
        logging.getLogger("rectransfer.demo").info("working")
        logging.getLogger("gensim.models").info("chatting")
        raise InputError("no")

    monkeypatch.setitem(commands.COMMANDS, "demo", talk)

    main(["demo"])
    assert "working" not in capsys.readouterr().err
    main(["demo", "-v"])
    err = capsys.readouterr().err
    assert "INFO rectransfer.demo: working" in err
    assert "chatting" not in err
    main(["demo", "-vv"])
    assert "Traceback" in capsys.readouterr().err
    assert logging.getLogger("rectransfer").handlers == []


@pytest.mark.parametrize(
    ("options", "terminal", "shown"),
    [([], True, True), ([], False, False), (["--progress"], False, True), (["--no-progress"], True, False)],
)
def test_progress_by_default_in_a_terminal(
    options: list[str], terminal: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setitem(commands.COMMANDS, "demo", lambda arguments: seen.append(arguments.progress))
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)

    assert main(["demo", *options]) == 0
    assert seen == [shown]


def test_mappings_of_columns_add_up() -> None:
    mappings = ["--columns", "a=user_id, b = item_id", "--columns", "c=weight"]

    assert build_parser().parse_args(["pretrain", "log.csv", "-o", "p", *mappings]).columns == {
        "a": "user_id",
        "b": "item_id",
        "c": "weight",
    }


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys\nfrom rectransfer.cli import main\n"
        "for asked in ('--help', '--version'):\n"
        "    try: main([asked])\n    except SystemExit as done: assert done.code == 0\n"
        "assert not {'polars', 'numpy', 'torch', 'rich'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)

    assert "usage: rectransfer" in done.stdout
    assert "example:" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("rectransfer ")
