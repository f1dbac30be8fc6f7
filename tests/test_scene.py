"""A scene finds candidates that may be sold, and ranks them as ranking everything would."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from rectransfer.metrics import Ndcg, rank_relevant
from rectransfer.neighbours import solve_neighbours
from rectransfer.ranking import Evidence, Examples, Ranker, Returns, TowerConfig, Towers
from rectransfer.scene import Ranked, Scene, choice_of, list_ndcg, with_had

N = 40
RNG = np.random.default_rng(0)


def evidence(name, seed, n=N):
    rng = np.random.default_rng(seed)
    vectors, contexts = (rng.normal(size=(n, 6)).astype(np.float32) for _ in range(2))
    return Evidence(
        name,
        vectors,
        contexts,
        log_prior=rng.normal(size=n).astype(np.float32),
        popularity=np.log1p(rng.integers(0, 20, n)).astype(np.float32),
        known=np.ones(n, bool),
        weights=solve_neighbours(csr_array(rng.poisson(0.3, (80, n)).astype(np.float32)), l2=5.0),
    )


def histories(n_users=90, seed=1, n=N):
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(n, size=rng.integers(2, 9), replace=False) for _ in range(n_users)]
    had, labels = [one[: len(one) // 2] for one in drawn], [one[len(one) // 2 :] for one in drawn]
    return Examples(
        users=np.arange(n_users),
        n_items=n,
        owner=np.repeat(np.arange(n_users), [len(one) for one in had]),
        items=np.concatenate(had),
        ages=np.concatenate([np.arange(len(one), 0, -1) for one in had]),
        label_owner=np.repeat(np.arange(n_users), [len(one) for one in labels]),
        labels=np.concatenate(labels),
    )


def scene_of(depth=300, on_sale=None, tower=True):
    both = evidence("source", 1), evidence("target", 2)
    towers = {"source": Towers(both[0], TowerConfig(hidden=4, width=3), n=2, seed=1)} if tower else {}
    return Scene(both, towers, np.ones(N, bool) if on_sale is None else on_sale, depth)


def ranker_of(scene, seed=0):
    """Random weights on every signal."""
    ranker = Ranker.standard(scene.names, 4, seed)
    arrays = ranker.arrays()
    rng = np.random.default_rng(seed)
    return ranker.load_arrays(
        {name: value + rng.normal(size=value.shape).astype(np.float32) / 5 for name, value in arrays.items()}
    )


EXAMPLES = histories()


def everything(examples, n=N):
    return np.broadcast_to(np.arange(n), (len(examples), n)).copy()


class TestCandidates:
    @pytest.mark.parametrize("depth", [3, 300])
    def test_neither_seen_nor_off_sale_nor_twice(self, depth):
        on_sale = np.arange(N) % 3 > 0
        found = scene_of(depth, on_sale).candidates(EXAMPLES, exclude=EXAMPLES.seen)
        assert found.min() == -1
        for row, seen in zip(found, EXAMPLES.seen.toarray() > 0, strict=True):
            row = row[row >= 0]
            assert on_sale[row].all()
            assert not seen[row].any()
            assert (np.diff(row) > 0).all()

    def test_with_room_for_all_everything_on_sale_is_one(self):
        on_sale = np.arange(N) % 3 > 0
        found = scene_of(on_sale=on_sale).candidates(EXAMPLES)
        assert found.tolist() == [np.flatnonzero(on_sale).tolist()] * len(EXAMPLES)

    def test_allowed(self):
        allowed = np.isin(np.arange(N), [3, 8, 21])
        found = scene_of(2).candidates(EXAMPLES, allowed=allowed)
        assert set(found[found >= 0]) == {3, 8, 21}
        assert (found[:, 0] >= 0).all()

    def test_depth_is_what_each_retriever_brings(self):
        scene = scene_of(4)
        counts = (scene.candidates(EXAMPLES, exclude=EXAMPLES.seen) >= 0).sum(axis=1)
        assert counts.min() >= 4
        assert counts.max() <= 6 * 4  # two tables, two item-item weights, a tower, best sellers
        assert (scene.candidates(EXAMPLES, k=11) >= 0).sum(axis=1).min() >= 11

    def test_best_sellers_are_among_them_whatever_was_seen(self):
        scene = scene_of(5)
        seen = EXAMPLES.seen.toarray() > 0
        found = scene.candidates(EXAMPLES, exclude=EXAMPLES.seen)
        for row, had in zip(found, seen, strict=True):
            sellers = [item for item in scene.best_sellers if not had[item]][:5]
            assert set(sellers) <= set(row)

    def test_best_sellers_by_the_last_domain_then_the_others_then_row(self):
        first, last = evidence("a", 1, 4), evidence("b", 2, 4)
        first = replace(first, popularity=np.array([1, 2, 2, 9], np.float32))
        last = replace(last, popularity=np.array([5, 5, 5, 0], np.float32))
        assert Scene((first, last), {}, np.ones(4, bool)).best_sellers.tolist() == [1, 2, 0, 3]

    def test_the_top_of_each_retriever_is_there(self):
        scene = scene_of(3)
        found = scene.candidates(EXAMPLES)
        pooled = EXAMPLES.pooled(20.0)
        for one in scene.evidence:
            scores = pooled @ one.vectors @ one.contexts.T + one.log_prior
            top = np.argsort(-scores, axis=1)[:, :3]
            assert all(set(best) <= set(row) for best, row in zip(top, found, strict=True))
        tower = scene.towers["source"]
        top = np.argsort(-(tower.encode_users(EXAMPLES) @ tower.encode_items().T), axis=1)[:, :3]
        assert all(set(best) <= set(row) for best, row in zip(top, found, strict=True))
        for one in scene.evidence:
            scores = one.weights.scores(EXAMPLES.counts)
            top = np.argsort(-scores, axis=1)[:, :3]
            for best, row, values in zip(top, found, scores, strict=True):
                assert {item for item in best if values[item] > 0} <= set(row)

    def test_neighbours_bring_what_may_be_had_and_is_called_for(self):
        """Tables know nothing and best sellers are others, so that nobody else brings these."""
        blank = replace(evidence("a", 1), known=np.zeros(N, bool), popularity=np.arange(N, 0, -1.0))
        on_sale, allowed = np.arange(N) % 4 > 0, np.arange(N) % 5 > 0
        scene = Scene((blank,), {}, on_sale, depth=2)
        open_ = on_sale & allowed
        found = scene.candidates(EXAMPLES, exclude=EXAMPLES.seen, allowed=allowed)
        scores = blank.weights.scores(EXAMPLES.counts)
        for row, had, values in zip(found, EXAMPLES.seen.toarray() > 0, scores, strict=True):
            values = np.where(open_ & ~had, values, -np.inf)
            top = [item for item in np.argsort(-values)[:2] if values[item] > 0]
            sellers = [item for item in range(N) if open_[item] and not had[item]][:2]
            assert set(row[row >= 0]) == {*top, *sellers}

    def test_a_history_of_nothing_calls_for_nothing(self):
        blank = replace(evidence("a", 1), known=np.zeros(N, bool))
        scene = Scene((blank,), {}, np.ones(N, bool), depth=3)
        cold = EXAMPLES.without(np.ones(N, bool), np.ones(len(EXAMPLES), bool))
        found = scene.candidates(cold)
        assert found.tolist() == [sorted(scene.best_sellers[:3])] * len(EXAMPLES)

    def test_nobody(self):
        none = EXAMPLES.take(np.zeros(0, np.int64))
        assert scene_of().candidates(none).shape[0] == 0


class TestSlate:
    def test_names_and_columns_agree(self):
        scene = scene_of()
        slate = scene.slate(EXAMPLES, everything(EXAMPLES))
        assert slate.names == scene.names
        assert slate.signals.shape == (90, N, len(scene.names))
        assert scene.names[-1] == "source.tower"
        place = scene.names.index("target.popularity")
        np.testing.assert_array_equal(slate.signals[5, :, place], scene.evidence[1].popularity)
        tower = scene.towers["source"]
        scores = tower.encode_users(EXAMPLES) @ tower.encode_items().T
        np.testing.assert_allclose(slate.signals[:, :, -1], scores, rtol=1e-4, atol=1e-5)

    def test_taken_are_the_labels(self):
        slate = scene_of().slate(EXAMPLES, everything(EXAMPLES))
        np.testing.assert_array_equal(slate.taken, EXAMPLES.relevant.toarray() > 0)
        np.testing.assert_array_equal(slate.lengths, EXAMPLES.lengths)

    def test_what_fills_up_is_neither_present_nor_taken(self):
        candidates = everything(EXAMPLES)[:, :5]
        candidates[:, 3:] = -1
        last_is_label = Examples(
            np.array([0]), N, np.array([0]), np.array([1]), np.array([1]), np.array([0]), np.array([N - 1])
        )
        slate = scene_of().slate(last_is_label, candidates[:1])
        assert slate.present.tolist() == [[True] * 3 + [False] * 2]
        assert not slate.taken.any()  # -1 must not read the last item

    def test_users_do_not_depend_on_their_chunk(self):
        scene = scene_of()
        whole = scene.slate(EXAMPLES, everything(EXAMPLES))
        part = EXAMPLES.take(np.array([70]))
        np.testing.assert_allclose(
            scene.slate(part, everything(part)).signals[0], whole.signals[70], rtol=1e-4, atol=1e-5
        )

    def test_lesson_keeps_labels_and_some_others(self):
        scene = scene_of()
        lesson = scene.lesson(EXAMPLES, np.random.default_rng(0), others=5)
        assert (lesson.taken.sum(axis=1) == np.diff(EXAMPLES.relevant.indptr)).all()
        assert lesson.present.sum(axis=1).max() <= 5 + int(lesson.taken.sum(axis=1).max())
        assert lesson.present.sum(axis=1).min() >= 5

    def test_lesson_leaves_out_what_is_in_the_history(self):
        scene = scene_of()
        without_history = np.arange(len(EXAMPLES)) % 2 == 1
        cold = EXAMPLES.without(np.ones(N, bool), without_history)
        lesson = scene.lesson(cold, np.random.default_rng(0), others=N)
        had = np.diff(EXAMPLES.seen.indptr)
        assert (lesson.present.sum(axis=1) == np.where(without_history, N, N - had)).all()
        assert (lesson.taken.sum(axis=1) == np.diff(EXAMPLES.relevant.indptr)).all()

    def test_lesson_keeps_what_was_had_in_another_domain(self):
        elsewhere = replace(EXAMPLES, own=np.zeros(len(EXAMPLES.items), np.bool_))
        lesson = scene_of().lesson(elsewhere, np.random.default_rng(0), others=N)
        assert (lesson.present.sum(axis=1) == N).all()

    def test_the_tower_says_of_unknown_items_what_it_says_on_average(self):
        scene = scene_of()
        known = np.arange(N) != 7
        first = replace(scene.evidence[0], known=known)
        less = replace(scene, evidence=(first, scene.evidence[1]), _tower_vectors={}, _indexes={})
        place = scene.names.index("source.tower")
        found = less.slate(EXAMPLES, everything(EXAMPLES)).signals[:, :, place]
        whole = scene.slate(EXAMPLES, everything(EXAMPLES)).signals[:, :, place]
        np.testing.assert_allclose(found[:, known], whole[:, known], rtol=1e-5)
        np.testing.assert_allclose(found[:, 7], whole[:, known].mean(axis=1), rtol=1e-4, atol=1e-5)


class TestRank:
    def test_is_the_ranking_of_everything(self):
        scene = scene_of()
        ranker = ranker_of(scene)
        found = scene.rank(ranker, EXAMPLES, 10, exclude=EXAMPLES.seen)
        scores = ranker.score(scene.slate(EXAMPLES, everything(EXAMPLES)))
        scores[EXAMPLES.seen.toarray() > 0] = -np.inf
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        assert found.items.reshape(-1, 10).tolist() == expected.tolist()
        np.testing.assert_allclose(
            found.scores.reshape(-1, 10), np.take_along_axis(scores, expected, axis=1), rtol=1e-4, atol=1e-5
        )
        assert found.users.tolist() == np.repeat(np.arange(90), 10).tolist()
        assert found.ranks.tolist() == list(range(1, 11)) * 90

    def test_fewer_where_fewer_are_left(self):
        scene = scene_of(on_sale=np.arange(N) < 6)
        found = scene.rank(ranker_of(scene), EXAMPLES, 10, exclude=EXAMPLES.seen)
        left = 6 - EXAMPLES.seen.toarray()[:, :6].sum(axis=1).astype(int)
        assert left.min() < 6
        assert np.bincount(found.users, minlength=90).tolist() == left.tolist()
        assert (found.items >= 0).all()
        assert np.isfinite(found.scores).all()
        starts = np.searchsorted(found.users, np.arange(90))
        assert (found.ranks == np.arange(len(found.users)) - starts[found.users] + 1).all()

    def test_nothing_left_gives_nothing(self):
        scene = scene_of()
        shut = csr_array(np.ones((len(EXAMPLES), N), np.float32))
        assert scene.rank(ranker_of(scene), EXAMPLES, 5, exclude=shut).items.tolist() == []
        none = EXAMPLES.take(np.zeros(0, np.int64))
        assert scene.rank(ranker_of(scene), none, 5).items.tolist() == []

    def test_ties_go_by_row(self):
        scene = scene_of()
        flat = Ranker(scene.names, 0)  # every score 0
        found = scene.rank(flat, EXAMPLES, 4, allowed=np.isin(np.arange(N), [30, 7, 12, 9, 25]))
        assert found.items.reshape(-1, 4).tolist() == [[7, 9, 12, 25]] * 90

    def test_more_than_depth(self):
        scene = scene_of(2)
        found = scene.rank(ranker_of(scene), EXAMPLES, N + 5)
        assert np.bincount(found.users).tolist() == [N] * 90

    def test_a_ranker_of_some_signals(self):
        scene = scene_of()
        ranker = Ranker.standard(tuple(name for name in scene.names if name.startswith("target.")), 0)
        found = scene.rank(ranker, EXAMPLES, 3)
        assert len(found.items) == 270


class TestNdcg:
    def test_is_that_of_the_full_ranking(self):
        scene = scene_of()
        ranker = ranker_of(scene)
        scores = ranker.score(scene.slate(EXAMPLES, everything(EXAMPLES)))
        ranks = rank_relevant(scores, EXAMPLES.relevant, EXAMPLES.seen)
        np.testing.assert_allclose(scene.ndcg(ranker, EXAMPLES), Ndcg(10).per_user(ranks), atol=1e-6)

    def test_by_hand(self):
        one = Examples(
            np.array([0]), 5, np.array([0]), np.array([0]), np.array([1]), np.array([0, 0]), np.array([1, 4])
        )
        candidates, scores = np.array([[1, 2, 3]]), np.array([[1.0, 3.0, 2.0]], np.float32)
        expected = (1 / np.log2(4)) / (1 + 1 / np.log2(3))  # item 1 comes third, item 4 was not retrieved
        assert list_ndcg(one, candidates, scores).tolist() == [pytest.approx(expected)]
        assert list_ndcg(one, candidates, scores, k=2).tolist() == [0]

    def test_nobody(self):
        scene = scene_of()
        assert scene.ndcg(ranker_of(scene), EXAMPLES.take(np.zeros(0, np.int64))).shape == (0,)


class TestWhatWasHad:
    def test_it_is_merged_as_sorting_everything_would(self):
        rng = np.random.default_rng(4)
        new, had = rng.permuted(np.tile(np.arange(N), (5, 1)), axis=1)[:, :6], np.zeros((5, N), np.float32)
        scores = -np.sort(-rng.integers(0, 9, (5, 6)), axis=1).astype(np.float32)
        for user in range(5):
            mine = np.setdiff1d(np.arange(N), new[user])[: 3 * user]
            had[user, mine] = rng.integers(1, 9, len(mine))
        allowed = np.arange(N) % 5 > 0
        new = np.where(allowed[new], new, np.flatnonzero(allowed)[-1])[:, :1]  # one each is enough
        lists = Ranked(np.arange(5), new[:, 0], scores[:, 0], np.ones(5, np.int64))

        found = with_had(lists, csr_array(had), allowed, 4)

        for user in range(5):
            mine = {int(item): had[user, item] for item in np.flatnonzero(had[user]) if allowed[item]}
            mine[int(new[user, 0])] = scores[user, 0]
            best = sorted(mine, key=lambda item: (-mine[item], item))[:4]
            here = found.users == user
            assert found.items[here].tolist() == best
            assert found.ranks[here].tolist() == list(range(1, len(best) + 1))
            assert found.scores[here].tolist() == [mine[item] for item in best]

    def test_the_best_that_is_new_to_each(self):
        scene, examples = scene_of(), histories(12)
        ranker = ranker_of(scene)

        none = np.zeros(N, np.float32)
        found = choice_of(scene, ranker, examples, Returns(none, none))

        assert found.new.shape == found.scores.shape == (12, 20)
        assert not examples.seen[np.repeat(np.arange(12), 20), found.new.ravel()].any()
        ranked = scene.rank(ranker, examples, 3, exclude=examples.seen)
        assert found.new[:, :3].ravel().tolist() == ranked.items.tolist()
        assert found.examples is examples

    def test_lists_of_different_lengths_are_filled_up(self):
        lists = Ranked(np.array([0, 0, 2]), np.array([7, 3, 5]), np.ones(3, np.float32), np.array([1, 2, 1]))
        items, scores = lists.padded(3)
        assert items.tolist() == [[7, 3], [-1, -1], [5, -1]]
        assert (scores == np.where(items < 0, -np.inf, 1)).all()
        none = np.zeros(0, np.int64)
        assert Ranked(none, none, none.astype(np.float32), none).padded(2)[0].shape == (2, 0)
