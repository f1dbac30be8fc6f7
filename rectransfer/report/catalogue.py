"""What items are called: a catalogue of titles and categories."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import polars.exceptions

from rectransfer.columns import Columns
from rectransfer.errors import InputError
from rectransfer.texts import as_text
from rectransfer.vocabulary import Vocabulary, as_ids

__all__ = ["CATEGORY", "TITLE", "Catalogue", "framed", "read_catalogue"]

TITLE: Final = "title"
CATEGORY: Final = "category"

_NAMES: Final = (Columns.Item, TITLE, CATEGORY)
_PARQUET: Final = (".parquet", ".pq")
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_PROBLEMS: Final = (polars.exceptions.PolarsError, OSError, UnicodeDecodeError)


@dataclass(frozen=True, eq=False, repr=False)
class Catalogue:
    """Titles and categories of items. `read_catalogue` makes one.

    Attributes:
        frame: `item_id`, each once; `title` and `category`, null where there is none.

    Examples:
        >>> catalogue = read_catalogue(pl.DataFrame({"item_id": [7, 9], "title": ["Tea", " "]}))
        >>> catalogue.titles(pl.Series([9, 7, 8])).to_list()
        ['Item 9', 'Tea', 'Item 8']
    """

    frame: pl.DataFrame

    @property
    def has_categories(self) -> bool:
        """Whether any item has one."""
        return self.frame[CATEGORY].null_count() < self.frame.height

    def titles(self, ids: pl.Series) -> pl.Series:
        """What each item is called: its title, or its id where it has none."""
        number = pl.lit("Item ") + pl.col(Columns.Item).cast(pl.String)
        return self._joined(ids).select(pl.coalesce(TITLE, number).alias(TITLE)).to_series()

    def categories(self, ids: pl.Series) -> pl.Series:
        """The category of each item; null where it has none."""
        return self._joined(ids)[CATEGORY]

    def untitled(self, ids: pl.Series) -> int:
        """How many of some items have no title."""
        return self._joined(ids)[TITLE].null_count()

    def require(self, items: Vocabulary) -> None:
        """Refuse a catalogue of other things than the items of a model.

        Raises:
            InputError: Ids of another type, or not one in common.
        """
        ids = self.frame[Columns.Item]
        if ids.dtype != items.dtype:
            raise InputError(
                f"the catalogue's {Columns.Item} is {ids.dtype} (for example {ids[0]!r}) and the model's is "
                f"{items.dtype} (for example {items.ids[0]!r}); cast it: "
                f"frame.with_columns(pl.col({Columns.Item!r}).cast(pl.{items.dtype}))"
            )
        if not (items.rows(ids) >= 0).any():
            raise InputError(
                f"none of the catalogue's {ids.len():,} ids (for example {ids[0]!r}) is an item of the "
                f"model's (for example {items.ids[0]!r}); is it the catalogue of another shop?"
            )

    def _joined(self, ids: pl.Series) -> pl.DataFrame:
        frame = ids.alias(Columns.Item).to_frame()
        return frame.join(self.frame, on=Columns.Item, how="left", maintain_order="left")


def read_catalogue(
    data: Any, *, columns: Mapping[str, str] | None = None, like: pl.DataType | None = None
) -> Catalogue:
    """A catalogue from a file or a frame.

    Blank titles are none. A row that is there twice counts once.

    Args:
        data: A Parquet, CSV or TSV file; or a polars or pandas frame. It needs `item_id` and `title`, and may
            have `category`.
        columns: Your names to ours, for instance `{"product_id": "item_id", "department": "category"}`.
        like: What ids in text files are read as: the type of the model's.

    Raises:
        InputError: The file cannot be read; a column is missing, or one that `columns` names; a title or
            category is no text; an id is null, no id at all, or there twice with different titles.
    """
    if isinstance(data, Catalogue):
        return data
    if isinstance(data, str | Path):
        frame, name = _read(Path(data), columns, like), str(data)
    else:
        frame, name = (
            _chosen(framed(data, "a catalogue is a file or"), columns, "the catalogue"),
            "the catalogue",
        )
    try:
        ids = as_ids(frame[Columns.Item], Columns.Item)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    words = [_words(frame, column, name) for column in (TITLE, CATEGORY)]
    made = pl.DataFrame([ids.alias(Columns.Item), *words]).unique(maintain_order=True)
    if not made.height:
        raise InputError(f"{name} is empty: 0 rows")
    if (twice := made[Columns.Item].is_duplicated()).any():
        example = made.filter(twice)[Columns.Item][0]
        raise InputError(
            f"{name}: {made.filter(twice)[Columns.Item].n_unique():,} ids have several titles or categories, "
            f"for example {example!r}; keep one of each: "
            f"frame.unique({Columns.Item!r}, keep='first', maintain_order=True)"
        )
    return Catalogue(made)


def _read(path: Path, columns: Mapping[str, str] | None, like: pl.DataType | None) -> pl.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is a folder, expected a file" if path.is_dir() else f"no such file: {path}")
    kind = path.suffix.lower()
    if kind not in (*_PARQUET, *_SEPARATORS):
        raise InputError(f"{path}: unknown ending {kind!r}; expected {', '.join((*_PARQUET, *_SEPARATORS))}")
    try:
        if not path.stat().st_size:
            raise InputError(f"{path} is empty: 0 bytes")
        if kind in _PARQUET:
            return _chosen(pl.read_parquet(path, glob=False, hive_partitioning=False), columns, str(path))
        text = pl.read_csv(path, separator=_SEPARATORS[kind], infer_schema=False, glob=False)
    except _PROBLEMS as error:
        raise InputError(
            f"{path} cannot be read ({str(error).splitlines()[0][:200]}); is it damaged?"
        ) from error
    frame = _chosen(text, columns, str(path))
    if like != pl.Int64:
        return frame
    return frame.with_columns(_whole(frame[Columns.Item], path))


def _whole(text: pl.Series, path: Path) -> pl.Series:
    whole = text.cast(pl.Int64, strict=False)
    wrong = text.filter(whole.is_null() & text.is_not_null())
    if wrong.len():
        raise InputError(
            f"{path}: {wrong.len():,} of the {text.len():,} values of {text.name} are no whole numbers, as "
            f"the model's are; the first is {wrong[0]!r}"
        )
    return whole


def framed(data: Any, expected: str) -> pl.DataFrame:
    """A polars or pandas frame as a polars frame.

    Args:
        data: What was given.
        expected: What "a polars or pandas frame" follows in an error.

    Raises:
        InputError: It is something else, or a column mixes types.
    """
    kind = type(data)
    try:
        if isinstance(data, pl.LazyFrame):
            return data.collect()
        if isinstance(data, pl.DataFrame):
            return data
        if (kind.__module__.partition(".")[0], kind.__name__) == ("pandas", "DataFrame"):
            return pl.from_pandas(data)
    except (*_PROBLEMS, TypeError, ValueError) as error:  # Arrow's own errors are among them
        raise InputError(
            f"{expected} a polars or pandas frame; this {kind.__name__} cannot be read ({str(error)[:200]}); "
            "a column that mixes types has to be made one, as text: frame[NAME].astype(str)"
        ) from error
    raise InputError(
        f"{expected} a polars or pandas frame, got a {kind.__name__}; polars.DataFrame(data) takes dicts and "
        "lists"
    )


def _chosen(frame: pl.DataFrame, columns: Mapping[str, str] | None, name: str) -> pl.DataFrame:
    theirs = _renamed(frame.columns, columns or {}, name)
    for ours in (Columns.Item, TITLE):
        if theirs.get(ours, ours) not in frame.columns:
            raise InputError(
                f"{name} has no column {ours!r}; its columns are {', '.join(frame.columns)}; name yours: "
                f"columns={{'NAME': {ours!r}}}, on the command line --catalogue-columns NAME={ours}"
            )
    found = {ours: theirs.get(ours, ours) for ours in _NAMES}
    return frame.select(pl.col(yours).alias(ours) for ours, yours in found.items() if yours in frame.columns)


def _renamed(present: list[str], columns: Mapping[str, str], name: str) -> dict[str, str]:
    """Our names to the caller's, of those that `columns` speaks of."""
    told = f"its columns are {', '.join(present)}"
    if strange := [ours for ours in columns.values() if ours not in _NAMES]:
        raise InputError(
            f"{name}: columns maps to {strange[0]!r}, and a catalogue has {', '.join(_NAMES)}; map your "
            f"names to these: columns={{'NAME': {_NAMES[0]!r}}}, on the command line --catalogue-columns "
            f"NAME={_NAMES[0]}; {told}"
        )
    if absent := [yours for yours in columns if yours not in present]:
        raise InputError(f"{name}: columns names {absent[0]!r}, which isn't there; {told}")
    if len(set(columns.values())) < len(columns):
        raise InputError(f"{name}: columns maps two names to one: {dict(columns)}; leave one of them out")
    return {ours: yours for yours, ours in columns.items()}


def _words(frame: pl.DataFrame, column: str, name: str) -> pl.Series:
    if column not in frame.columns:
        return pl.Series(column, [None] * frame.height, dtype=pl.String)
    values = as_text(frame[column], name)
    return values.to_frame().select(pl.when(pl.col(column) != "").then(pl.col(column))).to_series()
