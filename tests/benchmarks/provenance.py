"""Where and with what a benchmark was run."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rectransfer.artefacts import library_versions

__all__ = ["commit", "provenance"]


def commit() -> str:
    """The commit that is checked out; empty where there is none."""
    git = ["git", "rev-parse", "HEAD"]
    here = Path(__file__).parent
    return subprocess.run(git, capture_output=True, text=True, check=False, cwd=here).stdout.strip()


def provenance() -> dict[str, Any]:
    """Plain values for JSON."""
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "versions": library_versions(),
    }
