"""One run at a time in a folder: the operating system holds the lock, and lets go of it when the run dies."""

import errno
import importlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rectransfer.errors import InputError

__all__ = ["held"]

logger = logging.getLogger(__name__)

_LOCK: Final = ".lock"
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder; nobody else can until the block is left, or the process is gone, whatever ended it.

    Where system or file system keep no locks a warning says so, and nothing is held.

    Args:
        folder: It has to be there.

    Raises:
        InputError: A run holds it, in another process or in this one.
        OSError: The folder cannot be written.
    """
    path = folder / _LOCK
    try:
        locks = importlib.import_module("fcntl")
    except ModuleNotFoundError:  # Windows
        logger.warning("%s: no locks on this system; see that one run at a time writes", folder)
        yield
        return
    descriptor = _taken(path, locks)
    try:
        note = {"process": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now(UTC):%F %T}"}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who waits for this one looks again
        os.close(descriptor)


def _taken(path: Path, locks: Any) -> int:
    """A descriptor of the lock file, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            locks.flock(descriptor, locks.LOCK_EX | locks.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise InputError(
                f"{path.parent} is held by another run, {holder}: wait for it to end, or choose another "
                "folder; two runs would do the same parts twice"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise
            logger.warning("%s: no locks on this file system; see that one run at a time writes", path.parent)
            return descriptor
        if _is_still_there(path, descriptor):
            return descriptor
        os.close(descriptor)  # its holder was through in between, and took the file with it


def _is_still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {note['process']} on {note['host']} since {note['since']} UTC"
    except (ValueError, KeyError, TypeError):  # it holds the folder, and hasn't said who it is yet
        return "a process that has just begun"
