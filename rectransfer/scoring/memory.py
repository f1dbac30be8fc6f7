"""How much memory a process has, and how sizes are written."""

import math
import os
import re
import sys
from pathlib import Path
from typing import Final

from rectransfer.errors import InputError

__all__ = ["as_bytes", "in_words", "peak", "resident"]

_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", re.IGNORECASE)


def as_bytes(size: int | str) -> int:
    """A size in bytes.

    Args:
        size: Bytes, or a number with KB, MB, GB, KiB, MiB or GiB behind it.

    Raises:
        InputError: It is none, or 0, or beyond all numbers.

    Examples:
        >>> as_bytes("1.5GB"), as_bytes("512 MiB")
        (1500000000, 536870912)
    """
    found = _SIZE.fullmatch(str(size))
    value = float(found[1]) * _UNITS[(found[2] or "").upper()] if found else 0.0
    if not 1 <= value < math.inf:
        raise InputError(f"memory={size!r} is no size; expected for example '2GB' or '512MiB'")
    return int(value)


def in_words(size: float) -> str:
    """A size for people.

    Examples:
        >>> in_words(1_234_000_000)
        '1.23 GB'
    """
    for unit, scale in (("GB", 10**9), ("MB", 10**6)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size / 1000:.3g} KB"


def resident() -> int:
    """Bytes of memory that this process has now."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return peak()  # where there is no such file, the most it ever had


def peak() -> int:
    """Bytes of memory that this process had at most; 0 where the system doesn't say."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
