"""How long a fresh process takes to import the library, and the memory that it has then.

OMP_NUM_THREADS=1 python tests/benchmarks/speed/startup.py
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from report import spread, write_result

COLUMNS = {"what": "what", "seconds": "seconds", "fastest": "fastest", "peak_mb": "peak of memory, MB"}
CODE = """
import json, pathlib, time
start = time.perf_counter()
{code}
seconds = time.perf_counter() - start
(line,) = (line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(json.dumps([seconds, int(line.split()[1]) * 1024 / 1e6]))
"""
STARTS = {
    "python, nothing imported": "pass",
    "import rectransfer": "import rectransfer",
    "read a log (polars)": "import rectransfer; rectransfer.read_log",
    "load a model (torch, faiss)": "import rectransfer; rectransfer.load_recommender",
    "pretrain (gensim too)": "import rectransfer; rectransfer.pretrain",
    "the command line": "from rectransfer.cli import main",
    "gensim alone": "import gensim.models",
    "torch alone": "import torch",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in STARTS}
    for _ in range(args.repeats + 1):
        for what, code in STARTS.items():
            taken[what].append(fresh(code))
    rows: list[dict[str, Any]] = [
        {
            "what": what,
            **spread([seconds for seconds, _ in found[1:]]),  # the first one reads the disk
            "peak_mb": round(max(peak for _, peak in found)),
        }
        for what, found in taken.items()
    ]
    write_result(
        "startup",
        title="Start-up",
        about=(
            "Fresh processes, the files in the disk's cache. Names are imported when they are first used, so "
            "`import rectransfer` costs next to nothing, and what comes later is what its libraries cost."
        ),
        columns=COLUMNS,
        rows=rows,
        settings={"repeats": args.repeats, "goal": "import rectransfer within 0.3 s"},
        order=60,
    )


def fresh(code: str) -> tuple[float, float]:
    command = [sys.executable, "-W", "ignore", "-c", CODE.format(code=code)]
    seconds, peak = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return seconds, peak


if __name__ == "__main__":
    main()
