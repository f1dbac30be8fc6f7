"""What trials were measured under, as digests: only under the same can they be compared."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import polars as pl

from rectransfer.artefacts import library_versions
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import Pretrained
from rectransfer.tuning.folds import Fitting
from rectransfer.tuning.space import SearchSpace, Settings

__all__ = ["comparable_under"]


def comparable_under(
    target: InteractionLog,
    kept: tuple[Pretrained, ...],
    source: InteractionLog | None,
    base: Settings,
    space: SearchSpace,
    fitting: Fitting,
    folds: int,
    seed: int,
) -> dict[str, str]:
    """What has to be the same for trials to be compared, as digests."""
    link = fitting.link.to_dicts() if isinstance(fitting.link, pl.DataFrame) else fitting.link
    catalogue = None if fitting.items is None else sorted(map(str, fitting.items))
    return {
        "target": _digest_log(target),
        "source": _digest([_digest_log(source) if source is not None else None]),
        "pretrained": _digest([one.items.digest() for one in kept]),
        "space": _digest([repr(sorted(space.ranges.items()))]),
        "config": _digest([asdict(base.config), None if base.pretrain is None else asdict(base.pretrain)]),
        "catalogue, link or coverage": _digest([catalogue, repr(link), fitting.min_coverage]),
        "number of folds or seed": _digest([folds, seed]),
        "version of rectransfer": library_versions().get("rectransfer", "unknown"),
    }


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _digest_log(log: InteractionLog) -> str:
    state = hashlib.sha256()
    for column in log.frame.iter_columns():
        state.update(f"{column.name}{column.dtype}{column.len()}".encode())
        numbers = column.to_physical()
        if numbers.dtype == pl.String:
            state.update("\x1f".join(numbers.to_list()).encode())
        else:
            state.update(numbers.to_numpy().tobytes())
    return state.hexdigest()
