"""`rectransfer report`, on planted logs."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.cli import main

CATALOGUE = "catalogue.csv"


@pytest.fixture
def products(home: Path, tmp_path: Path) -> Path:
    ids = pl.read_parquet(home / "target.parquet")["item_id"].unique().sort()
    frame = pl.DataFrame({"sku": ids, "name": "Tea " + ids, "aisle": "Drinks"})
    frame.write_csv(tmp_path / CATALOGUE)
    return tmp_path / CATALOGUE


NAMES = ("--catalogue-columns", "sku=item_id,name=title", "--catalogue-columns", "aisle=category")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_it_writes_a_page(
    home: Path, products: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "report.html"
    arguments = ("--test", home / "later.parquet", "--catalogue", products, *NAMES, "-o", out)

    assert run("report", home / "model", *arguments, "--title", "Store 12", "--seed", 3, "-k", 5) == 0

    page = out.read_text(encoding="utf-8")
    assert "<h1><bdi>Store 12</bdi></h1>" in page
    assert "both lists of 5" in page
    assert "Tea i" in page
    printed = " ".join(capsys.readouterr().out.split())
    assert "list of best sellers" in printed
    assert "30 of 30 measured" in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--catalogue": "nothing.csv"}, "no such file: nothing.csv"),
        ({"--test": "target.parquet"}, "Is it the log that the model was fitted on?"),
        ({"-o": "."}, "is no ordinary file"),
        ({"--catalogue-columns": "sku=item_id"}, "no column 'title'"),
    ],
)
def test_mistakes_are_one_line(
    home: Path,
    products: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    message: str,
) -> None:
    given = {
        "--test": "later.parquet",
        "--catalogue": str(products),
        "--catalogue-columns": "sku=item_id,name=title",
        "-o": str(tmp_path / "report.html"),
        **change,
    }
    given["--test"] = str(home / given["--test"])

    assert run("report", home / "model", *(part for pair in given.items() for part in pair)) == 2

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "report.html").exists()


def test_a_catalogue_is_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", home / "model", "--test", home / "later.parquet", "-o", "report.html") == 2
    assert "required: --catalogue" in capsys.readouterr().err
