"""Which parts matter, by segment, and what comes from a source."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rectransfer.errors import InputError
from rectransfer.explain import Explanations, importance, segments_of, transfer_share
from rectransfer.recommend import Recommender


def test_importance_is_the_mean_over_users_of_their_pairs(explained: Explanations) -> None:
    found = importance(explained)

    sizes = pl.DataFrame(np.abs(explained.by_group), schema=list(explained.groups))
    means = sizes.with_columns(user=explained.users).group_by("user").mean().drop("user").mean()
    assert found["part"].to_list() == list(explained.groups)
    np.testing.assert_allclose(found["mean"].to_numpy(), means.row(0))
    assert found["share"].sum() == pytest.approx(1)
    assert (found["low"] <= found["mean"]).all()
    assert (found["mean"] <= found["high"]).all()
    assert found["n_users"].unique().to_list() == [30]


def test_signals_have_an_importance_too(explained: Explanations) -> None:
    assert importance(explained, by="signals")["part"].to_list() == list(explained.signals)


def test_the_shares_of_domains_add_up(explained: Explanations) -> None:
    shares = dict(transfer_share(explained).select("domain", "share").iter_rows())

    domains = {name.partition(".")[0] for name in explained.groups}
    assert set(shares) == domains | {"transferred"}
    assert sum(shares[domain] for domain in domains) == pytest.approx(1)
    transferred = sum(shares[domain] for domain in domains - {"target"})
    assert shares["transferred"] == pytest.approx(transferred)


def test_without_a_source_nothing_is_transferred(alone: Recommender) -> None:
    found = transfer_share(alone.explain(alone.users[:10], k=3))

    assert dict(found.select("domain", "share").iter_rows()) == {"target": 1.0, "transferred": 0.0}


def test_segments(model: Recommender, explained: Explanations) -> None:
    explained = replace(explained, lengths=explained.lengths + np.repeat(np.arange(30) % 7, 5))
    segments = segments_of(explained, model.taken)

    assert (segments["new users"] != segments["heavy users"]).all()
    assert (segments["cold items"] != segments["popular items"]).all()
    heavy = explained.lengths[segments["heavy users"]]
    assert heavy.min() > explained.lengths[segments["new users"]].max()
    buyers = dict(model.taken.group_by("item_id").agg(pl.col("user_id").n_unique()).iter_rows())
    counts = np.array([buyers.get(item, 0) for item in explained.items])
    assert counts[segments["popular items"]].min() > counts[segments["cold items"]].max()
    unknown = explained.values[:, explained.signals.index("source.unknown")] == 1
    assert (segments["uncovered items"] >= unknown).all()
    found = importance(explained, segments)
    assert set(found["segment"]) <= {"all", *segments}
    assert {"all", "new users", "heavy users"} <= set(found["segment"])


def test_a_segment_of_one_user_is_left_out(explained: Explanations) -> None:
    one = np.arange(len(explained)) < 3

    assert importance(explained, {"one": one})["segment"].unique().to_list() == ["all"]
    assert importance(explained.take([])).is_empty()
    assert transfer_share(explained.take([0])).is_empty()


def test_masks_of_another_length(explained: Explanations) -> None:
    with pytest.raises(InputError, match="segment 'mine' has 2 values for 150 pairs"):
        importance(explained, {"mine": np.array([True, False])})


def test_segments_need_who_took_what(explained: Explanations) -> None:
    with pytest.raises(InputError, match="no column 'item_id'"):
        segments_of(explained, pl.DataFrame({"user_id": ["a"]}))
