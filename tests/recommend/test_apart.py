"""A source that has learned from the target's own rows is refused."""

import copy
import logging
import pickle

import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.logs import InteractionLog, PlantedConfig, plant
from rectransfer.pretrained import Pretrained, pretrain
from rectransfer.recommend import Recommender

PLANTED = plant(PlantedConfig(source_users=60, target_users=25, source_items=30, target_items=25))


def _pretrained(frame: pl.DataFrame) -> Pretrained:
    return pretrain(InteractionLog.from_frame(frame))


def test_rows_of_the_target_in_the_source_are_an_error_that_counts_them() -> None:
    leaked = _pretrained(pl.concat([PLANTED.source.frame, PLANTED.target.frame]))
    n = len(PLANTED.target)
    with pytest.raises(InputError, match=rf"{n:,} of the target's {n:,} rows .*how='anti'"):
        Recommender(leaked).fit(PLANTED.target)


def test_a_source_that_knows_the_future_is_said_to(caplog: pytest.LogCaptureFixture) -> None:
    later = PLANTED.source.frame.with_columns(pl.col("timestamp").dt.offset_by("1y"))
    with caplog.at_level(logging.WARNING, logger="rectransfer"):
        Recommender(_pretrained(later)).fit(PLANTED.target)
    assert "may flatter the transfer" in caplog.text


def test_what_isnt_a_log_or_a_source_is_named() -> None:
    with pytest.raises(InputError, match=r"got a DataFrame; rectransfer\.read_log"):
        pretrain(PLANTED.source.frame)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"got a DataFrame; rectransfer\.read_log"):
        Recommender(None).fit(PLANTED.target.frame)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="holds a InteractionLog"):
        Recommender(PLANTED.source)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed='x'"):
        pretrain(PLANTED.source, seed="x")  # type: ignore[arg-type]


def test_the_same_source_twice_is_refused_and_a_source_survives_pickling() -> None:
    source = _pretrained(PLANTED.source.frame)
    with pytest.raises(InputError, match="2 sources, and some are the same"):
        Recommender([source, source])
    model = Recommender(source).fit(PLANTED.target)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.recommend().equals(model.recommend())
