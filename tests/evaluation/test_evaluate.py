import json

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.evaluation import evaluate
from rectransfer.logs import InteractionLog
from rectransfer.vocabulary import Vocabulary


def log(rows):
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )


class Fixed:
    """Recommends a, b, c, ... to everyone, without what they took."""

    catalogue = Vocabulary.from_ids(list("abcdefgh"))
    taken = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]})

    def recommend(self, users=None, k=10, *, history=None, filter_viewed=True):
        rows = []
        for user in users:
            if user == "nobody":
                continue
            had = set(self.taken.filter(pl.col("user_id") == user)["item_id"])
            left = [item for item in self.catalogue.ids if not (filter_viewed and item in had)][:k]
            rows += [(user, item, 1.0, rank) for rank, item in enumerate(left, 1)]
        return pl.DataFrame(rows, schema=["user_id", "item_id", "score", "rank"], orient="row")


TEST = log([("u", "a", 5), ("u", "b", 5), ("u", "b", 6), ("v", "c", 5), ("v", "z", 5), ("nobody", "a", 5)])


def test_by_hand():
    found = evaluate(Fixed(), TEST, k=2)
    assert (found.n_users, found.n_relevant, found.n_viewed, found.n_without_list) == (3, 4, 1, 1)
    # u: b is first; v: a, c, so c is second and z never; nobody: no list
    v = (1 / np.log2(3)) / (1 + 1 / np.log2(3))
    assert found.means["ndcg@2"].mean == pytest.approx((1 + v + 0) / 3)
    assert found.means["recall@2"].mean == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.means["precision@2"].mean == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.means["map@2"].mean == pytest.approx((1 + 0.25 + 0) / 3)
    assert found.means["mrr@2"].mean == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.means["hit_rate@2"].mean == pytest.approx(2 / 3)
    assert found.coverage == 3 / 8  # a, b, c
    # Of 2 users + 1: a and b are known by 1 + 1, c by 0 + 1; lists are b, c and a, c
    assert found.novelty == pytest.approx((-np.log2(2 / 3) - np.log2(1 / 3)) / 2)


def test_table_and_json():
    found = evaluate(Fixed(), TEST, k=2)
    table = found.table()
    assert table.columns == ["metric", "mean", "low", "high"]
    assert table["metric"].to_list()[-2:] == ["coverage@2", "novelty@2"]
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["means"]["recall@2"]["n_users"] == 3


def test_histories_leave_the_test_too():
    found = evaluate(Fixed(), TEST, histories=log([("v", "c", 1), ("nobody", "h", 1)]))
    assert (found.n_relevant, found.n_viewed) == (3, 2)


def test_what_was_had_may_be_found_again():
    found = evaluate(Fixed(), TEST, k=2, filter_viewed=False)
    assert (found.n_users, found.n_relevant, found.n_viewed) == (3, 5, 0)
    # u: a and b, both taken; v: a, b, and neither was; nobody: no list
    assert found.means["precision@2"].mean == pytest.approx((1 + 0 + 0) / 3)
    again = evaluate(Fixed(), log([("u", "a", 5), ("v", "b", 5)]), k=2, filter_viewed=False)
    assert again.means["recall@2"].mean == 1
    with pytest.raises(InputError, match="1 users have something among 1 pairs"):
        evaluate(Fixed(), log([("u", "a", 5)]), filter_viewed=False)


def test_nothing_new_and_other_types_are_refused():
    with pytest.raises(InputError, match="0 users have something new among 2 pairs"):
        evaluate(Fixed(), log([("u", "a", 5), ("v", "b", 5)]))
    with pytest.raises(InputError, match="item_id is Int64, and String"):
        evaluate(Fixed(), log([("u", 1, 5), ("v", 2, 5)]))


def test_what_is_no_model_and_no_log_is_refused():
    with pytest.raises(
        InputError, match=r"evaluate\(model\) takes a fitted model, got a str; .*load_recommender"
    ):
        evaluate("store-12", TEST)
    for test in (TEST.frame, "later.parquet"):
        with pytest.raises(InputError, match=r"evaluate\(test\) takes an InteractionLog, .*read_log"):
            evaluate(Fixed(), test)
    with pytest.raises(InputError, match=r"evaluate\(histories\) takes an InteractionLog"):
        evaluate(Fixed(), TEST, histories=TEST.frame)


def test_a_test_with_nothing_on_sale_is_refused():
    words = (
        r"none of the 2 items that its users have new \(for example 'y'\) is among the 8 of the model's "
        r"catalogue \(for example 'a'\).*fit\(target, items="
    )
    with pytest.raises(InputError, match=words):
        evaluate(Fixed(), log([("u", "y", 5), ("v", "z", 5), ("w", "z", 5)]))
    with pytest.raises(InputError, match=words):  # what is on sale there, users had before
        evaluate(Fixed(), log([("u", "a", 5), ("v", "b", 5), ("u", "y", 5), ("v", "z", 5)]))


def test_items_that_are_off_sale_are_misses_as_long_as_one_is_on_sale(caplog):
    found = evaluate(Fixed(), log([("u", "y", 5), ("v", "z", 5), ("v", "h", 6)]), k=1)
    assert (found.n_relevant, found.means["recall@1"].mean) == (3, 0)
    assert not caplog.records


class Timed(Fixed):
    """Saw both users at 5 for the last time."""

    last_seen = pl.DataFrame({"user_id": ["u", "v"], "timestamp": [5, 5]})


class Knowing(Fixed):
    """Says whom it doesn't know."""

    def unknown(self, users=None, *, history=None):
        known = ["u", "v", *([] if history is None else history.users.ids)]
        return users.filter(~users.is_in(known))


def test_users_whom_the_model_does_not_know_are_counted_and_warned_of(caplog):
    assert evaluate(Fixed(), TEST).n_unknown is None
    assert evaluate(Knowing(), TEST, histories=log([("nobody", "h", 1)])).n_unknown == 0
    assert not caplog.records
    assert evaluate(Knowing(), TEST).n_unknown == 1
    assert "nothing of 1 of 3 users, here or in a source, for example 'nobody'; they get best" in caplog.text


def test_a_few_unknown_users_are_counted_and_not_warned_of(caplog):
    class Most(Fixed):
        def unknown(self, users=None, *, history=None):
            return users.filter(users == "w0")

    rows = [(f"w{number}", "c", 5) for number in range(10)]
    assert evaluate(Most(), log(rows)).n_unknown == 1
    assert not caplog.records


@pytest.mark.parametrize(("hidden", "warned"), [(2, True), (1, False), (0, False)])
def test_a_test_of_hidden_rows_is_warned_of(hidden, warned, caplog):
    rows = [("u", "b", 4 if hidden > 0 else 6), ("v", "c", 4 if hidden > 1 else 6), ("nobody", "a", 1)]
    evaluate(Timed(), log(rows), k=2)
    assert ("2 of 2 users were seen by the model after" in caplog.text) is warned
    assert ("log.at_one_moment()" in caplog.text) is warned


def test_what_the_model_has_learned_from_is_no_hidden_row(caplog):
    """A whole log as a test: what was there before is left out."""
    evaluate(Timed(), log([("u", "a", 1), ("v", "b", 1), ("u", "c", 6), ("v", "d", 6)]), k=2)
    assert "were seen by the model" not in caplog.text
