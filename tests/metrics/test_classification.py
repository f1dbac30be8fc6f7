"""Metrics of yes or no: by hand, against scikit-learn, and what is refused."""

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference

from rectransfer.errors import InputError
from rectransfer.metrics import (
    average_precision,
    classification_report,
    label_lists,
    log_loss,
    roc_auc,
)

TRUTH, SCORES = [0, 0, 1, 1, 1], [0.1, 0.6, 0.35, 0.8, 0.6]


def cases():
    """Random labels and scores: rare and common 1s, many ties, extremes, with and without weights."""
    for seed in range(24):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 200))
        truth = rng.random(n) < (0.05, 0.5, 0.9)[seed % 3]
        truth[:2] = [True, False]
        scores = np.clip(rng.random(n) + 0.3 * (truth - 0.5), 0, 1)
        if seed % 2:
            scores = scores.round(1)  # ties, and certain predictions
        yield truth.astype(int), scores, (rng.random(n) * 5 if seed % 4 > 1 else None)


@pytest.mark.parametrize("case", list(cases()))
def test_it_agrees_with_scikit_learn(case):
    truth, scores, weights = case
    report = classification_report(truth, scores, 0.5, weights)
    said, how = scores >= 0.5, {"sample_weight": weights}
    expected = {
        "accuracy": reference.accuracy_score(truth, said, **how),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, said, **how),
        "precision": reference.precision_score(truth, said, zero_division=0, **how),
        "recall": reference.recall_score(truth, said, **how),
        "f1": reference.f1_score(truth, said, zero_division=0, **how),
        "roc_auc": reference.roc_auc_score(truth, scores, **how),
        "average_precision": reference.average_precision_score(truth, scores, **how),
        "log_loss": reference.log_loss(truth, scores, **how),
    }
    assert {name: getattr(report, name) for name in expected} == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(report.confusion, reference.confusion_matrix(truth, said, **how))


def test_by_hand():
    report = classification_report(TRUTH, SCORES)
    assert report.confusion.tolist() == [[1, 1], [1, 2]]
    assert report.rows == 5
    assert report.positives == pytest.approx(3 / 5)
    assert report.accuracy == pytest.approx(3 / 5)
    assert report.balanced_accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (report.precision, report.recall, report.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    # six pairs: .35 and .6 against .1 win, .35 loses to .6, .6 ties with .6, .8 wins twice
    assert report.roc_auc == pytest.approx((2 + 0 + 0.5 + 2) / 6)
    # from the top: .8 is right; the two at .6 are one step; then .35
    assert report.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert report.log_loss == pytest.approx(-np.log([0.9, 0.4, 0.35, 0.8, 0.6]).mean())


def test_equal_scores_know_nothing():
    report = classification_report([0, 1, 0, 1, 0], [0.3] * 5, threshold=0.3)
    assert (report.roc_auc, report.average_precision, report.balanced_accuracy) == (0.5, 0.4, 0.5)


def test_accuracy_flatters_whoever_always_says_no_and_balanced_accuracy_does_not():
    report = classification_report([1] + [0] * 99, np.zeros(100))
    assert (report.accuracy, report.balanced_accuracy) == (0.99, 0.5)
    assert (report.precision, report.recall, report.f1) == (0, 0, 0)


def test_a_weight_counts_as_so_many_rows():
    weighted = classification_report(TRUTH, SCORES, weights=[1, 2, 3, 1, 2])
    repeated = classification_report(np.repeat(TRUTH, [1, 2, 3, 1, 2]), np.repeat(SCORES, [1, 2, 3, 1, 2]))
    left = weighted.frame().filter(pl.col("metric") != "rows")
    right = repeated.frame().filter(pl.col("metric") != "rows")
    np.testing.assert_allclose(left["value"], right["value"])


def test_scores_that_are_no_probabilities_have_no_log_loss():
    report = classification_report(pl.Series([True, False]), pl.Series([3.0, -1.0]), threshold=0)
    assert report.log_loss is None
    assert report.accuracy == 1
    assert "log loss" not in str(report)
    assert report.frame().filter(pl.col("metric") == "log_loss")["value"].to_list() == [None]
    with pytest.raises(InputError, match="2 of 2 probabilities lie outside"):
        log_loss([1, 0], [3.0, -1.0])


def test_the_frame_has_what_the_text_has():
    report = classification_report(TRUTH, SCORES)
    values = dict(report.frame().iter_rows())
    assert values["roc_auc"] == report.roc_auc
    assert values["true_positives"] == 2
    for name in ("accuracy", "f1", "roc_auc"):
        assert f"{values[name]:.4f}" in str(report)


@pytest.mark.parametrize("measure", [classification_report, roc_auc, average_precision, log_loss])
@pytest.mark.parametrize(
    ("truth", "scores", "weights", "message"),
    [
        ([0, 0, 0], [0.1, 0.2, 0.3], None, "0 of 3 labels are 1"),
        ([1, 1], [0.1, 0.2], None, "0 of 2 labels are 0"),
        ([], [], None, "0 of 0 labels are 1"),
        ([0, 1], [0.1, 0.2], [1, 0], "1 of 2 labels are 1, with a weight of 0"),
        ([0, 1], [0.1, 0.2], [1, -1], "weights: 1 of 2 lie below 0"),
        ([0, 1, 2, 3], [0.1] * 4, None, "2 of 4 labels are neither 0 nor 1, the first is 2"),
        ([0, 1, 1], [0.1, 0.2], None, "3 labels, 2 scores and 3 weights"),
        ([0, 1], [0.1, float("nan")], None, "scores: 1 of 2 aren't finite"),
        ([0, None], [0.1, 0.2], None, "y_true: 1 of 2 aren't finite"),
        (["no", "yes"], [0.1, 0.2], None, "y_true holds something that isn't a number"),
        ([[0, 1]], [[0.1, 0.2]], None, r"y_true needs the shape \(n,\), got \(1, 2\)"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, truth, scores, weights, message):
    with pytest.raises(InputError, match=message):
        measure(truth, scores, weights=weights)


def test_a_threshold_is_a_number():
    with pytest.raises(InputError, match="threshold=nan"):
        classification_report(TRUTH, SCORES, float("nan"))


class TestLabelLists:
    LISTS = pl.DataFrame(
        {"user_id": ["v", "v", "u", "u"], "item_id": [2, 1, 1, 3], "score": [0.4, 0.3, 0.9, 0.1]}
    )

    def test_rows_stay_where_they_are(self):
        test = pl.DataFrame({"user_id": ["u", "u", "v", "w"], "item_id": [3, 3, 2, 1]})
        found = label_lists(self.LISTS, test)
        assert found.drop("label").equals(self.LISTS)
        assert found["label"].to_list() == [1, 0, 0, 1]
        assert roc_auc(found["label"], found["score"]) == 0.25

    def test_ids_of_another_type_are_refused(self):
        with pytest.raises(InputError, match="item_id is Int64 in the lists and String"):
            label_lists(self.LISTS, pl.DataFrame({"user_id": ["u"], "item_id": ["3"]}))

    def test_columns_have_to_be_there(self):
        with pytest.raises(InputError, match=r"test lacks the columns \['item_id'\]"):
            label_lists(self.LISTS, pl.DataFrame({"user_id": ["u"]}))
