"""Older cards, brought up to today's schema step by step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rectransfer.artefacts.card import CARD, SCHEMA_VERSION
from rectransfer.errors import ArtefactError

__all__ = ["STEPS", "Step", "migrated", "readable"]

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes a card of one schema version and gives the card of the next. Files stay as they are on disk, under
the names and checksums that the card has."""

STEPS: Final[Mapping[int, Step]] = MappingProxyType({})
"""The step from version `n` to `n + 1`, by `n`. Whoever raises `SCHEMA_VERSION` adds one; the folders in
tests/artefacts/ stay: what could be read once can be read for good."""


def migrated(
    card: dict[str, Any],
    folder: Path,
    *,
    steps: Mapping[int, Step] = STEPS,
    current: int = SCHEMA_VERSION,
) -> dict[str, Any]:
    """A card of today's schema version, made of one of any earlier version.

    Args:
        card: As it was read, its checksum verified.
        folder: Where, for the message.
        steps: By the version that they begin from.
        current: The version to reach.

    Raises:
        ArtefactError: The card is newer than this release, or a step is missing or fails.

    Examples:
        >>> renamed = {1: lambda card: {**card, "rows": card["n_rows"]}}
        >>> migrated({"schema_version": 1, "n_rows": 5}, Path("."), steps=renamed, current=2)["rows"]
        5
    """
    version = readable(card, folder, current)
    for step in range(version, current):
        if step not in steps:
            raise ArtefactError(
                f"{folder / CARD} has schema version {version}, and no step leads from {step} to {step + 1}; "
                f"save it again with the release that wrote it: {card.get('versions')}"
            )
        try:
            card = {**steps[step](dict(card)), "schema_version": step + 1}
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"{folder / CARD} could not be brought from schema version {step} to {step + 1}: {error!r}; "
                "restore the folder from a copy"
            ) from error
    return card


def readable(card: Mapping[str, Any], folder: Path, current: int = SCHEMA_VERSION) -> int:
    """The schema version of a card that this release may read.

    Raises:
        ArtefactError: The card is newer than this release, or has no version.
    """
    version = card["schema_version"]
    if type(version) is not int or version < 1 or version > current:
        raise ArtefactError(
            f"{folder / CARD} has schema version {version!r}, this rectransfer reads versions 1 to "
            f"{current}; install the release that wrote it or a newer one: {card.get('versions')}"
        )
    return version
