"""The card of a saved folder: what it is, who wrote it, and the sha256 of every file."""

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from rectransfer.errors import ArtefactError, InputError

__all__ = [
    "CARD",
    "CHECKSUM",
    "SCHEMA_VERSION",
    "card_sha256",
    "card_text",
    "is_safe_name",
    "library_versions",
    "read_card",
]

SCHEMA_VERSION: Final = 1
CARD: Final = "card.json"
CHECKSUM: Final = "card_sha256"
_RESERVED: Final = ("kind", "schema_version", "versions", "created", "files", CHECKSUM)
_LIBRARIES: Final = ("numpy", "polars", "gensim", "torch")
_PART: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,200}[A-Za-z0-9_-])?")
_LARGEST: Final = 100_000_000  # bytes; it is read whole
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def is_safe_name(name: str) -> bool:
    """Whether a name stays in the folder: plain letters, one sub-folder at most, nothing hidden, no `..`.

    Examples:
        >>> [is_safe_name(n) for n in ("vectors.safetensors", "items/v.bin", "../v.bin", "/v.bin", "a/b/c")]
        [True, True, False, False, False]
    """
    parts = name.split("/")
    return len(parts) <= 2 and name != CARD and all(_PART.fullmatch(part) for part in parts)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a folder, of any kind and schema version.

    Raises:
        ArtefactError: There is none, or it cannot be read, or is not a card of ours.
    """
    path = folder / CARD
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise ArtefactError(f"{path} has {size:,} bytes, more than any card; check the path")
        card = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArtefactError(
            f"{folder} has no {CARD}: nothing was saved there, or the first save was cut short; save it again"
        ) from None
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error}; check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise ArtefactError(
            f"{path} is not valid JSON ({error}); restore the folder from a copy, or delete it and save again"
        ) from error
    if not isinstance(card, dict) or not isinstance(card.get("kind"), str) or "schema_version" not in card:
        raise ArtefactError(
            f"{path} was not written by rectransfer (no kind and schema version in it); check the path"
        )
    files = card.get("files")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise ArtefactError(
            f"{path} does not list its files by name, sha256 and bytes; restore the folder from a copy, "
            "or delete it and save again"
        )
    return card


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("file"), str)
        and isinstance(entry.get("sha256"), str)
        and _SHA256.fullmatch(entry["sha256"]) is not None
        and type(entry.get("bytes")) is int
    )


def card_text(kind: str, fields: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    """The card as JSON, with the versions of the libraries in use and the time.

    Raises:
        InputError: A field has a name the card uses itself, or a value that JSON can't hold.
    """
    if taken := [name for name in _RESERVED if name in fields]:
        raise InputError(
            f"the card's fields {taken} are written by rectransfer itself; name yours differently"
        )
    for name, value in fields.items():
        try:
            json.dumps(value, allow_nan=False, default=_as_json)
        except (TypeError, ValueError) as error:
            raise InputError(f"the card's field {name!r} cannot be written as JSON: {error}") from error
    head = {
        "kind": kind,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": library_versions(),
    }
    text = json.dumps({**head, **fields, "files": files}, ensure_ascii=False, default=_as_json)
    card = json.loads(text)  # as it will be read, so that both have one checksum
    card[CHECKSUM] = card_sha256(card)
    return json.dumps(card, indent=2, ensure_ascii=False) + os.linesep


def card_sha256(card: Mapping[str, Any]) -> str:
    """The checksum of a card's content, however its file is laid out."""
    body = {name: value for name, value in card.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _as_json(value: Any) -> Any:
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it holds a {type(value).__name__}")


def library_versions() -> dict[str, str]:
    """Python's version, ours, and those of the libraries that are imported already."""
    versions = {"python": platform.python_version()}
    for name in ("rectransfer", *_LIBRARIES):
        if name in sys.modules:
            versions[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return versions
