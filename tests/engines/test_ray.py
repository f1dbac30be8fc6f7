"""On a local Ray of several workers: the same rows, one worker killed or not."""

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectransfer.engines import map_all
from rectransfer.errors import UnknownUserError
from rectransfer.logs import PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import pretrain_all
from rectransfer.recommend import Recommender
from rectransfer.scoring import read_scores
from rectransfer.tuning import integer, tune

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's own


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Three workers on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        ray.init(
            num_cpus=3,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100_000_000,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
        )
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def domains() -> PlantedDomains:
    return plant(PlantedConfig(source_users=60, target_users=60, source_items=30, target_items=25, seed=2))


@pytest.fixture(scope="module")
def model(domains: PlantedDomains) -> Recommender:
    return Recommender().fit(domains.target)


@pytest.fixture(scope="module")
def users(domains: PlantedDomains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Histories enough for a few parts."""
    path = tmp_path_factory.mktemp("users") / "users.parquet"
    log = domains.target.frame.sort("user_id", "timestamp")
    copies = [log.with_columns(pl.col("user_id") + f"-{copy:04d}") for copy in range(1_000)]
    pl.concat(copies).sort("user_id", "timestamp").write_parquet(path)
    return path


def test_the_same_rows_with_a_worker_killed(model: Recommender, users: Path, tmp_path: Path) -> None:
    here = read_scores(model.score(users, tmp_path / "here", 5).folder).collect()
    killed: list[int] = []
    stop = threading.Event()

    def kill_one() -> None:
        """The first worker that is seen at work, once a part is there."""
        while not stop.wait(0.02):
            if list((tmp_path / "ray").glob("part-*")) and (found := _scorers()):
                killed.append(found[0])
                os.kill(found[0], signal.SIGKILL)
                return

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = model.score(users, tmp_path / "ray", 5, engine="ray", workers=2)
    stop.set()
    killer.join()

    assert len(killed) == 1
    assert found.users == 60_000
    assert found.parts == found.done_now == 12
    assert read_scores(tmp_path / "ray").collect().equals(here)


def test_what_one_engine_began_the_other_ends(model: Recommender, users: Path, tmp_path: Path) -> None:
    whole = read_scores(model.score(users, tmp_path, 5).folder).collect()
    for part in (1, 4):
        (tmp_path / f"part-0000{part}.parquet").unlink()

    assert model.score(users, tmp_path, 5, engine="ray", workers=2).done_now == 2
    assert read_scores(tmp_path).collect().equals(whole)


def test_reasons_are_those_given_here(model: Recommender, users: Path, tmp_path: Path) -> None:
    few = pl.read_parquet(users).filter(pl.col("user_id").str.ends_with("-0000"))
    items = few["item_id"].unique()
    catalogue = pl.DataFrame({"item_id": items, "title": "the " + items})
    here, there = (
        model.score(few, tmp_path / engine, 3, engine=engine, workers=2, reasons=True, titles=catalogue)
        for engine in ("local", "ray")
    )

    rows = read_scores(here.folder).collect()
    assert rows["reasons"].list.len().sum() > 0
    assert read_scores(there.folder).collect().equals(rows)


def test_a_user_who_cannot_be_scored_is_named_and_finished_parts_are_kept(
    model: Recommender, users: Path, tmp_path: Path
) -> None:
    frame = pl.read_parquet(users).with_row_index()
    item = pl.when(pl.col("index") < 400_000).then("item_id").otherwise(pl.lit("mystery"))
    frame.with_columns(item_id=item).drop("index").write_parquet(tmp_path / "users.parquet")

    with pytest.raises(UnknownUserError, match="of the users have no history here"):
        model.score(
            tmp_path / "users.parquet",
            tmp_path / "out",
            5,
            on_unknown_users="raise",
            engine="ray",
            workers=2,
        )

    assert (tmp_path / "out" / "part-00000.parquet").exists()


def _square(number: int) -> int:
    return number * number


def test_a_function_over_things() -> None:
    assert map_all(_square, [1, 2, 3], engine="ray") == map_all(_square, [1, 2, 3]) == [1, 4, 9]


def _dies_once(path: str) -> int:
    marker = Path(path)
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


def test_what_a_worker_died_at_is_done_again(tmp_path: Path) -> None:
    assert map_all(_dies_once, [str(tmp_path / "marker")], engine="ray") == [7]


def test_sources_learned_on_ray_are_those_learned_here(domains: PlantedDomains) -> None:
    sources = {"north": domains.source, "south": domains.target}
    here, there = (pretrain_all(sources, deterministic=True, engine=engine) for engine in ("local", "ray"))

    for name in sources:
        assert np.array_equal(here[name].items.vectors, there[name].items.vectors)
        assert np.array_equal(here[name].ranker.arrays()["line"], there[name].ranker.arrays()["line"])


def test_trials_measured_on_ray_are_those_measured_here(domains: PlantedDomains) -> None:
    space = {"ranker.hidden": integer(0, 4)}
    here, there = (
        tune(domains.target, space=space, trials=2, folds=2, engine=engine) for engine in ("local", "ray")
    )

    assert there.trials.drop("seconds").equals(here.trials.drop("seconds"))


def _scorers() -> list[int]:
    """Processes that this test's Ray runs scoring in."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name = (folder / "cmdline").read_bytes().decode(errors="replace")
                if name.startswith("ray::") and "_Worker" in name and os.getpid() in _ancestors(folder):
                    found.append(int(folder.name))
            except OSError:  # it ended just now
                continue
    return found


def _ancestors(folder: Path) -> list[int]:
    found: list[int] = []
    while (parent := int((folder / "stat").read_text().rpartition(")")[2].split()[1])) > 1:
        found.append(parent)
        folder = folder.with_name(str(parent))
    return found
