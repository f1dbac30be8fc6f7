"""Which source is worth carrying over to a target? Probes of seconds, before it is fitted."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import polars as pl

from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog, require_log
from rectransfer.metrics import paired_bootstrap
from rectransfer.pretrained import Pretrained, not_apart
from rectransfer.selection.logit import Probed, Sample, ndcg_as_it_is, probe, sample
from rectransfer.selection.overlap import neighbour_overlap
from rectransfer.selection.quick import quick_gain, some_users
from rectransfer.selection.result import SCHEMA, Score, Selection
from rectransfer.selection.slice import Slice, matrix
from rectransfer.selection.views import Signals, source_signals, target_signals
from rectransfer.transfer import Bridges, align, bridges
from rectransfer.transfer.link import Link

__all__ = ["select_source"]

logger = logging.getLogger(__name__)


def select_source(
    candidates: Sequence[Pretrained] | Mapping[str, Pretrained],
    target: InteractionLog,
    *,
    links: Mapping[str, Link] | None = None,
    by: Score = "gain",
    min_coverage: float = 0.05,
    most_users: int = 1000,
    seed: int = 0,
) -> Selection:
    """Rank sources by what they are likely to gain on a target.

    - `gain`: a small model is fitted with the source, on 300 of the target's users at most, and the gate
      measures NDCG@10 with the source less that without, with its interval. It takes seconds a source; for
      every other `by` it isn't done.

    The other scores take a fraction of a second. The visits of some of the target's users are cut after three
    quarters, and a source is scored by how well what it says about the earlier visits foretells what was new
    later:

    - `probe`: NDCG@10 of the source alone, as it comes; nothing is fitted.
    - `lift`: how much NDCG@10 a quick linear probe over the target's own signals gains when it gets the
      source's too, on users that neither the probe nor the target's signals have learned from; with a paired
      interval.
    - `transferability`: how much likelier that makes what users took, in nats a label: the log-likelihood of
      a simple head over what the source says, as in LEEP (Nguyen et al. 2020, "LEEP: a new measure to
      evaluate transferability of learned representations", ICML, section 3), less that without the source.

    Coverage and the overlap of nearest neighbours stand beside them. None of this is the gate's verdict: that
    a source is the best of those here doesn't say that it helps.

    Args:
        candidates: Sources, by name or in a list; a list's names are those on their cards.
        target: The new domain's log.
        links: For sources that name their items differently: target ids to source ids, by the source's name.
        by: What to rank by. `docs/source-selection.md` says how good each order is.
        min_coverage: The share of the target's interactions (or users) that a source has to reach.
        most_users: Users to measure on, at most, by all scores but `gain`.
        seed: Draws them, and what labels are told from.

    Raises:
        CoverageError: No source shares anything with the target, or those that do have learned from its rows.
        InputError: No candidate, something that isn't one, or fewer than 20 users with a later visit.

    Examples:
        >>> from rectransfer.logs import PlantedConfig, plant
        >>> from rectransfer.pretrained import pretrain
        >>> planted = plant(PlantedConfig(source_users=100, target_users=60))
        >>> found = select_source({"the only one": pretrain(planted.source)}, planted.target)
        >>> found.table["rank"].to_list(), found.best_name
        ([1], 'the only one')
    """
    require_log(target, "select_source(target)")
    if by not in get_args(Score):
        raise InputError(f"by={by!r}; choose one of {', '.join(get_args(Score))}")
    named = _named(candidates)
    if unknown := [name for name in links or {} if name not in named]:
        raise InputError(f"links name {unknown[0]!r}, which is no candidate: {', '.join(named)}")
    reached = {
        name: bridges(
            one.items.vocabulary,
            one.users.vocabulary,
            target,
            link=(links or {}).get(name),
            min_coverage=min_coverage,
        )
        for name, one in named.items()
    }
    if all(bridge.kind == "none" for bridge in reached.values()):
        first = next(iter(named))
        raise CoverageError(
            f"none of the {len(named)} sources shares items or users with the target. {first}: "
            f"{reached[first]}. Cast ids to one type and spelling, pass "
            "links={name: {target id: source id}}, or lower min_coverage"
        )
    measured = Slice.of(target, most_users, seed)
    told = sample(measured, seed)
    own = target_signals(measured)
    alone = probe(measured, told, own)
    few = some_users(target, seed)
    rows = []
    for name, one in named.items():
        row: dict[str, Any] = {"name": name, **_coverage(reached[name])}
        if reached[name].kind == "none":
            row["reason"] = f"no bridge: {reached[name]}"
        elif wrong := not_apart(one, target):
            row["reason"] = wrong
        else:
            link = (links or {}).get(name)
            row |= _scored(measured, told, own, alone, one, reached[name], link, seed)
            if by == "gain" and not row["reason"]:
                row |= quick_gain(one, few, link=link, min_coverage=min_coverage, seed=seed)
        logger.info("%s", row)
        rows.append(row)
    if all(row["reason"] for row in rows):
        raise CoverageError(f"none of the {len(named)} sources can be scored: {rows[0]['reason']}")
    return Selection(_ranked(rows, by), by, named, len(measured.users))


def _named(candidates: Sequence[Pretrained] | Mapping[str, Pretrained]) -> dict[str, Pretrained]:
    if isinstance(candidates, Mapping):
        named = dict(candidates)
    else:
        several = [candidates] if isinstance(candidates, Pretrained) else list(candidates)
        names = [str(one.card.get("name")) if isinstance(one, Pretrained) else "" for one in several]
        if len(set(names)) < len(names):
            names = [f"{name} ({place})" for place, name in enumerate(names, 1)]
        named = dict(zip(names, several, strict=True))
    if not named:
        raise InputError("no candidate; pass what pretrain() or load_pretrained() gives, one or more of them")
    if wrong := [one for one in named.values() if not isinstance(one, Pretrained)]:
        raise InputError(
            f"candidates holds a {type(wrong[0]).__name__}; expected what pretrain() or load_pretrained() "
            "gives"
        )
    return named


def _coverage(bridge: Bridges) -> dict[str, Any]:
    return {
        "bridge": bridge.kind,
        "items": bridge.items.items,
        "interactions": bridge.items.interactions,
        "users": bridge.users.users,
        "reason": "",
    }


def _scored(
    measured: Slice,
    told: Sample,
    own: Signals,
    alone: Probed,
    one: Pretrained,
    bridge: Bridges,
    link: Link | None,
    seed: int,
) -> dict[str, Any]:
    signals = source_signals(measured, one, bridge, link)
    overlap = float("nan")
    if bridge.by_items:
        rows = align(one.items, measured.target, link=link, min_coverage=0.0).rows
        taken = matrix(measured.known.frame, measured.target.users, measured.target.items)
        overlap = neighbour_overlap(one.items, taken, rows)
    if not signals:
        return {"reason": "its users are shared, but it kept no histories that could be carried over"}
    both = probe(measured, told, own | signals)
    lift = paired_bootstrap(both.ndcg, alone.ndcg, seed=seed)
    as_it_is = (
        signals["items.affinity"] + signals["items.popularity"] if "items.affinity" in signals else None
    )
    bare = signals["users.together"] if as_it_is is None else as_it_is
    return {
        "probe": float(ndcg_as_it_is(measured, bare).mean()),
        "lift": lift.mean,
        "lift_low": lift.low,
        "lift_high": lift.high,
        "transferability": float((both.likelihood - alone.likelihood).mean()),
        "neighbour_overlap": None if np.isnan(overlap) else overlap,
    }


def _ranked(rows: list[dict[str, Any]], by: str) -> pl.DataFrame:
    frame = pl.DataFrame([{name: row.get(name) for name in SCHEMA if name != "rank"} for row in rows])
    frame = frame.cast({name: kind for name, kind in SCHEMA.items() if name != "rank"})
    score = pl.when(pl.col("reason") == "").then(pl.col(by))
    frame = frame.sort(score, descending=True, nulls_last=True, maintain_order=True)
    place = pl.when(score.is_not_null()).then(pl.int_range(1, pl.len() + 1)).cast(pl.Int64)
    return frame.with_columns(place.alias("rank")).select(list(SCHEMA))
