import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.evaluation import Task, cut_last_steps, movielens, store_launch, test_matrices
from rectransfer.logs import InteractionLog, PublicData, fetch
from rectransfer.vocabulary import Vocabulary


def log(rows, name="log", sessions=False):
    schema = ["user_id", "item_id", "timestamp", *(["session_id"] if sessions else [])]
    return InteractionLog.from_frame(pl.DataFrame(rows, schema=schema, orient="row"), name=name)


def public(name, frame, items, raw=None):
    own = InteractionLog.from_frame(frame, name=name) if raw is None else log([(1, 1, 1)])
    return PublicData(name, own, items, None, frame if raw is None else raw, "made up", "none")


class TestMatrices:
    history = log([("u", "tea", 1), ("v", "milk", 1), ("w", "tea", 1)])
    items = Vocabulary.from_ids(["milk", "rice", "tea"])

    def test_what_cannot_be_measured_is_left_out_and_counted(self):
        later = log(
            [
                ("u", "milk", 2),
                ("u", "milk", 3),  # once more
                ("u", "tea", 2),  # seen before
                ("u", "salt", 2),  # not in the catalogue
                ("v", "milk", 2),  # seen before: nothing is left of v
                ("x", "tea", 2),  # no history
                ("x", "salt", 2),
            ]
        )
        test = test_matrices(self.history, later, self.items)
        assert test.users.ids.to_list() == ["u"]
        assert test.history.toarray().tolist() == [[0, 0, 1]]
        assert test.relevant.toarray().tolist() == [[1, 0, 0]]
        assert (test.without_history, test.outside_catalogue, test.seen_before, test.n_rows) == (2, 1, 2, 7)
        assert "1 users with 1 relevant items among 3" in str(test)

    def test_nothing_left_is_an_error_with_the_counts(self):
        with pytest.raises(InputError, match=r"none of its 2 rows.* 1 have a user.* 0 an item.* 1 an item"):
            test_matrices(self.history, log([("x", "tea", 2), ("u", "tea", 2)]), self.items)

    def test_a_task_checks_its_types(self):
        with pytest.raises(InputError, match="items are String in the source and Int64"):
            Task("t", self.history, self.history, self.history, self.history, Vocabulary.from_ids([1]), "")
        numbers = log([(1, "tea", 2)])
        with pytest.raises(InputError, match="users are String in the histories and Int64"):
            Task("t", self.history, self.history, self.history, numbers, self.items, "")


class TestCut:
    def test_sessions_are_steps_and_moments_otherwise(self):
        rows = [("u", "a", 1, "s1"), ("u", "b", 2, "s1"), ("u", "c", 3, "s2"), ("v", "a", 1, "s1")]
        cut = cut_last_steps(log(rows, sessions=True))
        assert cut.later.frame["item_id"].to_list() == ["c"]
        assert cut.earlier.frame["item_id"].to_list() == ["a", "b", "a"]  # v has one step and stays
        cut = cut_last_steps(log([row[:3] for row in rows]), share=0.9)
        assert cut.later.frame["item_id"].to_list() == ["b", "c"]  # all but one
        assert "1 users" in cut.guarantee

    def test_a_single_session_each_is_cut_by_moments(self):
        cut = cut_last_steps(log([("u", "a", 1, "s1"), ("u", "b", 2, "s1")], sessions=True))
        assert cut.later.frame["item_id"].to_list() == ["b"]

    def test_a_log_without_two_steps_is_refused(self):
        with pytest.raises(InputError, match="none of its 2 users has rows of two different moments"):
            cut_last_steps(log([("u", "a", 1), ("u", "b", 1), ("v", "a", 2)]))
        with pytest.raises(InputError, match="lies in"):
            cut_last_steps(log([("u", "a", 1)]), share=1.0)


def groceries(n_households=24, n_stores=4):
    """Household h shops in store h % n_stores, and once in another one, every fifth week."""
    rows = []
    for household in range(n_households):
        for week in range(1, 54):
            store = (household + (week % 5 == 0)) % n_stores
            products = {week % 6, (week + household) % 6, 6 + (household == 0), 9}
            rows += [(household, 100 + store, household * 100 + week, product, week) for product in products]
    schema = ["household_id", "store_id", "basket_id", "product_id", "week"]
    raw = pl.DataFrame(rows, schema=schema, orient="row")
    raw = raw.with_columns(transaction_timestamp=pl.datetime(2017, 1, 1) + pl.duration(weeks=pl.col("week")))
    items = pl.DataFrame(
        {"item_id": list(range(10)), "title": [f"p{i}" for i in range(10)], "category": ["Grocery"] * 10}
    )
    return public("groceries", None, items.with_columns(category=_departments(items)), raw=raw)


def _departments(items):
    return pl.when(pl.col("item_id") == 9).then(pl.lit("Fuel")).otherwise("category")


class TestStoreLaunch:
    def test_stores_weeks_and_products(self):
        data = groceries()
        task = store_launch(data, stores_seed=3, n_stores=1)
        opened = np.random.default_rng(3).permutation([100, 101, 102, 103])[0]
        homes = set(task.target.users.ids)
        assert homes == {household for household in range(24) if 100 + household % 4 == opened}
        assert not homes & set(task.source.users.ids)
        assert set(task.test.users.ids) == homes
        assert task.histories is task.target
        # 9 is fuel; one household buys 7; all others 6
        assert task.items.ids.to_list() == [0, 1, 2, 3, 4, 5, 6]
        weeks = data.raw.select("transaction_timestamp", "week").unique()
        when = dict(weeks.iter_rows())
        assert {when[t] for t in task.source.frame["timestamp"]} == set(range(1, 44))
        assert {when[t] for t in task.target.frame["timestamp"]} == {40, 41, 42, 43}
        assert {when[t] for t in task.test.frame["timestamp"]} == set(range(44, 54))
        assert "seed 3" in task.guarantee

    def test_of_equal_homes_the_lower_number(self):
        raw = groceries().raw
        even = raw.with_columns(store_id=pl.when(pl.col("week") <= 42).then(100 + pl.col("week") % 2))
        even = even.filter(pl.col("week") != 43).with_columns(pl.col("store_id").fill_null(101))
        data = public("even", None, groceries().items, raw=even)
        with pytest.raises(InputError, match="1 of 1 home stores"):  # 21 weeks each: all live in 100
            store_launch(data, n_stores=1)

    def test_other_data_and_too_many_stores_are_refused(self):
        with pytest.raises(InputError, match="1 to 3 can"):
            store_launch(groceries(), n_stores=4)
        data = public("films", None, groceries().items, raw=pl.DataFrame({"user_id": [1]}))
        with pytest.raises(InputError, match=r"has no columns \['basket_id', 'household_id'"):
            store_launch(data)

    @pytest.mark.realdata
    def test_the_counts_on_complete_journey(self):
        task = store_launch(fetch("complete-journey"))
        assert (task.source.n_users, len(task.source)) == (1613, 709_620)
        assert (task.target.n_users, len(task.target)) == (650, 30_849)
        assert len(task.items) == 17_011
        test = task.matrices
        assert (len(test.users), test.relevant.nnz, test.n_rows) == (623, 50_018, 80_967)


def films(name, prefix, n_users):
    rows = [
        (f"{prefix}{user}", f"film {(user * 3 + step) % 17}", step // 2)
        for user in range(n_users)
        for step in range(10)
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = frame.select("item_id", title="item_id").unique()
    return public(name, frame, items)


class TestMovieLens:
    source, target = films("ml-1m", "1m_", 30), films("ml-100k", "100k_", 50)

    def test_who_is_where(self):
        tasks = [movielens(self.source, self.target, share=share) for share in (0.1, 0.5, 1.0)]
        assert [task.target.n_users for task in tasks] == [4, 20, 40]
        small, middle, large = (set(task.target.users.ids) for task in tasks)
        assert small < middle < large
        testers = [set(task.histories.users.ids) for task in tasks]
        assert testers[0] == testers[1] == testers[2] == set(tasks[0].test.users.ids)
        assert len(testers[0]) == 10
        assert not testers[0] & large
        assert tasks[0].items == self.target.log.items
        assert "transfer between populations, not forecasts" in tasks[0].guarantee

    def test_history_is_the_first_four_fifths(self):
        task = movielens(self.source, self.target, share=0.5)
        assert task.histories.frame["user_id"].value_counts()["count"].unique().to_list() == [8]
        last = task.histories.frame.group_by("user_id").agg(pl.col("timestamp").max())
        first = task.test.frame.group_by("user_id").agg(pl.col("timestamp").min().alias("first"))
        both = last.join(first, on="user_id")
        assert (both["timestamp"] <= both["first"]).all()

    def test_seeds_draw_others(self):
        one, other = (movielens(self.source, self.target, share=0.5, seed=seed) for seed in (0, 1))
        assert set(one.histories.users.ids) != set(other.histories.users.ids)

    def test_shared_users_are_refused(self):
        with pytest.raises(InputError, match="50 of 50 users"):
            movielens(self.target, self.target, share=0.5)
