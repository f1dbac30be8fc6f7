"""What stands in a report, and what can't be reported on."""

import importlib.util
import json
import re
import sys

import polars as pl
import pytest

from rectransfer.artefacts.card import card_sha256, read_card
from rectransfer.errors import InputError, MissingExtraError
from rectransfer.evaluation import evaluate
from rectransfer.logs import InteractionLog
from rectransfer.pretrained import pretrain
from rectransfer.recommend import Recommender, load_recommender
from rectransfer.report import build_report, render, write_report
from rectransfer.report.explained import Explained
from rectransfer.report.reach import reach


def test_the_numbers_are_those_of_evaluate(report, model, later):
    measured = evaluate(model, later)

    assert report.ours.quality == measured.means["ndcg@10"]
    assert report.ours.hits == measured.means["hit_rate@10"]
    assert (report.test.n_users, report.test.n_pairs) == (measured.n_users, measured.n_relevant)
    assert report.test.n_viewed == measured.n_viewed


def test_best_sellers_are_what_a_model_without_signals_would_say(report, model, later, products):
    class Popular:
        taken, catalogue = model.taken, model.catalogue

        def recommend(self, users, k, *, history, filter_viewed):
            nobody = [f"nobody {row}" for row in range(len(users))]
            lists = model.recommend(nobody, len(self.catalogue))
            names = pl.DataFrame({"user_id": nobody, "who": users})
            known = lists.join(names, on="user_id").select(pl.col("who").alias("user_id"), "item_id", "score")
            left = known.join(self.taken, on=["user_id", "item_id"], how="anti", maintain_order="left")
            rank = pl.int_range(1, pl.len() + 1).over("user_id").alias("rank")
            return left.with_columns(rank).filter(pl.col("rank") <= k)

    popular = next(row for row in report.models if row.label == "Best sellers")
    assert popular.quality.mean == pytest.approx(evaluate(Popular(), later).means["ndcg@10"].mean, abs=0.02)


def test_a_model_that_knows_the_test_beats_best_sellers(model, later, products):
    knowing = Oracle(model, later)
    rivals = {"Nothing": zeros(later)}

    found = build_with(knowing, later, products, rivals=rivals)

    assert found.headline.standing == "better"
    assert found.headline.sentence.startswith(
        "Ship it: the model ranks better than a list of best sellers (100"
    )
    assert found.ours.quality.mean == 1.0
    assert [row.label for row in found.models] == ["This model", "Best sellers", "Nothing"]
    assert "ranks worse than this model: 0.0 points against 100.0" in " ".join(found.headline.meaning)


def test_a_model_that_knows_what_not_to_say_is_not_shipped(model, later, products):
    found = build_with(Oracle(model, later, right=False), later, products)

    assert found.headline.standing == "worse"
    assert found.headline.sentence.startswith("Don't ship it: the model ranks worse")
    assert "fewer find something" in found.headline.meaning[0]


def test_a_rival_that_is_better_is_named(model, later, products):
    ones = zeros(later).with_columns(pl.lit(1.0).alias("ndcg@10"), pl.lit(1.0).alias("hit_rate@10"))
    half = Oracle(model, later, first=5)

    found = build_with(half, later, products, rivals={"All-knowing": ones})

    assert found.headline.sentence.startswith("Good, but not the best of those tried")
    assert "“All-knowing”, ranks better than this model" in " ".join(found.headline.meaning)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"user_id": ["a"]}), "lacks the column 'ndcg@10'"),
        (
            pl.DataFrame({"user_id": ["a"], "ndcg@10": [0.1], "hit_rate@10": [0.0]}),
            "has no ndcg@10 for .* of the .* users measured",
        ),
        (
            pl.DataFrame({"user_id": [1], "ndcg@10": [0.1], "hit_rate@10": [0.0]}),
            r"needs each user_id once, as String, and has Int64; cast it: .*cast\(pl\.String\)",
        ),
        (
            pl.DataFrame({"user_id": ["a", "a"], "ndcg@10": [0.1, 0.2], "hit_rate@10": [0.0, 0.0]}),
            r"needs each user_id once, and has 'a' several times; take the mean",
        ),
        (
            pl.DataFrame({"user_id": ["a", None], "ndcg@10": [0.1, 0.2], "hit_rate@10": [0.0, 0.0]}),
            r"rival 'Other': column 'user_id' has 1 nulls",
        ),
        ({"user_id": ["a"]}, r"rival 'Other' is a polars or pandas frame, got a dict; polars\.DataFrame"),
    ],
)
def test_rivals_are_compared_on_the_same_users(model, later, products, frame, message):
    with pytest.raises(InputError, match=message):
        build_report(model, later, products, rivals={"Other": frame})
    with pytest.raises(InputError, match="is in the comparison already"):
        build_report(model, later, products, rivals={"Best sellers": zeros(later)})
    with pytest.raises(
        InputError, match=r"rivals are frames of user_id, ndcg@10, hit_rate@10 by what .* list"
    ):
        build_report(model, later, products, rivals=[zeros(later)])
    with pytest.raises(InputError, match="rivals: 7 is no name"):
        build_report(model, later, products, rivals={7: zeros(later)})


@pytest.mark.parametrize("column", ["ndcg@10", "hit_rate@10"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pl.lit("high"), r"is String, expected numbers from 0 to 1; cast it: "),
        (pl.lit(float("nan")), r"is NaN for .* users measured; where nothing was found .*fill_nan"),
        (pl.lit(31.5), r"lies outside 0 to 1 for .* users measured, the first is 31\.5; if it is in percent"),
        (pl.lit(-0.1), r"lies outside 0 to 1 for .* the first is -0\.1"),
        (pl.lit(float("inf")), r"lies outside 0 to 1 for .* the first is inf"),
    ],
)
def test_values_that_rivals_cannot_have(model, later, products, column, values, message):
    odd = zeros(later).with_columns(values.alias(column))
    with pytest.raises(InputError, match=f"rival 'Other': column '{column}' {message}"):
        build_report(model, later, products, rivals={"Other": odd})


def test_rivals_may_be_pandas_frames(model, later, products):
    pytest.importorskip("pandas")
    half = zeros(later).with_columns(pl.lit(0.5).alias("ndcg@10"))

    found, same = (
        build_report(model, later, products, rivals={"Half": frame}).models
        for frame in (half.to_pandas(), half.with_columns(pl.col("user_id").cast(pl.Categorical)))
    )

    assert found == same
    assert next(row for row in found if row.label == "Half").quality.mean == 0.5


def test_a_history_may_be_a_frame(model, later, products, planted):
    stranger = planted.source.frame.head(5).with_columns(user_id=pl.lit("stranger 0"))
    history = InteractionLog.from_frame(stranger, name="history")

    found = build_report(model, later, products, history=history)

    assert found.test.n_unknown == 1
    assert build_report(model, later, products, history=stranger) == found
    assert build_report(model, later, products, history=stranger.clear()).test.n_unknown == 2
    with pytest.raises(InputError, match=r"history: a log is made from a polars, pandas or pyarrow table"):
        build_report(model, later, products, history=stranger.to_dicts())


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"n_users": 1}, "n_users=1; expected a whole number from 2"),
        ({"n_users": 0}, "n_users=0; expected"),
        ({"n_users": 9.5}, r"n_users=9\.5; expected"),
        ({"n_users": 9, "seed": -1}, "seed=-1; expected a whole number from 0"),
        ({"seed": True}, "seed=True; expected"),
    ],
)
def test_numbers_that_are_none(model, later, products, numbers, message):
    with pytest.raises(InputError, match=message):
        build_report(model, later, products, **numbers)


def test_what_a_source_reaches_by_items(report, model):
    found = model.coverage
    assert [(what, share) for what, share, _ in report.bridges[0].shares] == [
        ("items", found.items),
        ("interactions", found.interactions),
        ("users with at least one of them", found.users),
    ]


@pytest.fixture(scope="module")
def sharing(planted, config, settings):
    """Models whose source shares users with them and no item: with it and without it, by what ships."""
    known = planted.target.users.ids[:30].to_list()
    users = planted.source.users.ids.to_list()
    names = dict(zip(users, [*known, *users[len(known) :]], strict=True))
    source = planted.source.frame.with_columns(
        pl.col("user_id").replace_strict(names), item_id=pl.lit("only in the source ") + pl.col("item_id")
    )
    log = InteractionLog.from_frame(source, name="source")
    learned = pretrain(log, config=settings, deterministic=True)
    apart = Recommender(learned, config=config).fit(planted.target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rectransfer.recommend.gate._FEWEST", 1_000)  # unmeasured, the transfer ships
        together = Recommender(learned, config=config).fit(planted.target)
    return {model.verdict.ships: model for model in (apart, together)}


@pytest.mark.parametrize("ships", ["transfer", "target"])
def test_what_a_source_reaches_by_users(sharing, later, planted, products, tmp_path, ships):
    taken = planted.target.frame.filter(pl.col("user_id").is_in(planted.target.users.ids[:30].implode()))
    rows = (
        ("users known from the source", 0.75, "30 of 40"),
        ("what they took: interactions", taken.height / len(planted.target)),
        ("what they took: items", taken["item_id"].n_unique() / planted.target.n_items),
    )

    found = build_report(sharing[ships], later, products)
    shares = found.bridges[0].shares

    assert shares[0] == rows[0]
    assert [row[:2] for row in shares[1:]] == list(rows[1:])
    assert "users with at least one of them" not in render(found)
    sharing[ships].save(tmp_path / "model")
    assert reach(load_recommender(tmp_path / "model")) == found.bridges


def test_a_source_with_linked_items_reaches_items(planted, model, config):
    """The source has items under the target's ids besides those that are linked."""
    ours, theirs = planted.target.items.ids, model.pretrained[0].items.vocabulary.ids
    link = dict(zip(ours[:15], theirs[:15], strict=True))
    linked = Recommender(model.pretrained[0], config=config).fit(planted.target, link=link)

    assert reach(linked)[0].shares[0] == ("items", linked.coverage.items, f"15 of {planted.target.n_items}")


def test_untitled_items_of_the_source_are_counted_too(sharing, later, products):
    shelf = products.with_columns(title=pl.lit("Tea ") + pl.col("item_id"))

    found = build_report(sharing["transfer"], later, shelf)

    nameless = {
        title
        for person in found.people
        for title, _ in person.history
        if title.startswith("Item only in the")
    }
    assert len(nameless) > 1
    told = f"{len(nameless)} items in the histories shown, not on sale here, have no title in the catalogue"
    assert any(one.startswith(told) for one in found.limits)
    assert not any("items on sale have no title" in one for one in found.limits)


def test_control_characters_are_not_written(model, later, products):
    odd = "Te\x00a\x1b[31m\x7f\x85\tgreen\r\nfresh"
    named = products.with_columns(title=pl.lit(odd), category=pl.lit("Dri\x00nks"))

    page = render(build_report(model, later, named, title="A\x00B", rivals={"C\x01D": zeros(later)}))

    assert "Te\ufffda\ufffd[31m\ufffd\ufffd green  fresh" in page
    assert "Dri\ufffdnks" in page
    assert "<title>A\ufffdB</title>" in page
    assert "C\ufffdD" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


def test_segments_part_the_users(report):
    users = report.segments[0]
    new = users.rows[0]

    assert users.title == "New, light and heavy users"
    assert sum(row.n_users for row in users.rows) == report.test.n_users
    assert new.label == "New users: no history"
    assert new.n_users == report.test.n_unknown == 2
    mean = sum(row.ours * row.n_users for row in users.rows) / report.test.n_users
    assert mean == pytest.approx(report.ours.quality.mean)
    titles = [one.title for one in report.segments]
    assert titles[1:] == ["Popular and cold items", "Items that the source knows, or doesn't", "Categories"]
    assert {row.label for row in report.segments[-1].rows} == {"Tea", "<b>Milk</b>", "חלב"}


def test_without_a_source(alone, later, products):
    found = build_report(alone, later, products)

    assert found.gate.effect == "none"
    assert found.bridges == ()
    assert "learned from this log alone" in found.headline.sentence
    assert not any("source knows" in one.title for one in found.segments)
    assert "there is no source" in render(found)


def test_users_to_look_at_are_one_of_each_kind(report, later, model, products):
    kinds = [person.kind for person in report.people]
    new, *others = report.people

    assert kinds == ["New user", "Light user", "Regular user", "Heavy user"]
    assert (new.n_history, new.history) == (0, ())
    titles = dict(products.select("item_id", "title").iter_rows())
    for person in others:
        lists = model.recommend([person.user], 5)["item_id"]
        taken = set(later.frame.filter(pl.col("user_id") == person.user)["item_id"])
        assert [one.taken for one in person.advice] == [item in taken for item in lists]
        assert [one.title for one in person.advice] == [titles[item] or f"Item {item}" for item in lists]
        own = model.taken.filter(pl.col("user_id") == person.user)["item_id"]
        assert person.n_history == own.n_unique()
        assert {title for title, _ in person.history} <= {titles[item] or f"Item {item}" for item in own}


def test_the_same_seed_gives_the_same_page(model, later, products, html):
    again = render(build_report(model, later, products, title="Tea & <i>milk</i>"))

    assert again == html


def test_few_of_many_users_are_drawn_and_the_page_says_so(model, later, products):
    found = build_report(model, later, products, n_users=9, seed=4)

    assert found.test.n_users == 9
    assert found.test.n_eligible > 9
    assert f"9 of the {found.test.n_eligible} users who could be measured were drawn" in found.limits[3]
    assert found == build_report(model, later, products, n_users=9, seed=4)
    assert found.test != build_report(model, later, products, n_users=9, seed=5).test


def test_the_page_holds_the_provenance(model, later, products, tmp_path):
    model.save(tmp_path / "store-12")
    card = read_card(tmp_path / "store-12")

    found = write_report(tmp_path / "store-12", later, products, tmp_path / "new" / "report.html", seed=7)

    page = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert card_sha256(card) in page
    assert card["created"].replace("+", "&#43;") in page or card["created"] in page
    for word in (
        "store-12",
        "torch",
        "2 to",
        str(later.frame["timestamp"].max().date()),
        "Seed of this report",
    ):
        assert word in page
    assert found.provenance["Seed of this report"] == "7"
    assert json.loads(json.dumps(found.as_dict()))["test"]["k"] == 10
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


def test_a_map_needs_items_and_says_how_alike_neighbours_are(report, model, products):
    found = report.atlas

    assert found is not None
    assert len(found.points) == found.n_items == len(model.catalogue)
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in found.points)
    assert sum(size for _, size in found.groups) == len(found.points)
    assert found.alike is not None
    assert 0 <= found.alike <= 1
    assert found.by_chance == pytest.approx(0.18, abs=0.1)  # three categories and none, a quarter each
    assert all(len(landmark.near) == 3 for landmark in found.landmarks)


def test_titles_that_are_missing_become_ids(model, later, products):
    few = products.select("item_id", "title").head(12)

    found = build_report(model, later, few)

    page = render(found)
    assert "items on sale have no title in the catalogue; they appear by their id" in page
    assert "The catalogue has no categories" in page
    assert found.atlas is not None
    assert (found.atlas.alike, [name for name, _ in found.atlas.groups]) == (None, ["Other"])


def test_nothing_new_in_the_test(model, planted, products):
    with pytest.raises(
        InputError, match=r"0 users have something new .* Is it the log that the model was fitted"
    ):
        build_report(model, planted.target, products)


def test_an_empty_test(model, later):
    with pytest.raises(InputError, match="the log is empty"):
        InteractionLog.from_frame(later.frame.clear(), name="later")


def test_a_test_of_other_ids(model, later, products):
    numbers = later.frame.with_columns(item_id=pl.int_range(pl.len()))
    with pytest.raises(
        InputError, match=r"later: item_id is Int64, and String in the log .* cast it: pl\.col"
    ):
        build_report(model, InteractionLog.from_frame(numbers, name="later"), products)


def test_a_test_of_which_nothing_is_on_sale(model, later, products):
    """A page full of zeros says nothing."""
    other = InteractionLog.from_frame(
        later.frame.with_columns(item_id=pl.lit("x") + pl.col("item_id")), name="another shop"
    )
    with pytest.raises(InputError, match=r"another shop: none of the .* items that its users have new"):
        build_report(model, other, products)


@pytest.mark.parametrize("column", ["title", "category"])
def test_words_that_are_none(model, later, products, column):
    lists = products.with_columns(pl.concat_list(pl.lit("tea")).alias(column))
    with pytest.raises(InputError, match=rf"the catalogue: column '{column}' is List\(String\), expected"):
        build_report(model, later, lists)


def test_a_catalogue_of_other_ids(model, later, products):
    numbers = products.with_columns(item_id=pl.int_range(pl.len()))
    with pytest.raises(InputError, match=r"the catalogue's item_id is Int64 .* the model's is String"):
        build_report(model, later, numbers)
    strangers = products.with_columns(item_id=pl.lit("x") + pl.col("item_id"))
    with pytest.raises(InputError, match=r"none of the catalogue's 25 ids \(for example 'x"):
        build_report(model, later, strangers)


def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    model, later, products, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "rectransfer.report.write.build_report", lambda *_, **__: pytest.fail("work was begun")
    )
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match=r"is a folder; give the name of a file"):
        write_report(model, later, products, tmp_path)
    with pytest.raises(InputError, match="is no folder that can be written"):
        write_report(model, later, products, tmp_path / "file" / "report.html")
    room = sys.modules["rectransfer.report.render"]
    monkeypatch.setattr(room, "find_spec", lambda name: None if name == "jinja2" else 1)
    with pytest.raises(MissingExtraError, match=r"'jinja2': pip install 'rectransfer\[report\]'"):
        write_report(model, later, products, tmp_path / "report.html")


def test_a_write_that_fails_leaves_the_old_page(model, later, products, tmp_path, monkeypatch):
    file = tmp_path / "report.html"
    file.write_text("before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rectransfer.report.write.os.fsync", full)
    with pytest.raises(InputError, match=r"report.html cannot be written .*No space left.* check the disk"):
        write_report(model, later, products, file)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_the_extra_is_what_the_page_needs():
    assert importlib.util.find_spec("jinja2")
    assert importlib.util.find_spec("matplotlib")


def zeros(later):
    users = later.frame.select("user_id").unique()
    return users.with_columns(pl.lit(0.0).alias("ndcg@10"), pl.lit(0.0).alias("hit_rate@10"))


class Oracle:
    """Says what comes next first, or only what doesn't; otherwise it is the model."""

    def __init__(self, model, later, *, right=True, first=None):
        self.model, self.right, self.first = model, right, first
        self.next = later.frame.select("user_id", "item_id").unique()

    def __getattr__(self, name):
        return getattr(self.model, name)

    def recommend(self, users, k, *, history, filter_viewed):
        shelf = self.model.catalogue.ids.alias("item_id").to_frame()
        every = users.alias("user_id").to_frame().join(shelf, how="cross", maintain_order="left_right")
        open_ = every.join(self.model.taken, on=["user_id", "item_id"], how="anti", maintain_order="left")
        hits = self.next.with_columns(hit=True)
        told = open_.join(hits, on=["user_id", "item_id"], how="left", maintain_order="left")
        wanted = pl.col("hit").fill_null(False)
        if not self.right:
            told = told.filter(~wanted)
        ranked = told.sort("user_id", wanted, descending=[False, True], maintain_order=True)
        rank = pl.int_range(1, pl.len() + 1).over("user_id").alias("rank")
        found = ranked.with_columns(rank, score=-rank.cast(pl.Float32))
        if self.first is not None:
            found = found.filter(pl.col("rank") <= self.first)
        return found.filter(pl.col("rank") <= k).select("user_id", "item_id", "score", "rank")


def build_with(oracle, later, products, **more):
    """A report of something that isn't a Recommender, but behaves like one."""
    import rectransfer.report.build as build

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "Recommender", Oracle)
        patch.setattr(build, "explained", lambda *_, **__: Explained())
        return build.build_report(oracle, later, products, **more)
