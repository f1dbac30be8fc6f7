"""Folders that were tampered with, checksums and all: a clear error or a working model, and nothing else."""

import json
import random
import shutil
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import CHECKSUM, card_sha256, change_bytes, tamper

from rectransfer.artefacts import CARD
from rectransfer.embeddings import EmbeddingTable, UserTable
from rectransfer.errors import ArtefactError, RectransferError
from rectransfer.pretrained import load_pretrained
from rectransfer.recommend import load_recommender
from rectransfer.retrieval import FaissIndex

LOADS = {
    "embedding_table": EmbeddingTable.load,
    "user_table": UserTable.load,
    "pretrained": load_pretrained,
    "recommender": load_recommender,
}
KINDS = tuple(LOADS)
INDEXES = ("flat", "hnsw", "ivf", "sq", "pq")
MANY = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(seed=st.integers(0, 2**32))
def test_a_folder_signed_again_loads_or_is_an_error_of_ours(saved, tmp_path, kind, seed):
    folder = tmp_path / "tampered"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved / kind, folder)
    tamper(folder, seed)
    loaded, said = attempt(LOADS[kind], folder)
    assert loaded is not None or str(folder) in said  # it says where
    if loaded is not None and kind == "recommender":
        with suppress(RectransferError):
            loaded.recommend(users=loaded.users[:2], k=3)


def attempt(load, path):
    """What was loaded, or None and what the error says."""
    try:
        return load(path), ""
    except ArtefactError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", KINDS)
@MANY
@given(st.data())
def test_a_damaged_file_is_named(saved, tmp_path, kind, data):
    """Without new checksums nothing but the very bytes that were saved goes through."""
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(saved / kind, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    after = change_bytes(before, random.Random(data.draw(st.integers(0, 2**32))))
    path.write_bytes(after)
    if before == after or (path.name == CARD and _same_json(before, after)):
        LOADS[kind](folder)
        return
    with pytest.raises(ArtefactError, match=path.name):
        LOADS[kind](folder)


def _same_json(before: bytes, after: bytes) -> bool:
    try:
        return json.loads(before) == json.loads(after)
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("kind", INDEXES)
@MANY
@given(seed=st.integers(0, 2**32))
def test_a_tampered_index_finds_rows_of_its_own_or_is_an_error(saved, tmp_path, kind, seed):
    path = tmp_path / "tampered.index"
    path.write_bytes(change_bytes((saved / f"{kind}.index").read_bytes(), random.Random(seed)))
    index, said = attempt(FaissIndex.load, path)
    assert index is not None or str(path) in said
    if index is None:
        return
    for k in (3, 1_000):
        rows = index.search(np.ones((4, index.dimensions), np.float32), k)[1]
        assert rows.shape == (4, min(k, index.n))
        assert rows.min() >= 0
        assert rows.max() < index.n


@pytest.mark.parametrize("file", ["../outside.txt", "/etc/passwd", "a/../../outside.txt", "..\\outside.txt"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_card_leads_out_of_its_folder(saved, tmp_path, kind, file):
    folder = tmp_path / "tampered"
    shutil.copytree(saved / kind, folder)
    (tmp_path / "outside.txt").write_text("secret")
    card = json.loads((folder / CARD).read_text())
    next(iter(card["files"].values()))["file"] = file
    card[CHECKSUM] = card_sha256(card)
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ArtefactError, match="outside the folder"):
        LOADS[kind](folder)


CHILD = """
    import random, resource, shutil, sys
    from pathlib import Path

    sys.path.insert(0, sys.argv[1])
    from tampering import change_bytes, tamper
    from rectransfer.errors import RectransferError
    from rectransfer.pretrained import load_pretrained
    from rectransfer.recommend import load_recommender
    from rectransfer.retrieval import FaissIndex

    saved, home, n = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

    def load(path):
        if path.name == "recommender":
            model = load_recommender(path)
            model.recommend(users=model.users[:2], k=3)
        elif path.name == "pretrained":
            load_pretrained(path)
        else:
            index = FaissIndex.load(path)
            index.search([[1.0] * index.dimensions], 400)

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    honest = [saved / "pretrained", saved / "recommender", *sorted(saved.glob("*.index"))]
    for path in honest:
        load(path)
    before, errors = peak(), 0
    for seed in range(n):
        for path in honest:
            copy = home / path.name
            if path.is_dir():
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(path, copy)
                tamper(copy, seed)
            else:
                copy.write_bytes(change_bytes(path.read_bytes(), random.Random(seed)))
            try:
                load(copy)
            except RectransferError:
                errors += 1
    print(errors, len(honest) * n, peak() - before)
"""


def test_the_process_lives_and_its_memory_stays_bounded(saved, tmp_path):
    """Tampered inputs one after another in a process of their own: it ends well, and takes no more memory."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", textwrap.dedent(CHILD), here, saved, tmp_path, "60"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    errors, inputs, grown = map(int, done.stdout.split())
    assert errors > inputs / 3
    assert grown < 200, f"{grown} MiB more than honest files take"
