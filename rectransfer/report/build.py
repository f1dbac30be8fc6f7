"""From a model, a test and a catalogue to all that a page shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rectransfer.artefacts.card import read_card
from rectransfer.logs import InteractionLog, require_log
from rectransfer.recommend import Recommender, load_recommender
from rectransfer.recommend.inputs import history_of, joined
from rectransfer.report.atlas import atlas
from rectransfer.report.catalogue import read_catalogue
from rectransfer.report.explained import explained
from rectransfer.report.gate import gate
from rectransfer.report.people import draw_people, people, shown_items
from rectransfer.report.provenance import limits, moment, provenance
from rectransfer.report.reach import reach
from rectransfer.report.result import Report, Test
from rectransfer.report.segments import segments
from rectransfer.report.standings import standings
from rectransfer.report.trial import Trial, run_trial
from rectransfer.report.words import headline
from rectransfer.whole import require_whole

__all__ = ["build_report"]


def build_report(
    model: Recommender | str | Path,
    test: InteractionLog,
    catalogue: Any,
    *,
    history: InteractionLog | pl.DataFrame | None = None,
    rivals: Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    title: str = "Recommendation report",
    k: int = 10,
    n_users: int = 2_000,
    seed: int = 0,
) -> Report:
    """Measure a model on a later log, and gather what a product team wants to know of it.

    Args:
        model: Fitted, or the folder of a saved one, whose card then stands on the page.
        test: What came after the model's log.
        catalogue: Titles and categories, as `read_catalogue` takes them.
        history: What the test's users did besides the model's own log: a log, or a frame of one.
        rivals: Other models on the same users, by what to call them: polars or pandas frames of `user_id`,
            `ndcg@10` and `hit_rate@10`.
        columns: Your names of the catalogue's columns to ours.
        title: Of the page.
        k: The length of the lists.
        n_users: At most, and at least two; where there are more, that many are drawn.
        seed: Draws them, the users to look at, and the intervals.

    Returns:
        The report; equal input and seed give an equal one.

    Raises:
        InputError: The test holds nothing new, ids differ in type, or the history, the catalogue, a rival or
            a number can't be used.
        NotFittedError: The model isn't fitted.
        ArtefactError: The folder can't be loaded.
    """
    require_log(test, "build_report(test)")
    require_whole(f"n_users={n_users!r}", n_users, 2)
    require_whole(f"seed={seed!r}", seed, 0)
    added = None if history is None else history_of(history)
    folder = None if isinstance(model, Recommender) else Path(model)
    loaded = model if isinstance(model, Recommender) else load_recommender(model)
    state = loaded.state
    named = read_catalogue(catalogue, columns=columns, like=state.items.dtype)
    named.require(state.items)
    trial = run_trial(loaded, test, history=added, k=k, n_users=n_users, seed=seed, known=loaded.state.log)
    judged = gate(loaded.verdict)
    models = standings(trial, rivals, seed=seed)
    parts = segments(trial, named, _sourced(loaded), seed=seed)
    drawn = draw_people(trial, seed)
    told = explained(loaded, trial, drawn, added, named, seed=seed)
    log = state.log if added is None else joined(state.log, added)
    return Report(
        title=title,
        headline=headline(models, judged, parts, k=k),
        test=_test(trial, test),
        models=models,
        gate=judged,
        segments=parts,
        bridges=reach(loaded),
        atlas=atlas(state.scene.evidence, state.items, trial.buyers, named, seed=seed),
        signals=told.signals,
        people=people(drawn, trial, log, named, reasons=told.reasons, because=told.because),
        limits=limits(trial, named, judged, shown_items(drawn, log, named)),
        provenance=provenance(
            loaded, test, card=None if folder is None else read_card(folder), folder=folder, seed=seed
        ),
    )


def _test(trial: Trial, test: InteractionLog) -> Test:
    first, last = (moment(value) for value in test.span)
    return Test(
        k=trial.k,
        n_users=trial.users.len(),
        n_eligible=trial.n_eligible,
        n_unknown=int((trial.history_sizes == 0).sum()),
        n_pairs=trial.new.height,
        n_viewed=trial.n_viewed,
        first=first,
        last=last,
    )


def _sourced(model: Recommender) -> pl.Series | None:
    """The items that a source knows; None where the model that ships takes nothing from one."""
    state = model.state
    known = [one.known for one in state.scene.evidence if one.name in state.coverage]
    if not known:
        return None
    return state.items.take(np.flatnonzero(np.any(known, axis=0)))
