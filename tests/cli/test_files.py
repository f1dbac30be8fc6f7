"""What the commands read beside folders, and what they write: there whole, or not at all."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from rectransfer.artefacts import CARD, save_artefact
from rectransfer.cli.inputs import read_ids, read_link
from rectransfer.cli.outputs import require_folder, require_new_file, require_table, write_json, write_table
from rectransfer.errors import InputError

FRAME = pl.DataFrame({"user_id": ["u"], "item_id": ["0042"], "score": [0.5], "rank": [1]})
TEXT, NUMBER = pl.String(), pl.Int64()


def ids(path: Path, like: pl.DataType = TEXT, columns: dict[str, str] | None = None) -> list[object]:
    return read_ids(path, "user_id", columns, like).to_list()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.txt", "\ufeff7\n\n 8 \r\n"),
        ("ids.csv", "user_id,age\n7,1\n8,2\n"),
        ("ids.tsv", "age\tuser_id\n1\t7\n2\t8\n"),
        ("IDS.CSV", "client,user_id\n7,a\n8,b\n"),
    ],
)
def test_text_is_read_as_the_ids_it_is_compared_with(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    columns = {"client": "user_id", "product": "item_id"}

    assert ids(path, NUMBER, columns) == [7, 8]
    assert ids(path, TEXT, columns) == ["7", "8"]


def test_ids_in_parquet_keep_their_type(tmp_path: Path) -> None:
    path = tmp_path / "ids.parquet"
    pl.DataFrame({"user_id": [7]}, schema={"user_id": pl.UInt16}).write_parquet(path)

    assert ids(path, TEXT) == [7]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"user_id\n7\n0042\n", "1 of the 2 values of user_id are no whole numbers.*'0042'"),
        ("a.txt", b"7\nx\n", "'x'"),
        ("a.txt", b"\xff\xfe", "cannot be read .*utf-8"),
        ("a.csv", b"user_id,b\n,1\n", "a.csv: column 'user_id' has 1 nulls"),
        (
            "a.csv",
            b"client\n7\n",
            "no column 'user_id'; its columns are client; name it: --columns NAME",
        ),
        ("a.csv", b"user_id\n", "holds no ids"),
        ("a.csv", b"", "0 bytes"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.json", b"[7]", "unknown ending '.json'; expected one of .parquet, .pq, .csv, .tsv, .txt"),
    ],
)
def test_ids_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=expected):
        ids(tmp_path / name, NUMBER)


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, expected a file"):
        ids(tmp_path)


def test_a_link_table_is_read_as_the_types_of_both_sides(tmp_path: Path) -> None:
    (tmp_path / "link.csv").write_text("source_id,target_id\n1,01\n2,02\n")

    link = read_link(tmp_path / "link.csv", TEXT, NUMBER)

    assert link.to_dict(as_series=False) == {"target_id": ["01", "02"], "source_id": [1, 2]}


@pytest.mark.parametrize(("name", "read"), [("r.parquet", pl.read_parquet), ("r.csv", pl.read_csv)])
def test_a_table_is_written_by_its_ending(
    tmp_path: Path, name: str, read: Callable[..., pl.DataFrame]
) -> None:
    path = tmp_path / "new" / name
    require_table(path)
    assert not path.parent.exists()

    write_table(FRAME, path)

    schema = {"schema_overrides": {"item_id": pl.String}} if name == "r.csv" else {}
    assert read(path, **schema).equals(FRAME)
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("old")
    (tmp_path / "here.csv").symlink_to(tmp_path / "there.csv")

    write_table(FRAME, tmp_path / "here.csv")

    assert (tmp_path / "here.csv").is_symlink()
    assert (tmp_path / "there.csv").read_text().startswith("user_id")


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_there_stays_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def half(_: pl.DataFrame, path: Path) -> None:
        path.write_text("user_id,it")
        raise stop

    monkeypatch.setattr(pl.DataFrame, "write_csv", half)
    path = tmp_path / "recs.csv"
    path.write_text("old")

    with pytest.raises((InputError, KeyboardInterrupt)):
        write_table(FRAME, path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "recs.csv"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nimport polars as pl\n"
        "from rectransfer.cli.outputs import write_table\n"
        "def half(frame, path):\n    path.write_text('user')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "pl.DataFrame.write_csv = half\n"
        "write_table(pl.DataFrame({'user_id': [1]}), Path(sys.argv[1]))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, cwd=root)

    assert done.returncode != 0
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith(".")] == ["recs.csv"]


def test_json_is_for_people_and_machines(tmp_path: Path) -> None:
    write_json({"name": "Müsli", "low": None}, tmp_path / "a.json")

    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "name": "Müsli",\n  "low": null\n}\n'


@pytest.mark.skipif(not Path(os.devnull).is_char_device(), reason="there are no devices here")
def test_devices_are_not_replaced() -> None:
    with pytest.raises(InputError, match="no ordinary file"):
        require_new_file(Path(os.devnull))


def test_folders_that_may_be_saved_to(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save_artefact(tmp_path / "old", kind="note", files={}, card={})
    (tmp_path / "killed").mkdir()
    for left in (".saving-0a1b-layers", "layers-0123456789ab.safetensors"):
        (tmp_path / "killed" / left).touch()

    for name in ("new", "empty", "old", "killed"):
        require_folder(tmp_path / name, "note")

    assert not (tmp_path / "new").exists()


def test_folders_that_may_not(tmp_path: Path) -> None:
    save_artefact(tmp_path / "old", kind="note", files={}, card={})
    with pytest.raises(InputError, match="holds a 'note', no 'model'"):
        require_folder(tmp_path / "old", "model")
    (tmp_path / "old" / CARD).write_text("{")
    with pytest.raises(InputError, match=r"was not overwritten: .* not valid JSON"):
        require_folder(tmp_path / "old", "note")
