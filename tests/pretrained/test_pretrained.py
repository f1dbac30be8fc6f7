"""Pretraining: what comes out, that it is the same twice, and that it survives the disk."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from rectransfer.artefacts import read_arrays
from rectransfer.artefacts.card import card_sha256
from rectransfer.embeddings import Item2Vec, User2Vec
from rectransfer.errors import ArtefactError, InputError
from rectransfer.logs import InteractionLog
from rectransfer.neighbours import ItemWeights, UserKernel, solve_neighbours
from rectransfer.pretrained import PretrainConfig, load_pretrained, pretrain
from rectransfer.ranking import Ranker, TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig


def log_of(rows):
    return InteractionLog.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"), name="tiny"
    )


def assert_same(first, second):
    assert first.items.digest() == second.items.digest()
    assert first.users.digest() == second.users.digest()
    assert dict(first.items.provenance) == dict(second.items.provenance)
    assert first.tower.keys() == second.tower.keys()
    for name, value in first.tower.items():
        np.testing.assert_array_equal(value, second.tower[name])
    assert first.ranker.names == second.ranker.names
    for name, value in first.ranker.arrays().items():
        np.testing.assert_array_equal(value, second.ranker.arrays()[name])
    np.testing.assert_array_equal(first.popularity, second.popularity)
    assert (first.weights is None) == (second.weights is None)
    if first.weights is not None:
        assert first.weights.arrays().keys() == second.weights.arrays().keys()
        for name, value in first.weights.arrays().items():
            np.testing.assert_array_equal(value, second.weights.arrays()[name])
    assert (first.taken is None) == (second.taken is None)
    if first.taken is not None:
        np.testing.assert_array_equal(first.taken.toarray(), second.taken.toarray())
    assert first.l2 == second.l2
    assert (first.histories is None) == (second.histories is None)
    if first.histories is not None:
        assert first.histories.frame.equals(second.histories.frame)


class TestPretrain:
    def test_what_comes_out(self, pretrained, domains):
        log = domains.source
        assert pretrained.items.vocabulary == log.items
        assert pretrained.users.vocabulary == log.users
        buyers = log.frame.group_by("item_id").agg(pl.col("user_id").n_unique()).sort("item_id")
        np.testing.assert_allclose(pretrained.popularity, np.log1p(buyers["user_id"].to_numpy()), rtol=1e-6)
        assert pretrained.weights is None  # the counts tell it
        counts = np.zeros((120, 40))
        rows = log.users.rows(log.frame["user_id"]), log.items.rows(log.frame["item_id"])
        np.add.at(counts, rows, 1)
        np.testing.assert_array_equal(pretrained.taken.toarray(), counts)
        assert pretrained.l2 in (20.0, 100.0)
        assert pretrained.l2 == pretrained.card["held_out"]["neighbours_l2"]
        assert pretrained.histories.frame.equals(log.frame)
        assert {name.partition(".")[0] for name in pretrained.ranker.names} == {"source"}
        assert "source.tower" in pretrained.ranker.names
        assert repr(pretrained) == "Pretrained(40 items, 120 users)"

    def test_repeats_are_counted(self, domains, quick):
        log = domains.source
        again = log.frame.head(300).with_columns(pl.col("timestamp").dt.offset_by("1d"))
        found = pretrain(
            log.with_frame(pl.concat([log.frame, again]).sort("user_id", "timestamp")), config=quick
        )
        assert found.taken.sum() == len(log) + 300
        assert found.taken.max() == 2

    def test_the_card(self, pretrained, domains):
        card = pretrained.card
        assert (card["name"], card["rows"], card["users"], card["items"]) == ("planted source", 1200, 120, 40)
        assert card["span"] == [when.isoformat() for when in domains.source.span]
        assert card["seed"] == 5
        assert card["versions"].keys() >= {"rectransfer", "python", "torch", "gensim"}
        held_out = card["held_out"]
        assert 0 < held_out["users"] <= 12  # the half of 20 % that the ranker did not learn from
        assert 0 <= held_out["ndcg@10"] <= 1
        assert 0 <= held_out["ndcg@10_untrained"] <= 1
        assert held_out["tower_epochs"] in (0, 1, 2)
        assert json.loads(json.dumps(dict(card))) == dict(card)

    def test_deterministic_twice_is_the_same_bit_for_bit(self, pretrained, domains, quick):
        assert_same(pretrain(domains.source, config=quick, deterministic=True, seed=5), pretrained)

    def test_another_seed_is_another_result(self, pretrained, domains, quick):
        other = pretrain(domains.source, config=quick, deterministic=True, seed=6)
        assert other.items.digest() != pretrained.items.digest()

    def test_nothing_global_moves(self, domains, quick):
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        pretrain(domains.source, config=quick)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads

    def test_the_clusters_are_found(self, pretrained, domains):
        clusters = dict(domains.items.select("item_id", "source_cluster").iter_rows())
        rows = pretrained.items.vocabulary.ids.to_list()
        affinity = pretrained.items.vectors @ pretrained.items.contexts.T
        own = np.array([[clusters[a] == clusters[b] for b in rows] for a in rows])
        np.fill_diagonal(affinity, np.nan)
        assert np.nanmean(affinity[own]) > np.nanmean(affinity[~own]) + 0.05


class TestFewUsers:
    def test_under_twenty_nobody_is_held_out(self, domains, quick, caplog):
        some = domains.source.users.ids[:19]
        log = domains.source.with_frame(domains.source.frame.filter(pl.col("user_id").is_in(some.to_list())))
        found = pretrain(log, config=quick)
        assert "19 users are too few to hold any out" in caplog.text
        assert found.card["held_out"] == {}
        assert found.l2 == 100.0  # the one in the middle: nothing is chosen
        start = Ranker.standard(found.ranker.names, quick.ranker.hidden, 0)
        for name, value in start.arrays().items():
            np.testing.assert_array_equal(found.ranker.arrays()[name], value)

    def test_two_users_one_pair(self, quick):
        found = pretrain(log_of([("u", "a", 1), ("u", "b", 2), ("v", "a", 1), ("v", "b", 2)]), config=quick)
        assert len(found.items) == 2

    def test_one_user_is_enough_for_a_table(self, quick):
        found = pretrain(log_of([("u", "a", 1), ("u", "b", 2), ("u", "c", 3)]), config=quick)
        assert len(found.users.vocabulary) == 1

    def test_one_item_is_refused_in_clear_words(self, quick):
        with pytest.raises(InputError, match="two"):
            pretrain(log_of([("u", "a", 1), ("v", "a", 2)]), config=quick)

    def test_one_item_of_many_users_is_refused_in_clear_words(self, quick):
        with pytest.raises(InputError, match="two"):
            pretrain(log_of([(f"u{n}", "a", n) for n in range(40)]), config=quick)

    def test_one_row_a_user_is_refused_in_clear_words(self, quick):
        with pytest.raises(InputError, match="two"):
            pretrain(log_of([(f"u{n:02d}", f"i{n % 7}", n) for n in range(40)]), config=quick)

    def test_users_who_bought_once_among_others(self, quick):
        """Hold-outs without any usable history must not stop the rest."""
        rows = [(f"u{n:02d}", f"i{n % 7}", 1) for n in range(40)]
        rows += [(f"u{n:02d}", f"i{(n + 1) % 7}", 2) for n in range(3)]
        found = pretrain(log_of(rows), config=quick)
        assert found.items.vocabulary.ids.to_list() == ["i0", "i1", "i2", "i3"]
        assert len(found.users.vocabulary) == 24  # those with one of them


class TestConfig:
    def test_survives_json(self, quick):
        config = replace(quick, by="user", user2vec=User2Vec(method="pv-dbow"), keep_histories=7)
        assert PretrainConfig.from_fields(json.loads(json.dumps(asdict(config)))) == config

    def test_a_seed_reaches_every_stage(self, quick):
        seeded = quick.seeded(9, deterministic=True)
        assert (seeded.item2vec.seed, seeded.user2vec.seed) == (9, 9)
        assert seeded.item2vec.deterministic
        assert seeded.user2vec.deterministic
        already = replace(quick, item2vec=Item2Vec(deterministic=True)).seeded(1, deterministic=False)
        assert already.item2vec.deterministic

    @pytest.mark.parametrize(
        "settings",
        [
            {"held_out": 0.0},
            {"held_out": 1.0},
            {"keep_histories": -1},
            {"most_held_out": 0},
            {"neighbours_l2": 0.0},
            {"neighbours_l2": ()},
            {"neighbours_l2": (100.0, 0.0)},
            {"towers": 0},
            {"per_user": 0},
        ],
    )
    def test_settings_out_of_range_are_refused(self, settings):
        with pytest.raises(InputError, match=next(iter(settings))):
            PretrainConfig(**settings)

    def test_keep_histories_keeps_the_latest(self, domains, quick):
        found = pretrain(domains.source, config=replace(quick, keep_histories=3))
        assert found.histories.frame.equals(
            domains.source.frame.group_by("user_id", maintain_order=True).tail(3)
        )

    def test_without_histories_no_interaction_is_written(self, domains, quick, tmp_path):
        found = pretrain(domains.source, config=replace(quick, keep_histories=0), deterministic=True)
        assert found.histories is None
        assert found.taken is None
        found.save(tmp_path / "source")
        assert not list((tmp_path / "source").glob("*histories*"))
        (file,) = (tmp_path / "source").glob("statistics*.safetensors")
        arrays = read_arrays(file)
        weights = {"data", "indices", "indptr", "rarity", "scalars"}
        followed = {"data", "indices", "indptr", "totals", "arrivals"}
        assert arrays.keys() == {
            "popularity",
            *(f"habits.{name}" for name in ("takers", "returners", "weights")),
            *(f"weights.{name}" for name in weights),
            *(f"transitions.{name}" for name in followed),
        }
        for part in ("weights", "transitions"):
            assert len(arrays[f"{part}.indptr"]) == 40 + 1  # a row for each item, none for a user
        loaded = load_pretrained(tmp_path / "source")
        assert_same(loaded, found)

    @pytest.mark.parametrize("few_users", [True, False])
    def test_without_histories_its_weights_say_what_its_counts_would(self, domains, quick, few_users):
        """With fewer users than items the weights are solved by way of the users, who must not go along."""
        users = domains.source.users.ids[: 30 if few_users else 120].to_list()
        log = domains.source.with_frame(domains.source.frame.filter(pl.col("user_id").is_in(users)))
        found = pretrain(log, config=replace(quick, keep_histories=0), deterministic=True)
        assert isinstance(found.weights.solution, ItemWeights)
        with_counts = pretrain(log, config=quick, deterministic=True)
        expected = solve_neighbours(with_counts.taken, with_counts.l2)
        assert isinstance(expected.solution, UserKernel) == few_users
        some = with_counts.taken[:9]
        np.testing.assert_allclose(found.weights.scores(some), expected.scores(some), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("config", [PretrainConfig, RecommenderConfig])
    def test_penalties_may_be_a_list_and_one_is_told_from_several(self, config):
        assert config(neighbours_l2=[3.0, 4.0]).neighbours_l2 == (3.0, 4.0)
        with pytest.raises(InputError, match=r"\(50\.0,\) for a single one"):
            config(neighbours_l2=50.0)


class TestSaved:
    @pytest.fixture
    def folder(self, pretrained, tmp_path):
        pretrained.save(tmp_path / "source")
        return tmp_path / "source"

    def test_everything_comes_back(self, pretrained, folder):
        loaded = load_pretrained(folder)
        assert_same(loaded, pretrained)
        assert loaded.config == pretrained.config
        assert dict(loaded.card) == dict(pretrained.card)

    def test_a_recommender_on_it_recommends_the_same(self, pretrained, folder, domains):
        config = RecommenderConfig(
            item2vec=Item2Vec(dimensions=8, epochs=3),
            tower=TowerConfig(hidden=8, width=4),
            train=TrainConfig(epochs=1),
            fine_tune=TrainConfig(epochs=1),
            folds=2,
        )
        lists = [
            Recommender(source, config=config).fit(domains.target).recommend(k=5)
            for source in (pretrained, load_pretrained(folder))
        ]
        assert lists[0].equals(lists[1])

    def test_saved_again_over_itself(self, pretrained, folder):
        loaded = load_pretrained(folder)
        loaded.save(folder)
        assert_same(load_pretrained(folder), pretrained)

    def test_no_pickle(self, folder):
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {
            ".json",
            ".safetensors",
            ".parquet",
        }

    def test_every_file_is_checked(self, folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "card.json")
        assert len(files) >= 6
        for file in files:
            whole = file.read_bytes()
            altered = bytearray(whole)
            altered[len(whole) // 2] ^= 1
            for damaged in (bytes(altered), whole[: len(whole) // 2], b"", None):
                file.write_bytes(damaged) if damaged is not None else file.unlink()
                with pytest.raises(ArtefactError, match=file.name.split("-")[0].split(".")[0]):
                    load_pretrained(folder)
            file.write_bytes(whole)
        load_pretrained(folder)

    @pytest.mark.parametrize(
        "change",
        [
            lambda fields: fields.pop("config"),
            lambda fields: fields.pop("signals"),
            lambda fields: fields["signals"].pop(),
            lambda fields: fields["config"].update(stranger=1),
            lambda fields: fields.update(hidden=5),
            lambda fields: fields["config"]["ranker"].update(hidden=-1),
            lambda fields: fields["config"].update(neighbours_l2=[]),
            lambda fields: fields["config"]["train"].update(epochs=-1),
            lambda fields: fields.pop("card"),
            lambda fields: fields["items"].update(ns_exponent="x"),
            lambda fields: fields.clear(),
        ],
    )
    def test_a_card_that_does_not_fit_is_an_artefact_error(self, folder, change):
        card = json.loads((folder / "card.json").read_text())
        change(card["pretrained"])
        card["card_sha256"] = card_sha256(card)  # so that it isn't the checksum that refuses it
        (folder / "card.json").write_text(json.dumps(card))
        with pytest.raises(ArtefactError, match="source"):
            load_pretrained(folder)

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "pretrained"}'])
    def test_a_broken_card_is_an_artefact_error(self, folder, content):
        (folder / "card.json").write_text(content)
        with pytest.raises(ArtefactError):
            load_pretrained(folder)

    def test_another_kind_and_a_missing_folder_are_artefact_errors(self, pretrained, tmp_path):
        pretrained.items.save(tmp_path / "table")
        for folder in (tmp_path / "table", tmp_path / "nowhere"):
            with pytest.raises(ArtefactError, match=folder.name):
                load_pretrained(folder)

    def test_somebody_elses_folder_is_left_alone(self, pretrained, tmp_path):
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(InputError):
            pretrained.save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
    def test_killed_while_saving_the_old_version_stays(self, pretrained, folder):
        """A process loads the folder, changes it, and is killed when all but the card is written."""
        script = """
            import os, signal, sys
            from dataclasses import replace
            import numpy as np
            from rectransfer.pretrained import load_pretrained

            found = replace(load_pretrained(sys.argv[1]), popularity=np.zeros(40, np.float32))
            real = os.replace
            def replace_and_die(source, target, *more, **named):
                if str(target).endswith("card.json"):
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(source, target, *more, **named)
            os.replace = replace_and_die
            os.rename = replace_and_die
            found.save(sys.argv[1])
        """
        root = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(folder)],
            env={**os.environ, "PYTHONPATH": root},
            check=False,
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert_same(load_pretrained(folder), pretrained)
        strays = len(list(folder.iterdir()))
        load_pretrained(folder).save(folder)
        assert len(list(folder.iterdir())) <= strays
        assert_same(load_pretrained(folder), pretrained)
