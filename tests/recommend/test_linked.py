"""Links: only their pairs count, and what shared users did goes over them, too."""

import logging

import numpy as np
import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import Histories, RankerConfig, TowerConfig, TrainConfig, uncut
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.recommend.ground import prepare
from rectransfer.scene import had_elsewhere

TABLE = Item2Vec(dimensions=8, epochs=3)
TOWER = TowerConfig(hidden=8, width=4)
LEARNS = PretrainConfig(
    item2vec=TABLE,
    tower=TOWER,
    train=TrainConfig(epochs=1),
    ranker=RankerConfig(epochs=3, hidden=4, members=1),
)
FITS = RecommenderConfig(
    item2vec=TABLE,
    tower=TOWER,
    train=TrainConfig(epochs=1, batch=32),
    fine_tune=TrainConfig(epochs=1, batch=32),
    ranker=RankerConfig(epochs=2, hidden=4, members=1),
    pulls=(10.0,),
)


def renamed(log, names, dtype=pl.Int64):
    """The same log, its items under other ids."""
    item = pl.col("item_id").replace_strict(names, return_dtype=dtype)
    return InteractionLog.from_frame(log.frame.with_columns(item))


class Numbered:
    """Two catalogues that are both numbered from 1 (or from an offset), and the pairs that are one thing."""

    def __init__(self, shared_users, offset=0):
        both = plant(
            PlantedConfig(
                source_users=60,
                target_users=20,
                source_items=30,
                target_items=25,
                source_steps=10,
                target_steps=6,
                shared_users=shared_users,
                shared_items=1.0,
            )
        )
        ids = sorted({*both.source.items.ids, *both.target.items.ids})
        there = {one: place + 1 for place, one in enumerate(ids)}
        mixed = np.random.default_rng(3).permutation(len(ids))
        here = {one: int(mixed[place]) + 1 + offset for place, one in enumerate(ids)}
        self.source, self.target = renamed(both.source, there), renamed(both.target, here)
        self.pretrained = pretrain(self.source, config=LEARNS, deterministic=True)
        known = self.pretrained.items.vocabulary
        shared = [one for one in both.target.items.ids if known.rows(pl.Series([there[one]]))[0] >= 0]
        self.link = {here[one]: there[one] for one in shared}

    def ground(self, link=None):
        return prepare(self.target, [self.pretrained], items=None, link=link or self.link, min_coverage=0.0)

    def had_elsewhere(self, ground):
        """Users and what they had in the source alone, as the model sees it and as it was."""
        users = self.target.users
        examples = uncut(Histories.from_log(ground.merged, ground.items, users), len(ground.items))
        here = uncut(Histories.from_log(self.target, ground.items, users), len(ground.items)).seen
        found = had_elsewhere(examples, here, ground.on_sale).tocoo()
        seen = {
            (users.ids[int(user)], ground.items.ids[int(item)])
            for user, item in zip(found.row, found.col, strict=True)
        }
        back = {there: here for here, there in self.link.items()}
        pairs = self.source.frame.select("user_id", "item_id").iter_rows()
        did = {(user, back[item]) for user, item in pairs if user in users and item in back}
        return seen, did - set(self.target.frame.select("user_id", "item_id").iter_rows())


class TestOnlyPairsCount:
    def test_an_item_without_a_pair_is_unknown_whatever_its_id(self):
        numbered = Numbered(shared_users=0.0)
        few = dict(list(numbered.link.items())[:10])
        ground = numbered.ground(few)
        known = ground.items.ids.filter(pl.Series(ground.sources[0].evidence.known))
        assert sorted(known) == sorted(few)
        assert ground.sources[0].taken is not None

    def test_ids_may_differ_in_type(self):
        numbered = Numbered(shared_users=0.0)
        target = renamed(
            numbered.target, {one: f"sku {one}" for one in numbered.target.items.ids}, dtype=pl.String
        )
        link = pl.DataFrame(
            {"target_id": [f"sku {one}" for one in numbered.link], "source_id": [*numbered.link.values()]}
        )
        model = Recommender(numbered.pretrained, config=FITS).fit(target, link=link)
        assert model.recommend(k=3)["item_id"].str.starts_with("sku ").all()


class TestSeveralSources:
    def test_each_has_a_link_of_its_own(self):
        numbered = Numbered(shared_users=0.0, offset=1000)
        back = {there: here for here, there in numbered.link.items()}
        rows = numbered.source.frame.filter(pl.col("item_id").is_in([*back]))
        same = renamed(InteractionLog.from_frame(rows), back)
        other = pretrain(same, config=LEARNS, deterministic=True)
        sources = [other, numbered.pretrained]
        ground = prepare(numbered.target, sources, items=None, link=[None, numbered.link], min_coverage=0.0)
        assert [view.knows_any(ground.on_sale) for view in ground.sources] == [True, True]
        with pytest.raises(InputError, match="none of the link table's"):
            prepare(numbered.target, sources, items=None, link=numbered.link, min_coverage=0.0)

    @pytest.mark.parametrize(
        ("link", "said"),
        [
            ([None, None], "2 links and 1 sources"),
            ("link.csv", r"link is a builtins.str; expected a polars frame"),
            ([("a", "b"), ("c", "d")], r"dict\(pairs\)"),
            ([("a", "b")], "link is a builtins.tuple"),
        ],
    )
    def test_what_is_no_link_is_named(self, link, said):
        numbered = Numbered(shared_users=0.0)
        with pytest.raises(InputError, match=said):
            Recommender(numbered.pretrained, config=FITS).fit(numbered.target, link=link)


class TestItemsThatShareASourceItem:
    def test_few_split_its_counts_between_them(self):
        numbered = Numbered(shared_users=0.0)
        (first, there), (second, _) = list(numbered.link.items())[:2]
        alone = numbered.ground().sources[0].taken.toarray()
        ground = numbered.ground({**numbered.link, second: there})
        taken = ground.sources[0].taken.toarray()
        one, other = ground.items.rows(pl.Series([first, second]))
        assert taken[:, one].any()
        assert taken[:, other].any()
        assert not (taken[:, one] * taken[:, other]).any()
        np.testing.assert_array_equal(taken[:, one] + taken[:, other], alone[:, one])
        rest = np.delete(np.arange(taken.shape[1]), [one, other])
        np.testing.assert_array_equal(taken[:, rest], alone[:, rest])

    def test_where_most_do_nothing_is_said_of_how_often_each_is_taken(self):
        numbered = Numbered(shared_users=0.0)
        pairs = list(numbered.link.items())
        coarse = {here: pairs[place // 3][1] for place, (here, _) in enumerate(pairs)}
        view = numbered.ground(coarse).sources[0]
        assert view.taken is None
        assert view.evidence.weights is not None
        assert view.distant
        assert not numbered.ground().sources[0].distant
        assert not Numbered(shared_users=1.0).ground(coarse).sources[0].distant


class TestSharedUsers:
    @pytest.mark.parametrize("offset", [0, 1000])
    def test_what_they_had_elsewhere_goes_over_the_link(self, offset):
        numbered = Numbered(shared_users=1.0, offset=offset)
        ground = numbered.ground()
        found, true = numbered.had_elsewhere(ground)
        assert len(true) > 50
        assert found == true
        assert ground.had_elsewhere is ground.sources[0]
        assert ground.sources[0].taken is not None

    def test_ids_of_something_else_here_are_left_out_with_a_warning(self, caplog):
        numbered = Numbered(shared_users=1.0)
        few = dict(list(numbered.link.items())[:10])
        with caplog.at_level(logging.WARNING):
            ground = numbered.ground(few)
        assert "rows of shared users' histories are left out" in caplog.text
        assert "prefix" in caplog.text
        found, true = numbered.had_elsewhere(ground)
        assert found
        assert found <= true

    def test_an_item_that_several_are_linked_to_keeps_its_own_id(self):
        numbered = Numbered(shared_users=1.0, offset=1000)
        (first, there), (second, _) = list(numbered.link.items())[:2]
        ground = numbered.ground({**numbered.link, second: there})
        assert there in ground.items.ids
        assert (
            not ground.merged.frame.filter(pl.col("item_id") == first)
            .join(numbered.source.frame, on=["user_id", "timestamp"], how="semi")
            .height
        )

    def test_ids_of_another_type_bring_what_is_linked(self, caplog):
        numbered = Numbered(shared_users=1.0)
        names = {one: f"sku {one}" for one in numbered.target.items.ids}
        target = renamed(numbered.target, names, dtype=pl.String)
        few = {names[here]: there for here, there in list(numbered.link.items())[:10]}
        link = pl.DataFrame({"target_id": [*few], "source_id": [*few.values()]})
        with caplog.at_level(logging.WARNING):
            ground = prepare(target, [numbered.pretrained], items=None, link=link, min_coverage=0.0)
        assert "Int64, the target's String" in caplog.text
        carried = ground.sources[0].carried
        assert carried is not None
        assert sorted(carried.items.ids) == sorted(few)
        model = Recommender(numbered.pretrained, config=FITS).fit(target, link=link)
        assert model.recommend(k=3)["item_id"].is_in(target.items.ids).all()


@pytest.mark.parametrize(("column", "what"), [("user_id", "users"), ("item_id", "items")])
def test_ids_that_differ_in_type_alone_are_warned_of(caplog, column, what):
    numbered = Numbered(shared_users=1.0)
    both = {name: number for number, name in enumerate(numbered.source.users.ids)}
    user = pl.col("user_id").replace_strict(both, default=-1, return_dtype=pl.Int64)
    source = InteractionLog.from_frame(numbered.source.frame.with_columns(user))
    target = InteractionLog.from_frame(numbered.target.frame.with_columns(user))
    pretrained = pretrain(source, config=LEARNS, deterministic=True)
    text = InteractionLog.from_frame(target.frame.with_columns(pl.col(column).cast(pl.String)))
    with caplog.at_level(logging.WARNING):
        prepare(target, [pretrained], items=None, link=None, min_coverage=0.0)
        assert "cast one of them if they are the same" not in caplog.text
        prepare(text, [pretrained], items=None, link=None, min_coverage=0.0)
    assert f" {what} would be the source's, too" in caplog.text


def test_a_log_without_pairs_of_items_keeps_the_sources_table():
    both = plant(PlantedConfig(source_users=60, target_users=30, source_items=30, shared_items=1.0))
    source = pretrain(both.source, config=LEARNS, deterministic=True)
    first = both.target.frame.group_by("user_id", maintain_order=True).head(1)
    model = Recommender(source, config=FITS).fit(
        InteractionLog.from_frame(first), items=both.target.items.ids
    )
    parts = {one.name: one for one in model.state.scene.evidence}
    assert parts["joint"].known.sum() == parts["source"].known.sum() > 0
    np.testing.assert_array_equal(parts["joint"].vectors, parts["source"].vectors)
