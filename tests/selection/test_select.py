"""Sources come out in the order of what they are worth, and say why where they are worth nothing."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import CoverageError, InputError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.selection import neighbour_overlap, select_source
from rectransfer.selection.logit import probe, sample
from rectransfer.selection.quick import some_users
from rectransfer.selection.slice import Slice, matrix
from rectransfer.selection.views import target_signals


def renamed(log: InteractionLog, *columns: str) -> InteractionLog:
    return log.with_frame(log.frame.with_columns(pl.format("x{}", name).alias(name) for name in columns))


@pytest.fixture(scope="module")
def chosen(sources, domains):
    return select_source(sources, domains.target)


@pytest.mark.parametrize("score", ["gain", "transferability", "probe"])
def test_the_less_a_source_is_shuffled_the_better_it_scores(sources, domains, score):
    found = select_source(sources, domains.target, by=score).table

    assert found["name"].to_list() == ["0.0", "0.5", "1.0"]
    assert found["rank"].to_list() == [1, 2, 3]
    assert found[score].is_sorted(descending=True)
    assert found[score].n_unique() == 3


def test_a_source_that_fits_gains_and_a_shuffled_one_does_not(chosen):
    best, _, worst = chosen.table.iter_rows(named=True)

    assert best["lift_low"] > 0
    assert worst["lift_low"] < 0.005
    assert best["gain_low"] > 0
    assert worst["gain_low"] < 0.005
    assert best["transferability"] > 0.03
    assert worst["transferability"] < best["transferability"] / 4
    assert "'0.0' is the best of 3 sources by gain" in str(chosen)
    assert "likely to help: a small model gains" in str(chosen)


def test_other_scores_fit_nothing(sources, domains):
    found = select_source(sources, domains.target, by="probe")
    assert found.table["gain"].null_count() == 3
    assert "a quick probe gains" in str(found)


def test_of_large_targets_some_users_are_drawn(domains):
    drawn = some_users(domains.target, 0)
    assert drawn.n_users == min(300, domains.target.n_users)
    rows = domains.target.frame.filter(pl.col("user_id").is_in(drawn.users.ids.implode()))
    assert drawn.frame.equals(rows)
    many = [
        domains.target.frame.with_columns(pl.format("{}-{}", pl.lit(n), "user_id").alias("user_id"))
        for n in range(9)
    ]
    assert some_users(InteractionLog.from_frame(pl.concat(many)), 0).n_users == 300


def test_shuffled_ids_have_the_coverage_of_right_ones(chosen):
    shares = chosen.table.select("items", "interactions", "users")

    assert shares.n_unique() == 1
    assert chosen.table["bridge"].unique().to_list() == ["items"]


def test_a_source_that_learned_from_the_targets_rows_is_not_scored(sources, domains, learn):
    log = InteractionLog.from_frame(pl.concat([domains.source.frame, domains.target.frame]))
    leaking = learn(log)

    found = select_source({"leaking": leaking, "apart": sources["0.0"]}, domains.target)
    assert found.best_name == "apart"
    assert found.table["name"].to_list() == ["apart", "leaking"]
    assert "rows are in the source's log as well" in found.table["reason"][1]
    assert found.table["transferability"][1] is None
    with pytest.raises(CoverageError, match=r"none of the 1 sources can be scored: .* pretrain again"):
        select_source([leaking], domains.target)


def test_the_best_can_be_carried_over(chosen, sources):
    assert chosen.best is sources["0.0"]
    assert chosen.top(2) == [sources["0.0"], sources["0.5"]]
    assert len(chosen.top(10)) == 3
    with pytest.raises(InputError, match="k=0"):
        chosen.top(0)


def test_equal_seeds_give_equal_tables_and_the_order_of_candidates_is_nothing(chosen, sources, domains):
    backwards = dict(reversed(sources.items()))

    assert select_source(backwards, domains.target).table.equals(chosen.table)


def test_a_source_without_a_bridge_is_listed_with_the_reason(sources, domains, learn):
    stranger = learn(renamed(domains.source, "item_id", "user_id"))

    found = select_source({"stranger": stranger, "kin": sources["0.0"]}, domains.target)

    assert found.table["name"].to_list() == ["kin", "stranger"]
    assert found.table["rank"].to_list() == [1, None]
    assert found.table["transferability"][1] is None
    assert found.table["reason"][0] == ""
    assert found.table["reason"][1].startswith("no bridge: shared items reach 0.0%")
    assert found.top(5) == [sources["0.0"]]
    with pytest.raises(CoverageError, match="none of the 1 sources shares items or users"):
        select_source([stranger], domains.target)


def test_a_link_is_a_bridge(sources, domains, learn, chosen):
    source = renamed(domains.source, "item_id")
    link = {item: f"x{item}" for item in set(domains.target.items.ids) & set(domains.source.items.ids)}

    found = select_source({"linked": learn(source)}, domains.target, links={"linked": link})

    assert found.table["interactions"][0] == pytest.approx(chosen.table["interactions"][0])
    assert found.table["transferability"][0] > 0.03
    with pytest.raises(InputError, match="links name 'other', which is no candidate"):
        select_source({"0.0": sources["0.0"]}, domains.target, links={"other": link})


def test_shared_users_are_a_bridge(learn):
    category = plant(
        PlantedConfig(source_users=200, target_users=150, shared_items=0.0, shared_users=0.9, seed=4)
    )
    users = category.source.users.ids
    swapped = dict(zip(users.to_list(), users.shuffle(seed=0).to_list(), strict=True))
    mistaken = category.source.with_frame(
        category.source.frame.with_columns(pl.col("user_id").replace_strict(swapped))
    )

    found = select_source(
        {"mistaken": learn(mistaken), "right": learn(category.source)}, category.target
    ).table

    assert found["bridge"].unique().to_list() == ["users"]
    assert found["name"].to_list() == ["right", "mistaken"]
    assert found["transferability"][0] > 0.02 > found["transferability"][1]
    assert found["neighbour_overlap"].null_count() == 2


def test_users_without_histories_cannot_be_scored(learn):
    category = plant(PlantedConfig(target_users=60, source_users=80, shared_items=0.0, shared_users=0.9))
    silent = replace(learn(category.source), histories=None)

    with pytest.raises(CoverageError, match="kept no histories"):
        select_source([silent], category.target)


def test_too_few_users_are_refused(sources, domains):
    few = domains.target.with_frame(domains.target.frame.head(15 * 8))

    with pytest.raises(InputError, match="15 of 15 users have a later visit"):
        select_source(sources, few)


@pytest.mark.parametrize(
    ("candidates", "options", "words"),
    [
        ([], {}, "no candidate"),
        (["a source"], {}, "candidates holds a str"),
        ({"log": 1}, {}, "candidates holds a int"),
        (None, {"by": "luck"}, "by='luck'; choose one of gain, transferability"),
    ],
)
def test_what_cannot_be_selected_from(sources, domains, candidates, options, words):
    with pytest.raises(InputError, match=words):
        select_source(sources if candidates is None else candidates, domains.target, **options)


def test_a_list_is_named_by_its_cards(sources, domains):
    several = list(sources.values())

    found = select_source(several, domains.target).table["name"].to_list()

    assert found == ["planted source (3)", "planted source (2)", "planted source (1)"]
    assert select_source(several[:1], domains.target).best_name == "planted source"


def test_a_slice_shows_nothing_of_what_came_later(domains):
    measured = Slice.of(domains.target, most=50, seed=0)

    assert len(measured.users) == 50
    assert (measured.seen.multiply(measured.relevant)).nnz == 0
    later = set(domains.target.frame.rows()) - set(measured.known.frame.rows())
    assert {row[0] for row in later} <= set(measured.users.ids)
    for rows, rest in measured.others():
        assert not set(measured.users.take(rows)) & set(rest.users.ids)
    last = dict(measured.early.frame.group_by("user_id").agg(pl.col("timestamp").max()).iter_rows())
    before = measured.before_the_cut(domains.target)
    assert set(before["user_id"]) == set(measured.users.ids)
    assert all(when <= last[user] for user, when in before.select("user_id", "timestamp").iter_rows())


def test_a_probe_learns_what_tells_labels_from_others(domains):
    measured = Slice.of(domains.target, most=60, seed=0)
    told = sample(measured, seed=0)
    rows = np.arange(len(told.items))[:, None]
    relevant, seen = measured.relevant.toarray() > 0, measured.seen.toarray() > 0
    assert (relevant[rows, told.items] == told.taken)[told.there].all()
    assert not seen[rows, told.items][told.there].any()
    own = target_signals(measured)

    known = probe(measured, told, own | {"oracle": relevant.astype(np.float32)})
    noise = np.random.default_rng(0).random(relevant.shape).astype(np.float32)
    blurred = probe(measured, told, own | {"noise": noise})
    bare = probe(measured, told, own)

    assert known.ndcg.mean() > 0.99
    assert known.likelihood.mean() > bare.likelihood.mean() + 1
    assert abs(blurred.likelihood.mean() - bare.likelihood.mean()) < 0.03


def test_neighbours_overlap_by_chance_where_items_are_shuffled(learn, shuffled):
    wide = plant(PlantedConfig(source_users=400, drift=0.1, taste=0.8, seed=6)).source
    halves = [wide.with_frame(wide.frame.filter(pl.col("user_id").hash() % 2 == half)) for half in (0, 1)]
    taken = matrix(halves[1].frame, halves[1].users, halves[1].items)
    chance = 10 / (halves[1].n_items - 1)
    tables = [learn(log).items for log in (halves[0], shuffled(halves[0], 1.0))]

    rows = [table.vocabulary.rows(halves[1].items.ids) for table in tables]
    kin, stranger = (neighbour_overlap(table, taken, row) for table, row in zip(tables, rows, strict=True))

    assert kin > 2 * chance
    assert stranger == pytest.approx(chance, rel=0.4)
    assert np.isnan(neighbour_overlap(tables[0], taken, np.full(len(rows[0]), -1)))
