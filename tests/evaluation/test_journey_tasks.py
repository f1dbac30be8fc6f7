"""The tasks on Complete Journey, on a made-up chain of 4 stores, 48 households and 3 departments."""

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.evaluation import category_launch, last_steps, private_label, run_baselines, store_launch
from rectransfer.logs import InteractionLog, PublicData, fetch

N_KINDS = 24
NATIONAL, OWN, FUEL = range(N_KINDS), range(100, 100 + N_KINDS), 900
DEPARTMENTS = ("Meat", "Drug gm", "Grocery")


def products():
    """Each kind once national and once of the own brand, 100 numbers later."""
    rows = [(FUEL, "Fuel", "Fuel", None, "National", None)]
    for kind in NATIONAL:
        words, department = f"Kind{kind}, 1 LB", DEPARTMENTS[kind % 3]
        rows.append((kind, words, department, f"Kind{kind}", "National", "1 LB"))
        rows.append((100 + kind, f"{words}, store brand", department, f"Kind{kind}", "Private", "1 LB"))
    names = ["item_id", "title", "category", "subcategory", "brand", "size"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="module")
def data():
    """A household likes a half of the kinds, and among those the first ones."""
    rng = np.random.default_rng(0)
    rows = []
    for household in range(48):
        liked = [kind for kind in NATIONAL if kind // 3 % 2 == household // 4 % 2]
        weights = 1 / np.arange(1, len(liked) + 1) ** 0.5
        for week in range(1, 54):
            kinds = rng.choice(liked, size=2, p=weights / weights.sum(), replace=False)
            basket = household * 100 + week
            taken = sorted({int(kinds[0]), 100 + int(kinds[1]), FUEL})
            rows += [(household, 100 + household % 4, basket, product, week) for product in taken]
    raw = pl.DataFrame(
        rows, schema=["household_id", "store_id", "basket_id", "product_id", "week"], orient="row"
    )
    when = pl.datetime(2017, 1, 1) + pl.duration(weeks=pl.col("week"))
    raw = raw.with_columns(transaction_timestamp=when)
    log = InteractionLog.from_frame(pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [1]}))
    return PublicData("journey", log, products(), None, raw, "made up", "none")


def households(log):
    return set(log.frame["user_id"])


class TestStoreLaunch:
    def test_shares_are_nested_and_all_have_one_source_and_one_test(self, data):
        whole, half, tenth = (store_launch(data, share=share, n_stores=2) for share in (1.0, 0.5, 0.1))
        assert households(tenth.target) < households(half.target) < households(whole.target)
        assert (tenth.target.n_users, half.target.n_users, whole.target.n_users) == (2, 12, 24)
        for task in (half, tenth):
            assert task.source.frame.equals(whole.source.frame)
            assert task.test.frame.equals(whole.test.frame)
            assert task.histories.frame.equals(whole.target.frame)
            assert task.items == whole.items
            assert task.users == whole.users
            assert len(task.users) > task.target.n_users
        assert "but all of them are tested, each by its own rows" in tenth.guarantee

    def test_newcomers_are_who_neither_side_knows(self, data):
        task = store_launch(data, share=0.5, n_stores=2)
        assert households(task.newcomers) == households(task.histories) - households(task.target)
        assert store_launch(data, n_stores=2).newcomers is None

    def test_the_seed_draws_households_and_never_stores(self, data):
        one, other = (store_launch(data, share=0.5, seed=seed, n_stores=2) for seed in (0, 1))
        assert one.source.frame.equals(other.source.frame)
        assert households(one.target) != households(other.target)
        moved = store_launch(data, n_stores=2, stores_seed=1)
        assert not moved.source.frame.equals(one.source.frame)

    def test_a_share_out_of_range_is_refused(self, data):
        with pytest.raises(InputError, match="share of users lies in"):
            store_launch(data, share=0.0, n_stores=2)


class TestCategoryLaunch:
    def test_the_cold_households_have_nothing_in_the_department(self, data):
        task = category_launch(data, department="MEAT", share=1.0)
        cold = households(task.test)
        assert len(cold) == 10
        assert not cold & households(task.target)
        assert households(task.source) == set(range(48))
        assert set(task.items.ids) == {*NATIONAL[::3], *OWN[::3]}
        assert not set(task.items.ids) & set(task.source.items.ids)
        assert FUEL not in task.source.items
        assert households(task.histories) == cold
        assert set(task.histories.frame["item_id"]) <= set(task.source.items.ids)
        assert task.newcomers is None  # they are known by their id
        assert task.source.span[1] < task.test.span[0]
        assert task.target.span[1] < task.test.span[0]

    def test_every_share_and_seed_has_one_test(self, data):
        one = category_launch(data, department="Drug gm", share=0.5, seed=0)
        other = category_launch(data, department="Drug gm", share=0.1, seed=7)
        assert one.test.frame.equals(other.test.frame)
        assert one.source.frame.equals(other.source.frame)
        assert one.users == other.users
        assert (one.target.n_users, other.target.n_users) == (19, 4)

    def test_few_baskets_are_in_the_target_and_in_the_history(self, data):
        task = category_launch(data, department="Grocery", share=0.5, few=2)
        cold = households(task.test)
        begun = task.target.frame.filter(pl.col("user_id").is_in(list(cold)))
        assert (
            begun.group_by("user_id").agg(pl.col("session_id").n_unique())["session_id"].to_list() == [2] * 10
        )
        in_history = task.histories.frame.filter(pl.col("item_id").is_in(task.items.ids.to_list()))
        assert in_history.sort(pl.all()).equals(begun.sort(pl.all()))
        rehearsal = task.rehearse(task)
        assert not households(rehearsal.test) & cold
        assert households(rehearsal.test) <= households(rehearsal.target)

    def test_a_rehearsal_is_as_cold_as_the_task(self, data):
        task = category_launch(data, department="Grocery", share=1.0)
        rehearsal = task.rehearse(task)
        cold = households(rehearsal.test)
        assert len(cold) == 19  # half of 38: fifty aren't there
        assert cold < households(task.target)
        assert households(rehearsal.target) == households(task.target) - cold
        assert households(rehearsal.histories) == cold
        assert not set(rehearsal.histories.frame["item_id"]) & set(task.items.ids)
        rows = task.target.frame.filter(pl.col("user_id").is_in(list(cold)))
        assert rehearsal.test.frame.equals(rows)

    def test_baselines_read_the_source_and_fall_back_on_popularity(self, data):
        task = category_launch(data, department="Grocery", share=1.0)
        names = ("popularity", "ease_target", "ease_pooled", "itemknn_pooled", "ials_pooled")
        found = run_baselines(task, names)
        assert (found["ease_target"]["ndcg@10"] == found["popularity"]["ndcg@10"]).all()
        assert (found["ease_pooled"]["ndcg@10"] != found["popularity"]["ndcg@10"]).any()

    def test_unusable_arguments_are_refused(self, data):
        with pytest.raises(InputError, match=r"called 'Toys'; there are \['Drug gm', 'Grocery', 'Meat'\]"):
            category_launch(data, department="Toys")
        with pytest.raises(InputError, match="few=-1"):
            category_launch(data, department="Meat", few=-1)
        with pytest.raises(InputError, match="lies in"):
            category_launch(data, department="Meat", cold=1.0)

    def test_too_few_to_rehearse_with(self, data):
        task = category_launch(data, department="Meat", share=0.02)
        with pytest.raises(InputError, match="1 of its 1 users are known in the source"):
            task.rehearse(task)

    @pytest.mark.realdata
    def test_the_counts_on_complete_journey(self):
        task = category_launch(fetch("complete-journey"), department="DRUG GM", share=0.05)
        assert (task.source.n_users, len(task.source)) == (2432, 958_880)
        assert task.target.n_users == 92
        assert (len(task.users), len(task.items), task.matrices.relevant.nnz) == (357, 2612, 2926)


class TestPrivateLabel:
    def test_nothing_is_shared_but_the_link(self, data):
        task = private_label(data, share=0.5, n_stores=2)
        assert not households(task.source) & households(task.histories)
        assert set(task.items.ids) == set(OWN)
        assert set(task.source.items.ids) == set(NATIONAL)
        assert dict(task.link.select("target_id", "source_id").iter_rows()) == {100 + n: n for n in NATIONAL}
        assert (task.target.n_users, task.histories.n_users) == (12, 24)
        assert households(task.newcomers) == households(task.histories) - households(task.target)
        assert set(task.context.ids) == set(NATIONAL)

    def test_pooled_models_see_both_names(self, data):
        task = private_label(data, share=0.5, n_stores=2)
        twice = task.bilingual(task.target)
        assert len(twice) == 2 * len(task.target)
        assert set(twice.items.ids) == set(task.target.items.ids) | {i - 100 for i in task.target.items.ids}
        history = task.matrices.history.toarray()
        assert (
            history[:, :N_KINDS] == history[:, N_KINDS:]
        ).all()  # columns: the own brand, then the national products
        assert task.matrices.relevant.shape[1] == N_KINDS
        assert last_steps(task).link is task.link
        found = run_baselines(task, ("ease_pooled", "ease_target"))
        assert (found["ease_pooled"]["ndcg@10"] != found["ease_target"]["ndcg@10"]).any()

    def test_other_links_are_refused(self, data):
        with pytest.raises(InputError, match="link='price'"):
            private_label(data, link="price")

    @pytest.mark.realdata
    def test_the_counts_on_complete_journey(self):
        task = private_label(fetch("complete-journey"), share=0.05)
        assert (task.source.n_users, len(task.source), task.source.n_items) == (1609, 497_890, 13_125)
        assert (task.target.n_users, len(task.target)) == (30, 444)
        assert (len(task.users), len(task.items), task.link.height) == (563, 3877, 3877)
        assert task.link["similarity"].median() > 0.99
