"""Losses by hand, their gradients, and that a sampled loss means what the whole one means."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from rectransfer.ranking import (
    Examples,
    Tower,
    TowerConfig,
    UserInputs,
    bce,
    bpr,
    cut_at_share,
    mse,
    sampled_softmax,
    softmax,
)
from rectransfer.ranking.calibrated import Calibrated
from rectransfer.ranking.imbalance import draw_negatives
from rectransfer.ranking.losses import SAMPLED, WHOLE

SMALL = TowerConfig(hidden=8, width=4)
NAMES = sorted(WHOLE)

# two users over items 0..4. The first had 0 and took 1 and 2, the second had 4 and took 0.
TWO = Examples(
    np.array([0, 1]),
    5,
    np.array([0, 1]),
    np.array([0, 4]),
    np.array([1, 1]),
    np.array([0, 0, 1]),
    np.array([1, 2, 0]),
)
SCORES = np.array([[9.0, 1.0, 2.0, 0.0, -0.5], [0.3, 0.7, -1.0, 0.2, 8.0]])
WEIGHTS = np.array([1.0, 3.0, 1.0, 1.0, 1.0])


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def held_out(histories):
    return cut_at_share(histories, 30, users=range(40, 60))


class TestByHand:
    def value(self, loss, weights=WEIGHTS, **more):
        scores, weights = (torch.tensor(given, dtype=torch.float32) for given in (SCORES, weights))
        return float(loss(scores, TWO, weights, **more))

    def test_softmax(self):
        first, second = SCORES[0, 1:], SCORES[1, :4]  # without what each had
        logs = first - np.log(np.exp(first).sum())
        other = second[0] - np.log(np.exp(second).sum())
        assert self.value(softmax, np.ones(5)) == pytest.approx(-(logs[:2].mean() + other) / 2, rel=1e-5)
        weighted = 0.75 * logs[0] + 0.25 * logs[1]
        assert self.value(softmax) == pytest.approx(-(weighted + other) / 2, rel=1e-5)

    def test_bpr(self):
        first = 0.75 * np.log(sigmoid([1 - 0, 1 + 0.5])).mean() + 0.25 * np.log(sigmoid([2, 2.5])).mean()
        second = np.log(sigmoid([0.3 - 0.7, 0.3 + 1.0, 0.3 - 0.2])).mean()
        assert self.value(bpr) == pytest.approx(-(first + second) / 2, rel=1e-5)

    @pytest.mark.parametrize("positive", [1.0, 4.0])
    def test_bce(self, positive):
        labels = np.array([0.75 * np.log(sigmoid(1)) + 0.25 * np.log(sigmoid(2)), np.log(sigmoid(0.3))])
        rest = np.array(
            [np.log(sigmoid([0, 0.5])).sum() / 2, np.log(sigmoid([-0.7, 1, -0.2])).sum()]
        )  # the first has two labels
        expected = -(positive * labels + rest).mean()
        assert self.value(bce, positive=positive) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("positive", [1.0, 4.0])
    def test_mse(self, positive):
        labels = np.array([0.75 * (1 - 1) ** 2 + 0.25 * (1 - 2) ** 2, (1 - 0.3) ** 2])
        rest = np.array([(0 + 0.25) / 2, 0.49 + 1 + 0.04])
        assert self.value(mse, positive=positive) == pytest.approx(
            (positive * labels + rest).mean(), rel=1e-5
        )


class TestGradients:
    @pytest.mark.parametrize("name", NAMES)
    def test_labels_go_up_the_rest_goes_down_and_the_seen_stays(self, name):
        scores = torch.zeros(2, 5, requires_grad=True)
        WHOLE[name](scores, TWO, torch.ones(5)).backward()
        labels, seen = TWO.relevant.toarray() > 0, TWO.seen.toarray() > 0
        gradient = scores.grad.numpy()
        assert (gradient[labels] < 0).all()
        assert (gradient[seen] == 0).all()
        rest = gradient[~labels & ~seen]
        assert (rest == 0).all() if name == "mse" else (rest > 0).all()  # at 0 the squares are there

    @pytest.mark.parametrize("name", NAMES)
    def test_they_are_the_slope(self, name):
        scores = torch.tensor(SCORES, requires_grad=True)
        weights = torch.tensor(WEIGHTS)
        loss = WHOLE[name]
        if name == "softmax":  # its -1e4 in place of what was seen is exact to 1e-12 only in float64
            scores = scores.detach().clamp(-2, 2).requires_grad_()
        assert torch.autograd.gradcheck(lambda given: loss(given, TWO, weights), [scores])


class TestSampled:
    """The catalogue is skewed: an item's popularity falls as 1 / rank."""

    POPULARITY = np.log1p(3000.0 / (1 + np.arange(30))).astype(np.float32)

    def losses(self, evidence, histories, name, negatives, draws, *, power=0.75, corrected=True):
        skewed = replace(evidence, log_prior=self.POPULARITY)  # what is drawn most scores best, as it would
        tower, examples = Tower(skewed, SMALL).eval(), held_out(histories)
        inputs, weights = UserInputs.of(examples, evidence.vectors), torch.linspace(1, 2, 30)
        rng = np.random.default_rng(0)
        sampled = []
        with torch.no_grad():
            whole = float(WHOLE[name](tower(inputs), examples, weights))
            for _ in range(draws):
                drawn, log_q = draw_negatives(self.POPULARITY, negatives, power, rng)
                if not corrected:
                    log_q = torch.full_like(log_q, np.log(negatives / 30))  # as if drawn uniformly
                sampled.append(float(SAMPLED[name](tower, inputs, examples, weights, drawn, log_q)))
        return whole, np.array(sampled)

    @pytest.mark.parametrize("name", NAMES)
    def test_comes_close_to_the_whole_as_negatives_grow(self, evidence, histories, name):
        errors = []
        for negatives in (20, 400, 20_000):
            whole, sampled = self.losses(evidence, histories, name, negatives, 12)
            errors.append(np.abs(sampled - whole).mean())
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 0.01 * whole

    @pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("name", NAMES)
    def test_however_they_are_drawn(self, evidence, histories, name, power):
        whole, sampled = self.losses(evidence, histories, name, 20_000, 3, power=power)
        assert sampled.mean() == pytest.approx(whole, rel=0.01)

    @pytest.mark.parametrize("name", NAMES)
    def test_without_the_correction_it_is_far_off(self, evidence, histories, name):
        whole, corrected = self.losses(evidence, histories, name, 5000, 4)
        _, naive = self.losses(evidence, histories, name, 5000, 4, corrected=False)
        assert np.abs(corrected - whole).mean() < 0.02 * whole
        assert np.abs(naive - whole).mean() > 0.05 * whole

    @pytest.mark.parametrize("name", ["bce", "mse"])
    def test_sums_are_unbiased_with_few_negatives(self, evidence, histories, name):
        whole, sampled = self.losses(evidence, histories, name, 5, 400)
        assert abs(sampled.mean() - whole) < 4 * sampled.std() / 20

    @pytest.mark.parametrize("name", NAMES)
    def test_a_draw_of_nothing_but_labels_is_survived(self, evidence, histories, name):
        tower, examples = Tower(evidence, SMALL).eval(), held_out(histories).take(np.array([0]))
        inputs = UserInputs.of(examples, evidence.vectors)
        label = torch.from_numpy(examples.labels[:1])
        loss = SAMPLED[name](tower, inputs, examples, torch.ones(30), label, torch.zeros(1))
        assert torch.isfinite(loss)
        assert isinstance(examples.seen, csr_array)

    def test_scores_far_apart_do_not_overflow(self, evidence, histories):
        loud = replace(evidence, contexts=evidence.contexts * 500)
        examples = held_out(histories)
        inputs = UserInputs.of(examples, loud.vectors)
        drawn, log_q = draw_negatives(self.POPULARITY, 300, 0.75, np.random.default_rng(0))
        tower = Tower(loud, SMALL).eval()
        loss = sampled_softmax(tower, inputs, examples, torch.ones(30), drawn, log_q)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(tower.mix.grad).all()


class TestCalibrated:
    @pytest.mark.parametrize("name", ["bce", "mse"])
    def test_it_finds_the_best_scale_and_offset_and_leaves_the_tower_alone(self, evidence, histories, name):
        tower, examples = Tower(evidence, SMALL).eval(), held_out(histories)
        before = tower.layers()
        inputs = UserInputs.of(examples, evidence.vectors)
        scorer, weights = Calibrated(tower), torch.ones(30)

        @torch.no_grad()
        def value():
            return float(loss())

        def loss():
            return WHOLE[name](scorer.users(inputs) @ scorer.items().T, examples, weights)

        start = value()
        scorer.fit(loss)
        best = value()
        assert best < start
        for scale, offset in ((1.1, 0), (0.9, 0), (1, 0.05), (1, -0.05)):
            kept = scorer.scale, scorer.offset
            scorer.scale, scorer.offset = kept[0] * scale, kept[1] + offset
            assert value() > best
            scorer.scale, scorer.offset = kept
        np.testing.assert_allclose(
            (scorer.users(inputs) @ scorer.items().T).detach(),
            (tower(inputs) * scorer.scale + scorer.offset).detach(),
            rtol=1e-4,
            atol=1e-5,
        )
        assert all(np.array_equal(value, tower.layers()[key]) for key, value in before.items())
        assert all(parameter.grad is None for parameter in tower.parameters())

    def test_with_log_odds_as_many_items_are_expected_as_are_taken(self, evidence, histories):
        # users with one label each: where the slope by the offset is 0, the probabilities add up to 1
        found = held_out(histories)
        counts = np.bincount(found.label_owner, minlength=len(found))
        examples = found.take(np.flatnonzero(counts == 1))
        assert len(examples) > 3
        tower = Tower(evidence, SMALL).eval()
        inputs = UserInputs.of(examples, evidence.vectors)
        scorer = Calibrated(tower)
        scorer.fit(lambda: bce(scorer.users(inputs) @ scorer.items().T, examples, torch.ones(30)))
        chance = torch.sigmoid(scorer.users(inputs) @ scorer.items().T).detach().numpy()
        assert (chance * (examples.seen.toarray() == 0)).sum(axis=1).mean() == pytest.approx(1, rel=0.01)

    def test_an_order_is_never_turned_around(self, evidence, histories):
        scorer = Calibrated(Tower(evidence, SMALL).eval())
        scorer.fit(lambda: (scorer.scale + 2) ** 2 + scorer.offset**2)
        assert scorer.scale > 0
