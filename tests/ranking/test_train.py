"""Training: what moves, what must not, and what each option does."""

import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from rectransfer.errors import InputError
from rectransfer.ranking import (
    Augment,
    Examples,
    Histories,
    Tower,
    TowerConfig,
    TrainConfig,
    aim,
    cut_at_random,
    cut_at_share,
    fit_tower,
)
from rectransfer.ranking import train as room
from rectransfer.vocabulary import Vocabulary

SMALL = TowerConfig(hidden=8, width=4)
QUICK = TrainConfig(epochs=3, patience=6, learning_rate=0.01, batch=32)
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
    @pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd", "adagrad", "rmsprop"])
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
        config = TrainConfig(epochs=15, patience=15, learning_rate=0.02, batch=32)
        _, trained = train(blank, histories, config, validation=held_out(histories))
        assert trained.epochs > 0
        assert max(trained.validation) > trained.validation[0] + 0.05
        assert trained.losses[-1] < trained.losses[0] - 0.05

    @pytest.mark.parametrize("full_up_to", [50_000, 0])
    @pytest.mark.parametrize("loss", ["softmax", "bpr", "bce", "mse"])
    def test_each_loss_learns_the_groups(self, evidence, histories, loss, full_up_to):
        noise = np.random.default_rng(9).normal(size=(30, 8)).astype(np.float32) / 10
        config = TrainConfig(
            epochs=15,
            patience=15,
            learning_rate=0.02,
            batch=32,
            loss=loss,
            full_up_to=full_up_to,
            negatives=60,
        )
        blank = replace(evidence, contexts=noise)
        _, trained = train(blank, histories, config, validation=held_out(histories))
        assert max(trained.validation) > trained.validation[0] + 0.04
        assert trained.losses[-1] < trained.losses[0]

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
            {"epochs": 2.5},
            {"batch": float("nan")},
            {"l2": float("nan")},
            {"l1": float("inf")},
            {"loss": "hinge"},
            {"negatives_by": -0.5},
            {"effective_number": 1.0},
            {"effective_number": -0.1},
            {"effective_number": 0.9, "label_weighting": 0.5},
            {"positive_weight": 0.0},
            {"positive_weight": float("nan")},
            {"clip": -1.0},
            {"schedule": "linear"},
            {"augment": 0.2},
            {"augment": "crop"},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match=next(iter(settings))):
            TrainConfig(**settings)

    def test_a_config_survives_json(self):
        config = TrainConfig(loss="bce", augment=Augment(crop=0.3, share=0.7))
        assert TrainConfig(**json.loads(json.dumps(asdict(config)))) == config

    def test_settings_saved_before_there_were_options_mean_what_they_meant(self):
        old = TrainConfig(epochs=12, learning_rate=1e-3, optimiser="adamw", l2=1e-3)
        assert (old.loss, old.negatives_by, old.clip, old.schedule) == ("softmax", 0.75, 5.0, "cosine")
        assert (old.augment, old.effective_number, old.label_weighting) == (None, 0.0, 0.0)

    def test_a_small_clip_slows_plain_gradient_descent(self, evidence, histories):
        start = Tower(evidence, SMALL).layers()["mix"]
        config = replace(QUICK, optimiser="sgd", l2=0.0)
        far, near = (
            np.abs(train(evidence, histories, replace(config, clip=clip))[0].layers()["mix"] - start).max()
            for clip in (0.0, 1e-3)
        )
        assert near < far / 10

    def test_a_cosine_ends_near_0_and_a_constant_does_not(self, evidence, histories, monkeypatch):
        rates = {}
        for schedule in ("cosine", "constant"):
            rates[schedule] = []

            def epoch(tower, examples, optimiser, *_, into=rates[schedule]):
                into.append(optimiser.param_groups[0]["lr"])
                optimiser.step()
                return 0.0

            monkeypatch.setattr(room, "_epoch", epoch)
            train(evidence, histories, replace(QUICK, epochs=4, learning_rate=0.1, schedule=schedule))
        assert rates["constant"] == [0.1] * 4
        expected = [0.05 * (1 + np.cos(np.pi * done / 4)) for done in range(4)]
        assert rates["cosine"] == pytest.approx(expected)

    def test_augmented_histories_go_in_and_what_was_seen_stays(self, evidence, histories, monkeypatch):
        shown, judged = [], []
        inputs_of, loss = room.UserInputs.of, room.Aim.loss
        monkeypatch.setattr(
            room.UserInputs,
            "of",
            lambda examples, vectors: (shown.append(examples), inputs_of(examples, vectors))[1],
        )
        monkeypatch.setattr(
            room.Aim,
            "loss",
            lambda aim, inputs, examples: (judged.append(examples), loss(aim, inputs, examples))[1],
        )
        train(evidence, histories, replace(QUICK, epochs=1, augment=Augment(mask=0.9, share=1)))
        assert len(shown[0].items) < sum(len(one.items) for one in judged)
        assert len(shown[0].labels) == sum(len(one.labels) for one in judged)

    def test_augmentation_changes_what_is_learned(self, evidence, histories):
        plain, same, augmented = (
            train(evidence, histories, replace(QUICK, augment=augment))[0].layers()["mix"]
            for augment in (None, None, Augment(crop=0.5))
        )
        assert np.array_equal(plain, same)
        assert not np.array_equal(plain, augmented)

    @pytest.mark.parametrize(("loss", "drawn"), [("softmax", False), ("bpr", True), ("bce", False)])
    def test_pairs_are_drawn_where_the_catalogue_is_larger_than_the_draw(
        self, evidence, histories, monkeypatch, loss, drawn
    ):
        calls = []
        draw = aim.draw_negatives
        monkeypatch.setattr(aim, "draw_negatives", lambda *given: (calls.append(given[2]), draw(*given))[1])
        config = replace(QUICK, epochs=1, loss=loss, negatives=29, negatives_by=0.4)
        train(evidence, histories, config)
        assert set(calls) == ({0.4} if drawn else set())
