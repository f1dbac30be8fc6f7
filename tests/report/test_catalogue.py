"""Catalogues, good and bad."""

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.report import read_catalogue

GOOD = pl.DataFrame({"item_id": ["0042", "7"], "title": ["Tea", "  "], "category": ["Drinks", ""]})


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_files(tmp_path, ending):
    file = tmp_path / f"products{ending}"
    if ending == ".parquet":
        GOOD.write_parquet(file)
    else:
        GOOD.write_csv(file, separator="\t" if ending == ".tsv" else ",")

    found = read_catalogue(file, like=pl.String())

    assert found.frame["item_id"].to_list() == ["0042", "7"]
    assert found.titles(pl.Series(["7", "0042", "8"])).to_list() == ["Item 7", "Tea", "Item 8"]
    assert found.categories(pl.Series(["7", "0042"])).to_list() == [None, "Drinks"]
    assert found.untitled(pl.Series(["7", "0042", "8"])) == 2


def test_numbers_in_text_files_are_read_as_the_model_has_them(tmp_path):
    (tmp_path / "a.csv").write_text("item_id,title\n7,Tea\n")

    assert read_catalogue(tmp_path / "a.csv", like=pl.Int64()).frame["item_id"].to_list() == [7]
    (tmp_path / "a.csv").write_text("item_id,title\n7,Tea\nx,Milk\n")
    with pytest.raises(
        InputError, match=r"1 of the 2 values of item_id are no whole numbers.* the first is 'x'"
    ):
        read_catalogue(tmp_path / "a.csv", like=pl.Int64())


def test_names_of_ones_own():
    theirs = GOOD.rename({"item_id": "sku", "title": "name", "category": "aisle"})
    columns = {"sku": "item_id", "name": "title", "aisle": "category"}

    assert read_catalogue(theirs, columns=columns).frame.equals(read_catalogue(GOOD).frame)
    with pytest.raises(InputError, match="no column 'item_id'; its columns are sku, name, aisle; name yours"):
        read_catalogue(theirs)
    with pytest.raises(InputError, match="no column 'title'"):
        read_catalogue(theirs, columns={"sku": "item_id"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"zz": "item_id"},
            "columns names 'zz', which isn't there; its columns are item_id, title, category",
        ),
        (
            {"title": "user_id"},
            r"columns maps to 'user_id', and a catalogue has item_id, title, category; map your .* "
            "--catalogue-columns NAME=item_id; its columns are item_id, title, category",
        ),
        ({"title": "title", "category": "title"}, "columns maps two names to one"),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_names_that_are_none(tmp_path, columns, message, as_file):
    GOOD.write_csv(tmp_path / "a.csv")
    with pytest.raises(InputError, match=message):
        read_catalogue(tmp_path / "a.csv" if as_file else GOOD, columns=columns)


def test_pandas_frames():
    pytest.importorskip("pandas")

    assert read_catalogue(GOOD.to_pandas()).frame.equals(read_catalogue(GOOD).frame)
    with pytest.raises(InputError, match="a catalogue is a file or a polars or pandas frame, got a Series"):
        read_catalogue(GOOD.to_pandas()["title"])
    mixed = GOOD.to_pandas()
    mixed["title"] = ["Tea", 7]
    with pytest.raises(InputError, match=r"this DataFrame cannot be read .* frame\[NAME\]\.astype"):
        read_catalogue(mixed)


def test_what_is_there_twice():
    assert read_catalogue(pl.concat([GOOD, GOOD])).frame.height == 2
    other = GOOD.with_columns(title=pl.lit("Coffee"))
    with pytest.raises(
        InputError, match=r"2 ids have several titles or categories, for example '0042'; keep one"
    ):
        read_catalogue(pl.concat([GOOD, other]))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD.with_columns(item_id=pl.Series(["7", None])), "'item_id' has 1 null"),
        (GOOD.with_columns(item_id=pl.Series([0.5, 1.5])), "ids are integers or text"),
        (GOOD.clear(), "is empty: 0 rows"),
        ({"item_id": [1]}, "a file or a polars or pandas frame, got a dict"),
    ],
)
def test_what_is_no_catalogue(frame, message):
    with pytest.raises(InputError, match=message):
        read_catalogue(frame)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "broken.parquet").write_text("no")
    (tmp_path / "a.xlsx").write_text("no")
    for name, message in {
        "empty.csv": "is empty: 0 bytes",
        "broken.parquet": "cannot be read",
        "a.xlsx": r"unknown ending '\.xlsx'; expected \.parquet, \.pq, \.csv, \.tsv",
        "none.csv": "no such file",
        ".": "is a folder, expected a file",
    }.items():
        with pytest.raises(InputError, match=message):
            read_catalogue(tmp_path / name)
