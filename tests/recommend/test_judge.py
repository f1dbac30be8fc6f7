"""The gate by hand: which contender is picked, what its gain is, and when it ships."""

from dataclasses import dataclass

import numpy as np
import pytest

from rectransfer.metrics import paired_bootstrap
from rectransfer.ranking import Ranker
from rectransfer.recommend import RecommenderConfig
from rectransfer.recommend.gate import ALONE, Contender, _chances, _pick, judge
from rectransfer.recommend.verdict import Verdict

BEST = np.array([0.6, 0.4, 0.5, 0.5, 0.5, 0.6])
# Behind by .05 and by .15 on average.
CLOSE = BEST - [0.3, -0.1, 0.2, -0.1, 0.1, -0.1]
FAR = BEST - [0.2, 0.1, 0.2, 0.1, 0.2, 0.1]

CONFIG = RecommenderConfig(confidence=0.75)


@dataclass(frozen=True)
class Measured:
    """A contender whose values are known."""

    name: str
    values: tuple[np.ndarray, ...]
    transferred: bool = True
    pull: float | None = 1.0
    members: tuple[()] = ()
    distant: bool = False

    def by_fold(self, config):
        return list(self.values)


def alone(*values):
    return Measured(ALONE, values, transferred=False)


class TestPick:
    @pytest.mark.parametrize(
        ("rivals", "picked"),
        [
            ([CLOSE, BEST], 1),
            ([FAR, CLOSE, BEST], 2),
            ([FAR, CLOSE], 1),
            ([BEST, CLOSE, FAR], 0),
            ([BEST, BEST], 0),  # of equals the one held closer to its source
            ([FAR, BEST, BEST], 1),
            ([FAR[:4], BEST[:4]], 0),  # too few users to tell
        ],
    )
    def test_the_best_mean(self, rivals, picked):
        assert _pick(rivals) == picked


class TestChances:
    def test_many_users_choose_and_few_average(self):
        rng = np.random.default_rng(0)
        gain = rng.normal(0.02, 0.2, 4_000)
        few, many = np.stack([0 * gain[:20], gain[:20]]), np.stack([0 * gain, gain])
        assert _chances(few, 0).min() > 0.02
        assert _chances(many, 0)[1] > 0.999

    def test_they_are_shares_of_the_draws(self):
        values = np.stack([BEST, CLOSE, FAR])
        found = _chances(values, 0)
        assert found.sum() == pytest.approx(1)
        assert found[0] > found[1] > found[2] == 0  # in every draw it is behind the first
        draws = np.random.default_rng(1).dirichlet(np.ones(6), 20_000)
        ahead = (draws @ (CLOSE - BEST) > 0).mean()
        assert 0.1 < ahead < 0.45
        assert found[1] == pytest.approx(ahead, abs=0.03)

    def test_equals_and_models_of_too_few_users_count_alike(self):
        assert _chances(np.stack([BEST, BEST]), 0).tolist() == [0.5, 0.5]
        assert _chances(np.stack([FAR, BEST])[:, :4], 0).tolist() == [0.5, 0.5]


class TestAveraged:
    """A contender with members."""

    NAMES = ("target.popularity",)

    def averaged(self, *values):
        members = tuple(self.member(str(place), *one) for place, one in enumerate(values))
        return Contender("averaged", (None,) * len(values[0]), None, None, members=members)

    def member(self, name, *values):
        found = Contender(name, (None,) * len(values), None, None)
        found._values.extend(values)
        ranker = Ranker(self.NAMES, hidden=0)
        ranker.line.data[:] = float(name)
        found._trained.update(dict.fromkeys([None, *range(len(values))], ranker))
        return found

    def weight(self, contender, without=None):
        return contender.trained(CONFIG, without).line.tolist()[0]

    def test_members_count_as_often_as_they_are_best(self):
        found = self.averaged([BEST, BEST], [CLOSE, CLOSE])
        chances = _chances(np.stack([np.tile(BEST, 2), np.tile(CLOSE, 2)]), CONFIG.seed)
        assert 0 < chances[1] < 0.5
        assert self.weight(found) == pytest.approx(chances[1])

    def test_a_fold_has_no_say_in_what_it_is_measured_with(self):
        found = self.averaged([BEST, FAR], [FAR, BEST])
        assert self.weight(found, without=0) == pytest.approx(1)
        assert self.weight(found, without=1) == pytest.approx(0)


class TestGain:
    def test_each_fold_counts_with_what_the_others_picked(self):
        first = Measured("first", (BEST, FAR))
        second = Measured("second", (FAR, BEST))
        own = np.full(6, 0.3)
        # On the second fold `second` is picked, so the first fold counts with it; and the other way round.
        _, verdict = judge([alone(own, own), first, second], CONFIG)
        assert verdict.difference == pytest.approx(FAR.mean() - 0.3)
        assert verdict.contenders == {
            ALONE: pytest.approx(0.3),
            "first": pytest.approx((BEST.mean() + FAR.mean()) / 2),
            "second": pytest.approx((BEST.mean() + FAR.mean()) / 2),
        }
        expected = paired_bootstrap(np.concatenate([FAR, FAR]), np.full(12, 0.3), seed=CONFIG.seed)
        assert (verdict.low, verdict.high) == (expected.low, expected.high)
        assert verdict.n_users == 12

    def test_having_been_picked_is_no_advantage(self):
        """Each is lucky on one fold, and not better than the target alone: the lucky half doesn't count."""
        own = np.full(6, 0.4)
        lucky, unlucky = own + 0.2 + 0.01 * CLOSE, own - 0.1 + 0.01 * CLOSE
        rivals = [Measured("first", (lucky, unlucky)), Measured("second", (unlucky, lucky))]
        chosen, verdict = judge([alone(own, own), *rivals], CONFIG)
        assert chosen.name == verdict.contender == ALONE
        assert verdict.contenders["first"] > verdict.contenders[ALONE]
        assert verdict.difference < 0
        assert "because the transfer hurts" in verdict.reason

    def test_what_ships_is_picked_on_all(self):
        first = Measured("first", (FAR, FAR))
        second = Measured("second", (BEST, CLOSE))
        chosen, verdict = judge([alone(FAR - 0.2, FAR - 0.2), first, second], CONFIG)
        assert (chosen.name, verdict.ships) == ("second", "transfer")
        assert "because the transfer helps" in verdict.reason
        chosen, _ = judge([alone(FAR - 0.2, FAR - 0.2), Measured("near", (BEST, CLOSE)), second], CONFIG)
        assert chosen.name == "near"  # of equals


class TestConfidence:
    GAINS = np.array([0.4, -0.3, 0.3, -0.2, 0.35, -0.25, 0.3, -0.2, 0.2, 0.1])

    def verdict(self, gains, confidence):
        own = np.full(5, 0.5)
        rival = Measured("only", (own + gains[:5], own + gains[5:]))
        return judge([alone(own, own), rival], RecommenderConfig(confidence=confidence))[1]

    def test_the_target_ships_where_enough_of_the_draws_are_negative(self):
        draws = np.random.default_rng(1).choice(-self.GAINS, (20_000, 10)).mean(axis=1)
        share = (draws < 0).mean()
        assert 0.75 < share < 0.85
        sure, doubtful = self.verdict(-self.GAINS, 0.7), self.verdict(-self.GAINS, 0.9)
        assert (sure.ships, doubtful.ships) == ("target", "transfer")
        assert sure.difference == doubtful.difference == pytest.approx(-self.GAINS.mean())
        assert sure.low < 0 < sure.high
        assert "probably hurts" in sure.reason
        assert "isn't shown to hurt, but it may be chance" in doubtful.reason

    @pytest.mark.parametrize("confidence", [0.5, 0.9])
    def test_no_difference_is_no_reason_against_it(self, confidence):
        assert self.verdict(np.zeros(10), confidence).ships == "transfer"

    def test_a_sure_loss_never_ships(self):
        verdict = self.verdict(np.full(10, -0.1) - self.GAINS / 100, 0.99)
        assert verdict.ships == "target"
        assert verdict.high < 0
        assert "because the transfer hurts" in verdict.reason


def test_a_source_that_is_worse_as_it_comes_has_to_gain():
    own = np.full(10, 0.5)
    doubtful = own - TestConfidence.GAINS  # behind on average, but it may be chance
    tuned = Measured("tuned", (doubtful[:5], doubtful[5:]))
    worse = Measured("as it comes", (own[:5] - 0.2, own[5:] - 0.2), pull=None)
    assert judge([alone(own[:5], own[5:]), tuned], RecommenderConfig(confidence=0.9))[1].ships == "transfer"
    suspect = judge([alone(own[:5], own[5:]), worse, tuned], RecommenderConfig(confidence=0.9))[1]
    assert suspect.ships == "target"
    assert "probably hurts" in suspect.reason


class TestDistant:
    """A source of others' users, whose items are only like the target's."""

    OWN = np.full(10, 0.5)

    def rival(self, gains, *, name="far", distant=True):
        return Measured(name, (self.OWN[:5] + gains[:5], self.OWN[5:] + gains[5:]), distant=distant)

    def judge(self, *rivals):
        return judge([alone(self.OWN[:5], self.OWN[5:]), *rivals], RecommenderConfig(confidence=0.9))

    @pytest.mark.parametrize("gains", [TestConfidence.GAINS, np.zeros(10)])
    def test_a_gain_that_may_be_chance_does_not_ship(self, gains):
        assert self.judge(self.rival(gains, distant=False))[1].ships == "transfer"
        chosen, verdict = self.judge(self.rival(gains))
        assert (chosen.name, verdict.ships) == (ALONE, "target")
        assert verdict.low <= 0 <= verdict.high
        assert "isn't shown to help (a source without shared users" in verdict.reason

    def test_a_sure_gain_ships(self):
        verdict = self.judge(self.rival(0.1 + TestConfidence.GAINS / 10))[1]
        assert verdict.low > 0
        assert verdict.ships == "transfer"

    def test_a_nearer_source_is_asked_where_it_fails(self):
        far, near = (
            self.rival(TestConfidence.GAINS),
            self.rival(np.full(10, 0.01), name="near", distant=False),
        )
        chosen, verdict = self.judge(far, near)
        assert (chosen.name, verdict.ships) == ("near", "transfer")
        assert set(verdict.contenders) == {ALONE, "far", "near"}

    def test_unmeasured_it_does_not_ship(self):
        far, near = Measured("far", (FAR[:4],), distant=True), Measured("near", (FAR[:4],))
        chosen, verdict = judge([alone(BEST[:4]), far], CONFIG)
        assert (chosen.name, verdict.ships, verdict.n_users) == (ALONE, "target", 4)
        assert "only 4 users have two visits or more" in verdict.reason
        assert judge([alone(BEST[:4]), far, near], CONFIG)[0].name == "near"


def test_without_a_rival_there_is_nothing_to_judge():
    chosen, verdict = judge([alone(BEST)], CONFIG)
    assert chosen.name == ALONE
    assert verdict.ships == "target"
    assert np.isnan(verdict.difference)


def test_under_five_users_the_transfer_ships_unmeasured():
    chosen, verdict = judge([alone(BEST[:4]), Measured("closest", (FAR[:4],))], CONFIG)
    assert (chosen.name, verdict.ships, verdict.n_users) == ("closest", "transfer", 4)
    assert np.isnan(verdict.difference)


def test_a_fold_without_anybody_to_measure_is_passed_over():
    none = np.zeros(0)
    _, verdict = judge([alone(FAR, none), Measured("only", (BEST, none))], CONFIG)
    assert verdict.n_users == 6
    assert verdict.difference == pytest.approx(0.15)


def test_a_verdict_survives_plain_values():
    _, verdict = judge([alone(FAR, FAR), Measured("only", (BEST, CLOSE))], CONFIG)
    assert Verdict.from_dict(verdict.as_dict()) == verdict
