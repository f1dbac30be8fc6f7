"""Results for a terminal."""

from collections.abc import Iterable, Iterator
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog, PublicData

if TYPE_CHECKING:  # showing a log should not load what learns
    from rectransfer.evaluation import Evaluation
    from rectransfer.pretrained import Pretrained
    from rectransfer.recommend import Recommender
    from rectransfer.report import Report
    from rectransfer.scoring import Scored

__all__ = [
    "Counted",
    "data",
    "evaluated",
    "explained",
    "fitted",
    "pretrained",
    "recommended",
    "reported",
    "scored",
    "show",
]


def show(what: RenderableType) -> None:
    """Print to standard output."""
    Console(highlight=False).print(what)


def pretrained(result: "Pretrained", source: InteractionLog, folder: Path) -> RenderableType:
    """What was learned from what."""
    held_out = result.card["held_out"]
    quality = "not measured: too few users"
    if held_out.get("users"):
        quality = f"{held_out['ndcg@10']:.4f} on {int(held_out['users']):,} users held out"
    return _facts(
        log=str(source.describe()),
        items=f"{len(result.items):,} with {result.items.dimensions} dimensions",
        users=f"{len(result.users.vocabulary):,}",
        **{"NDCG@10": quality},
        saved=str(folder),
    )


def fitted(model: "Recommender", target: InteractionLog, folder: Path) -> RenderableType:
    """Coverage, what the gate measured, and the verdict."""
    verdict = model.verdict
    contenders = Table("model", Column("NDCG@10", justify="right"), "")
    for name, ndcg in verdict.contenders.items():
        measured = "not measured" if isnan(ndcg) else f"{ndcg:.4f}"
        contenders.add_row(Text(name), measured, "ships" if name == verdict.contender else "")
    facts = {"log": str(target.describe())}
    found = model.state.coverage
    for name, coverage in found.items():
        facts["coverage" if len(found) == 1 else f"coverage of {name}"] = str(coverage)
    facts |= {"verdict": verdict.reason, "saved": str(folder)}
    return Group(contenders, _facts(**facts)) if verdict.contenders else _facts(**facts)


def recommended(
    recommendations: pl.DataFrame, asked: int | None, strange: pl.Series, file: Path
) -> RenderableType:
    """How many rows went where, and who of them is `strange` to the model."""
    users = recommendations[Columns.User].unique()
    of = "" if asked is None else f" of {asked:,}"
    n = users.is_in(strange.implode()).sum()
    best = f", {n:,} of them unknown: best sellers" if n else ""
    return _facts(users=f"{users.len():,}{of}{best}", rows=f"{recommendations.height:,}", saved=str(file))


class Counted:
    """Counts rows and users of frames as they pass."""

    def __init__(self) -> None:
        self.rows = self.users = self.without = 0

    def __call__(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same frames; a user's rows stand in one of them."""
        for frame in frames:
            self.rows += frame.height
            self.users += frame[Columns.User].n_unique()
            if "reason" in frame.columns:
                self.without += frame["reason"].null_count()
            yield frame


def explained(count: Counted, asked: int | None, file: Path) -> RenderableType:
    """How many rows went where."""
    of = "" if asked is None else f" of {asked:,}"
    rows = f"{count.rows:,}" + (f", {count.without:,} of them without a reason" if count.without else "")
    return _facts(users=f"{count.users:,}{of}", rows=rows, saved=str(file))


def scored(result: "Scored") -> RenderableType:
    """What is there, and what this run did of it."""
    return _facts(
        users=f"{result.users:,}",
        rows=f"{result.rows:,}",
        parts=f"{result.parts:,}, {result.done_now:,} of them now",
        time=f"{result.seconds:.1f} s",
        saved=str(result.folder),
    )


def evaluated(result: "Evaluation", file: Path | None) -> RenderableType:
    """Metrics with their intervals."""
    table = Table("metric", Column("mean", justify="right"), Column("95 % interval", justify="right"))
    for metric, mean, low, high in result.table().iter_rows():
        table.add_row(metric, f"{mean:.4f}", "" if low is None else f"{low:.4f} – {high:.4f}")
    strange = f", {result.n_unknown:,} unknown: best sellers" if result.n_unknown else ""
    facts = {
        "users": f"{result.n_users:,} measured, {result.n_without_list:,} of them without a list{strange}",
        "pairs": f"{result.n_relevant:,} to be found; {result.n_viewed:,} left out, which users had before",
    }
    if file is not None:
        facts["saved"] = str(file)
    return Group(table, _facts(**facts))


def reported(result: "Report", file: Path) -> RenderableType:
    """The verdict, and where the page is."""
    return _facts(
        verdict=result.headline.sentence,
        users=f"{result.test.n_users:,} of {result.test.n_eligible:,} measured",
        saved=str(file),
    )


def data(found: PublicData, folder: Path) -> RenderableType:
    """What was fetched, from where, and where it is."""
    return _facts(
        data=found.name,
        log=str(found.log.describe()),
        items=f"{found.items.height:,} with titles",
        source=found.source,
        licence=found.licence,
        saved=f"{folder / 'log.parquet'}, {folder / 'items.parquet'}",
    )


def _facts(**facts: Any) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, words in facts.items():
        table.add_row(Text(name, style="bold"), Text(words))  # as text: an id may look like markup
    return table
