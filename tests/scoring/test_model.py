"""`Recommender.score` and `rectransfer score`, on a planted model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rectransfer.cli import main
from rectransfer.errors import InputError, NotFittedError, UnknownUserError
from rectransfer.logs import InteractionLog, PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import pretrain
from rectransfer.recommend import OnUnknownUsers, Recommender, load_recommender
from rectransfer.scoring import read_scores

KEY = ["user_id", "item_id", "rank"]


@pytest.fixture(scope="module")
def domains() -> PlantedDomains:
    return plant(PlantedConfig(source_users=60, target_users=90, source_items=40, target_items=30, seed=2))


@pytest.fixture(scope="module")
def model(domains: PlantedDomains) -> Recommender:
    some = domains.target.frame.filter(pl.col("user_id").is_in(domains.target.users.ids[:40].implode()))
    return Recommender(pretrain(domains.source)).fit(domains.target.with_frame(some))


@pytest.fixture(scope="module")
def strangers(domains: PlantedDomains) -> pl.DataFrame:
    """Histories of users whom the model has never seen, sorted."""
    later = domains.target.users.ids[40:].implode()
    frame = domains.target.frame.filter(pl.col("user_id").is_in(later))
    return frame.sort("user_id", "timestamp")


def same_lists(one: pl.DataFrame, other: pl.DataFrame) -> float:
    return one.join(other, on=["user_id", "item_id"], how="semi").height / other.height


def test_known_users_get_the_lists_of_recommend(model: Recommender, tmp_path: Path) -> None:
    found = model.score(pl.Series(model.users), tmp_path / "out", 5)
    rows, true = read_scores(found.folder).collect(), model.recommend(k=5)

    assert rows.schema == true.schema
    assert rows.select("user_id", "rank").equals(true.select("user_id", "rank"))
    assert same_lists(rows, true) > 0.95
    assert rows.filter(pl.col("score").diff().over("user_id") > 0).height == 0
    assert rows.join(model.taken, on=["user_id", "item_id"], how="semi").height == 0


def test_histories_are_an_input(model: Recommender, strangers: pl.DataFrame, tmp_path: Path) -> None:
    found = model.score(strangers, tmp_path / "out", 5)
    rows = read_scores(found.folder).collect()
    true = model.recommend(strangers["user_id"].unique(maintain_order=True), 5, history=strangers)

    assert found.users == 50
    assert same_lists(rows, true) > 0.95
    assert rows.join(strangers, on=["user_id", "item_id"], how="semi").height == 0


def test_histories_add_to_what_is_known(model: Recommender, tmp_path: Path) -> None:
    known = model.users[:3]
    item = model.catalogue.ids[0]
    new = pl.DataFrame({"user_id": known, "item_id": [item] * 3, "timestamp": [pl.datetime(2024, 6, 1)] * 3})
    new = new.with_columns(timestamp=pl.lit("2024-06-01").str.to_datetime())
    rows = read_scores(model.score(new, tmp_path / "out", 30).folder).collect()
    true = model.recommend(known, 30, history=new)

    assert rows.sort(KEY).select(KEY[:2]).equals(true.sort(KEY).select(KEY[:2]))


@pytest.mark.parametrize("reasons", [False, True])
@pytest.mark.parametrize("on_unknown_users", ["popular", "raise"])
def test_histories_without_rows_give_no_rows(
    model: Recommender, tmp_path: Path, reasons: bool, on_unknown_users: OnUnknownUsers
) -> None:
    nothing = pl.DataFrame({"user_id": [], "item_id": [], "timestamp": []})
    one = pl.Series(model.users[:1])
    found, some = (
        model.score(users, tmp_path / name, 3, reasons=reasons, on_unknown_users=on_unknown_users)
        for name, users in (("none", nothing), ("some", one))
    )

    assert (found.users, found.rows) == (0, 0)
    assert read_scores(found.folder).collect().height == 0
    assert read_scores(found.folder).collect_schema() == read_scores(some.folder).collect_schema()


def test_the_same_parts_give_the_same_bits_and_other_parts_nearly_the_same(
    model: Recommender, strangers: pl.DataFrame, tmp_path: Path
) -> None:
    def rows(name: str, part_users: int, workers: int) -> pl.DataFrame:
        done = model.score(strangers, tmp_path / name, 5, part_users=part_users, workers=workers)
        return read_scores(done.folder).collect().sort(KEY)

    one = rows("one", 17, 1)

    assert rows("several", 17, 3).equals(one)
    other = one.join(rows("other", 13, 1), on=KEY[:2])
    assert other.height > 0.99 * one.height
    assert np.abs(other["score"].to_numpy() - other["score_right"].to_numpy()).max() < 1e-4


def test_unknown_users_get_what_is_asked_for(model: Recommender, tmp_path: Path) -> None:
    users = pl.Series([model.users[0], "nobody"])
    rows = read_scores(model.score(users, tmp_path / "a", 4).folder).collect()
    skipped = read_scores(model.score(users, tmp_path / "b", 4, on_unknown_users="skip").folder).collect()

    assert rows.filter(user_id="nobody").equals(model.recommend(["nobody"], 4))
    assert skipped["user_id"].unique().to_list() == [model.users[0]]
    with pytest.raises(UnknownUserError, match="1 of the users have no history here, for example 'nobody'"):
        model.score(users, tmp_path / "c", 4, on_unknown_users="raise")


def test_what_was_had_can_be_recommended_again(model: Recommender, tmp_path: Path) -> None:
    rows = read_scores(
        model.score(pl.Series(model.users), tmp_path, 30, filter_viewed=False).folder
    ).collect()

    assert rows.height == 30 * len(model.users)


@pytest.mark.parametrize("filter_viewed", [True, False])
@pytest.mark.parametrize(("n_users", "n_items"), [(20, 1), (1, 2), (20, 2), (20, 60)])
def test_users_who_have_had_everything_leave_a_model_that_scores(
    tmp_path: Path, n_users: int, n_items: int, filter_viewed: bool
) -> None:
    users = pl.DataFrame({"user_id": [f"u{user:02}" for user in range(n_users)]})
    items = pl.DataFrame({"item_id": [f"i{item:02}" for item in range(n_items)]})
    when = pl.lit("2024-01-01").str.to_datetime()
    log = users.join(items, how="cross").with_columns(timestamp=when)
    model = Recommender(None).fit(InteractionLog.from_frame(log))
    asked = pl.Series(["u00", "zz"])

    rows = read_scores(model.score(asked, tmp_path, 5, filter_viewed=filter_viewed).folder).collect()
    true = model.recommend(asked, 5, filter_viewed=filter_viewed)

    assert rows.select(KEY).equals(true.select(KEY))
    assert np.allclose(rows["score"], true["score"], atol=1e-3)
    assert rows.filter(user_id="zz").height == min(5, n_items)


def test_a_model_that_changed_is_refused(model: Recommender, domains: PlantedDomains, tmp_path: Path) -> None:
    users = pl.Series(model.users)
    model.score(users, tmp_path, 5)
    other = Recommender(None).fit(domains.target)

    with pytest.raises(InputError, match=r"begun with another model: model was .*finished parts are kept"):
        other.score(users, tmp_path, 5)
    with pytest.raises(InputError, match="another k"):
        model.score(users, tmp_path, 6)
    assert model.score(users, tmp_path, 5).done_now == 0


def test_a_loaded_model_goes_on(model: Recommender, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    users = pl.Series(model.users)
    whole = read_scores(model.score(users, tmp_path / "out", 5).folder).collect()
    (tmp_path / "out" / "part-00000.parquet").unlink()

    assert load_recommender(tmp_path / "model").score(users, tmp_path / "out", 5).done_now == 1
    assert read_scores(tmp_path / "out").collect().equals(whole)


def test_mistakes_are_named(model: Recommender, tmp_path: Path) -> None:
    for wrong in (
        {"k": 0},
        {"depth": 0},
        {"engine": "spark"},
        {"workers": 0},
        {"memory": "much"},
        {"memory": "9" * 400 + "GB"},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            model.score(pl.Series(model.users), tmp_path / "out", **{"k": 3} | wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        Recommender().score(pl.Series(["u"]), tmp_path / "out")


def test_the_command_line_killed_and_run_again(
    model: Recommender, strangers: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "model")
    many = pl.concat(
        [strangers.with_columns(pl.col("user_id") + f"-{copy:04d}") for copy in range(600)]
    ).sort("user_id", "timestamp")
    many.write_parquet(tmp_path / "users.parquet")
    command = ["score", str(tmp_path / "model"), str(tmp_path / "users.parquet"), "-k", "5", "-o"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-m", "rectransfer", *command, str(killed)], env=os.environ)
    while not (killed / "part-00000.parquet").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = (killed / "manifest.jsonl").read_text().count("\n") - 1

    assert main([*command, str(killed), "--workers", "1"]) == 0
    assert main([*command, str(whole), "--memory", "20GB", "--workers", "3"]) == 0
    assert read_scores(killed).collect().equals(read_scores(whole).collect())
    assert finished < 6
    assert "30,000" in capsys.readouterr().out
    assert main([*command, str(killed), "--depth", "9"]) == 2
    assert "begun with another depth" in capsys.readouterr().err
    assert json.loads((killed / "manifest.jsonl").read_text().splitlines()[0])["parts"] == 6
