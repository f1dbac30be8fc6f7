"""Save a folder that a crash leaves in its old version or its new one; load it with every check."""

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from rectransfer.artefacts.card import (
    CARD,
    CHECKSUM,
    card_sha256,
    card_text,
    is_safe_name,
    read_card,
)
from rectransfer.artefacts.migrate import migrated, readable
from rectransfer.errors import ArtefactError, InputError

__all__ = ["Artefact", "Writer", "load_artefact", "save_artefact"]

logger = logging.getLogger(__name__)

_TEMPORARY: Final = ".saving-"
_DIGITS: Final = 12  # of the sha256 in a file's name: enough that two versions never share one

Writer = Callable[[Path], object]
"""Writes one file at the path it is given; what it returns is not used."""


@dataclass(frozen=True)
class Artefact:
    """A saved folder whose card has been read and whose files are there in full length.

    Attributes:
        folder: Where it lies.
        card: The content of `card.json`: kind, schema version, library versions,
            files, and the saver's own fields.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which the data files were saved."""
        return tuple(self.card["files"])

    def path(self, name: str) -> Path:
        """The path of a data file, after its content was found to be what was saved.

        Raises:
            ArtefactError: The card lists no such file, or the file was altered.
        """
        entry = self.card["files"].get(name)
        if entry is None:
            known = ", ".join(self.names) or "none"
            raise ArtefactError(
                f"{self.folder / CARD} lists no file {name!r}; it lists {known}: save it again"
            )
        path = _stored(self.folder, name, entry)
        try:
            found = _sha256(path)
        except OSError as error:
            raise ArtefactError(f"{path} cannot be read: {error}; check its permissions") from error
        if found != entry["sha256"]:
            raise ArtefactError(
                f"{path} was altered: its sha256 begins {found[:8]}, the card says {entry['sha256'][:8]}; "
                "restore the folder from a copy, or save it again"
            )
        return path


def load_artefact(folder: str | Path, *, kind: str) -> Artefact:
    """Read a saved folder's card, and check that each file is there in full length.

    A file's content is checked by `Artefact.path`, right before it is used.

    Args:
        folder: What `save_artefact` wrote.
        kind: What it must hold, e.g. `"embedding_table"`.

    Raises:
        ArtefactError: No such folder; no card or a broken one; another kind or schema version; a file that is
            missing, truncated or outside the folder. The message names the file and the remedy.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtefactError(f"there is no folder {folder}; check the path, or save the {kind} first")
    card = read_card(folder)
    readable(card, folder)
    if card["kind"] != kind:
        raise ArtefactError(f"{folder} holds a {card['kind']!r}, expected a {kind!r}; check the path")
    if card.get(CHECKSUM) != card_sha256(card):
        raise ArtefactError(
            f"{folder / CARD} was altered: its content doesn't have the checksum that it was saved with; "
            "restore the folder from a copy, or save it again"
        )
    for name, entry in card["files"].items():
        _stored(folder, name, entry)
    return Artefact(folder=folder, card=migrated(card, folder))


def save_artefact(
    folder: str | Path, *, kind: str, files: Mapping[str, Writer], card: Mapping[str, Any]
) -> None:
    """Write data files and then their card: a crash at any moment leaves the old version or the new one.

    Args:
        folder: Made if missing. An earlier version of the same kind in it is replaced.
        kind: What is saved, e.g. `"embedding_table"`.
        files: For each name the function that writes it. A name may stand in one sub-folder:
            `"items/vectors.safetensors"`.
        card: Further fields of the card: whatever JSON holds, dates, and NumPy scalars.

    Raises:
        InputError: The folder holds something else; a name or a field of the card cannot be used.
        ArtefactError: The disk is full, the folder is read-only, or a file could not be written.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> files = {"a.txt": lambda path: path.write_text("hi")}
        >>> save_artefact(folder, kind="note", files=files, card={"rows": 1})
        >>> note = load_artefact(folder, kind="note")
        >>> note.card["rows"], note.path("a.txt").read_text()
        (1, 'hi')
    """
    folder = Path(folder)
    if unsafe := [name for name in files if not is_safe_name(name)]:
        raise InputError(
            f"{unsafe[0]!r} cannot name a saved file; use letters, digits, '.', '-', '_' and one '/'"
        )
    card_text(kind, card, {})  # a field that JSON can't hold is found before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {*files, *_names_to_replace(folder, kind, files)}
        _sweep(folder, names)
        try:
            entries = {name: _write_file(folder, name, write) for name, write in files.items()}
            _write_card(folder, card_text(kind, card, entries))
        finally:
            _sweep(folder, names)
    except OSError as error:
        raise ArtefactError(
            f"could not save the {kind} in {folder}: {error}; check the disk's space and the folder's "
            "permissions, or choose another folder"
        ) from error


def _write_file(folder: Path, name: str, write: Writer) -> dict[str, Any]:
    temporary = _temporary(folder, name)
    write(temporary)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    sha256, size = _sha256(temporary), temporary.stat().st_size
    pure = PurePosixPath(name)
    stored = pure.with_name(f"{pure.stem}-{sha256[:_DIGITS]}{pure.suffix}").as_posix()
    path = folder / stored
    path.parent.mkdir(exist_ok=True)
    os.replace(temporary, path)  # noqa: PTH105 (the step that has to be atomic reads better by its own name)
    _sync_folder(path.parent)
    return {"file": stored, "sha256": sha256, "bytes": size}


def _write_card(folder: Path, text: str) -> None:
    temporary = _temporary(folder, CARD)
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(folder)  # the names of the data files are on disk before the card that lists them
    os.replace(temporary, folder / CARD)  # noqa: PTH105
    _sync_folder(folder)


def _names_to_replace(folder: Path, kind: str, files: Iterable[str]) -> tuple[str, ...]:
    """The names in the version that is there now; an error if what is there isn't ours to replace."""
    if (folder / CARD).exists():
        try:
            card = read_card(folder)
        except ArtefactError as error:
            raise InputError(f"{folder} was not overwritten: {error}; or choose another folder") from error
        if card["kind"] != kind:
            raise InputError(
                f"{folder} holds a {card['kind']!r}, no {kind!r} to overwrite; choose another folder"
            )
        return tuple(name for name in card["files"] if is_safe_name(name))
    ours = _leftovers(folder, set(files))
    found = [path for path in folder.rglob("*") if path not in ours and not path.is_dir()]
    if found:
        raise InputError(
            f"{folder} holds {len(found):,} files that rectransfer did not write, for example "
            f"{found[0].relative_to(folder).as_posix()!r}; choose a new or an empty folder"
        )
    return ()


def _sweep(folder: Path, names: set[str]) -> None:
    """Remove what former and killed saves left: all versions of these names but those the card now lists."""
    listed: set[Path] = set()
    if (folder / CARD).exists():
        listed = {folder / entry["file"] for entry in read_card(folder)["files"].values()}
    for path in _leftovers(folder, names) - listed:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # what the card lists is whole; this file only takes space
            logger.warning("could not remove %s: %s", path, error)


def _leftovers(folder: Path, names: set[str]) -> set[Path]:
    found = set(folder.glob(f"{_TEMPORARY}*"))
    for name in names:
        pure = PurePosixPath(name)
        version = re.compile(rf"{re.escape(pure.stem)}-[0-9a-f]{{{_DIGITS}}}{re.escape(pure.suffix)}")
        parent = folder / pure.parent
        if parent.is_dir() and parent.resolve().is_relative_to(folder.resolve()):  # a link may lead elsewhere
            found.update(path for path in parent.iterdir() if version.fullmatch(path.name))
    return found


def _stored(folder: Path, name: str, entry: Mapping[str, Any]) -> Path:
    path = folder / str(entry["file"])
    if not is_safe_name(entry["file"]) or not path.resolve().is_relative_to(folder.resolve()):
        raise ArtefactError(
            f"{folder / CARD} lists {entry['file']!r} for {name!r}, which lies outside the folder; "
            "the card was altered: restore the folder from a copy you trust"
        )
    if not path.is_file():
        raise ArtefactError(
            f"{path} is missing; restore the folder from a copy, or save it again "
            "(if another process was saving it just now, load it again)"
        )
    if (size := path.stat().st_size) != entry["bytes"]:
        raise ArtefactError(
            f"{path} has {size:,} bytes, the card says {entry['bytes']:,}; restore the folder from a copy, "
            "or save it again"
        )
    return path


def _temporary(folder: Path, name: str) -> Path:
    return folder / f"{_TEMPORARY}{secrets.token_hex(6)}-{PurePosixPath(name).name}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
