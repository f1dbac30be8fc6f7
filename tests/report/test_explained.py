"""What a report says of the model's reasons is what the model's explanations say."""

import sys

import numpy as np
import polars as pl
import pytest

from rectransfer.ranking import SIGNALS
from rectransfer.report import build_report
from rectransfer.report.explained import because_of
from rectransfer.report.signal_words import in_words


def test_every_signal_of_a_model_has_words(model, alone):
    for name in (*model.signals, *alone.signals, *model.explain(k=1).groups):
        words = in_words(name)
        assert words[0].isupper()
        assert "_" not in words
    words = [in_words(f"source.{name}") for name in SIGNALS]
    assert len(set(words)) == len(words)


def test_a_waterfall_adds_up(report, model):
    told = [person for person in report.people if person.because is not None]

    assert len(told) == len(report.people)
    for person in told:
        because = person.because
        steps = sum(step.value for step in because.steps)
        assert because.base + steps == pytest.approx(because.score, abs=1e-4)
        sizes = [abs(step.value) for step in because.steps[:5]]
        assert sizes == sorted(sizes, reverse=True)
        assert len(because.steps) <= 6
    known = told[-1]
    score = model.recommend([known.user], 1)["score"][0]
    assert known.because.score == pytest.approx(score, abs=1e-4)


def test_what_is_small_is_one_step(model, monkeypatch):
    monkeypatch.setattr(sys.modules[because_of.__module__], "_MOST_STEPS", 2)
    found = model.explain(model.users[:1], k=1)

    because = because_of(found, 0)

    parts = np.sort(np.abs(found.by_group[0]))[::-1]
    assert np.count_nonzero(parts) > 2
    assert [abs(step.value) for step in because.steps[:2]] == pytest.approx(parts[:2])
    assert [step.label for step in because.steps[2:]] == ["Everything else"]
    assert sum(step.value for step in because.steps) == pytest.approx(found.contributions[0].sum())


def test_reasons_are_those_of_the_model(report, model, products):
    person = next(person for person in report.people if person.n_history)
    titles = products.select("item_id", "title")
    expected = model.reasons([person.user], k=5, titles=titles)["reason"]

    assert [one.reason for one in person.advice] == [reason or "" for reason in expected]
    assert any(one.reason for one in person.advice)


def test_the_share_of_the_source(report, alone, later, products):
    signals = report.signals

    assert sum(row.share.mean for row in signals.rows) == pytest.approx(1)
    assert [row.share.mean for row in signals.rows] == sorted(
        (row.share.mean for row in signals.rows), reverse=True
    )
    assert signals.transferred.low <= signals.transferred.mean <= signals.transferred.high
    assert {row.kind for row in signals.rows} & {"source", "both"}
    assert signals.n_users == report.test.n_users - report.test.n_unknown
    assert sum(n for _, _, n in signals.by_segment) == signals.n_users
    without = build_report(alone, later, products).signals
    assert without.transferred is None
    assert {row.kind for row in without.rows} == {"own"}


def test_users_without_history_alone_leave_no_signals(model, later, products):
    strangers = later.with_frame(later.frame.filter(pl.col("user_id").str.starts_with("stranger")))

    found = build_report(model, strangers, products)

    assert found.signals is None
    assert [person.kind for person in found.people] == ["New user"]
    assert found.headline.standing == "level"
