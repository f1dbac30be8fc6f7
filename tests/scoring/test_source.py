"""What is scored: read once, cut where a user ends, refused where it cannot be used."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog
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
        (
            pl.DataFrame({"user_id": ["a", None]}),
            r"users: row 1 \(from 0\): 1 row has no user_id, this is the first; leave them out",
        ),
        (
            pl.DataFrame({"user_id": [1.5]}),
            "user_id is Float64; ids are integers or text: cast it, to pl.Int64 where",
        ),
        (pl.DataFrame({"customer": [1]}), "no column 'user_id'; its columns are customer"),
        (pl.DataFrame({"user_id": []}, schema={"user_id": pl.Int64}), "holds no users"),
        (
            HISTORIES.reverse(),
            r"row 1 \(from 0\): histories have to be sorted by user, and here 3 comes after 7; sort",
        ),
        (
            HISTORIES.with_columns(user_id=pl.Series([1, 1, None, 3, 3, 3, 7])),
            r"row 2 \(from 0\): 1 row has no user_id",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_source(frame)


EMPTY = {
    "the model's": HISTORIES.clear(),
    "of no type": pl.DataFrame({"user_id": [], "item_id": [], "timestamp": []}),
    "text": HISTORIES.clear().cast(pl.String),
    "others": HISTORIES.clear().cast({"user_id": pl.Float64, "timestamp": pl.Boolean}),
    "with more": HISTORIES.clear().with_columns(weight=pl.lit("much"), session_id=pl.lit(1.5)),
}


@pytest.mark.parametrize("types", EMPTY)
@pytest.mark.parametrize("kind", ["frame", "parquet", "csv"])
def test_histories_without_rows_are_a_part_of_nobody(tmp_path: Path, types: str, kind: str) -> None:
    path = tmp_path / f"h.{kind}"
    if kind != "frame":
        getattr(EMPTY[types], f"write_{kind}")(path)
    source = open_source(EMPTY[types] if kind == "frame" else path, like=HISTORIES.schema)

    assert (source.n_users, len(source.parts)) == (0, 1)
    assert source.read(source.parts[0]).equals(HISTORIES.clear())
    assert source.read(source.parts[0]).schema == HISTORIES.schema


def test_histories_without_rows_still_need_their_columns() -> None:
    with pytest.raises(InputError, match="has item_id and not the other of item_id and timestamp"):
        open_source(HISTORIES.clear().drop("timestamp"))


def test_ids_of_another_type_are_refused() -> None:
    with pytest.raises(InputError, match="user_id is Int64 and the model's are String; cast it"):
        open_source(pl.DataFrame({"user_id": [1]}), like={"user_id": pl.String()})


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({"item_id": None}, "2 rows have no item_id"),
        ({"timestamp": None}, "2 rows have no timestamp"),
        ({"user_id": None}, "2 rows have no user_id"),
        ({"weight": 0.0}, "2 rows have a weight that isn't a number above 0"),
        ({"weight": float("nan")}, "2 rows have a weight that isn't a number above 0"),
        ({"weight": None}, "2 rows have no weight"),
    ],
)
def test_a_bad_row_is_named_by_its_file_and_its_row_there(
    tmp_path: Path, harm: dict[str, float | None], words: str
) -> None:
    good = HISTORIES.with_columns(weight=1.0)
    good[:3].write_parquet(tmp_path / "a.parquet")
    bad = pl.int_range(pl.len()).is_in([2, 3])
    (column, value), *_ = harm.items()
    last = good[3:].with_columns(pl.when(bad).then(pl.lit(value)).otherwise(column).alias(column))
    last.write_parquet(tmp_path / "b.parquet")

    with pytest.raises(
        InputError, match=rf"b\.parquet: row 2 \(from 0\): {words}, this is the first; leave them out"
    ):
        open_source(tmp_path, part_users=2)


@pytest.mark.parametrize(
    ("frame", "like", "words"),
    [
        (HISTORIES.with_columns(pl.col("timestamp") + 0.5), {}, "7 rows have a timestamp that is no whole"),
        (HISTORIES.with_columns(timestamp=pl.lit("now")), {}, "timestamp is String, which is no time; parse"),
        (HISTORIES.with_columns(weight=pl.lit("1")), {}, "weight is String; a weight is a number"),
        (HISTORIES, {"item_id": pl.Int64()}, "item_id is String and the model's are Int64; cast"),
        (HISTORIES, {"timestamp": pl.Datetime("us")}, "timestamp is Int64 and the model's are Datetime"),
        (pl.DataFrame({"user_id": pl.Series([2**63], dtype=pl.UInt64)}), {}, r"a user_id above 2\*\*63"),
        (pl.DataFrame({"user_id": [[1]]}), {}, "user_id is List.*cast it to pl.String"),
    ],
)
def test_types_are_checked_before_anything_is_scored(
    frame: pl.DataFrame, like: dict[str, pl.DataType], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_source(frame, like=like)


def test_weights_are_checked_and_not_read_again() -> None:
    source = open_source(HISTORIES.with_columns(weight=2))

    assert source.read(source.parts[0]).columns == ["user_id", "item_id", "timestamp"]


def test_times_with_a_zone_and_dates_are_what_a_log_makes_of_them() -> None:
    moments = pl.datetime_range(
        pl.datetime(2024, 5, 1), pl.datetime(2024, 5, 7), "1d", time_zone="Asia/Tokyo"
    )
    frame = HISTORIES.with_columns(timestamp=moments)
    source = open_source(frame, like={"timestamp": pl.Datetime("us")})

    assert source.read(source.parts[0]).equals(InteractionLog.from_frame(frame).frame)


def test_files_whose_columns_differ_are_named(tmp_path: Path) -> None:
    HISTORIES[:3].with_columns(note=1).write_parquet(tmp_path / "a.parquet")
    other = tmp_path / "b.parquet"
    HISTORIES[3:].with_columns(note=pl.lit("x"), more=2).write_parquet(other)
    assert open_source(tmp_path).n_users == 4  # what else is there may differ

    HISTORIES[3:].with_columns(pl.col("user_id").cast(pl.Int32)).write_parquet(other)
    with pytest.raises(
        InputError, match=r"b\.parquet: user_id is Int32, and in .*a\.parquet it is Int64; write"
    ):
        open_source(tmp_path)
    HISTORIES[3:].drop("item_id", "timestamp").write_parquet(other)
    with pytest.raises(InputError, match=r"b\.parquet has no column 'item_id' .* and .*a\.parquet has one"):
        open_source(tmp_path)


def test_text_files_are_read_as_the_models_ids_are(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("customer,age\n7,30\n0042,20\n")
    (tmp_path / "users.txt").write_text("7\n\n 42 \n7\n")
    text, whole = {"user_id": pl.String()}, {"user_id": pl.Int64()}
    names = {"customer": "user_id"}

    def ids(file: str, like: dict[str, pl.DataType], columns: dict[str, str] | None = None) -> list[object]:
        source = open_source(tmp_path / file, like=like, columns=columns)
        return source.read(source.parts[0])["user_id"].to_list()

    assert ids("users.csv", text, names) == ids("users.csv", {}, names) == ["7", "0042"]
    assert ids("users.txt", whole) == ids("users.txt", {}) == [7, 42]
    assert ids("users.txt", text) == ["7", "42"]
    with pytest.raises(
        InputError, match=r"csv: row 1 \(from 0\): 1 row has a user_id that isn't a whole number"
    ):
        ids("users.csv", whole, names)


def test_histories_in_text_are_sorted_and_their_times_parsed(tmp_path: Path) -> None:
    like = {"user_id": pl.Int64(), "item_id": pl.String(), "timestamp": pl.Datetime("us")}
    lines = ["2,07,2024-05-02", "1,x,2024-05-03", "2,y,2024-05-01"]
    path = tmp_path / "h.csv"
    path.write_text("\n".join(["user_id,item_id,timestamp", *lines]))
    source = open_source(path, like=like)
    rows = source.read(source.parts[0])

    assert rows.schema == like
    assert rows.select("user_id", "item_id").rows() == [(1, "x"), (2, "07"), (2, "y")]
    path.write_text("\n".join(["user_id,item_id,timestamp", "2,a,02.05.2024", "1,b,03.05.2024", "1,c,soon"]))
    with pytest.raises(
        InputError, match=r"h\.csv: row 2 .* timestamp that isn't a time, the first is 'soon'; name"
    ):
        open_source(path, like=like, times="%d.%m.%Y")
    with pytest.raises(InputError, match="isn't a time"):
        open_source(path, like=like)
    path.write_text("user_id,item_id,timestamp,weight\n1,a,2024-05-02,1\n1,,2024-05-02,1\n")
    with pytest.raises(InputError, match=r"h\.csv: row 1 \(from 0\): 1 row has no item_id"):
        open_source(path, like=like)


def test_a_file_of_no_text_or_of_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "u.csv"
    path.write_bytes(b"user_id\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"u\.csv cannot be read"):
        open_source(path)
    for name in ("u.csv", "u.txt", "u.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=r"u\.\w+.*(0 bytes|holds no users)"):
            open_source(tmp_path / name)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "users.parquet"
    HISTORIES.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InputError, match=r"users\.parquet cannot be read .* is it damaged or cut short"):
        open_source(path)
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "other.parquet")


def test_the_digest_tells_sources_apart(tmp_path: Path) -> None:
    for name, frame in {"a": HISTORIES, "b": HISTORIES, "c": HISTORIES[:-1]}.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    a, b, c = (open_source(tmp_path / f"{name}.parquet").digest for name in "abc")

    assert a == b != c
    assert open_source(HISTORIES.rename({"item_id": "other"}), columns={"other": "item_id"}).digest != a
    assert (
        open_source(HISTORIES).digest
        == open_source(HISTORIES.clone()).digest
        != open_source(HISTORIES[:-1]).digest
    )


@pytest.mark.parametrize(
    ("given", "columns", "words"),
    [
        (HISTORIES, {"tz": "timestamp"}, "no column 'tz', which columns names"),
        (HISTORIES, ["user_id"], "columns is a list; it maps your names to ours"),
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
