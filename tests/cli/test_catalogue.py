"""Titles and histories that commands read beside a model."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.cli import main
from rectransfer.recommend import load_recommender

EMPTY = "user_id,item_id,timestamp\n"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def products(home: Path, tmp_path: Path) -> Path:
    """A catalogue under names of its own, and of everybody."""
    ids = load_recommender(home / "model").catalogue.ids
    frame = pl.DataFrame({"product_id": ids, "title": "Jar " + ids, "aisle": "Jars"})
    frame.write_csv(tmp_path / "products.csv")
    return tmp_path / "products.csv"


def why(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command that must fail says."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def score(home: Path, *arguments: object) -> tuple[object, ...]:
    return ("score", home / "model", home / "target.parquet", "--no-progress", "-k", 2, *arguments)


def test_the_option_that_names_columns_is_the_commands_own(
    home: Path, products: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, explain = ("-o", tmp_path / "out.parquet"), ("explain", home / "model")
    missing = "products.csv has no column 'item_id'; its columns are product_id, title, aisle; name it: "

    scored = why(capsys, *score(home, "--reasons", "--catalogue", products, "-o", tmp_path / "scores"))
    assert f"{missing}--catalogue-columns NAME=item_id\n" in scored
    for option in ("--titles", "--items"):
        assert f"{missing}--columns NAME=item_id\n" in why(capsys, *explain, option, products, *out)
    assert not (tmp_path / "scores").exists()
    pl.read_csv(products).rename({"product_id": "item_id", "title": "name"}).write_csv(products)
    named = why(capsys, *score(home, "--reasons", "--catalogue", products, "-o", tmp_path / "scores"))
    assert "name it: --catalogue-columns NAME=title\n" in named
    assert "name it: --columns NAME=title\n" in why(capsys, *explain, "--titles", products, *out)


def test_a_catalogue_under_names_of_its_own(home: Path, products: Path, tmp_path: Path) -> None:
    names = ("--catalogue-columns", "product_id=item_id,aisle=category")

    assert run(*score(home, "--reasons", "--catalogue", products, *names, "-o", tmp_path / "scores")) == 0

    told = pl.read_parquet(tmp_path / "scores" / "*.parquet")["reasons"].explode().drop_nulls()
    assert told.str.contains("Jar i").any()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            "a=title,product_id=item_id",
            "has no column 'a', which --catalogue-columns names; its columns are product_id, title, aisle",
        ),
        ("product_id=item_id,a=category", "has no column 'a', which --catalogue-columns names"),
        (
            "product_id=item",
            "--catalogue-columns maps to 'item'; a catalogue's columns are item_id, title, category",
        ),
        ("product_id=item_id,title=title,aisle=title", "--catalogue-columns maps two names to 'title'"),
    ],
)
def test_names_that_a_catalogue_cannot_have(
    home: Path,
    products: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: str,
    words: str,
) -> None:
    given = ("--reasons", "--catalogue", products, "--catalogue-columns", names)

    assert words in why(capsys, *score(home, *given, "-o", tmp_path / "scores"))
    assert not (tmp_path / "scores").exists()


def test_a_title_that_is_not_there(
    home: Path, products: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("--titles", products, "--columns", "product_id=item_id,a=title")

    error = why(capsys, "explain", home / "model", *names, "-o", tmp_path / "out.parquet")

    assert "products.csv has no column 'a', which --columns names; its columns are product_id, title" in error


@pytest.mark.parametrize("reasons", [(), ("--reasons",)])
def test_columns_of_a_catalogue_need_one(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], reasons: tuple[str, ...]
) -> None:
    given = (*reasons, "--catalogue-columns", "a=title", "-o", tmp_path / "scores")

    assert "--catalogue-columns goes with --catalogue and --reasons" in why(capsys, *score(home, *given))
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize("command", ["recommend", "explain"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "folder"])
def test_a_history_without_rows_counts_as_none(home: Path, tmp_path: Path, command: str, kind: str) -> None:
    history = tmp_path / f"empty.{kind}"
    if kind == "parquet":
        pl.DataFrame({"user_id": [], "item_id": [], "timestamp": []}).write_parquet(history)
    elif kind == "csv":
        history.write_text(EMPTY)
    else:
        history.mkdir()
        for name in "ab":
            (history / f"{name}.csv").write_text(EMPTY)
    base = (command, home / "model", "-k", 2, "-o")

    assert run(*base, tmp_path / "with.parquet", "--history", history) == 0
    assert run(*base, tmp_path / "without.parquet") == 0

    assert pl.read_parquet(tmp_path / "with.parquet").equals(pl.read_parquet(tmp_path / "without.parquet"))


def test_it_counts_as_none_for_measuring_too(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(EMPTY)
    base = ("evaluate", home / "model", "--test", home / "later.parquet", "--json")

    assert run(*base, tmp_path / "with.json", "--history", tmp_path / "empty.csv") == 0
    assert run(*base, tmp_path / "without.json") == 0

    assert (tmp_path / "with.json").read_bytes() == (tmp_path / "without.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 bytes"),
        ("user_id,item_id\n", "no column 'timestamp'"),
        (EMPTY + "u,i,soon\n", "no format was found"),
        (EMPTY + "u,,1\n", "column 'item_id' has 1 nulls"),
    ],
)
def test_other_histories_are_refused_as_before(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (tmp_path / "log.csv").write_text(text)
    arguments = ("--history", tmp_path / "log.csv", "-o", tmp_path / "out.csv")

    assert words in why(capsys, "recommend", home / "model", *arguments)
    assert not (tmp_path / "out.csv").exists()


def test_names_of_titles_are_not_the_historys(home: Path, products: Path, tmp_path: Path) -> None:
    pl.read_csv(products).rename({"product_id": "item_id", "title": "name"}).write_csv(products)
    pl.read_parquet(home / "later.parquet").write_parquet(tmp_path / "later.parquet")
    given = ("--titles", products, "--columns", "name=title", "--history", tmp_path / "later.parquet")

    assert run("explain", home / "model", *given, "-k", 2, "-o", tmp_path / "out.parquet") == 0

    assert pl.read_parquet(tmp_path / "out.parquet")["reason"].str.contains("Jar i").any()
