"""A report on disk: the whole page, or the one that was there before."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
from rectransfer.recommend import Recommender
from rectransfer.report.build import build_report
from rectransfer.report.render import render, require_extra
from rectransfer.report.result import Report

__all__ = ["require_page", "save_page", "write_report"]


def write_report(
    model: Recommender | str | Path,
    test: InteractionLog,
    catalogue: Any,
    path: str | Path,
    *,
    history: InteractionLog | pl.DataFrame | None = None,
    rivals: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    title: str = "Recommendation report",
    k: int = 10,
    n_users: int = 2_000,
    seed: int = 0,
) -> Report:
    """Measure a model on a later log, and write what a product team wants to know as one HTML page.

    The page holds everything it needs: it opens from a mail or a folder, without a network.

    Args:
        model: As in `build_report`, and so are the others.
        test: What came after the model's log.
        catalogue: Titles and categories.
        path: The file to write; one of that name is replaced once the new one is whole.
        history: What the test's users did besides the model's own log: a log, or a frame of one.
        rivals: Other models on the same users, as `build_report` takes them.
        columns: Your names of the catalogue's columns to ours.
        title: Of the page.
        k: The length of the lists.
        n_users: At most, and at least two.
        seed: Of all that is drawn.

    Returns:
        What the page shows.

    Raises:
        InputError: As `build_report`, or the file can't be written.
        MissingExtraError: The extra `report` is not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from rectransfer.evaluation import cut_last_steps
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> planted = plant(PlantedConfig(target_users=20, target_items=20))
        >>> cut = cut_last_steps(planted.target, share=0.4)
        >>> model = Recommender().fit(cut.earlier)
        >>> names = planted.items.select("item_id", title=pl.lit("Tea ") + pl.col("item_id"))
        >>> with TemporaryDirectory() as folder:
        ...     report = write_report(model, cut.later, names, Path(folder, "report.html"))
        >>> report.headline.standing in ("better", "level", "worse")
        True
    """
    require_page(path)
    report = build_report(
        model,
        test,
        catalogue,
        history=history,
        rivals=rivals,
        columns=columns,
        title=title,
        k=k,
        n_users=n_users,
        seed=seed,
    )
    save_page(render(report), path)
    return report


def require_page(path: str | Path) -> None:
    """Refuses, before any work, a page that could not be written.

    Raises:
        InputError: The path is a folder, or a file stands where its folder should be.
        MissingExtraError: The extra `report` is not installed.
    """
    require_extra()
    whole = Path(path).resolve()
    if whole.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file, such as {Path(path, 'report.html')}")
    nearest = next(folder for folder in whole.parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{nearest} is no folder that can be written; choose another file than {path}")


def save_page(page: str, path: str | Path) -> None:
    """Write a page whole, or not at all.

    Raises:
        InputError: It can't be written.
    """
    whole = Path(path).resolve()  # a link stays a link
    unfinished = whole.with_name(f".{whole.name}.{secrets.token_hex(4)}.unfinished")
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(whole)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error}); check the disk's space and the folder's permissions"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
