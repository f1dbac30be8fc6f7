"""Scores that say why: the sentences of `Recommender.reasons`, whatever the parts."""

from pathlib import Path

import polars as pl
import pytest

from rectransfer.cli import main
from rectransfer.errors import InputError
from rectransfer.logs import PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import pretrain
from rectransfer.recommend import Recommender
from rectransfer.scoring import read_scores

KEY = ["user_id", "item_id"]


@pytest.fixture(scope="module")
def domains() -> PlantedDomains:
    return plant(PlantedConfig(source_users=60, target_users=60, source_items=40, target_items=30, seed=2))


@pytest.fixture(scope="module")
def model(domains: PlantedDomains) -> Recommender:
    return Recommender(pretrain(domains.source)).fit(domains.target)


@pytest.fixture(scope="module")
def titles(model: Recommender) -> pl.DataFrame:
    return pl.DataFrame({"item_id": model.catalogue.ids}).with_columns(
        title=pl.concat_str(pl.lit("No. "), pl.int_range(pl.len()).cast(pl.String))
    )


def test_the_sentences_are_those_of_reasons(model: Recommender, titles: pl.DataFrame, tmp_path: Path) -> None:
    out = model.score(pl.Series(model.users), tmp_path, 5, reasons=True, titles=titles).folder
    rows = read_scores(out).collect()
    true = model.reasons(k=5, titles=titles)
    both = rows.join(true, on=KEY, suffix="_true")

    assert rows.schema["reasons"] == pl.List(pl.String)
    assert rows["reasons"].null_count() == 0
    assert both.height > 0.95 * rows.height  # the lists of score and recommend are nearly the same
    # a sentence sets an item apart from the user's other ones, so it is the same where those are
    alike = both.filter(pl.len().over("user_id") == 5)
    assert alike.height > 0.9 * rows.height
    assert (alike["reasons"].list.join(" ") == alike["reason"].fill_null("")).all()
    assert "No. " in both["reasons"].explode().str.join().item()


def test_the_rows_are_those_without_reasons(model: Recommender, tmp_path: Path) -> None:
    users = pl.Series([*model.users, "nobody"])
    told = read_scores(model.score(users, tmp_path / "a", 5, reasons=True).folder).collect()
    plain = read_scores(model.score(users, tmp_path / "b", 5).folder).collect()

    assert told.drop("reasons").equals(plain)
    assert told.filter(user_id="nobody")["reasons"].to_list() == [["Many others choose it, too."]] * 5


def test_parts_and_resumption_change_no_sentence(
    model: Recommender, domains: PlantedDomains, titles: pl.DataFrame, tmp_path: Path
) -> None:
    copies = [domains.target.frame.with_columns(pl.col("user_id") + f"-{copy:02d}") for copy in range(4)]
    users = pl.concat(copies).sort("user_id", "timestamp")

    def rows(name: str, part_users: int, workers: int) -> pl.DataFrame:
        folder = model.score(
            users, tmp_path / name, 4, reasons=True, titles=titles, part_users=part_users, workers=workers
        ).folder
        return read_scores(folder).collect()

    whole = rows("a", 100, 3)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").glob("part-*")}
    (tmp_path / "a" / "part-00001.parquet").unlink()

    assert rows("a", 100, 1).equals(whole)
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").glob("part-*")} == before
    assert len(before) == 3
    with pytest.raises(InputError, match="begun with another part_users: part_users was 100, now 30"):
        rows("a", 30, 1)
    with pytest.raises(InputError, match="another reasons and titles"):
        model.score(users, tmp_path / "a", 4, part_users=100)
    with pytest.raises(InputError, match="another titles"):
        model.score(users, tmp_path / "a", 4, reasons=True, titles=titles[:9], part_users=100)
    assert rows("b", 30, 2).select(*KEY, "reasons").equals(whole.select(*KEY, "reasons"))


def test_titles_that_cannot_be_used_are_named(
    model: Recommender, titles: pl.DataFrame, tmp_path: Path
) -> None:
    users = pl.Series(model.users)
    twice = pl.concat([titles, titles[:3].with_columns(title=pl.lit("else")), titles[:9]])
    first = titles["item_id"][0]

    with pytest.raises(InputError, match=f"titles: 3 ids have several titles, the first is '{first}'; keep"):
        model.score(users, tmp_path / "out", reasons=True, titles=twice)
    with pytest.raises(InputError, match="3 ids have several titles"):
        model.reasons(users[:2], titles=twice)
    with pytest.raises(InputError, match="pass reasons=True"):
        model.score(users, tmp_path / "out", titles=titles)
    assert not (tmp_path / "out").exists()


def test_the_command_line_tells_why(
    model: Recommender, titles: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "model")
    titles.rename({"item_id": "sku", "title": "name"}).write_csv(tmp_path / "products.csv")
    (tmp_path / "users.txt").write_text("\n".join(model.users[:7]))
    score = ["score", str(tmp_path / "model"), str(tmp_path / "users.txt"), "-k", "3"]
    catalogue = ["--catalogue", str(tmp_path / "products.csv")]
    names = ["--catalogue-columns", "sku=item_id,name=title"]

    told = [*score, "--reasons", *catalogue, *names, "-o", str(tmp_path / "out"), "--part-users", "4"]
    assert main(told) == 0
    rows = read_scores(tmp_path / "out").collect()
    assert rows["user_id"].unique(maintain_order=True).to_list() == model.users[:7]
    assert rows["reasons"].explode().str.contains("No. ").any()
    assert len(list((tmp_path / "out").glob("part-*"))) == 2
    assert main([*score, *catalogue, "-o", str(tmp_path / "no")]) == 2
    assert "--catalogue goes with --reasons" in capsys.readouterr().err
    (tmp_path / "products.csv").write_text("sku,name\na,x\na,y\n")
    assert main([*score, "--reasons", *catalogue, *names, "-o", str(tmp_path / "no")]) == 2
    assert "products.csv: 1 ids have several titles, the first is 'a'" in capsys.readouterr().err
