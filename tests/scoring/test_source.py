"""What is scored: read once, cut where a user ends, refused where it cannot be used."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.scoring import open_source

HISTORIES = pl.DataFrame(
    {"user_id": [1, 1, 2, 3, 3, 3, 7], "item_id": list("abacbda"), "timestamp": [1, 2, 1, 1, 2, 3, 9]}
)


def users_of(frame: pl.DataFrame, **options: int) -> list[list[int]]:
    source = open_source(frame, **options)
    return [source.read(part)["user_id"].to_list() for part in source.parts]


def test_each_user_is_scored_once_in_the_order_given() -> None:
    assert users_of(pl.DataFrame({"user_id": [5, 3, 5, 9, 3]}), part_users=2) == [[5, 3], [9]]


def test_histories_are_cut_where_a_user_ends() -> None:
    assert users_of(HISTORIES, part_users=2) == [[1, 1, 2], [3, 3, 3, 7]]
    assert users_of(HISTORIES, part_rows=2) == [[1, 1], [2, 3, 3, 3], [7]]


def test_parts_do_not_depend_on_how_much_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = users_of(HISTORIES, part_users=2)
    for at_once in (1, 2, 3, 4):
        monkeypatch.setattr("rectransfer.scoring.source._AT_ONCE", at_once)
        assert users_of(HISTORIES, part_users=2) == whole


def test_several_files_are_one_source(tmp_path: Path) -> None:
    HISTORIES[:3].write_parquet(tmp_path / "a.parquet")
    HISTORIES[3:].write_parquet(tmp_path / "b.parquet")

    source = open_source(tmp_path)

    assert source.n_users == 4
    assert source.read(source.parts[0]).equals(HISTORIES)


def test_other_names_are_told() -> None:
    source = open_source(pl.DataFrame({"customer": ["a"]}), columns={"customer": "user_id"})

    assert source.read(source.parts[0])["user_id"].to_list() == ["a"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame({"user_id": ["a", None]}), "1 of 2 rows have no user_id"),
        (pl.DataFrame({"user_id": [1.5]}), "ids are integers or text"),
        (pl.DataFrame({"customer": [1]}), "no column 'user_id'; its columns are customer"),
        (pl.DataFrame({"user_id": []}, schema={"user_id": pl.Int64}), "holds no users"),
        (HISTORIES.clear(), "holds no users"),
        (HISTORIES.reverse(), "sorted by user, and row 1 .* goes back; sort"),
        (HISTORIES.with_columns(user_id=pl.Series([1, 1, None, 3, 3, 3, 7])), "row 2 .* has no user_id"),
    ],
)
def test_what_cannot_be_used_is_refused(frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(frame)


def test_ids_of_another_type_are_refused() -> None:
    with pytest.raises(InputError, match="user_id is Int64 and the model's are String; cast them"):
        open_source(pl.DataFrame({"user_id": [1]}), like=pl.String())


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    frame = HISTORIES.with_columns(item_id=pl.Series(["a", "b", "a", "c", None, "d", "a"]))
    frame.write_parquet(tmp_path / "users.parquet")
    source = open_source(tmp_path / "users.parquet", part_users=2)

    assert source.read(source.parts[0]).height == 3
    with pytest.raises(InputError, match=r"users\.parquet: 1 rows have no item_id, the first is row 4 "):
        source.read(source.parts[1])


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    HISTORIES.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InputError, match=r"users\.parquet cannot be read .* is it Parquet, and whole"):
        open_source(path)
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "other.parquet")


def test_the_digest_tells_sources_apart(tmp_path: Path) -> None:
    for name, frame in {"a": HISTORIES, "b": HISTORIES, "c": HISTORIES[:-1]}.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    a, b, c = (open_source(tmp_path / f"{name}.parquet").digest for name in "abc")

    assert a == b != c
    assert (
        open_source(HISTORIES).digest
        == open_source(HISTORIES.clone()).digest
        != open_source(HISTORIES[:-1]).digest
    )


@pytest.mark.parametrize(
    ("given", "columns", "words"),
    [
        (HISTORIES, {"tz": "timestamp"}, "no column 'tz', which columns names"),
        (HISTORIES.drop("timestamp"), None, "item_id and not the other of item_id and timestamp"),
        (HISTORIES.with_columns(x=1), {"x": "user_id"}, "two columns 'user_id'"),
        ([], None, "empty list"),
        (["u1"], None, "a column of ids is pl.Series"),
        (HISTORIES.lazy(), None, "users is a LazyFrame"),
        (None, None, "users is a NoneType"),
    ],
)
def test_what_is_no_list_of_users_is_named(given: object, columns: dict[str, str] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(given, columns=columns)  # type: ignore[arg-type]
