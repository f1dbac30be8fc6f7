import io
import json

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from rectransfer.demo import Library, render, run_demo
from rectransfer.demo.page import measured, write_page
from rectransfer.errors import InputError
from rectransfer.evaluation import BASELINES, Contest, Task, cut_last_steps, tuning
from rectransfer.logs import PlantedConfig, plant
from rectransfer.metrics import top_k
from rectransfer.recommend import Recommender
from rectransfer.recommend.verdict import Verdict
from rectransfer.report import build_report
from rectransfer.transfer import Coverage
from rectransfer.vocabulary import Vocabulary


class Counting:
    """The most popular items of the target and, where there is one, of the source."""

    def __init__(self, pretrained, *, seed):
        self.pretrained, self.seed = pretrained, seed

    def fit(self, target, *, items, progress):
        self.items, self.target = Vocabulary(items), target
        logs = [target] if self.pretrained is None else [target, self.pretrained]
        self.counts = sum(
            np.bincount(rows[rows >= 0], minlength=len(items))
            for rows in (self.items.rows(log.frame["item_id"]) for log in logs)
        )
        return self

    @property
    def verdict(self):
        ships = "target" if self.pretrained is None else "transfer"
        return Verdict(ships, f"it [counts] the {ships}", float("nan"), -0.1, 0.1, 9, ships, {ships: 0.5})

    @property
    def coverage(self):
        return None if self.pretrained is None else Coverage(1, 2, 3, 4, 5, 6)

    def recommend(self, users, k, *, history, filter_viewed):
        assert history is None
        assert filter_viewed
        own = self.target.frame.join(users.to_frame("user_id"), on="user_id")
        scores = np.tile(self.counts.astype(float), (len(users), 1))
        scores[Vocabulary(users).rows(own["user_id"]), self.items.rows(own["item_id"])] = -np.inf
        values, columns = top_k(scores, k)
        frame = pl.DataFrame(
            {
                "user_id": users.gather(np.repeat(np.arange(len(users)), values.shape[1])),
                "item_id": self.items.ids.gather(columns.ravel()),
                "score": values.ravel(),
                "rank": np.tile(np.arange(values.shape[1]) + 1, len(users)),
            }
        )
        return frame.filter(pl.col("score") > -np.inf)


def repeatably(source, *, seed, deterministic, progress):
    assert deterministic
    return source


LIBRARY = Library(pretrain=repeatably, recommender=Counting)


@pytest.fixture(scope="module")
def task():
    planted = plant(
        PlantedConfig(source_users=60, target_users=30, source_items=40, target_items=36, target_steps=16)
    )
    cut = cut_last_steps(planted.target, share=0.4)
    titles = planted.items.select("item_id", title=pl.concat_str(pl.lit("[b]jam "), "item_id")).head(20)
    return Task(
        "planted",
        planted.source,
        cut.earlier,
        cut.earlier,
        cut.later,
        planted.target_catalogue,
        "made by a rule",
        titles,
    )


@pytest.fixture(scope="module")
def found(task, tmp_path_factory):
    file = tmp_path_factory.mktemp("demo") / "demo.json"
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "_IALS_SMALL", [(4, l2, 1.0) for l2 in (1.0, 5.0)])  # quick
        result = run_demo(json=file, seed=3, progress=False, report=lines.append, task=task, library=LIBRARY)
    return result, json.loads(file.read_text()), lines


def test_the_json_has_what_was_promised(found):
    result, saved, lines = found
    assert [model["name"] for model in saved["models"]] == [*BASELINES, "rectransfer_target", "rectransfer"]
    for model in saved["models"]:
        assert list(model) == ["name", "ndcg@10", "recall@10", "low", "high"]
        assert model["low"] <= model["ndcg@10"] <= model["high"]
    assert saved["coverage"]["items"] == 0.25
    assert saved["verdict"]["ships"] == "transfer"
    assert {"reason", "difference", "low", "high"} <= set(saved["verdict"])
    assert saved["verdict"]["difference"] is None  # NaN, which JSON lacks
    assert {"test", "pretrain", "fit", "recommend", "fit_target", "baselines", "total"} <= set(
        saved["seconds"]
    )
    assert saved["peak_memory_bytes"] > 1e7
    assert saved["seed"] == 3
    assert {"python", "numpy", "polars"} <= set(saved["versions"])
    assert saved["task"]["guarantee"] == "made by a rule"
    assert any("Pretraining on" in line for line in lines)
    assert result.as_dict() == saved


def test_our_values_are_those_of_the_lists(found, task):
    result, _, _ = found
    values = result.contest.values()
    assert values["rectransfer_target"].mean() == pytest.approx(values["popularity"].mean(), abs=0.1)
    assert result.comparison.models[1].name == "rectransfer"
    assert result.comparison.verdict in repr(result)


def test_one_household_with_names(found, task):
    shown = found[0].household
    assert shown.user in task.users
    assert shown.recommended.columns == ["rank", "title", "score", "bought"]
    assert shown.recommended["rank"].to_list() == list(range(1, 11))
    assert shown.recommended["title"].null_count() == 0
    had = set(task.histories.frame.filter(pl.col("user_id") == shown.user)["item_id"])
    assert len(shown.history) == min(8, len(had))
    ids = shown.recommended["title"].str.replace("[b]jam ", "", literal=True)
    later = set(task.test.frame.filter(pl.col("user_id") == shown.user)["item_id"])
    assert [item in later for item in ids] == shown.recommended["bought"].to_list()
    assert not had & set(ids)


def test_it_can_be_shown(found):
    console = Console(file=io.StringIO(), width=100)
    console.print(render(found[0]))
    text = " ".join(console.file.getvalue().split())
    expected = ["rectransfer_target", "Recommendations for household", "[b]jam", "Ships: transfer"]
    expected += ["it [counts]", "On the test:", "25.0% of the target's items", "peak memory"]
    assert [words for words in expected if words not in text] == []


def test_a_bad_file_is_refused_before_any_work(task, tmp_path):
    def never(*_, **__):
        raise AssertionError("work was begun")

    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "x.json", "there is no folder")):
        with pytest.raises(InputError, match=message):
            run_demo(json=path, task=task, library=Library(never, never))


def test_a_write_that_fails_leaves_nothing_behind(found, tmp_path):
    file = tmp_path / "demo.json"
    (tmp_path / ".demo.json.unfinished").mkdir()  # in the way
    with pytest.raises(InputError, match="cannot be written"):
        found[0].save(file)
    assert not file.exists()


def test_the_parts_by_default_are_ours():
    assert Library.ours().recommender.__name__ == "Recommender"


def test_the_page_has_every_model(task, found, tmp_path):
    model = Recommender(None).fit(task.target, items=task.items.ids)
    lists = model.recommend(task.users.ids, 100)
    others = [entry for entry in found[0].contest.entries if entry.name != "rectransfer"]
    contest = Contest(task, tuple(others)).add("rectransfer", lists=lists)

    write_page(model, contest, tmp_path / "report.html", seed=0)

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for label in (
        "The same model without the source",
        "EASE, source and new domain pooled",
        "ItemKNN, new domain alone",
        "Best sellers",
        "Recommendations: planted",
    ):
        assert f"<bdi>{label}</bdi>" in page
    assert f"same {len(task.users)} users" in page


def test_the_page_and_the_table_have_the_same_numbers(task):
    model = Recommender(None).fit(task.target, items=task.items.ids)
    contest = Contest(task).add("rectransfer", lists=model.recommend(task.users.ids, 100))

    report = build_report(model, measured(task), task.titles)

    assert report.ours.quality.mean == pytest.approx(contest["rectransfer"]["ndcg@10"].mean())
    assert report.test.n_users == len(task.users)


def test_a_page_of_another_model_is_refused(found, tmp_path):
    with pytest.raises(InputError, match="a report is written of a Recommender, got a Counting"):
        write_page(Counting(None, seed=0), found[0].contest, tmp_path / "report.html", seed=0)
