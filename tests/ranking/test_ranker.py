"""The ranker: a straight line by hand, weights that are carried over, and what it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rectransfer.errors import ArtefactError, InputError
from rectransfer.ranking import Ranker, RankerConfig, Slate, fit_ranker, fit_rankers

NAMES = ("s.affinity_recent", "s.affinity_steady", "s.popularity", "s.unknown")
QUICK = RankerConfig(hidden=4, epochs=15, learning_rate=0.03, batch=16)


def slate_of(names=NAMES, users=60, width=9, *, seed=0, wanted=None):
    """Random signals; users take the candidate with the largest `wanted` signal."""
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(users, width, len(names))).astype(np.float32)
    present = np.ones((users, width), bool)
    present[::3, -2:] = False
    taken = np.zeros((users, width), bool)
    if wanted is not None:
        value = np.where(present, signals[:, :, names.index(wanted)], -np.inf)
        taken[np.arange(users), value.argmax(axis=1)] = True
    return Slate(names, signals, present, taken, np.log1p(rng.integers(1, 50, users)).astype(np.float32))


def shaken(ranker, seed=5):
    rng = np.random.default_rng(seed)
    arrays = ranker.arrays()
    return ranker.load_arrays(
        {
            name: value + np.abs(rng.normal(size=value.shape)).astype(np.float32) / 4
            for name, value in arrays.items()
        }
    )


def order(ranker, slate):
    return np.argsort(-ranker.score(slate), axis=1, kind="stable").tolist()


class TestScores:
    def test_the_standard_by_hand(self):
        slate = slate_of()
        recent, steady, popular, _ = np.moveaxis(slate.signals, 2, 0)
        expected = 0.5 * recent + 0.5 * steady + 0.75 * popular
        scores = Ranker.standard(NAMES).score(slate)
        np.testing.assert_allclose(scores[slate.present], expected[slate.present], rtol=1e-4, atol=1e-5)
        assert (scores[~slate.present] == -np.inf).all()
        assert scores.dtype == np.float32

    def test_domains_share_the_units(self):
        names = ("a.affinity_recent", "b.affinity_recent", "a.popularity", "b.popularity", "a.tower")
        assert Ranker.standard(names).arrays()["line"].tolist() == [0.25, 0.25, 0.375, 0.375, 0]

    def test_the_network_by_hand(self):
        ranker, slate = shaken(Ranker(("a", "b"), hidden=3)), slate_of(("a", "b"), users=2, width=3)
        w = ranker.arrays()
        z = (slate.signals - w["mean"]) / w["scale"]
        inputs = np.concatenate([z, np.broadcast_to(slate.lengths[:, None, None] - 3.5, (2, 3, 1))], axis=2)
        hidden = np.tanh(inputs @ w["network.0.weight"].T + w["network.0.bias"])
        expected = z @ w["line"] + (hidden @ w["network.2.weight"].T)[:, :, 0]
        scores = ranker.score(slate)
        np.testing.assert_allclose(scores[slate.present], expected[slate.present], rtol=1e-4)

    def test_columns_are_found_by_name(self):
        slate = slate_of()
        turned = Slate(NAMES[::-1], slate.signals[:, :, ::-1], slate.present, slate.taken, slate.lengths)
        ranker = shaken(Ranker.standard(NAMES, 4))
        np.testing.assert_array_equal(ranker.score(turned), ranker.score(slate))
        with pytest.raises(InputError, match=r"no signal 's\.profile'; there are s\.affinity_recent"):
            slate.columns(("s.profile",))

    def test_wild_signals_stay_finite(self):
        slate = slate_of()
        slate.signals[0, 0] = 1e30
        assert np.isfinite(shaken(Ranker.standard(NAMES)).score(slate)[slate.present]).all()

    def test_no_candidates(self):
        none = slate_of(users=3, width=2).take(np.zeros(0, np.int64))
        assert Ranker.standard(NAMES).score(none).shape == (0, 2)


class TestRescale:
    def test_keeps_the_order_and_the_gaps(self):
        slate = slate_of()
        slate.signals[:] = slate.signals * [1, 0.1, 1.5, 1] + [2, -2, 0, 1]
        slate.signals[:, :, 3] = 7.0  # constant: nothing to divide by
        plain = Ranker.standard(NAMES)
        scaled = plain.copy().rescale(slate)
        gaps = (
            plain.score(slate)[:, :1] - plain.score(slate),
            scaled.score(slate)[:, :1] - scaled.score(slate),
        )
        np.testing.assert_allclose(gaps[0][slate.present], gaps[1][slate.present], rtol=1e-3, atol=1e-3)
        assert order(scaled, slate) == order(plain, slate)

    def test_measures_the_candidates_that_are_there(self):
        slate = slate_of()
        slate.signals[~slate.present] = 1e6
        arrays = Ranker.standard(NAMES).rescale(slate).arrays()
        values = slate.signals[slate.present]
        np.testing.assert_allclose(arrays["mean"], values.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(arrays["scale"], values.std(axis=0), rtol=1e-5)

    def test_only_some(self):
        arrays = Ranker.standard(NAMES).rescale(slate_of(), only=("s.popularity",)).arrays()
        assert (arrays["scale"] == 1).tolist() == [True, True, False, True]

    def test_nothing_to_measure(self):
        none = slate_of().take(np.zeros(0, np.int64))
        ranker = Ranker.standard(NAMES).rescale(none)
        assert ranker.arrays()["scale"].tolist() == [1] * 4


class TestCarriedOver:
    def test_grown_it_scores_the_same(self):
        names = ("t.affinity", *NAMES[::-1], "t.popularity")
        slate = slate_of(names)
        start = shaken(Ranker.standard(NAMES, hidden=4))
        grown = Ranker(names, hidden=4).grown_from(start)
        np.testing.assert_allclose(grown.score(slate), start.score(slate), rtol=1e-5, atol=1e-6)
        grown.rescale(slate, only=("t.affinity", "t.popularity"))
        np.testing.assert_allclose(grown.score(slate), start.score(slate), rtol=1e-5, atol=1e-6)

    def test_growing_takes_copies(self):
        start = Ranker.standard(NAMES, hidden=4)
        fit_ranker(Ranker(NAMES, 4).grown_from(start), slate_of(wanted="s.unknown"), QUICK)
        assert start.arrays()["line"].tolist() == [0.5, 0.5, 0.75, 0]

    def test_a_copy_is_apart(self):
        ranker = shaken(Ranker.standard(NAMES))
        copy = ranker.copy()
        before = ranker.arrays()
        np.testing.assert_array_equal(copy.score(slate_of()), ranker.score(slate_of()))
        fit_ranker(copy, slate_of(wanted="s.unknown"), QUICK)
        assert all(np.array_equal(before[name], value) for name, value in ranker.arrays().items())

    def test_renamed(self):
        start = shaken(Ranker.standard(NAMES, hidden=4))
        slate = slate_of()
        calm = replace(
            slate, signals=slate.signals * [1, 1, 1, 0] + [0, 0, 0, float(start.arrays()["mean"][3])]
        )
        calm = replace(calm, signals=calm.signals.astype(np.float32))
        names = {name: name.replace("s.", "joint.") for name in NAMES[:3]}
        found = start.renamed(names)
        assert found.names == tuple(names.values())
        theirs = Slate(found.names, calm.signals[:, :, :3], calm.present, calm.taken, calm.lengths)
        np.testing.assert_allclose(found.score(theirs), start.score(calm), rtol=1e-4, atol=1e-5)

    def test_arrays_that_do_not_fit_are_refused(self):
        with pytest.raises(ArtefactError, match="do not fit"):
            Ranker(NAMES, 4).load_arrays(Ranker(NAMES, 5).arrays())
        with pytest.raises(ArtefactError, match="do not fit"):
            Ranker(NAMES[:2], 4).load_arrays(Ranker(NAMES, 4).arrays())


class TestFit:
    @pytest.mark.parametrize("hidden", [0, 4])
    def test_learns_a_planted_signal(self, hidden):
        ranker = Ranker.standard(NAMES, hidden)
        fresh = slate_of(seed=9, wanted="s.unknown")
        before = fresh.taken[np.arange(60), ranker.score(fresh).argmax(axis=1)].mean()
        fit_ranker(
            ranker, slate_of(users=200, wanted="s.unknown"), replace(QUICK, pull=0.0, learning_rate=0.1)
        )
        after = fresh.taken[np.arange(60), ranker.score(fresh).argmax(axis=1)].mean()
        assert before < 0.4
        assert after > 0.85

    def test_a_strong_pull_keeps_the_weights(self):
        start = shaken(Ranker.standard(NAMES, 4))
        moved = []
        for pull in (0.0, 1e4):
            ranker = fit_ranker(start.copy(), slate_of(wanted="s.unknown"), replace(QUICK, pull=pull))
            moved.append(
                max(np.abs(ranker.arrays()[name] - value).max() for name, value in start.arrays().items())
            )
        assert moved[1] < 0.02 < 0.3 < moved[0]

    def test_the_scale_does_not_move(self):
        ranker = Ranker.standard(NAMES).rescale(slate_of())
        before = ranker.arrays()
        fit_ranker(ranker, slate_of(wanted="s.unknown"), QUICK)
        for name in ("mean", "scale"):
            np.testing.assert_array_equal(ranker.arrays()[name], before[name])

    def test_users_who_took_nothing_teach_nothing(self):
        ranker = Ranker.standard(NAMES)
        fit_ranker(ranker, slate_of(), QUICK)
        assert ranker.arrays()["line"].tolist() == [0.5, 0.5, 0.75, 0]
        full = slate_of(users=40, wanted="s.unknown")
        mixed = Slate.concatenate([full, slate_of(users=20, seed=3)])
        first, second = (fit_ranker(Ranker.standard(NAMES), slate, QUICK) for slate in (full, mixed))
        for name, value in first.arrays().items():
            np.testing.assert_allclose(second.arrays()[name], value, rtol=1e-5, atol=1e-6)

    def test_a_taken_candidate_that_is_not_there_does_not_count(self):
        slate = slate_of()
        slate.taken[~slate.present] = True
        ranker = fit_ranker(Ranker.standard(NAMES), slate, QUICK)
        assert ranker.arrays()["line"].tolist() == [0.5, 0.5, 0.75, 0]

    def test_no_epochs(self):
        ranker = fit_ranker(Ranker.standard(NAMES), slate_of(wanted="s.unknown"), replace(QUICK, epochs=0))
        assert ranker.arrays()["line"].tolist() == [0.5, 0.5, 0.75, 0]

    def test_twice_gives_the_same_and_touches_nothing_global(self):
        torch.random.manual_seed(3)
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        first, again, other = (
            fit_ranker(Ranker.standard(NAMES, 4, seed), slate_of(wanted="s.unknown"), QUICK, seed).arrays()
            for seed in (1, 1, 2)
        )
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert not np.array_equal(first["line"], other["line"])

    def test_making_copying_and_renaming_draw_nothing_from_the_global_state(self):
        state = torch.get_rng_state()
        ranker = Ranker(NAMES, 4)
        ranker.copy()
        ranker.renamed({name: name for name in NAMES})
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize(
        "settings",
        [
            {"hidden": -1},
            {"epochs": -1},
            {"pull": -1.0},
            {"batch": 0},
            {"learning_rate": 0.0},
            {"members": 0},
            {"breadth": -0.1},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match="at least 0"):
            RankerConfig(**settings)

    def test_breadth_weighs_users_by_what_they_took(self):
        """Half of the users take one item by one signal, half take four by another."""
        narrow, wide = slate_of(users=40, wanted="s.popularity"), slate_of(users=40, seed=1)
        best = np.argsort(-np.where(wide.present, wide.signals[:, :, 3], -np.inf), axis=1)[:, :4]
        np.put_along_axis(wide.taken, best, True, axis=1)
        both, lines = Slate.concatenate([narrow, wide]), {}
        for breadth in (0.0, 0.5, 2.0):
            config = replace(QUICK, pull=0.0, breadth=breadth)
            lines[breadth] = fit_ranker(Ranker(NAMES, 0), both, config).arrays()["line"]
        unknown, popular = (np.array([line[place] for line in lines.values()]) for place in (3, 2))
        assert (np.diff(unknown) > 0.01).all()
        assert (np.diff(popular) < -0.01).all()


class TestEnsemble:
    """Several rankers are one: networks side by side, scores the mean."""

    @pytest.mark.parametrize("hidden", [(4,), (4, 4, 4), (0, 0), (3, 0, 5)])
    def test_the_scores_are_the_mean(self, hidden):
        scale = Ranker(NAMES, 0).rescale(slate_of()).arrays()
        rankers = []
        for seed, units in enumerate(hidden):
            one = shaken(Ranker.standard(NAMES, units, seed), seed)
            one.load_arrays({**one.arrays(), "mean": scale["mean"], "scale": scale["scale"]})
            rankers.append(one)
        slate = slate_of()
        each = [one.score(slate)[slate.present] for one in rankers]
        found = Ranker.mean_of(rankers)
        assert found.hidden == sum(hidden)
        np.testing.assert_allclose(
            found.score(slate)[slate.present], np.mean(each, axis=0), rtol=1e-4, atol=1e-5
        )
        assert len(hidden) == 1 or np.std(each, axis=0).max() > 0.01

    def test_the_members_stay_as_they_are(self):
        rankers = [shaken(Ranker.standard(NAMES, 4, seed), seed) for seed in (1, 1, 2)]
        for one in rankers:
            one.load_arrays(
                {**one.arrays(), **{name: Ranker(NAMES).arrays()[name] for name in ("mean", "scale")}}
            )
        before = [one.arrays() for one in rankers]
        fit_ranker(Ranker.mean_of(rankers), slate_of(wanted="s.unknown"), QUICK)
        for one, was in zip(rankers, before, strict=True):
            assert all(np.array_equal(value, was[name]) for name, value in one.arrays().items())

    def test_of_other_signals_or_scales_or_none_they_are_refused(self):
        plain = Ranker.standard(NAMES, 4)
        for others in ([], [plain, Ranker(NAMES[::-1], 4)], [plain, plain.copy().rescale(slate_of())]):
            with pytest.raises(InputError, match=f"{len(others)} rankers"):
                Ranker.mean_of(others)

    def test_trained_from_seeds_that_count_on(self):
        slate, config = slate_of(wanted="s.unknown"), replace(QUICK, members=2)
        members = [
            fit_ranker(Ranker.standard(NAMES, 4, seed).rescale(slate), slate, config, seed) for seed in (6, 7)
        ]
        found, expected = fit_rankers(NAMES, slate, config, 6).arrays(), Ranker.mean_of(members).arrays()
        assert all(np.array_equal(found[name], value) for name, value in expected.items())
        assert fit_rankers(NAMES, slate, config, 6).hidden == 8

    def test_twice_gives_the_same_and_another_seed_another(self):
        slate = slate_of(wanted="s.unknown")
        state = torch.get_rng_state()
        first, again, other = (fit_rankers(NAMES, slate, QUICK, seed).arrays() for seed in (1, 1, 9))
        assert torch.equal(torch.get_rng_state(), state)
        assert all(np.array_equal(first[name], again[name]) for name in first)
        assert not np.array_equal(first["line"], other["line"])

    def test_it_learns_a_planted_signal(self):
        config = replace(QUICK, pull=0.0, learning_rate=0.1)
        ranker = fit_rankers(NAMES, slate_of(users=200, wanted="s.unknown"), config)
        fresh = slate_of(seed=9, wanted="s.unknown")
        assert fresh.taken[np.arange(60), ranker.score(fresh).argmax(axis=1)].mean() > 0.85

    def test_nothing_to_learn_from(self):
        none = slate_of().take(np.zeros(0, np.int64))
        expected = Ranker.standard(NAMES, 4).score(slate_of())
        np.testing.assert_allclose(
            fit_rankers(NAMES, none, QUICK).score(slate_of()), expected, rtol=1e-4, atol=1e-5
        )


class TestSlates:
    def test_of_different_width_they_stand_one_after_another(self):
        narrow, wide = slate_of(users=2, width=3), slate_of(users=4, width=6, seed=1, wanted="s.unknown")
        both = Slate.concatenate([narrow, wide])
        assert both.signals.shape == (6, 6, 4)
        np.testing.assert_array_equal(both.signals[:2, :3], narrow.signals)
        assert not both.present[:2, 3:].any()
        assert not both.taken[:2, 3:].any()
        np.testing.assert_array_equal(both.taken[2:], wide.taken)
        np.testing.assert_array_equal(both.lengths, [*narrow.lengths, *wide.lengths])
        ranker = shaken(Ranker.standard(NAMES))
        np.testing.assert_allclose(ranker.score(both)[:2, :3], ranker.score(narrow), rtol=1e-5)

    def test_take(self):
        slate = slate_of(wanted="s.unknown")
        some = slate.take(np.array([5, 0]))
        np.testing.assert_array_equal(some.signals, slate.signals[[5, 0]])
        np.testing.assert_array_equal(some.taken, slate.taken[[5, 0]])

    def test_of_different_signals_or_none_they_are_refused(self):
        with pytest.raises(InputError, match="2 slates"):
            Slate.concatenate([slate_of(), slate_of(NAMES[:2])])
        with pytest.raises(InputError, match="0 slates"):
            Slate.concatenate([])


class TestAveraged:
    def test_the_weights_are_averaged(self):
        one, other = Ranker(("s.a", "s.b"), 2, seed=1), Ranker(("s.a", "s.b"), 2, seed=2)
        one.line.data[:], other.line.data[:] = 1.0, 3.0
        found = Ranker.averaged([one, other]).arrays()
        assert found["line"].tolist() == [2.0, 2.0]
        for name, value in found.items():
            assert value == pytest.approx((one.arrays()[name] + other.arrays()[name]) / 2)

    def test_some_count_more(self):
        one, other = Ranker(("s.a",), 0), Ranker(("s.a",), 0)
        one.line.data[:], other.line.data[:] = 1.0, 3.0
        assert Ranker.averaged([one, other], np.array([0.75, 0.25])).line.tolist() == [1.5]

    def test_of_one_it_is_a_copy(self):
        one = Ranker(("s.a",), 2)
        found = Ranker.averaged([one])
        found.line.data[:] = 5.0
        assert one.line.tolist() == [0.0]

    @pytest.mark.parametrize(
        "rankers",
        [[], [Ranker(("s.a",), 2), Ranker(("s.b",), 2)], [Ranker(("s.a",), 2), Ranker(("s.a",), 4)]],
    )
    def test_of_different_kinds(self, rankers):
        with pytest.raises(InputError, match=r"rankers of \d kinds"):
            Ranker.averaged(rankers)
