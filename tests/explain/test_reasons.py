"""Reasons in words: each sentence is backed by what it speaks of."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.explain import (
    ENGLISH,
    Explanations,
    Reason,
    Templates,
    reason_frame,
    reasons_for,
    titles_of,
)
from rectransfer.recommend import Recommender

GERMAN = Templates(
    often="Weil Sie oft {items} kaufen.",
    taken="Weil Sie {items} gekauft haben.",
    untitled="Es passt zu Ihren Einkäufen.",
    signals={"popularity": "Viele andere wählen es auch.", "tower": "Es ist allgemein beliebt."},
    two="{0} und {1}",
)


def backing(explained: Explanations, reason: Reason) -> float:
    """What a sentence stands for, from the tidy frame alone."""
    user, item = explained.users[reason.pair], explained.items[reason.pair]
    rows = explained.frame("history").filter(pl.col("user_id") == user, pl.col("item_id") == item)
    if reason.because:
        return float(rows.filter(pl.col("because").is_in(list(reason.because)))["contribution"].sum())
    said = {name for name in explained.signals if ENGLISH.of_signal(name) == reason.text}
    own = rows.filter(pl.col("because").is_null(), pl.col("part").is_in(said))
    return float(own["contribution"].sum())


@pytest.mark.parametrize("titled", [True, False], ids=["titles", "no titles"])
@pytest.mark.parametrize("kind", ["model", "alone"])
def test_every_sentence_is_backed_by_its_attribution(
    kind: str, titled: bool, titles: pl.DataFrame, request: pytest.FixtureRequest
) -> None:
    model: Recommender = request.getfixturevalue(kind)
    explained = model.explain([*model.users[:25], "nobody"], k=4)

    found = reasons_for(explained, titles=titles if titled else None, most=5)

    sentences = [reason for mine in found for reason in mine]
    assert len(sentences) > 50
    assert len({reason.text for reason in sentences}) > 1
    for reason in sentences:
        assert reason.contribution > 0
        assert backing(explained, reason) == pytest.approx(reason.contribution, abs=1e-9)
        assert reason.parts


def test_named_items_have_a_title_and_add_to_the_score(explained: Explanations, titles: pl.DataFrame) -> None:
    by_id = dict(titles.iter_rows())
    named = 0
    for reason in (one for mine in reasons_for(explained, titles=titles) for one in mine):
        if not reason.text.startswith("Because"):
            continue
        assert 1 <= len(reason.because) <= 2
        for item in reason.because:
            named += 1
            assert by_id[item] in reason.text
            entry = explained.told.items.filter(explained.told.pair == reason.pair).to_list().index(item)
            first = int(np.searchsorted(explained.told.pair, reason.pair))
            assert explained.told.totals[first + entry] > 0
    assert named > 10


def test_often_means_often(explained: Explanations, titles: pl.DataFrame) -> None:
    seen = {"often": 0, "once": 0}
    for reason in (one for mine in reasons_for(explained, titles=titles) for one in mine):
        if not reason.text.startswith("Because"):
            continue
        first = int(np.searchsorted(explained.told.pair, reason.pair))
        mine = explained.told.items.filter(explained.told.pair == reason.pair).to_list()
        counts = [explained.told.counts[first + mine.index(item)] for item in reason.because]
        often = "often" in reason.text
        seen["often" if often else "once"] += 1
        assert all(count >= 3 for count in counts) if often else all(count < 3 for count in counts)
    assert seen["once"] > 0


def test_a_signal_that_adds_by_being_low_is_no_reason(explained: Explanations) -> None:
    """A popularity below what is typical may add to a score; nobody should read that others choose it."""
    low = np.minimum(explained.values, explained.typical - 1)
    turned = replace(explained, values=low, contributions=np.abs(explained.contributions))

    found = [reason for mine in reasons_for(turned, most=9) for reason in mine]

    assert found == []


def test_what_is_said_of_everybody_is_said_where_it_matters_most(explained: Explanations) -> None:
    """Popularity is mentioned where nothing of the user is strong enough, or where it is the largest part."""
    general = {ENGLISH.of_signal(name) for name in ("target.popularity", "target.tower")}
    seen = {"alone": 0, "largest": 0, "left out": 0}
    for pair, mine in enumerate(reasons_for(explained, most=9)):
        history = explained.told.totals[explained.told.pair == pair].sum()
        theirs = [one for one in mine if one.text in general]
        own = [one for one in mine if one.text not in general]
        assert len(theirs) <= 1
        assert mine == own + theirs
        if theirs and own:
            assert theirs[0].contribution > max(history, *(one.contribution for one in own))
        seen["largest" if own and theirs else "alone" if theirs else "left out"] += 1
    assert min(seen["largest"], seen["left out"]) > 0


def test_of_items_that_add_as_much_those_are_named_that_set_the_item_apart(explained: Explanations) -> None:
    """Two items of the history add the same to the first recommendation; one adds it to the second, too."""
    pairs = np.flatnonzero((explained.ranks <= 2) & (explained.lengths > 3))[:2]
    two = explained.take(pairs)
    assert two.users[0] == two.users[1]
    told, adds = two.told, np.zeros_like(two.told.contributions)
    n = len(told.pair) // 2
    adds[0], adds[1], adds[n + 1] = 0.5, 0.5, 0.5
    high = np.full_like(two.values, two.typical + 1)
    turned = replace(
        two, values=high, contributions=np.ones_like(high), told=replace(told, contributions=adds)
    )
    ids = told.items.to_list()
    titles = pl.DataFrame({"item_id": ids[:n], "title": [f"Jar {id_}" for id_ in ids[:n]]})

    (first, *_), (second, *_) = reasons_for(turned, titles=titles)

    assert first.because == (ids[0], ids[1])
    assert second.because == (ids[1],)


def test_what_is_hardly_there_is_no_reason(explained: Explanations, titles: pl.DataFrame) -> None:
    some = reasons_for(explained, titles=titles, least=0.3)
    all_ = reasons_for(explained, titles=titles, least=0.0)

    for pair, mine in enumerate(some):
        enough = 0.3 * np.maximum(explained.contributions[pair], 0).sum()
        assert all(reason.contribution > enough for reason in mine)
    assert sum(map(len, some)) < sum(map(len, all_))


def test_the_frame_has_a_row_for_each_recommendation(model: Recommender, titles: pl.DataFrame) -> None:
    found = model.reasons(model.users[:20], k=3, titles=titles)
    recommended = model.recommend(model.users[:20], k=3)

    assert found.columns == ["user_id", "item_id", "score", "rank", "reason", "parts", "contribution"]
    assert found.select("user_id", "item_id", "rank").equals(recommended.drop("score"))
    silent = found.filter(pl.col("reason").is_null())
    assert silent["contribution"].sum() == 0
    assert silent["parts"].null_count() == silent.height
    assert found["reason"].drop_nulls().str.contains(r"^[A-Z].*\.$").all()
    one = model.reasons(model.users[:20], k=3, titles=titles, most=1)
    assert one["reason"].drop_nulls().str.count_matches(r"\.(\s|$)").max() == 1


def test_templates_can_be_translated(model: Recommender, titles: pl.DataFrame) -> None:
    english = model.reasons(model.users[:20], k=3, titles=titles)
    german = model.reasons(model.users[:20], k=3, titles=titles, templates=GERMAN)

    assert german["reason"].is_null().equals(english["reason"].is_null())
    assert german["contribution"].equals(english["contribution"])
    words = " ".join(german["reason"].drop_nulls())
    assert "gekauft haben" in words
    assert "Because" not in words


def test_a_signal_without_a_sentence_is_not_spoken_of(model: Recommender) -> None:
    silent = Templates(untitled="", signals={})

    assert model.reasons(model.users[:10], templates=silent)["reason"].null_count() == 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"taken": "Because of your history."}, "no place for {items}"),
        ({"often": "Often {} {items}."}, "cannot be filled in"),
        ({"untitled": "It goes with {items}."}, "cannot be filled in"),
        ({"untitled": "It goes with {{it}}."}, "said as it is"),
        ({"signals": {"popularity": "{0} choose it."}}, "cannot be filled in"),
        ({"two": "{0}"}, "no place for {1}"),
        ({"often": 5}, "no text"),
        ({"often": "Because {item} and {items}."}, "cannot be filled in"),
        ({"signals": {"popularity": "{0} {1} {2} like it."}}, "popularity'.="),
    ],
)
def test_templates_that_cannot_be_filled_in(changes: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Templates(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"item_id": ["a"]}), "no column 'title'"),
        (pl.DataFrame({"title": ["a"]}), "no column 'item_id'"),
        (pl.DataFrame({"item_id": [1], "title": ["a"]}), "item_id is Int64 and the model's items are String"),
        (
            pl.DataFrame({"item_id": ["a"], "title": [["tea", "pot"]]}),
            r"titles: column 'title' is List\(String\), expected text; join its parts: .*list\.join",
        ),
        (
            pl.DataFrame(
                {"item_id": ["a"], "title": [[1, 2]]}, schema_overrides={"title": pl.Array(pl.Int8, 2)}
            ),
            r"'title' is Array\(Int8, .*list\.join",
        ),
        (
            pl.DataFrame({"item_id": ["a"], "title": [{"en": "tea"}]}),
            r"'title' is Struct\({'en': String}\), expected text; take one of its fields",
        ),
        (
            pl.DataFrame({"item_id": ["a"], "title": [b"\xff"]}),
            "'title' is Binary, expected text; make it text",
        ),
    ],
)
def test_titles_that_cannot_be_used(explained: Explanations, frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        reasons_for(explained, titles=frame)


@pytest.mark.parametrize("kind", [pl.List(pl.Int64), pl.Array(pl.Int64, 2)])
def test_the_remedy_for_titles_of_parts_makes_text(kind: pl.DataType) -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "title": pl.Series([[7, 8], None], dtype=kind)})
    remedy = "pl.col('title').cast(pl.List(pl.String)).list.join(', ')"
    with pytest.raises(InputError, match=re.escape(remedy)):
        titles_of(frame, pl.Int64())

    joined = frame.with_columns(pl.col("title").cast(pl.List(pl.String)).list.join(", "))

    assert titles_of(joined, pl.Int64()) == {1: "7, 8"}


def test_titles_of_another_shop_are_refused(model: Recommender, titles: pl.DataFrame, tmp_path: Path) -> None:
    foreign = titles.with_columns(pl.col("item_id") + "x")
    with pytest.raises(InputError, match=r"titles: none of the [\d]+ ids with a title .*of another shop"):
        model.reasons(model.users[:2], titles=foreign)
    with pytest.raises(InputError, match="are they of another shop"):
        model.score(pl.Series(model.users[:2]), tmp_path, reasons=True, titles=foreign)
    assert model.reasons(model.users[:2], titles=pl.concat([foreign, titles[:1]])).height


def test_empty_titles_are_none(explained: Explanations) -> None:
    ids = explained.told.items.unique()
    blank = pl.DataFrame({"item_id": ids, "title": pl.Series([" "] * ids.len())})

    assert reasons_for(explained, titles=blank) == reasons_for(explained)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"most": 0}, "most=0; expected a whole number from 1"),
        ({"most": "a"}, "most='a'; expected a whole number from 1"),
        ({"most": 1.5}, "most=1.5; expected a whole number from 1"),
        ({"most": True}, "most=True; expected a whole number from 1"),
        ({"least": 1.0}, "least=1.0; expected a number from 0 up to, but not, 1"),
        ({"least": -0.1}, "least=-0.1"),
        ({"least": "a"}, "least='a'"),
        ({"templates": "x"}, "templates is a str; expected rectransfer.explain.Templates"),
    ],
)
def test_settings_that_cannot_be_used(explained: Explanations, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        reasons_for(explained, **wrong)


def test_numbers_of_numpy_are_numbers(explained: Explanations) -> None:
    found = reasons_for(explained, most=np.int64(1), least=np.float32(0.5))  # type: ignore[arg-type]

    assert found == reasons_for(explained, most=1, least=0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pl.DataFrame.to_pandas, "titles is a pandas.DataFrame; .* such as pl.from_pandas\\(frame\\)"),
        (pl.DataFrame.lazy, "titles is a polars.LazyFrame; .* such as frame.collect\\(\\)"),
        (pl.DataFrame.rows, "titles is a list; .* such as pl.read_csv"),
    ],
)
def test_titles_of_another_make(
    explained: Explanations, titles: pl.DataFrame, change: Callable[[pl.DataFrame], Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        reasons_for(explained, titles=change(titles))


def test_no_pairs_give_no_rows(explained: Explanations) -> None:
    none = explained.take([])

    assert reason_frame(none, reasons_for(none)).height == 0


def test_the_only_item_asked_for_is_told_by_what_adds_most(model: Recommender, titles: pl.DataFrame) -> None:
    """There is no other item that it could be set apart from."""
    explained = model.explain(model.users[:40], k=1)
    whole = explained.frame("history").drop_nulls("because").group_by("user_id", "because")
    total = {row[:2]: row[2] for row in whole.agg(pl.col("contribution").sum()).rows()}
    pairs = [
        [total[explained.users[one.pair], item] for item in one.because]
        for mine in reasons_for(explained, titles=titles)
        for one in mine
        if one.text.startswith("Because you bought") and len(one.because) == 2
    ]
    assert len(pairs) > 5
    assert np.mean([first >= second for first, second in pairs]) > 0.9
