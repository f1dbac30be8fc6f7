"""Sources that mislead, and targets that need none: what ships is no worse than the target alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from rectransfer.logs import InteractionLog, PlantedConfig, fetch, plant
from rectransfer.metrics import Interval, Ndcg, paired_bootstrap, ranks_from_lists
from rectransfer.pretrained import PretrainConfig, Pretrained, pretrain
from rectransfer.recommend import Recommender, RecommenderConfig, Verdict

CLUSTERS, ITEMS, SEEDS = 5, 50, (11, 12)
PLANTED = PlantedConfig(
    source_users=120,
    target_users=240,
    source_items=ITEMS,
    target_items=ITEMS,
    clusters=CLUSTERS,
    shared_items=1.0,
    source_steps=12,
    target_steps=8,
    taste=0.7,
    drift=0.1,
    zipf=0.3,
)
N_THIN, N_TEST = 60, 120  # the target's first users, and its last

Source = Callable[[InteractionLog, pl.DataFrame, int], InteractionLog]


def shuffled(source: InteractionLog, items: pl.DataFrame, seed: int) -> InteractionLog:
    """Item ids shuffled among each other."""
    ids = source.items.ids
    return _renamed(source, dict(zip(ids, ids.shuffle(seed=seed), strict=True)))


def at_random(source: InteractionLog, items: pl.DataFrame, seed: int) -> InteractionLog:
    """Every user takes any items, by their popularity alone."""
    drawn = source.frame["item_id"].sample(fraction=1.0, shuffle=True, seed=seed)
    return InteractionLog.from_frame(source.frame.with_columns(drawn.alias("item_id")))


def other_taste(source: InteractionLog, items: pl.DataFrame, seed: int) -> InteractionLog:
    """Clusters dealt out anew: what belonged together is spread over all of them."""
    clusters = items.filter(pl.col("item_id").is_in(source.items.ids.to_list())).group_by(
        "source_cluster", maintain_order=True
    )
    members = [frame["item_id"].to_list() for _, frame in clusters]
    place = {item: (row, column) for row, ids in enumerate(members) for column, item in enumerate(ids)}
    new = {item: members[(row + column) % CLUSTERS][column] for item, (row, column) in place.items()}
    assert sorted(new.values()) == sorted(new)
    return _renamed(source, new)


def honest(source: InteractionLog, items: pl.DataFrame, seed: int) -> InteractionLog:
    """As it is."""
    return source


def _renamed(log: InteractionLog, new: dict[str, str]) -> InteractionLog:
    return InteractionLog.from_frame(log.frame.with_columns(pl.col("item_id").replace_strict(new)))


@dataclass(frozen=True)
class Measured:
    """Models of one kind of source over all seeds: verdicts, and NDCG@10 of users whom no model has seen."""

    verdicts: tuple[Verdict, ...]
    model: np.ndarray
    alone: np.ndarray

    @property
    def gap(self) -> Interval:
        return paired_bootstrap(self.model, self.alone)


@pytest.fixture(scope="module")
def measure(source_config: PretrainConfig, config: RecommenderConfig) -> Callable[..., Measured]:
    """Fit with a source and without, on some of the target's users, and test on others."""
    domains = {seed: plant(replace(PLANTED, seed=seed)) for seed in SEEDS}
    quick = replace(config, pulls=(100.0,), ranker=replace(config.ranker, members=1))

    @cache
    def learned(source_of: Source, seed: int) -> Pretrained:
        one = domains[seed]
        return pretrain(source_of(one.source, one.items, seed), config=source_config, deterministic=True)

    def cut(seed: int, n_users: int) -> tuple[InteractionLog, InteractionLog]:
        log = domains[seed].target
        users = log.users.ids.to_list()
        return _only(log, users[:n_users]), _only(log, users[-N_TEST:])

    @cache
    def without(seed: int, n_users: int) -> np.ndarray:
        target, test = cut(seed, n_users)
        return _ndcg(Recommender(None, config=quick).fit(target), test)

    @cache
    def measured(source_of: Source, n_users: int = N_THIN) -> Measured:
        verdicts, model, alone = [], [], []
        for seed in SEEDS:
            target, test = cut(seed, n_users)
            fitted = Recommender(learned(source_of, seed), config=quick).fit(target)
            verdicts.append(fitted.verdict)
            model.append(_ndcg(fitted, test))
            alone.append(without(seed, n_users))
        return Measured(tuple(verdicts), np.concatenate(model), np.concatenate(alone))

    return measured


def _only(log: InteractionLog, users: list[str]) -> InteractionLog:
    return log.with_frame(log.frame.filter(pl.col("user_id").is_in(users)))


def _ndcg(model: Recommender, test: InteractionLog) -> np.ndarray:
    """Of each user: the first half of what they took goes in, the second is to be found."""
    early = pl.int_range(pl.len()).over("user_id") < pl.len().over("user_id") // 2
    found = model.recommend(history=test.with_frame(test.frame.filter(early)), k=10)
    late = test.frame.filter(~early).select("user_id", "item_id").unique().sort("user_id", "item_id")
    return Ndcg(10).per_user(ranks_from_lists(found, late))


def _claims(verdict: Verdict) -> bool:
    """Whether the gate says with confidence that the transfer helps."""
    return verdict.ships == "transfer" and verdict.low > 0


def test_a_good_source_is_told_from_these(measure):
    """Otherwise a gate that always says no would pass."""
    found = measure(honest)
    assert found.gap.low > 0
    assert all(verdict.ships == "transfer" for verdict in found.verdicts)
    assert any(_claims(verdict) for verdict in found.verdicts)


@pytest.mark.parametrize("source", [shuffled, at_random, other_taste])
def test_a_misleading_source_does_no_harm(measure, source):
    found = measure(source)
    assert len(found.model) == N_TEST * len(SEEDS)
    assert found.gap.high >= 0, f"{found.gap} with {[str(verdict) for verdict in found.verdicts]}"
    assert found.gap.mean > -0.01
    for verdict in found.verdicts:
        assert (verdict.ships == "target") == (verdict.contender == "target alone")


@pytest.mark.parametrize("source", [shuffled, other_taste])
def test_what_the_gate_claims_holds(measure, source):
    """The model with such a source has all of the target's signals, too, and may do better; then it must."""
    found = measure(source)
    claimed = np.repeat([_claims(verdict) for verdict in found.verdicts], N_TEST)
    assert (found.model - found.alone)[claimed].sum() >= 0, [str(verdict) for verdict in found.verdicts]


def test_a_target_with_all_the_data_loses_nothing(measure):
    """It has seen about as many users as the source."""
    found = measure(honest, n_users=120)
    assert found.gap.high >= 0
    assert found.gap.mean > -0.01


@pytest.mark.realdata
def test_real_films_under_each_others_names(source_config, config):
    """MovieLens 100K with its film ids shuffled as a source of itself: 200 users, and 60 others as target."""
    log = fetch("ml-100k").log
    users = log.users.ids.shuffle(seed=0).to_list()
    source = shuffled(_only(log, users[:200]), pl.DataFrame(), 1)
    target, test = _only(log, users[200:260]), _only(log, users[260:460])
    quick = replace(config, pulls=(100.0,), ranker=replace(config.ranker, members=1))
    learned = pretrain(source, config=source_config, deterministic=True)
    model = Recommender(learned, config=quick).fit(target)
    gap = paired_bootstrap(_ndcg(model, test), _ndcg(Recommender(None, config=quick).fit(target), test))
    assert model.verdict.low <= 0, str(model.verdict)
    assert gap.high >= 0, f"{gap} with {model.verdict}"
