import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.transfer.text import link_by_text


def items(*titles, ids=None, **columns):
    ids = [f"i{n}" for n in range(len(titles))] if ids is None else ids
    return pl.DataFrame({"item_id": ids, "title": list(titles), **columns})


SOURCE = items("Whole milk, 1 GA", "Whole milk, 2 GA", "Green tea, 20 CT", ids=["s1", "s2", "s3"])


def pairs(link):
    return dict(link.select("target_id", "source_id").iter_rows())


def test_sizes_count_and_what_has_nothing_in_common_stays_out():
    target = items("Milk, whole, 2 GA", "Tea", "Hammer", ids=["t1", "t2", "t3"])
    link = link_by_text(SOURCE, target, text_columns=["title"])
    assert pairs(link) == {"t1": "s2", "t2": "s3"}
    assert link.columns == ["target_id", "source_id", "similarity"]
    assert link["similarity"].is_between(0, 1).all()


def test_equal_texts_have_similarity_one_and_the_first_of_equals_is_taken():
    twice = pl.concat([SOURCE, items("Green tea, 20 CT", ids=["s0"])])
    link = link_by_text(twice, items("green TEA 20 ct", ids=["t"]), text_columns=["title"])
    assert pairs(link) == {"t": "s3"}
    assert link["similarity"][0] == pytest.approx(1.0)
    assert pairs(
        link_by_text(twice.reverse(), items("green tea 20 ct", ids=["t"]), text_columns=["title"])
    ) == {"t": "s0"}


def test_the_least_similarity():
    target = items("Green tea, 20 CT", "Green soap", ids=["t1", "t2"])
    assert pairs(link_by_text(SOURCE, target, text_columns=["title"], least=0.6)) == {"t1": "s3"}
    assert len(link_by_text(SOURCE, items("Soap"), text_columns=["title"], least=0.5)) == 0


def test_several_columns_and_nulls():
    source = items("Bar", "Bar", ids=[1, 2], category=["Soap", "Candy"])
    target = items("Bar", None, ids=[3, 4], category=["Candy", "Soap"])
    assert pairs(link_by_text(source, target, text_columns=["category", "title"])) == {3: 2, 4: 1}


def test_blocks_give_the_same(monkeypatch):
    words = ["red", "blue", "tea", "milk", "soap", "big", "small"]
    rng = np.random.default_rng(0)
    source, target = (items(*(" ".join(rng.choice(words, 3)) for _ in range(40))) for _ in range(2))
    whole = link_by_text(source, target, text_columns=["title"])
    monkeypatch.setattr("rectransfer.transfer.text._VALUES_A_BLOCK", 1)
    assert link_by_text(source, target, text_columns=["title"]).equals(whole)


class Letters:
    """Counts letters: an encoder as sentence encoders are."""

    def encode(self, sentences):
        return [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in sentences]


def test_an_encoder_of_the_users():
    link = link_by_text(SOURCE, items("tea green", ids=["t"]), text_columns=["title"], encoder=Letters())
    assert pairs(link) == {"t": "s3"}


def test_an_encoder_that_gives_something_else():
    class Bad:
        def __init__(self, shapes):
            self.shapes = iter(shapes)

        def encode(self, sentences):
            return np.ones(next(self.shapes))

    with pytest.raises(InputError, match=r"the shape \(2, 4\) for 3 texts"):
        link_by_text(SOURCE, items("a"), text_columns=["title"], encoder=Bad([(2, 4)]))
    with pytest.raises(InputError, match="4 dimensions and then 5"):
        link_by_text(SOURCE, items("a"), text_columns=["title"], encoder=Bad([(3, 4), (1, 5)]))


@pytest.mark.parametrize(
    ("source", "columns", "least", "message"),
    [
        (SOURCE, ["name"], 0.0, r"source_items has no columns \['name'\]"),
        (SOURCE, "title", 0.0, "expected a list of columns"),
        (SOURCE, ["title"], 1.5, "least=1.5"),
        (SOURCE.with_columns(title=pl.lit(3)), ["title"], 0.0, "is Int32 and no text"),
        (SOURCE.with_columns(title=pl.lit("")), ["title"], 0.0, "none of its 3 items has any text"),
        (SOURCE.with_columns(title=pl.lit("--")), ["title"], 0.0, "none of its 3|no words"),
        (pl.concat([SOURCE, SOURCE]), ["title"], 0.0, "each id once"),
    ],
)
def test_unusable_items_are_refused(source, columns, least, message):
    target = items("--", ids=["t"])
    with pytest.raises(InputError, match=message):
        link_by_text(source, target, text_columns=columns, least=least)
