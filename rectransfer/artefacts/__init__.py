"""Saved folders that can be trusted: `card.json` beside data files, whole after any crash.

A data file carries the head of its sha256 in its name (`vectors-3fa9c1d20b7e.safetensors`), so a new version
never overwrites the old one. The card goes last, in one atomic step: whoever loads the folder sees the old
version or the new one, never a mixture. One process writes a folder at a time; any number may read it.
"""

from rectransfer.artefacts.card import CARD, SCHEMA_VERSION, library_versions
from rectransfer.artefacts.checks import MISFITS, checked_array, checked_csr, require_finite
from rectransfer.artefacts.codecs import read_arrays, read_frame, read_ids, write_arrays, write_ids
from rectransfer.artefacts.folder import Artefact, Writer, load_artefact, save_artefact
from rectransfer.artefacts.packing import Precision, packed, rounded, unpacked

__all__ = [
    "CARD",
    "MISFITS",
    "SCHEMA_VERSION",
    "Artefact",
    "Precision",
    "Writer",
    "checked_array",
    "checked_csr",
    "library_versions",
    "load_artefact",
    "packed",
    "read_arrays",
    "read_frame",
    "read_ids",
    "require_finite",
    "rounded",
    "save_artefact",
    "unpacked",
    "write_arrays",
    "write_ids",
]
