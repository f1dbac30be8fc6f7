"""`rectransfer explain`: reasons and contributions as files."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectransfer.cli import main
from rectransfer.cli.inputs import read_titles
from rectransfer.cli.outputs import write_batches
from rectransfer.explain import titles_of
from rectransfer.recommend import load_recommender


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def titles(home: Path, tmp_path: Path) -> Path:
    ids = load_recommender(home / "model").catalogue.ids
    names = pl.Series([None, *("Jar " + ids)[1:]])
    pl.DataFrame({"sku": ids, "title": names}).write_csv(tmp_path / "titles.csv")
    return tmp_path / "titles.csv"


def test_it_writes_what_the_library_says(home: Path, titles: Path, tmp_path: Path) -> None:
    arguments = ("--titles", titles, "--columns", "sku=item_id", "-k", 3)
    assert run("explain", home / "model", *arguments, "-o", tmp_path / "reasons.parquet") == 0
    assert run("explain", home / "model", *arguments, "-o", tmp_path / "reasons.csv") == 0

    model = load_recommender(home / "model")
    known = pl.read_csv(titles).rename({"sku": "item_id"})
    expected = model.reasons(k=3, titles=known)
    written = pl.read_parquet(tmp_path / "reasons.parquet")
    assert written.equals(expected)
    assert written["reason"].str.contains("Jar").sum() > 0
    assert pl.read_csv(tmp_path / "reasons.csv")["reason"].equals(expected["reason"])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("by", ["groups", "signals", "history"])
def test_it_writes_contributions(home: Path, tmp_path: Path, by: str) -> None:
    out = tmp_path / "parts.parquet"

    assert run("explain", home / "model", "-k", 2, "--by", by, "-o", out) == 0

    model = load_recommender(home / "model")
    written = pl.read_parquet(out)
    assert written.equals(model.explain(k=2).frame(by))  # type: ignore[arg-type]
    sums = written.group_by("user_id", "item_id", maintain_order=True).agg(pl.col("contribution").sum())
    recommended = model.recommend(k=2)
    np.testing.assert_allclose(sums["contribution"], recommended["score"], rtol=1e-5, atol=1e-5)


def test_users_items_and_strangers(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_recommender(home / "model")
    (tmp_path / "users.txt").write_text(f"{model.users[0]}\nnobody\n")
    (tmp_path / "items.txt").write_text(f"{model.catalogue.ids[3]}\n")
    arguments = ("explain", home / "model", "--users", tmp_path / "users.txt", "-o", tmp_path / "out.parquet")

    assert run(*arguments, "--items", tmp_path / "items.txt") == 0
    assert pl.read_parquet(tmp_path / "out.parquet")["user_id"].to_list() == [model.users[0], "nobody"]
    assert "2 of 2" in capsys.readouterr().out
    assert run(*arguments, "--on-unknown-users", "skip", "-k", 4) == 0
    assert pl.read_parquet(tmp_path / "out.parquet").height == 4
    assert run(*arguments, "--on-unknown-users", "raise") == 2


def test_nobody_is_left(home: Path, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("nobody\n")
    arguments = ("explain", home / "model", "--users", tmp_path / "users.txt", "--on-unknown-users", "skip")

    assert run(*arguments, "-o", tmp_path / "out.parquet") == 0

    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written.is_empty()
    assert written.columns == ["user_id", "item_id", "score", "rank", "reason", "parts", "contribution"]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("titles.csv", "item_id,name\na,b\n", "no column 'title'"),
        ("titles.csv", "product,title\na,b\n", "no column 'item_id'"),
        ("titles.json", "{}", "unknown ending '.json'"),
        ("titles.csv", "", "is empty"),
    ],
)
def test_titles_that_cannot_be_read(
    home: Path, tmp_path: Path, file: str, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(text)

    assert run("explain", home / "model", "--titles", tmp_path / file, "-o", tmp_path / "o.parquet") == 2

    assert words in capsys.readouterr().err
    assert not (tmp_path / "o.parquet").exists()


def test_titles_that_cannot_be_used_are_told_with_their_file(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "titles.parquet"

    def why(**columns: object) -> str:
        pl.DataFrame(columns).write_parquet(file)
        assert run("explain", home / "model", "--titles", file, "-o", tmp_path / "o.parquet") == 2
        return capsys.readouterr().err

    foreign = why(item_id=["soap"], title=["Soap"])
    assert f"{file}: none of the 1 ids with a title (for example 'soap') is an item of the model's" in foreign
    assert f"{file}: 1 ids have several titles, the first is 'a'" in why(item_id=["a", "a"], title=["b", "c"])
    assert f"{file}: column 'title' is List(String), expected text" in why(item_id=["a"], title=[["b", "c"]])
    assert f"{file}: item_id is Int64 and the model's items are String" in why(item_id=[1], title=["b"])
    assert f"{file}: column 'item_id' holds Float64" in why(item_id=[1.5], title=["b"])


def test_titles_are_read_as_the_library_takes_them(tmp_path: Path) -> None:
    names = pl.DataFrame(
        {"item_id": [7, 7, 8, 9, 9, None], "title": ["tea ", "tea", None, " ", "milk", "nothing"]}
    )
    names.write_csv(tmp_path / "titles.csv")

    found = read_titles(tmp_path / "titles.csv", None, pl.Int64())

    assert found.schema == {"item_id": pl.Int64(), "title": pl.String()}
    assert found.rows() == [(7, "tea"), (9, "milk")]
    assert found.rows() == list(titles_of(names, pl.Int64()).items())


def test_titles_that_are_not_there(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", home / "model", "--titles", tmp_path / "no.csv", "-o", tmp_path / "o.csv") == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_batches_become_one_table(tmp_path: Path, ending: str) -> None:
    whole = pl.DataFrame({"a": range(1_000), "b": [f"x{n}, y" for n in range(1_000)]})
    parts = [whole[:0], *(whole[start : start + 70] for start in range(0, 1_000, 70))]
    out = tmp_path / f"out.{ending}"

    write_batches(iter(parts), out, rows_at_once=200)

    assert (pl.read_parquet(out) if ending == "parquet" else pl.read_csv(out)).equals(whole)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_an_error_on_the_way_leaves_the_former_file(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_batches(iter([pl.DataFrame({"a": [1]})]), out)

    def failing():  # type: ignore[no-untyped-def]
        yield pl.DataFrame({"a": [2]})
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_batches(failing(), out, rows_at_once=1)

    assert pl.read_parquet(out)["a"].to_list() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
