"""Measure scoring against implicit and FAISS, side by side, and write docs/results/scoring.json.

    python tests/benchmarks/scoring.py
    python tests/benchmarks/scoring.py --users 10000 --repeat 5

A synthetic world of 20,000 items with a long tail; a model that is really fitted on it (a source of 6,000
users, a target of 2,000), and users whom it has never seen, with their histories. For each number of users in
turn, in one run and in processes of their own: `rectransfer score` from a Parquet file to Parquet parts;
implicit's ALS `recommend` in memory, with users' factors given and with users who are as new to it as to us;
RecTools' `recommend` with the same model, in an environment of its own, as it needs an older NumPy; and
FAISS' flat search in memory. Vectors have 64 dimensions, and each has two threads: workers here, threads
of its own in implicit, and in FAISS those of BLAS, too, as its flat search is a matrix product.

The model takes about six minutes, once: it is kept in the scratch folder. What is measured takes a quarter of
an hour.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from provenance import commit

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results" / "scoring.json"
DIMENSIONS, K, ITEMS, THREADS = 64, 10, 20_000, 2
LIBRARIES = ("numpy", "polars", "numba", "torch", "faiss-cpu", "implicit", "rectransfer")
MEMORY = "3GB"
_MOST_NEW = 100_000  # beyond that their speed doesn't change, and it takes hours
_RECTOOLS = "RecTools"


def model(scratch: Path) -> Path:
    """The fitted model; fitted now, if it isn't there."""
    from scoring_world import World

    import rectransfer as rt
    from rectransfer.recommend import RecommenderConfig

    folder = scratch / "model"
    if not folder.exists():
        world = World(ITEMS)
        source, target = (
            rt.read_log(world.log(*users)) for users in ((6_000, 10_000_000), (2_000, 20_000_000))
        )
        # fewer folds and pulls are tried than by default: what is served has the same parts, all the same
        config = RecommenderConfig(folds=2, pulls=(10.0,))
        fitted = rt.Recommender(rt.pretrain(source), config=config).fit(target, items=range(ITEMS))
        fitted.save(folder)
    return folder


def ours(scratch: Path, users: Path, n: int) -> dict[str, Any]:
    """Score from file to file."""
    import rectransfer as rt
    from rectransfer.scoring.memory import peak

    start = time.perf_counter()
    loaded = rt.load_recommender(model(scratch))
    loaded._served  # noqa: B018 (laid out and compiled: once for a job, however many users it has)
    ready = time.perf_counter() - start
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        found = loaded.score(users, Path(out) / "scores", K, workers=THREADS, memory=MEMORY)
    if found.rows != n * K:
        raise AssertionError(f"{found.rows} rows for {n} users")
    return {"seconds": found.seconds, "start_seconds": ready, "peak_memory": peak()}


def implicit(scratch: Path, users: Path, n: int) -> dict[str, Any]:
    """ALS' recommend of users whose factors are known; histories and factors in memory."""
    return _implicit(users, n, new=False)


def implicit_new(scratch: Path, users: Path, n: int) -> dict[str, Any]:
    """ALS' recommend of users whom it has never seen, as ours are: factors come from histories first."""
    return _implicit(users, min(n, _MOST_NEW), new=True) | {"users": min(n, _MOST_NEW)}


def _implicit(users: Path, n: int, *, new: bool) -> dict[str, Any]:
    import numpy as np
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    owner, item = _pairs(users)
    owner, item = owner[owner < n], item[owner < n]
    ones = np.ones(len(owner), np.float32)
    taken = csr_matrix((ones, (owner, item)), shape=(n, ITEMS))
    als = AlternatingLeastSquares(factors=DIMENSIONS, iterations=1, num_threads=THREADS, random_state=0)
    als.fit(taken[:10_000], show_progress=False)
    als.user_factors = _queries(n)
    start = time.perf_counter()
    for first in range(0, n, 10_000):
        rows = np.arange(first, min(first + 10_000, n))
        als.recommend(rows, taken[rows], N=K, filter_already_liked_items=True, recalculate_user=new)
    return {"seconds": time.perf_counter() - start}


def faiss(scratch: Path, users: Path, n: int) -> dict[str, Any]:
    """Flat search, vectors in memory; nothing is left out."""
    import faiss as library
    import numpy as np

    library.omp_set_num_threads(THREADS)
    index = library.IndexFlatIP(DIMENSIONS)
    index.add(np.random.default_rng(1).normal(size=(ITEMS, DIMENSIONS)).astype(np.float32))
    queries = _queries(n)
    start = time.perf_counter()
    for first in range(0, n, 10_000):
        index.search(queries[first : first + 10_000], K)
    return {"seconds": time.perf_counter() - start}


def _pairs(users: Path) -> tuple[Any, Any]:
    import polars as pl

    frame = pl.read_parquet(users, columns=["user_id", "item_id"])
    return frame["user_id"].to_numpy(), frame["item_id"].to_numpy()


def _queries(n: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).standard_normal((n, DIMENSIONS), dtype=np.float32)


CONTENDERS = {"rectransfer": ours, "implicit": implicit, "implicit, new users": implicit_new, "faiss": faiss}
NAMES = (*CONTENDERS, _RECTOOLS)


def rectools(scratch: Path) -> Path:
    """The Python of an environment with RecTools; made now, if it isn't there."""
    python = scratch / "rectools" / "bin" / "python"
    if not python.exists():
        venv.create(scratch / "rectools", with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "rectools", "pyarrow<21"], check=True)
    return python


def alone(name: str, scratch: Path, users: Path, n: int) -> dict[str, Any]:
    """A contender in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--scratch", scratch, "--file", users, "--users", n]
    if name == _RECTOOLS:
        n = min(n, _MOST_NEW)
        command = [rectools(scratch), Path(__file__).with_name("scoring_rectools.py"), users, n]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **_threads(name)},
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = {"users": n, **json.loads(done.stdout.splitlines()[-1])}
    return found


def _threads(name: str) -> dict[str, str]:
    """The same number for each, whatever the caller's settings: implicit and we have threads around BLAS."""
    inner = THREADS if name == "faiss" else 1
    names = {"OMP_NUM_THREADS": THREADS, "POLARS_MAX_THREADS": THREADS, "OPENBLAS_NUM_THREADS": inner}
    return {key: str(value) for key, value in names.items()}


def measure(n: int, repeat: int, scratch: Path) -> dict[str, Any]:
    """All contenders in turn, several times."""
    from scoring_world import World

    users = scratch / f"users-{n}.parquet"
    if not users.exists():
        World(ITEMS).write(users, n)
    rounds = [{name: alone(name, scratch, users, n) for name in NAMES} for _ in range(repeat)]
    found: dict[str, Any] = {"users": n, "rounds": rounds}
    speeds = {name: [one[name]["users"] / one[name]["seconds"] for one in rounds] for name in NAMES}
    found["users_a_second"] = {name: round(statistics.median(each)) for name, each in speeds.items()}
    found["ours_to_theirs"] = {
        name: round(statistics.median(a / b for a, b in zip(speeds["rectransfer"], each, strict=True)), 2)
        for name, each in speeds.items()
    }
    found["peak_memory"] = max(one["rectransfer"]["peak_memory"] for one in rounds)
    return found


def provenance() -> dict[str, Any]:
    """Where and with what it was measured."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "processor": cpu[0].partition(": ")[2] if cpu else "",
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "versions": {name: version(name) for name in LIBRARIES},
        "settings": {"items": ITEMS, "k": K, "dimensions": DIMENSIONS, "threads": THREADS, "memory": MEMORY},
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeat", type=int, nargs="+", default=[3, 3, 1], help="for each number of users")
    parser.add_argument("--scratch", type=Path, default=Path.home() / ".cache" / "rectransfer-scoring")
    parser.add_argument("--one", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        found = CONTENDERS[options.one](options.scratch, options.file, options.users[0])
        sys.stdout.write(json.dumps(found) + "\n")
        return
    options.scratch.mkdir(parents=True, exist_ok=True)
    model(options.scratch)
    repeats = dict(zip(options.users, options.repeat * len(options.users), strict=False))
    sizes = [measure(n, repeats[n], options.scratch) for n in options.users]
    RESULTS.write_text(json.dumps({"sizes": sizes, **provenance()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
