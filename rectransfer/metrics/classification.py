"""Metrics of yes or no: will this user click, will that one buy?"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.errors import InputError
from rectransfer.metrics.floats import Floats, as_floats

__all__ = [
    "ClassificationReport",
    "average_precision",
    "classification_report",
    "log_loss",
    "roc_auc",
]

_MARGIN = float(np.finfo(np.float64).eps)  # a certain and wrong prediction costs about 36, not infinity


@dataclass(frozen=True)
class ClassificationReport:
    """How well scores tell 1s from 0s.

    With weights, rows count as much as theirs. A prediction is 1 from the threshold on.

    Attributes:
        threshold: Where a prediction turns from 0 to 1.
        rows: How many labels there are.
        positives: The share of 1s among them.
        accuracy: The share of right predictions. With few 1s it is high for whoever always says 0.
        balanced_accuracy: The mean of the shares of 1s and of 0s that are recognised: 0.5 for a constant.
        precision: The share of 1s among those predicted to be 1; 0 where nothing is.
        recall: The share of the 1s that are predicted to be 1.
        f1: The harmonic mean of precision and recall.
        roc_auc: How likely a 1 scores above a 0; equal scores count half. Needs no threshold.
        average_precision: Precision, averaged over the 1s from the best score down. Needs no threshold.
        log_loss: The mean of `-log p` of what came true; None where scores aren't probabilities.
        true_negatives: 0s predicted to be 0, in rows or weights.
        false_positives: 0s predicted to be 1.
        false_negatives: 1s predicted to be 0.
        true_positives: 1s predicted to be 1.
    """

    threshold: float
    rows: int
    positives: float
    accuracy: float
    balanced_accuracy: float
    precision: float
    recall: float
    f1: float
    roc_auc: float
    average_precision: float
    log_loss: float | None
    true_negatives: float
    false_positives: float
    false_negatives: float
    true_positives: float

    @property
    def confusion(self) -> Floats:
        """The confusion matrix, shape `(2, 2)`: a row for what was true, a column for what was predicted."""
        return np.array(
            [[self.true_negatives, self.false_positives], [self.false_negatives, self.true_positives]]
        )

    def frame(self) -> pl.DataFrame:
        """`metric` and `value`, one row each."""
        names = [field.name for field in fields(self)]
        values = [None if (value := getattr(self, name)) is None else float(value) for name in names]
        return pl.DataFrame({"metric": names, "value": pl.Series(values, dtype=pl.Float64)})

    def __str__(self) -> str:
        shown = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")
        lines = [
            f"{self.rows:,} rows, {self.positives:.1%} of them 1; predicted 1 from {self.threshold:g} on"
        ]
        lines += [f"  {name.replace('_', ' '):<18}{getattr(self, name):>8.4f}" for name in shown]
        if self.log_loss is not None:
            lines.append(f"  {'log loss':<18}{self.log_loss:>8.4f}")
        lines.append(f"  {'':<12}{'predicted 0':>14}{'predicted 1':>14}")
        for truth, row in enumerate(self.confusion):
            lines.append(f"  {f'is {truth}':<12}{row[0]:>14,.6g}{row[1]:>14,.6g}")
        return "\n".join(lines)


def classification_report(
    y_true: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float = 0.5,
    weights: npt.ArrayLike | None = None,
) -> ClassificationReport:
    """Measure scores against labels of 0 and 1.

    Args:
        y_true: 0 or 1 (or booleans), both of them somewhere, shape `(n,)`.
        scores: Higher is likelier to be 1, shape `(n,)`; probabilities, if the log loss is to mean something.
        threshold: A score from here on predicts a 1.
        weights: How much each row counts, shape `(n,)`; by default 1.

    Raises:
        InputError: Lengths differ, a label is neither 0 nor 1, all labels are the same, a score or a weight
            isn't a finite number, or a weight lies below 0.

    Examples:
        >>> print(classification_report([0, 0, 1, 1], [0.1, 0.6, 0.35, 0.8]))
        4 rows, 50.0% of them 1; predicted 1 from 0.5 on
          accuracy            0.5000
          balanced accuracy   0.5000
          precision           0.5000
          recall              0.5000
          f1                  0.5000
          roc auc             0.7500
          average precision   0.8333
          log loss            0.5737
                         predicted 0   predicted 1
          is 0                     1             1
          is 1                     1             1
    """
    truth, values, counts = _checked(y_true, scores, weights)
    if not np.isfinite(threshold):
        raise InputError(f"threshold={threshold}; expected a finite number")
    said = values >= threshold
    tp, fp = float(counts[truth & said].sum()), float(counts[~truth & said].sum())
    fn, tn = float(counts[truth & ~said].sum()), float(counts[~truth & ~said].sum())
    recall = tp / (tp + fn)
    return ClassificationReport(
        threshold=float(threshold),
        rows=len(truth),
        positives=(tp + fn) / float(counts.sum()),
        accuracy=(tp + tn) / float(counts.sum()),
        balanced_accuracy=(recall + tn / (tn + fp)) / 2,
        precision=tp / (tp + fp) if tp + fp else 0.0,
        recall=recall,
        f1=2 * tp / (2 * tp + fp + fn),
        roc_auc=roc_auc(truth, values, counts),
        average_precision=average_precision(truth, values, counts),
        log_loss=log_loss(truth, values, counts) if values.min() >= 0 and values.max() <= 1 else None,
        true_negatives=tn,
        false_positives=fp,
        false_negatives=fn,
        true_positives=tp,
    )


def roc_auc(y_true: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The area under the ROC curve: how likely a 1 scores above a 0, equal scores counting half.

    Arguments and errors as for `classification_report`. Hanley and McNeil 1982, "The meaning and use of the
    area under a receiver operating characteristic (ROC) curve", section III.

    Examples:
        >>> roc_auc([0, 1, 0, 1], [0.2, 0.9, 0.5, 0.5])
        0.875
    """
    ones, zeros = _by_score(*_checked(y_true, scores, weights))
    below = zeros.sum() - np.cumsum(zeros)
    return float((ones * (below + zeros / 2)).sum() / (ones.sum() * zeros.sum()))


def average_precision(
    y_true: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """Precision at each score with 1s, weighted by their share of the 1s; equal scores are one step.

    Arguments and errors as for `classification_report`.

    Examples:
        >>> average_precision([0, 1, 0, 1], [0.2, 0.9, 0.5, 0.4])  # 1 at the first, 2/3 at the other
        0.8333333333333333
    """
    ones, zeros = _by_score(*_checked(y_true, scores, weights))
    found, named = np.cumsum(ones), np.cumsum(ones + zeros)
    precision = np.divide(found, named, out=np.zeros_like(found), where=named > 0)
    return float((ones * precision).sum() / ones.sum())


def log_loss(
    y_true: npt.ArrayLike, probabilities: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float:
    """The mean of `-log p` of what came true, in nats.

    Arguments and errors as for `classification_report`.

    Raises:
        InputError: Also where a probability lies outside [0, 1].
    """
    truth, values, counts = _checked(y_true, probabilities, weights)
    if outside := int(((values < 0) | (values > 1)).sum()):
        raise InputError(
            f"{outside} of {len(values)} probabilities lie outside [0, 1]; log_loss needs them in"
        )
    right = np.clip(np.where(truth, values, 1 - values), _MARGIN, 1 - _MARGIN)
    return float(np.average(-np.log(right), weights=counts))


def _by_score(truth: npt.NDArray[np.bool_], values: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The weight of 1s and of 0s at each different score, from the highest down."""
    _, step = np.unique(-values, return_inverse=True)
    ones: Floats = np.bincount(step, counts * truth).astype(np.float64)
    zeros: Floats = np.bincount(step, counts * ~truth).astype(np.float64)
    return ones, zeros


def _checked(
    y_true: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    labels, values = _numbers(y_true, "y_true"), _numbers(scores, "scores")
    counts = np.ones(len(labels)) if weights is None else _numbers(weights, "weights")
    if not len(labels) == len(values) == len(counts):
        raise InputError(
            f"{len(labels)} labels, {len(values)} scores and {len(counts)} weights; expected as many of each"
        )
    if strange := int((~np.isin(labels, (0, 1))).sum()):
        first = labels[~np.isin(labels, (0, 1))][0]
        raise InputError(
            f"y_true: {strange} of {len(labels)} labels are neither 0 nor 1, the first is {first:g}"
        )
    if (counts < 0).any():
        raise InputError(f"weights: {(counts < 0).sum()} of {len(counts)} lie below 0")
    truth = labels == 1
    for one, count in ((1, counts[truth]), (0, counts[~truth])):
        if not count.sum():
            raise InputError(
                f"y_true: {len(count)} of {len(truth)} labels are {one}, with a weight of 0 together; 1s can "
                "be told from 0s where there are both: take more rows"
            )
    return truth, values, counts


def _numbers(values: npt.ArrayLike, name: str) -> Floats:
    array = as_floats(values, name)
    if array.ndim != 1:
        raise InputError(f"{name} needs the shape (n,), got {array.shape}")
    if bad := int((~np.isfinite(array)).sum()):
        raise InputError(f"{name}: {bad} of {len(array)} aren't finite numbers; drop or fill them")
    return array
