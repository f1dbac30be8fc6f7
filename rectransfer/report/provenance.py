"""Where a report comes from, and what it can't say."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from rectransfer.artefacts import library_versions
from rectransfer.artefacts.card import CHECKSUM
from rectransfer.columns import Columns
from rectransfer.logs import InteractionLog
from rectransfer.recommend import Recommender
from rectransfer.report.catalogue import Catalogue
from rectransfer.report.result import Gate
from rectransfer.report.trial import Trial

__all__ = ["limits", "moment", "provenance"]

_FEW: Final = 200


def moment(value: Any) -> str:
    """A time for people: the day, or the number that stands for it.

    Examples:
        >>> moment(datetime(2017, 11, 5, 13, 30)), moment(43)
        ('2017-11-05', '43')
    """
    return value.date().isoformat() if isinstance(value, datetime) else str(value)


def provenance(
    model: Recommender,
    test: InteractionLog,
    *,
    card: Mapping[str, Any] | None,
    folder: Path | None,
    seed: int,
) -> Mapping[str, str]:
    """Names and values, in the order of the page.

    Args:
        model: Fitted.
        test: What came after its log.
        card: Of the folder that the model was loaded from.
        folder: Where that is.
        seed: Of everything that was drawn for the report.
    """
    log, config = model.state.log, model.config
    found = {
        "Model": f"{model.verdict.contender}; {len(model.signals)} signals",
        "Items on sale": f"{len(model.catalogue):,}",
        "What it knows of users": _data(log),
        "Test": _data(test),
        "Seed of the model": str(config.seed),
        "Seed of this report": str(seed),
    }
    if folder is not None:
        found["Folder"] = folder.name
    if card is None:
        found["Card"] = "none: the report was made of a model in memory"
    else:
        found["Saved"] = str(card.get("created", "unknown"))
        found["Card"] = f"sha256 {card.get(CHECKSUM, 'unknown')}"
        found["Saved with"] = _versions(card.get("versions", {}))
    found["Report written with"] = _versions(library_versions())
    return found


def limits(trial: Trial, catalogue: Catalogue, gate: Gate, shown: pl.Series) -> tuple[str, ...]:
    """What the page doesn't show, a sentence each.

    Args:
        trial: Of the model that ships.
        catalogue: Titles and categories.
        gate: What was measured before.
        shown: Ids of the items in the histories that the page shows.
    """
    found = [
        "This is a test on what users did by themselves. What they would do with other recommendations in "
        "front of them, only a live test shows.",
        "The numbers hold for the users and the weeks of this test. A range says how much they would move "
        "with other users of the same kind, not with another season.",
        "Where many parts of the users or items are compared, one in twenty would stand out by chance alone.",
    ]
    if trial.n_eligible > trial.users.len():
        found.append(
            f"{trial.users.len():,} of the {trial.n_eligible:,} users who could be measured were drawn at "
            "random."
        )
    elif trial.users.len() < _FEW:
        found.append(f"Only {trial.users.len():,} users could be measured: small differences don't show.")
    if new := int((trial.history_sizes == 0).sum()):
        found.append(f"{new:,} of the users measured have no history; they get best sellers.")
    if trial.n_viewed:
        found.append(
            f"{trial.n_viewed:,} pairs of the test are left out: the user had the item before, and what a "
            "user has had is never recommended."
        )
    shelf = trial.buyers[Columns.Item]
    if untitled := catalogue.untitled(shelf):
        found.append(
            f"{untitled:,} of the {shelf.len():,} items on sale have no title in the catalogue; they appear "
            "by their id."
        )
    if nameless := catalogue.untitled(shown.filter(~shown.is_in(shelf.implode()))):
        found.append(
            f"{nameless:,} {'item' if nameless == 1 else 'items'} in the histories shown, not on sale here, "
            f"{'has' if nameless == 1 else 'have'} no title in the catalogue and "
            f"{'appears by its id' if nameless == 1 else 'appear by their id'}."
        )
    if not catalogue.has_categories:
        found.append(
            "The catalogue has no categories: the map has one colour, nothing is parted by category."
        )
    if gate.effect == "unmeasured":
        found.append("Whether the mature domain helps was not measured: too few users.")
    return tuple(found)


def _data(log: InteractionLog) -> str:
    first, last = (moment(value) for value in log.span)
    return f"{first} to {last}: {len(log):,} interactions of {log.n_users:,} users with {log.n_items:,} items"


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
