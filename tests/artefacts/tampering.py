"""What can be done to a saved folder: cut short, flipped, blown up, pointed elsewhere, and signed again."""

import hashlib
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rectransfer.artefacts import CARD
from rectransfer.artefacts.card import CHECKSUM, card_sha256

LEAVES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**70, 10**9, 1e308, float("nan")),
    *("", "x", "a" * 10_000, "../../../etc/passwd", "/etc/passwd", [], {}, [[1]]),
)
DTYPES = ("F8_E4M3", "BF16", "BOOL", "I64", "F64", "U8", "X", "F16")


def tamper(folder: Path, seed: int) -> str:
    """Change one thing in a folder at random, and make its checksums right again.

    Returns:
        What was changed.
    """
    rng = random.Random(seed)
    card = json.loads((folder / CARD).read_text())
    what = CARD
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 2)):
            change_card(card, rng)
    else:
        what = rng.choice(sorted(card["files"]))
        entry = card["files"][what]
        path = folder / entry["file"]
        path.write_bytes(change_bytes(path.read_bytes(), rng))
        content = path.read_bytes()
        entry["sha256"], entry["bytes"] = hashlib.sha256(content).hexdigest(), len(content)
    card[CHECKSUM] = card_sha256(card)
    (folder / CARD).write_text(json.dumps(card))
    return what


def change_card(card: dict[str, Any], rng: random.Random) -> None:
    fixed = ("kind", "schema_version", CHECKSUM)
    *way, last = rng.choice([path for path in places(card) if path[0] not in fixed])
    parent: Any = card
    for key in way:
        parent = parent[key]
    if rng.random() < 0.3 and isinstance(parent, dict):
        del parent[last]
    else:
        parent[last] = rng.choice(LEAVES)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*way, key))


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    how = rng.choice(("cut", "flip", "splice", "head", "grow", "header"))
    if how == "cut":
        del changed[rng.randrange(len(changed)) :]
    elif how == "flip":
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif how == "splice":
        place = rng.randrange(len(changed))
        numbers = (b"\xff" * 8, b"\x00" * 8, struct.pack("<q", 2**40), struct.pack("<d", 1e308))
        changed[place : place + 8] = rng.choice(numbers)
    elif how == "head":  # where safetensors has its header's size, and Parquet its first page
        changed[:8] = struct.pack("<Q", rng.choice((2**63, 2**40, 10**8, len(changed), 0)))
    elif how == "header" and changed[8:9] == b"{":
        return change_header(content, rng)
    else:
        changed += rng.randbytes(rng.randint(1, 100))
    return bytes(changed)


def change_header(content: bytes, rng: random.Random) -> bytes:
    """Another shape, type, place or name for an array of a safetensors file."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    name = rng.choice(sorted(header))
    entry = header[name]
    how = rng.choice(("shape", "dtype", "data_offsets", "name"))
    if how == "shape":
        shapes = ([2**31, 2**31], [0], [-1], entry["shape"][::-1], [len(content)], [1, *entry["shape"]])
        entry["shape"] = rng.choice(shapes)
    elif how == "dtype":
        entry["dtype"] = rng.choice(DTYPES)
    elif how == "data_offsets":
        entry["data_offsets"] = rng.choice(([0, 2**60], [5, 1], [0, 0]))
    else:
        header["another"] = header.pop(name)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]
