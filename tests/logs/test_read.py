from datetime import datetime

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, read_log, scan_log
from rectransfer.pretrained import pretrain

FRAME = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "timestamp": [10, 20]})


def written(path, text):
    path.write_text(text)
    return path


def test_parquet_files_folders_patterns_and_lists(tmp_path):
    FRAME.write_parquet(tmp_path / "one.parquet")
    (tmp_path / "deeper").mkdir()
    FRAME.with_columns(pl.col("user_id").cast(pl.Int32) + 2, extra=1).write_parquet(
        tmp_path / "deeper/two.pq"
    )
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "readme.md").write_text("no data")
    (tmp_path / ".hidden.parquet").write_text("no parquet")
    assert read_log(tmp_path / "one.parquet").frame.rows() == FRAME.rows()
    everything = read_log(str(tmp_path))
    assert everything.users.ids.to_list() == [1, 2, 3, 4]
    assert everything.name == tmp_path.name
    assert read_log(str(tmp_path / "*" / "*.pq")).users.ids.to_list() == [3, 4]
    assert len(read_log([tmp_path / "one.parquet", tmp_path / "deeper/two.pq"])) == 4


def test_frames_are_taken_too():
    assert read_log(FRAME).frame.rows() == FRAME.rows()
    assert read_log(FRAME.to_pandas(), name="mine").name == "mine"
    text = FRAME.with_columns(timestamp=pl.lit("2024-05-01"))
    assert read_log(text, parse_timestamps=True).span[0] == datetime(2024, 5, 1)
    renamed = read_log(text.rename({"timestamp": "day"}), columns={"day": "timestamp"}, parse_timestamps=True)
    assert renamed.span[0] == datetime(2024, 5, 1)


def test_csv_types_are_decided_on_all_values(tmp_path):
    lines = [f"{row},{row},{row},{row}.5" for row in range(1, 300)]
    text = "\n".join(["user_id,item_id,timestamp,weight", *lines, "0042,300,300,1"])
    frame = read_log(written(tmp_path / "log.csv", text)).frame
    assert frame.schema == {
        "user_id": pl.String,
        "item_id": pl.Int64,
        "timestamp": pl.Int64,
        "weight": pl.Float64,
    }
    assert "0042" in frame["user_id"]


def test_ids_that_look_like_decimals_stay_text(tmp_path):
    frame = read_log(written(tmp_path / "log.csv", "user_id,item_id,timestamp\n1.0,+5,7.0\n2.0,6,8\n")).frame
    assert frame.rows() == [("1.0", "+5", 7), ("2.0", "6", 8)]


def test_csv_files_of_one_log_get_one_type(tmp_path):
    written(tmp_path / "1.csv", "user_id,item_id,timestamp\n1,1,1\n")
    written(tmp_path / "2.csv", "user_id,item_id,timestamp\nx,2,2\n")
    assert read_log(tmp_path).users.ids.to_list() == ["1", "x"]


def test_tab_separated_and_renamed(tmp_path):
    path = written(tmp_path / "log.tsv", "who\titem_id\ttimestamp\nann\t7\t1\n")
    assert read_log(path, columns={"who": "user_id"}).frame.rows() == [("ann", 7, 1)]


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("2024-05-01T10:00:00Z", True, datetime(2024, 5, 1, 10)),
        ("2024-05-01T10:00:00+02:00", True, datetime(2024, 5, 1, 8)),
        ("2024-05-01 10:00", True, datetime(2024, 5, 1, 10)),
        ("2024-05-01", True, datetime(2024, 5, 1)),
        ("01.05.2024", "%d.%m.%Y", datetime(2024, 5, 1)),
        ("05/01/2024 10:30", "%m/%d/%Y %H:%M", datetime(2024, 5, 1, 10, 30)),
    ],
)
def test_timestamps_are_parsed_when_asked(tmp_path, text, how, expected):
    path = written(tmp_path / "log.csv", f"user_id,item_id,timestamp\n1,2,{text}\n")
    assert read_log(path, parse_timestamps=how).span == (expected, expected)
    with pytest.raises(InputError, match=r"String .*parse_timestamps=True"):
        read_log(path)


def test_timestamps_that_do_not_parse(tmp_path):
    path = written(tmp_path / "log.csv", "user_id,item_id,timestamp\n1,2,2024-05-01\n1,2,soon\n")
    with pytest.raises(InputError, match=r"log.csv cannot be read .*name the format"):
        read_log(path, parse_timestamps="%Y-%m-%d")


def test_timestamps_whose_format_is_not_found_are_shown(tmp_path):
    text = "user_id,item_id,timestamp\n1,2,3rd of May\n"
    words = r"no format was found .* '3rd of May'\); name the format: parse_timestamps=.*--timestamp-format"
    for data in (written(tmp_path / "log.csv", text), pl.read_csv(tmp_path / "log.csv")):
        with pytest.raises(InputError, match=words):
            read_log(data, parse_timestamps=True)


def test_nulls_are_in_one_of_several_files(tmp_path):
    written(tmp_path / "a.csv", "user_id,item_id,timestamp\n1,2,3\n")
    written(tmp_path / "b.csv", "user_id,item_id,timestamp\n1,,3\n")
    with pytest.raises(InputError, match=r"'item_id' has 1 nulls in 2 rows.*; nulls are in .*b.csv"):
        read_log(tmp_path)


def test_columns_are_named_where_the_log_is_read(tmp_path):
    FRAME.rename({"user_id": "household_id"}).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError, match=r"read_log\(..., columns={'household_id'.*, and so spill_log"):
        pretrain(tmp_path / "log.parquet")


def test_scan_is_lazy_and_under_our_names(tmp_path):
    FRAME.rename({"user_id": "who"}).write_parquet(tmp_path / "log.parquet")
    lazy = scan_log(tmp_path / "log.parquet", columns={"who": "user_id"})
    assert isinstance(lazy, pl.LazyFrame)
    assert InteractionLog.from_frame(lazy.filter(pl.col("timestamp") > 10)).frame.rows() == [(2, "b", 20)]


def test_missing_values_in_csv_are_counted(tmp_path):
    path = written(tmp_path / "log.csv", "user_id,item_id,timestamp\n1,2,3\n1,,3\n")
    with pytest.raises(
        InputError, match=r"log.csv: column 'item_id' has 1 nulls in 2 rows, the first in row 1"
    ):
        read_log(path)


def test_weights_that_are_no_numbers(tmp_path):
    path = written(tmp_path / "log.csv", "user_id,item_id,timestamp,weight\n1,2,3,nan\n1,2,3,1\n")
    with pytest.raises(InputError, match="1 NaN among 2 weights"):
        read_log(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"", "a.parquet is empty: 0 bytes"),
        ("a.parquet", b"PAR1 and nothing more", "a.parquet cannot be read .*damaged or cut short"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"user_id,item_id,timestamp\n", "a.csv: the log is empty: 0 rows"),
        ("a.csv", b"user_id,thing\n1,2\n", "a.csv: no column 'item_id', 'timestamp'"),
        ("a.csv", b"user_id,item_id,timestamp\n1,2,3,4,5\n", "a.csv cannot be read"),
        (
            "a.csv",
            b"user_id;item_id;timestamp\n1;2;3\n",
            "a.csv: .* is the separator ';'.*scan_csv.*sink_csv",
        ),
        ("a.tsv", b"user_id,item_id,timestamp\n1,2,3\n", "a.tsv: .* is the separator ','"),
        ("a.csv", "user_id,item_id,timestamp\nJosé,2,3\n".encode("latin1"), "read as UTF-8: .*iconv"),
        ("a.json", b"{}", "unknown ending '.json'; a log is .parquet"),
    ],
)
def test_unusable_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_log(tmp_path / name)


def test_a_parquet_file_that_is_cut_or_altered(tmp_path):
    path = tmp_path / "log.parquet"
    FRAME.write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_log(path)
    path.write_bytes(whole[:20] + bytes(byte ^ 255 for byte in whole[20:60]) + whole[60:])
    with pytest.raises(InputError, match=r"log.parquet cannot be read"):
        read_log(path)


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_log(tmp_path / "nothing.parquet")
    with pytest.raises(InputError, match=r"remote file .*pl.scan_parquet\(url\)"):
        read_log("s3://bucket/log.parquet")
    with pytest.raises(InputError, match="no file matches"):
        read_log(tmp_path / "*.parquet")
    with pytest.raises(InputError, match=r"holds no file that ends in .parquet"):
        read_log(tmp_path)
    with pytest.raises(InputError, match="list is empty"):
        read_log([])
    with pytest.raises(InputError, match=r"got builtins.int"):
        read_log(7)


def test_files_that_do_not_go_together(tmp_path):
    FRAME.write_parquet(tmp_path / "1.parquet")
    FRAME.with_columns(pl.col("user_id").cast(pl.String)).write_parquet(tmp_path / "2.parquet")
    with pytest.raises(InputError, match=r"1.parquet has user_id Int64.*2.parquet has user_id String"):
        read_log(tmp_path)
    FRAME.write_csv(tmp_path / "3.csv")
    with pytest.raises(InputError, match="several kinds"):
        read_log(tmp_path)
