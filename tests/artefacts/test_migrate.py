"""What was saved once can be read for good: older cards are brought up to date, step by step."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rectransfer.artefacts import CARD, SCHEMA_VERSION, load_artefact, migrate, save_artefact
from rectransfer.artefacts.migrate import STEPS, migrated
from rectransfer.embeddings import EmbeddingTable
from rectransfer.errors import ArtefactError

OLD = sorted(Path(__file__).parent.glob("v[0-9]*"))


@pytest.mark.parametrize("folder", OLD, ids=lambda path: path.name)
def test_a_folder_of_every_version_is_read(folder):
    card = json.loads((folder / "embedding_table" / CARD).read_text())
    assert card["schema_version"] == int(folder.name[1:])
    table = EmbeddingTable.load(folder / "embedding_table")
    assert table.vocabulary.ids.to_list() == ["milk", "rice", "tea"]
    np.testing.assert_array_equal(table.vectors, np.arange(6, dtype=np.float32).reshape(3, 2) / 4)
    assert table.counts.tolist() == [3, 1, 2]


def test_there_is_a_folder_and_a_step_for_each_version():
    assert [folder.name for folder in OLD] == [f"v{number}" for number in range(1, SCHEMA_VERSION + 1)]
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))


def two_steps(monkeypatch):
    """As if this release wrote version 3: `rows` was `n_rows` in 2, and lay in a list in 1."""

    def named(card):
        card["rows"] = card.pop("n_rows")
        return card

    steps = {1: lambda card: {**card, "n_rows": card["numbers"][0]}, 2: named}
    monkeypatch.setattr(migrate, "STEPS", steps)
    monkeypatch.setattr(migrated, "__kwdefaults__", {"steps": steps, "current": 3})
    monkeypatch.setattr(migrate.readable, "__defaults__", (3,))


def test_all_steps_are_taken_in_turn(tmp_path, monkeypatch):
    files = {"a.txt": lambda path: path.write_text("hi")}
    save_artefact(tmp_path / "old", kind="note", files=files, card={"numbers": [7]})
    before = (tmp_path / "old" / CARD).read_bytes()
    two_steps(monkeypatch)
    note = load_artefact(tmp_path / "old", kind="note")
    assert (note.card["rows"], note.card["schema_version"]) == (7, 3)
    assert "n_rows" not in note.card
    assert note.path("a.txt").read_text() == "hi"
    assert (tmp_path / "old" / CARD).read_bytes() == before  # reading changes nothing on disk


def test_a_step_that_fails_names_the_folder_and_the_versions(tmp_path, monkeypatch):
    save_artefact(tmp_path / "old", kind="note", files={}, card={"numbers": []})
    two_steps(monkeypatch)
    with pytest.raises(ArtefactError, match=r"old.card\.json could not be brought from .* 1 to 2"):
        load_artefact(tmp_path / "old", kind="note")


def test_a_missing_step_and_a_newer_version_are_refused(tmp_path):
    with pytest.raises(ArtefactError, match="no step leads from 2 to 3"):
        migrated({"schema_version": 1}, tmp_path, steps={1: lambda card: card}, current=3)
    for version in (4, 0, True, "1", None):
        with pytest.raises(ArtefactError, match=r"reads versions 1 to 3; install"):
            migrated({"schema_version": version}, tmp_path, current=3)


def test_the_checksum_is_of_what_was_saved_not_of_what_became_of_it(tmp_path):
    shutil.copytree(OLD[0] / "embedding_table", tmp_path / "altered")
    path = tmp_path / "altered" / CARD
    path.write_text(path.read_text().replace('"by hand"', '"by foot"'))
    with pytest.raises(ArtefactError, match="altered"):
        EmbeddingTable.load(tmp_path / "altered")
