"""A small model with and without a source, a later log, and a catalogue of hostile titles."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from rectransfer.embeddings import Item2Vec
from rectransfer.logs import InteractionLog, PlantedConfig, PlantedDomains, plant
from rectransfer.pretrained import PretrainConfig, pretrain
from rectransfer.ranking import RankerConfig, TowerConfig, TrainConfig
from rectransfer.recommend import Recommender, RecommenderConfig
from rectransfer.report import Report, build_report, render

HOSTILE = (
    "<script>document.title = 'owned'; console.error('ran')</script>",
    '"><img src="https://example.com/leak.png" onerror="alert(1)">',
    "\u202eגבינה לבנה\u202c עברית",
    "Ice cream 🍦👩‍👩‍👧",
    "W" * 500,
    "{{ 7 * 7 }} {% raw %} $x^2$ &amp; ]]>",
    "</style><style>body{display:none}</style>",
    "line one\nline two\u2028three",
)
_TINY = {"tower": TowerConfig(hidden=4, width=2), "ranker": RankerConfig(hidden=2, epochs=2, members=1)}


@pytest.fixture(scope="session")
def hostile() -> tuple[str, ...]:
    """Titles that try to break out of the page."""
    return HOSTILE


@pytest.fixture(scope="session")
def planted() -> PlantedDomains:
    """Two domains that are learned in seconds; some of the target's users did much, others little."""
    found = plant(PlantedConfig(source_users=60, target_users=40, source_items=30, target_items=25, seed=2))
    number = pl.col("user_id").rank("dense").cast(pl.Int64)
    kept = pl.int_range(pl.len()).over("user_id") < 2 + number % 7
    return replace(found, target=found.target.with_frame(found.target.frame.filter(kept)))


@pytest.fixture(scope="session")
def later(planted: PlantedDomains) -> InteractionLog:
    """What the target's users took next, and two users of whom nothing is known."""
    target = planted.target.frame
    items = target["item_id"].unique().sort()
    last = target.group_by("user_id", maintain_order=True).last().select("user_id", "timestamp")
    new = last.join(items.to_frame(), how="cross").join(target, on=["user_id", "item_id"], how="anti")
    some = new.filter(pl.struct("user_id", "item_id").hash(seed=1) % 3 == 0)
    strangers = some.head(6).with_columns(user_id=pl.lit("stranger ") + (pl.int_range(6) % 2).cast(pl.String))
    both = pl.concat([some, strangers]).with_columns(pl.col("timestamp") + pl.duration(days=1))
    return InteractionLog.from_frame(both, name="later")


@pytest.fixture(scope="session")
def config() -> RecommenderConfig:
    """As small as it gets."""
    return RecommenderConfig(
        item2vec=Item2Vec(dimensions=4, epochs=2),
        train=TrainConfig(epochs=1),
        fine_tune=TrainConfig(epochs=1),
        pulls=(1.0,),
        neighbours_l2=(100.0,),
        folds=2,
        per_user=1,
        **_TINY,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def settings() -> PretrainConfig:
    """Of sources, as small as it gets."""
    return PretrainConfig(
        item2vec=Item2Vec(dimensions=4, epochs=2),
        train=TrainConfig(epochs=1),
        neighbours_l2=(100.0,),
        **_TINY,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def model(planted: PlantedDomains, config: RecommenderConfig, settings: PretrainConfig) -> Recommender:
    """With the source."""
    source = pretrain(planted.source, config=settings, deterministic=True)
    return Recommender(source, config=config).fit(planted.target, items=planted.target_catalogue.ids)


@pytest.fixture(scope="session")
def alone(planted: PlantedDomains, config: RecommenderConfig) -> Recommender:
    """Without it."""
    return Recommender(None, config=config).fit(planted.target)


@pytest.fixture(scope="session")
def products(model: Recommender) -> pl.DataFrame:
    """Titles that try to break out, and categories likewise; some items have none."""
    ids = model.state.items.ids
    titles = [HOSTILE[row % len(HOSTILE)] for row in range(ids.len())]
    return pl.DataFrame(
        {
            "item_id": ids,
            "title": [title if row % 5 else None for row, title in enumerate(titles)],
            "category": [("Tea", "<b>Milk</b>", "חלב", None)[row % 4] for row in range(ids.len())],
        }
    )


@pytest.fixture(scope="session")
def report(model: Recommender, later: InteractionLog, products: pl.DataFrame) -> Report:
    """What a page shows."""
    return build_report(model, later, products, title="Tea & <i>milk</i>")


@pytest.fixture(scope="session")
def html(report: Report) -> str:
    """The page."""
    return render(report)


@pytest.fixture(scope="session")
def page_file(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a file."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(html, encoding="utf-8")
    return file
