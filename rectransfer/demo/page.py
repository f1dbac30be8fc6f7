"""The demo's page: the report of the model that ships, beside all other models of the demo."""

from pathlib import Path
from typing import Any, Final

import polars as pl

from rectransfer.columns import Columns
from rectransfer.demo.result import ALONE, OURS
from rectransfer.errors import InputError
from rectransfer.evaluation import Contest, Task
from rectransfer.logs import InteractionLog
from rectransfer.recommend import Recommender
from rectransfer.report import write_report

__all__ = ["measured", "write_page"]

_POPULARITY: Final = "popularity"  # on the page already, as best sellers
_KINDS: Final = {"itemknn": "ItemKNN", "ease": "EASE", "ials": "iALS"}
_SCOPES: Final = {"target": "new domain alone", "pooled": "source and new domain pooled"}


def write_page(model: Any, contest: Contest, path: str | Path, seed: int) -> None:
    """Write the report of the demo's model.

    Args:
        model: The one that ships.
        contest: With every model's values.
        path: The file.
        seed: Of what is drawn.

    Raises:
        InputError: The model is none of ours, or the file cannot be written.
    """
    if not isinstance(model, Recommender):
        raise InputError(f"a report is written of a Recommender, got a {type(model).__name__}")
    task = contest.task
    rivals = {
        _label(entry.name): entry.values for entry in contest.entries if entry.name not in (OURS, _POPULARITY)
    }
    write_report(
        model,
        measured(task),
        _named(task),
        path,
        history=None if task.histories is task.target else task.histories,
        rivals={
            label: values.with_columns(task.users.ids.alias(Columns.User)) for label, values in rivals.items()
        },
        title=f"Recommendations: {task.name.replace('-', ' ')}",
        n_users=len(task.users),
        seed=seed,
    )


def measured(task: Task) -> InteractionLog:
    """The part of a task's test that its models are measured on: users with a history, items on sale."""
    on_sale = pl.Series(task.items.rows(task.test.frame[Columns.Item]) >= 0)
    users = pl.Series(task.users.rows(task.test.frame[Columns.User]) >= 0)
    return task.test.with_frame(task.test.frame.filter(on_sale & users))


def _named(task: Task) -> pl.DataFrame:
    if task.titles is not None:
        return task.titles
    return task.items.ids.alias(Columns.Item).to_frame().with_columns(title=pl.lit(None, pl.String))


def _label(name: str) -> str:
    if name == ALONE:
        return "The same model without the source"
    kind, _, scope = name.partition("_")
    return f"{_KINDS[kind]}, {_SCOPES[scope]}" if kind in _KINDS and scope in _SCOPES else name
