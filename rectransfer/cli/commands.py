"""One function a command: arguments in, library calls, tables out.

What learns is imported only when the output can be written.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from rectransfer.cli import tables
from rectransfer.cli.inputs import (
    as_known,
    read_catalogue,
    read_history,
    read_ids,
    read_later,
    read_link,
    read_logs,
    read_titles,
)
from rectransfer.cli.outputs import (
    require_folder,
    require_new_file,
    require_table,
    write_batches,
    write_json,
    write_table,
)
from rectransfer.columns import Columns
from rectransfer.errors import CoverageError, InputError

if TYPE_CHECKING:  # loads what learns
    from rectransfer.pretrained import Pretrained

__all__ = ["COMMANDS"]


def _pretrain(arguments: Namespace) -> None:
    """Learn a source and save it."""
    require_folder(arguments.output, "pretrained")
    from rectransfer.embeddings import Item2Vec
    from rectransfer.pretrained import PretrainConfig, pretrain

    given = {name: getattr(arguments, name) for name in ("dimensions", "epochs")}
    item2vec = Item2Vec(**{name: value for name, value in given.items() if value is not None})
    source = read_logs(arguments.logs, arguments)
    result = pretrain(
        source,
        config=PretrainConfig(item2vec=item2vec),
        seed=arguments.seed,
        deterministic=arguments.deterministic,
        progress=arguments.progress,
    )
    result.save(arguments.output)
    tables.show(tables.pretrained(result, source, arguments.output))


def _fit(arguments: Namespace) -> None:
    """Start a target and save the model."""
    if arguments.link and not arguments.pretrained:
        raise InputError("--link goes with --pretrained: without a source there is nothing to link to")
    require_folder(arguments.output, "recommender")
    from rectransfer.pretrained import load_pretrained
    from rectransfer.recommend import Recommender

    sources = [load_pretrained(folder) for folder in arguments.pretrained]
    target = as_known(read_logs(arguments.logs, arguments), arguments.logs, _ids_of(sources, arguments.link))
    kind = target.frame.schema[Columns.Item]
    items = arguments.items and read_ids(arguments.items, Columns.Item, arguments.columns, kind)
    link = arguments.link and read_link(arguments.link, kind, sources[0].items.vocabulary.dtype)
    model = Recommender(sources, seed=arguments.seed)
    try:
        model.fit(
            target, items=items, link=link, min_coverage=arguments.min_coverage, progress=arguments.progress
        )
    except CoverageError as error:
        words = str(error).replace("link={target id: source id}", "--link FILE")
        raise CoverageError(f"{target.name}: {words.replace('min_coverage', '--min-coverage')}") from error
    model.save(arguments.output)
    tables.show(tables.fitted(model, target, arguments.output))


def _ids_of(sources: Sequence["Pretrained"], link: Path | None) -> dict[str, pl.DataType]:
    """The types of the sources' ids, as far as they agree; a link table has both spellings of an item."""
    found = {Columns.User: {source.users.vocabulary.dtype for source in sources}}
    if link is None:
        found[Columns.Item] = {source.items.vocabulary.dtype for source in sources}
    return {column: kinds.pop() for column, kinds in found.items() if len(kinds) == 1}


def _recommend(arguments: Namespace) -> None:
    """Write a table of recommendations."""
    require_table(arguments.output)
    from rectransfer.recommend import load_recommender

    model = load_recommender(arguments.model)
    kinds = model.taken.schema
    users, items = (
        path and read_ids(path, column, arguments.columns, kinds[column])
        for path, column in ((arguments.users, Columns.User), (arguments.items, Columns.Item))
    )
    history = arguments.history and read_history(arguments.history, arguments, kinds)
    found = model.recommend(
        users,
        arguments.k,
        history=history,
        items=items,
        filter_viewed=arguments.filter_viewed,
        on_unknown_users=arguments.on_unknown_users,
    )
    write_table(found, arguments.output)
    asked = None if users is None else users.n_unique()
    strange = model.unknown(users, history=history)
    tables.show(tables.recommended(found, asked, strange, arguments.output))


def _explain(arguments: Namespace) -> None:
    """Write reasons or contributions, some users at a time."""
    require_table(arguments.output)
    from rectransfer.explain import Explanations, reason_frame, reasons_for
    from rectransfer.recommend import load_recommender
    from rectransfer.recommend.explaining import called

    model = load_recommender(arguments.model)
    kinds = model.taken.schema
    users, items = (
        path and read_ids(path, column, arguments.columns, kinds[column])
        for path, column in ((arguments.users, Columns.User), (arguments.items, Columns.Item))
    )
    titles = arguments.titles and read_titles(arguments.titles, arguments.columns, kinds[Columns.Item])
    known = called(model.state, titles, str(arguments.titles))

    def words(part: Explanations) -> pl.DataFrame:
        if arguments.by != "reasons":
            return part.frame(arguments.by)
        return reason_frame(part, reasons_for(part, titles=known))

    found = model.explain_batches(
        users,
        items,
        arguments.k,
        history=arguments.history and read_history(arguments.history, arguments, kinds),
        on_unknown_users=arguments.on_unknown_users,
    )
    count = tables.Counted()
    write_batches(count(words(part) for part in found), arguments.output)
    tables.show(tables.explained(count, None if users is None else users.n_unique(), arguments.output))


def _score(arguments: Namespace) -> None:
    """Write a folder of scores, or go on with one."""
    if arguments.catalogue and not arguments.reasons:
        raise InputError("--catalogue goes with --reasons: it has the titles that they name")
    if arguments.catalogue_columns and not arguments.catalogue:
        raise InputError(
            "--catalogue-columns goes with --catalogue and --reasons: it names the columns of that file"
        )
    from rectransfer.recommend import load_recommender
    from rectransfer.scoring import PART_USERS
    from rectransfer.serving import DEPTH

    model = load_recommender(arguments.model)
    kind = model.taken.schema[Columns.Item]
    result = model.score(
        arguments.users,
        arguments.output,
        arguments.k,
        columns=arguments.columns,
        times=arguments.timestamp_format,
        filter_viewed=arguments.filter_viewed,
        on_unknown_users=arguments.on_unknown_users,
        reasons=arguments.reasons,
        titles=arguments.catalogue and read_catalogue(arguments.catalogue, arguments.catalogue_columns, kind),
        depth=arguments.depth or DEPTH,
        part_users=arguments.part_users or PART_USERS,
        engine=arguments.engine,
        workers=arguments.workers,
        memory=arguments.memory,
        progress=arguments.progress,
    )
    tables.show(tables.scored(result))


def _evaluate(arguments: Namespace) -> None:
    """Measure a model on a later log."""
    if arguments.json:
        require_new_file(arguments.json)
    from rectransfer.evaluation import evaluate
    from rectransfer.recommend import load_recommender

    model = load_recommender(arguments.model)
    kinds = model.taken.schema
    result = evaluate(
        model,
        read_later(arguments.test, arguments, kinds),
        k=arguments.k,
        histories=arguments.history and read_history(arguments.history, arguments, kinds),
        filter_viewed=arguments.filter_viewed,
        seed=arguments.seed,
    )
    if arguments.json:
        write_json(result.as_dict(), arguments.json)
    tables.show(tables.evaluated(result, arguments.json))


def _report(arguments: Namespace) -> None:
    """Write a page for product teams."""
    from rectransfer.recommend import load_recommender
    from rectransfer.report import write_report

    require_new_file(arguments.output)
    model = load_recommender(arguments.model)
    kinds = model.taken.schema
    result = write_report(
        model,
        read_later(arguments.test, arguments, kinds),
        arguments.catalogue,
        arguments.output,
        history=arguments.history and read_history(arguments.history, arguments, kinds),
        columns=arguments.catalogue_columns,
        title=arguments.title,
        k=arguments.k,
        seed=arguments.seed,
    )
    tables.show(tables.reported(result, arguments.output))


def _demo(arguments: Namespace) -> None:
    """Run the main job on real data."""
    for path in (arguments.json, arguments.report):
        if path:
            require_new_file(path)
    from rectransfer.demo import render, run_demo

    result = run_demo(
        page=arguments.report,
        seed=arguments.seed,
        progress=arguments.progress,
        report=_line_on_stderr if arguments.progress else None,
    )
    if arguments.json:
        write_json(result.as_dict(), arguments.json)
    tables.show(render(result))


def _data(arguments: Namespace) -> None:
    """Fetch public data and write it."""
    from rectransfer.logs import fetch

    folder = arguments.output or Path(arguments.name)
    names = ("log", "items")
    for name in names:
        require_new_file(folder / f"{name}.parquet")
    found = fetch(arguments.name, from_file=arguments.from_file)
    frames: tuple[pl.DataFrame, ...] = (found.log.frame, found.items)
    for name, frame in zip(names, frames, strict=True):
        write_table(frame, folder / f"{name}.parquet")
    tables.show(tables.data(found, folder))


def _line_on_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


COMMANDS: Final[dict[str, Callable[[Namespace], None]]] = {
    "pretrain": _pretrain,
    "fit": _fit,
    "recommend": _recommend,
    "explain": _explain,
    "score": _score,
    "evaluate": _evaluate,
    "report": _report,
    "demo": _demo,
    "data": _data,
}
"""What each command does."""
