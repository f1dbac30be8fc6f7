"""Training: what moves, what must not, and that the sampled loss means what the whole one means."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch.nn import functional

from rectransfer.errors import InputError
from rectransfer.ranking import (
    Examples,
    Histories,
    Tower,
    TowerConfig,
    TrainConfig,
    UserInputs,
    cut_at_random,
    cut_at_share,
    fit_tower,
    sampled_softmax,
    softmax,
)
from rectransfer.ranking import train as room
from rectransfer.vocabulary import Vocabulary

SMALL = TowerConfig(hidden=8, width=4)
QUICK = TrainConfig(epochs=3, learning_rate=0.01, batch=32)
POPULARITY = np.log1p(np.arange(30, 0, -1)).astype(np.float32)
LEARNING = range(40)


def digest(tower):
    state = hashlib.sha256()
    for name, table in tower.named_buffers():
        state.update(name.encode() + table.numpy().tobytes())
    return state.hexdigest()


def train(evidence, histories, config=QUICK, *, seed=0, **more):
    tower = Tower(evidence, SMALL, seed)
    more = {"popularity": POPULARITY, "users": LEARNING, **more}
    trained = fit_tower(tower, histories, config, seed=seed, **more)
    return tower, trained


def held_out(histories):
    return cut_at_share(histories, 30, users=range(40, 60))


class TestFrozen:
    @pytest.mark.parametrize("full_up_to", [50_000, 0])
    @pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
    def test_tables_stay_bit_for_bit_and_layers_move(self, evidence, histories, optimiser, full_up_to):
        before = digest(Tower(evidence, SMALL))
        start = Tower(evidence, SMALL).layers()
        config = replace(
            QUICK, optimiser=optimiser, full_up_to=full_up_to, negatives=50, l1=1e-4, label_weighting=0.5
        )
        tower, trained = train(evidence, histories, config, validation=held_out(histories))
        assert digest(tower) == before
        assert np.isfinite(trained.losses).all()
        tower, _ = train(evidence, histories, config)
        assert digest(tower) == before
        moved = {name for name, value in tower.layers().items() if not np.array_equal(value, start[name])}
        assert moved == set(start)

    def test_tables_get_no_gradient(self, evidence, histories):
        tower, _ = train(evidence, histories)
        assert all(table.grad is None and not table.requires_grad for table in tower.buffers())


class TestGlobalState:
    def test_random_state_and_threads_are_untouched(self, evidence, histories):
        torch.random.manual_seed(11)
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        legacy = np.random.get_state()[1].tolist()  # noqa: NPY002 (it is the state that must not move)
        train(evidence, histories, validation=held_out(histories))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002

    def test_twice_gives_the_same_whatever_the_global_state(self, evidence, histories):
        first, _ = train(evidence, histories, seed=3)
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(99)
            again, _ = train(evidence, histories, seed=3)
        other, _ = train(evidence, histories, seed=4)
        assert all(np.array_equal(value, again.layers()[name]) for name, value in first.layers().items())
        assert not np.array_equal(first.layers()["mix"], other.layers()["mix"])


class TestLearning:
    def test_it_learns_the_groups(self, evidence, histories):
        blank = replace(
            evidence, contexts=np.random.default_rng(9).normal(size=(30, 8)).astype(np.float32) / 10
        )
        config = TrainConfig(epochs=15, learning_rate=0.02, batch=32)
        _, trained = train(blank, histories, config, validation=held_out(histories))
        assert trained.epochs > 0
        assert max(trained.validation) > trained.validation[0] + 0.05
        assert trained.losses[-1] < trained.losses[0] - 0.05

    def test_the_best_epoch_is_kept(self, evidence, histories, monkeypatch):
        values = iter([0.2, 0.1, 0.5, 0.3, 0.4])
        seen = []

        def validate(tower, _):
            seen.append(tower.layers())
            return next(values)

        monkeypatch.setattr(room, "_validate", validate)
        tower, trained = train(
            evidence, histories, replace(QUICK, epochs=9, patience=2), validation=held_out(histories)
        )
        assert trained.epochs == 2
        assert trained.validation == (0.2, 0.1, 0.5, 0.3, 0.4)
        assert len(trained.losses) == 4
        assert all(np.array_equal(value, seen[2][name]) for name, value in tower.layers().items())

    def test_the_start_counts_as_an_epoch(self, evidence, histories, monkeypatch):
        values = iter([0.9, 0.1, 0.2, 0.3])
        monkeypatch.setattr(room, "_validate", lambda *_: next(values))
        tower, trained = train(
            evidence, histories, replace(QUICK, epochs=3, patience=5), validation=held_out(histories)
        )
        assert trained.epochs == 0
        start = Tower(evidence, SMALL).layers()
        assert all(np.array_equal(value, start[name]) for name, value in tower.layers().items())

    def test_validation_is_ndcg_at_50_by_hand(self, evidence):
        # three items; the tower's score is the prior alone, as nobody's history has a vector
        three = replace(
            evidence,
            vectors=np.zeros((3, 2), np.float32),
            contexts=np.zeros((3, 2), np.float32),
            log_prior=np.array([3, 2, 1], np.float32),
            popularity=np.zeros(3, np.float32),
            known=np.ones(3, bool),
            weights=None,
        )
        one = Examples(
            *(np.array([0]), 3), *(np.array([0]),) * 2, np.array([1]), np.array([0]), np.array([2])
        )
        # item 0 was seen and leaves the ranking: item 2 comes second
        assert room._validate(Tower(three, SMALL), one) == pytest.approx(1 / np.log2(3))

    def test_without_validation_the_last_epoch_is_kept(self, evidence, histories):
        _, trained = train(evidence, histories)
        assert trained.epochs == 3
        assert trained.validation == ()

    def test_no_epochs_leave_it_as_it_is(self, evidence, histories):
        tower, trained = train(evidence, histories, replace(QUICK, epochs=0))
        start = Tower(evidence, SMALL).layers()
        assert (trained.epochs, trained.losses) == (0, ())
        assert all(np.array_equal(value, start[name]) for name, value in tower.layers().items())

    def test_users_with_one_visit_teach_nothing(self, evidence, caplog):
        once = Histories(
            Vocabulary.from_ids(["u", "v"]), np.array([0, 1, 2]), np.array([3, 4]), np.zeros(2, np.int64)
        )
        tower, trained = train(evidence, once, users=None)
        assert trained.epochs == 0
        assert "no user has two visits" in caplog.text
        assert not tower.training

    def test_it_is_left_in_evaluation_mode(self, evidence, histories):
        assert not train(evidence, histories)[0].training

    def test_progress_may_be_shown(self, evidence, histories, capsys):
        train(evidence, histories, replace(QUICK, epochs=1), progress=True)
        assert "tower" in capsys.readouterr().err
        train(evidence, histories, replace(QUICK, epochs=1))
        assert capsys.readouterr().err == ""


class TestOptions:
    def test_l2_shrinks(self, evidence, histories):
        sizes = [
            sum(
                (value**2).sum()
                for value in train(evidence, histories, replace(QUICK, l2=l2))[0].layers().values()
            )
            for l2 in (0.0, 5.0)
        ]
        assert sizes[1] < sizes[0] * 0.95

    def test_l1_shrinks(self, evidence, histories):
        sizes = [
            sum(
                np.abs(value).sum()
                for value in train(evidence, histories, replace(QUICK, l1=l1))[0].layers().values()
            )
            for l1 in (0.0, 0.1)
        ]
        assert sizes[1] < sizes[0] * 0.95

    def test_label_weighting_lifts_rare_items(self, evidence, histories):
        config = TrainConfig(epochs=8, learning_rate=0.02, batch=32)
        rare, examples = np.arange(30) >= 25, held_out(histories)
        mass = []
        for weighting in (0.0, 2.0):
            tower, _ = train(evidence, histories, replace(config, label_weighting=weighting))
            scores = torch.from_numpy(tower.encode_users(examples) @ tower.encode_items().T)
            mass.append(float(functional.softmax(scores, dim=1).numpy()[:, rare].sum(axis=1).mean()))
        assert mass[1] > mass[0] * 1.3

    def test_labels_in(self, evidence, histories, monkeypatch):
        found = []

        def cut(*arguments, **named):
            found.append(named["labels_in"])
            return cut_at_random(*arguments, **named)

        monkeypatch.setattr(room, "cut_at_random", cut)
        allowed = np.arange(30) < 10
        train(evidence, histories, replace(QUICK, epochs=1), labels_in=allowed)
        assert found == [allowed] or (found[0] is allowed)

    @pytest.mark.parametrize(
        "settings",
        [
            {"batch": 0},
            {"per_user": 0},
            {"negatives": 0},
            {"patience": 0},
            {"epochs": -1},
            {"l1": -0.1},
            {"l2": -0.1},
            {"label_weighting": -1.0},
            {"full_up_to": -1},
            {"learning_rate": 0.0},
            {"learning_rate": float("nan")},
            {"optimiser": "lion"},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match=next(iter(settings))):
            TrainConfig(**settings)


class TestSoftmax:
    def test_by_hand(self):
        # one user: item 0 seen; labels 1 and 2 of items 0..3
        one = Examples(
            np.array([0]), 4, np.array([0]), np.array([0]), np.array([1]), np.array([0, 0]), np.array([1, 2])
        )
        scores = np.array([9.0, 1.0, 2.0, 0.0])
        logs = scores[1:] - np.log(np.exp(scores[1:]).sum())
        tensor = torch.tensor(scores[None], dtype=torch.float32)
        assert float(softmax(tensor, one, torch.ones(4))) == pytest.approx(-logs[:2].mean(), rel=1e-5)
        weights = torch.tensor([1.0, 3.0, 1.0, 1.0])
        assert float(softmax(tensor, one, weights)) == pytest.approx(
            -(0.75 * logs[0] + 0.25 * logs[1]), rel=1e-5
        )


class TestSampledSoftmax:
    """The catalogue is skewed: item i is drawn in proportion to (1 + users) ** 0.75."""

    POPULARITY = np.log1p(3000.0 / (1 + np.arange(30))).astype(np.float32)

    def losses(self, evidence, histories, negatives, draws, *, corrected=True):
        skewed = replace(evidence, log_prior=self.POPULARITY)  # what is drawn most scores best, as it would
        tower, examples = Tower(skewed, SMALL).eval(), held_out(histories)
        inputs, weights = UserInputs.of(examples, evidence.vectors), torch.ones(30)
        rng = np.random.default_rng(0)
        sampled = []
        with torch.no_grad():
            whole = float(softmax(tower(inputs), examples, weights))
            for _ in range(draws):
                drawn, log_q = room._draw(self.POPULARITY, negatives, rng)
                if not corrected:
                    log_q = torch.full_like(log_q, np.log(negatives / 30))  # as if drawn uniformly
                sampled.append(float(sampled_softmax(tower, inputs, examples, weights, drawn, log_q)))
        return whole, np.array(sampled)

    def test_comes_close_to_the_whole_as_negatives_grow(self, evidence, histories):
        errors = []
        for negatives in (20, 400, 20_000):
            whole, sampled = self.losses(evidence, histories, negatives, 12)
            errors.append(np.abs(sampled - whole).mean())
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 0.01 * whole

    def test_without_the_correction_it_is_far_off(self, evidence, histories):
        whole, corrected = self.losses(evidence, histories, 5000, 4)
        _, naive = self.losses(evidence, histories, 5000, 4, corrected=False)
        assert np.abs(corrected - whole).mean() < 0.02
        assert np.abs(naive - whole).mean() > 0.5

    def test_log_q_is_how_often_each_is_expected(self):
        drawn, log_q = room._draw(self.POPULARITY, 50_000, np.random.default_rng(0))
        counts = np.bincount(drawn.numpy(), minlength=30)
        expected = np.zeros(30)
        expected[drawn.numpy()] = np.exp(log_q.numpy())
        np.testing.assert_allclose(counts, expected, rtol=0.15)
        assert expected.sum() == pytest.approx(50_000, rel=1e-4)

    def test_gradients_agree_too(self, evidence, histories):
        examples = held_out(histories)
        inputs = UserInputs.of(examples, evidence.vectors)
        drawn, log_q = room._draw(self.POPULARITY, 50_000, np.random.default_rng(0))
        found = []
        for loss_of in (
            lambda tower: softmax(tower(inputs), examples, torch.ones(30)),
            lambda tower: sampled_softmax(tower, inputs, examples, torch.ones(30), drawn, log_q),
        ):
            tower = Tower(evidence, SMALL).eval()
            loss_of(tower).backward()
            found.append(tower.mix.grad)
        torch.testing.assert_close(found[1], found[0], atol=0.02, rtol=0.05)

    def test_every_drawn_item_seen_or_wanted_still_gives_a_finite_loss(self, evidence, histories):
        tower, examples = Tower(evidence, SMALL).eval(), held_out(histories).take(np.array([0]))
        inputs = UserInputs.of(examples, evidence.vectors)
        label = torch.from_numpy(examples.labels[:1])
        loss = sampled_softmax(tower, inputs, examples, torch.ones(30), label, torch.zeros(1))
        assert torch.isfinite(loss)
        assert isinstance(examples.seen, csr_array)

    def test_scores_far_apart_do_not_overflow(self, evidence, histories):
        loud = replace(evidence, contexts=evidence.contexts * 500)
        examples = held_out(histories)
        inputs = UserInputs.of(examples, loud.vectors)
        drawn, log_q = room._draw(self.POPULARITY, 300, np.random.default_rng(0))
        tower = Tower(loud, SMALL).eval()
        loss = sampled_softmax(tower, inputs, examples, torch.ones(30), drawn, log_q)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(tower.mix.grad).all()
