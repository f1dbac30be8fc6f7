"""Score everybody, part by part: bounded, and safe to kill.

A job reads its users from Parquet in parts, hands each part to a function, and writes what that gives as a
part of the same number. A part is there whole or not at all, and a manifest lists what is finished, so that
the same command goes on where it was stopped.
"""

from rectransfer.scoring.manifest import MANIFEST, Finished
from rectransfer.scoring.memory import as_bytes, resident
from rectransfer.scoring.run import Scored, read_scores, score_parts
from rectransfer.scoring.source import PART_USERS, Part, Source, open_source

__all__ = [
    "MANIFEST",
    "PART_USERS",
    "Finished",
    "Part",
    "Scored",
    "Source",
    "as_bytes",
    "open_source",
    "read_scores",
    "resident",
    "score_parts",
]
