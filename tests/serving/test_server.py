"""Serving gives nearly the lists of the whole ranking, and the same ones whatever stands beside a user."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from rectransfer.ranking import Histories, uncut
from rectransfer.recommend.state import State
from rectransfer.scene import Ranked
from rectransfer.serving import Prepared, Server, prepare
from rectransfer.serving import follows as chains
from rectransfer.serving import server as module
from rectransfer.serving.calibrate import Sample
from rectransfer.serving.network import Network
from rectransfer.serving.terms import terms_of


def lists(ranked: Ranked) -> dict[int, list[int]]:
    frame = pl.DataFrame({"user": ranked.users, "item": ranked.items})
    return {
        user: rows.to_list()
        for user, rows in frame.group_by("user").agg("item").iter_rows()
        for rows in [pl.Series(rows)]
    }


def overlap(one: Ranked, other: Ranked, k: int = 10) -> float:
    mine, theirs = lists(one), lists(other)
    return float(np.mean([len(set(mine[user]) & set(theirs[user])) / k for user in theirs]))


def test_prepared_histories_are_those_of_uncut(state: State, users: Prepared) -> None:
    histories = Histories.from_log(state.log, state.items)
    true = uncut(histories, len(state.items))

    for name in ("items", "ages", "owner"):
        assert np.array_equal(getattr(users, name), getattr(true, name))
    assert (users.counts != true.counts).nnz == 0
    assert (users.seen != true.seen).nnz == 0
    assert np.allclose(users.lengths, true.lengths)
    for half_life in (3.0, 20.0, 7.0):
        assert np.abs((users.pooled(half_life) - true.pooled(half_life)).toarray()).max() < 1e-6


def test_a_part_of_prepared_histories_is_a_part(users: Prepared) -> None:
    part, true = users.between(5, 9), users.take(np.arange(5, 9))

    assert np.array_equal(part.items, true.items)
    assert np.array_equal(part.owner, true.owner)
    assert (part.counts != true.counts).nnz == 0


def test_long_histories_keep_what_is_latest(state: State) -> None:
    histories = Histories.from_log(state.log, state.items)

    few = prepare(histories, len(state.items), longest=3)

    assert np.array_equal(few.items, uncut(histories, len(state.items), longest=3).items)


def test_all_signals_are_known_by_their_parts(server: Server) -> None:
    assert server.layout.missing == []
    assert server.network is not None


def test_signals_are_those_of_the_scene(
    state: State, users: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "_MOST", len(state.items))
    sample = Sample.of(state.scene, state.ranker, users.take(np.arange(20)))
    terms = terms_of(state.scene, state.ranker.names)

    there = sample.candidates >= 0
    follows = {
        name: found
        for one in chains.follows_of(state.scene, state.ranker.names)
        for name, found in one.signals(users.between(0, 20), sample.candidates)
    }

    assert {*terms, *follows} == set(state.ranker.names)
    for name, found in follows.items():
        assert np.allclose(found[there], sample.signals[name][there], atol=2e-3)
    assert [name for name, term in terms.items() if not module._agrees(name, term, sample)] == []


def test_of_what_follows_what_the_most_frequent_is_kept(
    state: State, users: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, few = 5, users.take(np.arange(20))
    monkeypatch.setattr(chains, "_MOST", keep)
    evidence = tuple(replace(one, transitions=one.transitions.pruned(keep)) for one in state.scene.evidence)
    candidates = state.scene.candidates(few, exclude=few.seen)
    expected = replace(state.scene, evidence=evidence).slate(few, candidates)
    there = candidates >= 0

    for one in chains.follows_of(state.scene, state.ranker.names):
        for name, found in one.signals(users.between(0, 20), candidates):
            assert np.allclose(found[there], expected.columns((name,))[:, :, 0][there], atol=2e-3)


def test_lists_are_nearly_those_of_the_whole_ranking(state: State, server: Server, users: Prepared) -> None:
    rest = users.between(60, len(users))
    true = state.scene.rank(state.ranker, rest, 10, exclude=rest.seen)
    shares = [
        overlap(server.with_depth(depth).rank(rest, 10, exclude=rest.seen), true) for depth in (20, 50, 200)
    ]

    assert shares[1] > 0.93
    assert shares[2] > 0.95
    assert np.diff(shares).min() > -1e-9


def test_nothing_that_is_excluded_or_not_on_sale_is_recommended(state: State, users: Prepared) -> None:
    on_sale = state.scene.on_sale.copy()
    on_sale[::2] = False
    scene = replace(state.scene, on_sale=on_sale, _indexes={}, _tower_vectors={})
    server = Server.of(scene, state.ranker, users.between(0, 30))

    found = server.rank(users, 400, exclude=users.seen)

    assert on_sale[found.items].all()
    assert not np.asarray(users.seen[found.users, found.items]).any()
    allowed = on_sale.sum() - np.asarray(users.seen[:, on_sale].sum(axis=1)).ravel()
    assert np.array_equal(np.bincount(found.users, minlength=len(users)), allowed)


def test_more_than_there_is_gives_what_there_is(state: State, server: Server, users: Prepared) -> None:
    few = users.between(0, 5)
    whole = server.rank(few, len(state.items), exclude=few.seen)
    more = server.rank(few, 10**15, exclude=few.seen)  # room for as many is nowhere

    for name in ("users", "items", "scores", "ranks"):
        assert np.array_equal(getattr(more, name), getattr(whole, name))


def test_a_users_list_does_not_depend_on_the_others(
    server: Server, users: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = server.rank(users, 5, exclude=users.seen)
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    parts = server.rank(users, 5, exclude=users.seen)

    assert np.array_equal(whole.items, parts.items)
    assert np.allclose(whole.scores, parts.scores, atol=1e-5)


@pytest.mark.parametrize("k", [1, 17, 23])
@pytest.mark.parametrize("at_once", [1, 13, 64])
def test_at_another_place_of_a_batch_only_the_last_bits_move(
    server: Server, users: Prepared, k: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = server.rank(users, k, exclude=users.seen)
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    parts = server.rank(users, k, exclude=users.seen)
    scores = {(user, item): score for user, item, score in zip(*pairs(whole), strict=True)}
    found = [scores.get((user, item), score) - score for user, item, score in zip(*pairs(parts), strict=True)]

    assert np.array_equal(whole.users, parts.users)
    assert np.abs(found).max() < 1e-4
    assert np.mean(whole.items == parts.items) > 0.99  # two that are as good as equal may change places


def pairs(ranked: Ranked) -> tuple[list[int], list[int], list[float]]:
    return ranked.users.tolist(), ranked.items.tolist(), ranked.scores.tolist()


def test_equal_calls_give_equal_bits(server: Server, users: Prepared) -> None:
    one, two = (server.rank(users, 5) for _ in range(2))

    assert np.array_equal(one.scores, two.scores)
    assert np.array_equal(one.items, two.items)


def test_a_signal_that_is_not_known_is_computed_by_its_own_function(
    state: State, server: Server, users: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def some(scene: object, names: tuple[str, ...]) -> object:
        found = terms_of(state.scene, names)
        return {name: term for name, term in found.items() if not name.endswith(("recent", "neighbours"))}

    monkeypatch.setattr(module, "terms_of", some)
    other = Server.of(state.scene, state.ranker, users.between(0, 60))

    assert other.layout.missing
    rest = users.between(60, len(users))
    assert overlap(other.rank(rest, 10, exclude=rest.seen), server.rank(rest, 10, exclude=rest.seen)) > 0.9


def test_parts_that_do_not_give_the_signal_are_not_used(
    state: State, users: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(scene: object, names: tuple[str, ...]) -> object:
        found = terms_of(state.scene, names)
        name = "joint.affinity_steady"
        return found | {name: replace(found[name], items=-found[name].items)}

    monkeypatch.setattr(module, "terms_of", wrong)
    other = Server.of(state.scene, state.ranker, users.between(0, 60))

    assert other.layout.missing_names == ("joint.affinity_steady",)


def test_the_network_scores_as_the_ranker(state: State, users: Prepared) -> None:
    few = users.take(np.arange(10))
    slate = state.scene.slate(few, state.scene.candidates(few))
    network = Network.of(state.ranker, slate)
    assert network is not None

    found = network.score(slate.columns(state.ranker.names), slate.lengths)

    assert np.allclose(found[slate.present], state.ranker.score(slate)[slate.present], atol=1e-4)


def test_users_without_a_history_get_a_list(state: State, server: Server) -> None:
    nobody = Histories.from_log(state.log, state.items, state.items.__class__.from_ids(["nobody"]))

    found = server.rank(prepare(nobody, len(state.items)), 3, exclude=csr_array((1, len(state.items))))

    assert len(found.items) == 3
    assert np.isfinite(found.scores).all()
