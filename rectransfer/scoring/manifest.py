"""What a folder of scores holds: a line a finished part, added when the part is on disk.

The first line says what the job is. A line is written in one step and synced; a last line that was cut short
says nothing, and its part is done again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from rectransfer.errors import ArtefactError, InputError

__all__ = ["MANIFEST", "Finished", "Manifest", "sha256_of"]

MANIFEST: Final = "manifest.jsonl"
_KIND: Final = "scores"
_VERSION: Final = 1


@dataclass(frozen=True)
class Finished:
    """A part that is there.

    Attributes:
        part: Its number, from 0.
        file: Its name in the folder.
        users: How many went in.
        rows: How many came out.
        sha256: Of the file.
        bytes: Of the file.
    """

    part: int
    file: str
    users: int
    rows: int
    sha256: str
    bytes: int


class Manifest:
    """The finished parts of a folder.

    Args:
        folder: Where the parts lie.
        job: What is being done, in plain values: what has to be equal for a run to go on.
        n_parts: How many there will be.

    Raises:
        InputError: The folder holds another job, or files that aren't ours.
        ArtefactError: The manifest cannot be read.
    """

    def __init__(self, folder: Path, job: Mapping[str, Any], n_parts: int) -> None:
        self.path = folder / MANIFEST
        self.finished: dict[int, Finished] = {}
        head = {"kind": _KIND, "version": _VERSION, "parts": n_parts, "job": dict(job)}
        if self.path.exists():
            self._take_up(head)
        elif other := [path.name for path in folder.iterdir() if not path.name.startswith(".")]:
            raise InputError(
                f"{folder} holds {len(other):,} files and no {MANIFEST}, for example {other[0]!r}; choose a "
                "new or an empty folder"
            )
        else:
            self._append(head)

    def add(self, finished: Finished) -> None:
        """Note a part that is on disk."""
        self._append(asdict(finished))
        self.finished[finished.part] = finished

    def intact(self, part: int) -> bool:
        """Whether a part is finished, and its file is what was written."""
        found = self.finished.get(part)
        if found is None:
            return False
        path = self.path.parent / found.file
        return path.is_file() and path.stat().st_size == found.bytes and sha256_of(path) == found.sha256

    def _take_up(self, head: dict[str, Any]) -> None:
        lines, whole = read_lines(self.path)
        # killed before the first line was there, or nothing that another job could be mixed with
        if not lines or (len(lines) == 1 and lines[0] != head):
            os.truncate(self.path, 0)
            self._append(head)
            return
        _require_same(self.path.parent, lines[0], head)
        os.truncate(self.path, whole)
        for line in lines[1:]:
            found = Finished(**line)
            self.finished[found.part] = found

    def _append(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("ab", buffering=0) as file:
                if file.write(text.encode()) != len(text.encode()):
                    raise OSError(28, "no space left on the device")
                os.fsync(file.fileno())
        except OSError:
            if self.path.exists():
                os.truncate(self.path, size)
            raise


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The manifest's whole lines, and how many bytes they are.

    Raises:
        ArtefactError: It cannot be read, or is no manifest of ours.
    """
    try:
        raw = path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        lines = [json.loads(line) for line in raw[:whole].splitlines()]
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path} cannot be read ({error}); choose another folder") from error
    if lines and not (_is_head(lines[0]) and all(_is_part(line, lines[0]["parts"]) for line in lines[1:])):
        raise ArtefactError(
            f"{path} is no manifest of scores that this rectransfer reads, or was damaged; choose another "
            "folder"
        )
    return lines, whole


def _is_head(line: Any) -> bool:
    return (
        isinstance(line, dict)
        and (line.get("kind"), line.get("version")) == (_KIND, _VERSION)
        and isinstance(line.get("job"), dict)
        and type(line.get("parts")) is int
    )


def _is_part(line: Any, n_parts: int) -> bool:
    return (
        isinstance(line, dict)
        and line.keys() == {field.name for field in fields(Finished)}
        and type(line["part"]) is int
        and 0 <= line["part"] < n_parts
        and type(line["file"]) is str
        and Path(line["file"]).name == line["file"]
    )


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_same(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    was, now = ({**head["job"], "parts": head["parts"]} for head in (found, wanted))
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    if not names:
        return
    changes = "; ".join(f"{name} was {_short(was.get(name))}, now {_short(now.get(name))}" for name in names)
    other = " and ".join(name for name in names if name != "parts") or "input"
    raise InputError(
        f"{folder} was begun with another {other}: {changes}. "
        "Its finished parts are kept: go on with what it was begun with, or choose another folder"
    )


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) > 40 else text
