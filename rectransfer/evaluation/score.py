"""From scores to one value a user."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from rectransfer.errors import InputError
from rectransfer.evaluation.baselines import Baseline
from rectransfer.metrics import Metric, Ndcg, Recall, RelevantRanks, rank_relevant

__all__ = ["evaluate_ranks", "evaluate_scores", "rank_by_model"]

_METRICS: tuple[Metric, ...] = (Ndcg(10), Recall(10))
_VALUES_A_BLOCK = 20_000_000


def evaluate_scores(
    scores: npt.NDArray[np.floating],
    relevant: csr_array,
    exclude: csr_array | None = None,
    metrics: Sequence[Metric] = _METRICS,
) -> pl.DataFrame:
    """Values of every user under many metrics, by full ranking.

    Args:
        scores: Higher is better, shape `(n_users, n_items)`.
        relevant: What each user turned out to want, same shape.
        exclude: Items that leave a user's ranking, same shape.
        metrics: What to measure.

    Returns:
        `row` (the user's row in `scores`) and a column for each metric; users with nothing relevant are out.

    Raises:
        InputError: As `rank_relevant`, or two metrics have one name.

    Examples:
        >>> evaluate_scores(np.array([[0.2, 0.9, 0.1]]), csr_array([[0, 1, 0]])).rows()
        [(0, 1.0, 1.0)]
    """
    return evaluate_ranks(rank_relevant(scores, relevant, exclude), metrics)


def evaluate_ranks(ranks: RelevantRanks, metrics: Sequence[Metric] = _METRICS) -> pl.DataFrame:
    """Values of every user under many metrics: `row`, and a column for each metric.

    Raises:
        InputError: Two metrics have one name.
    """
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise InputError(f"each metric may be there once, got {names}")
    return pl.DataFrame({"row": ranks.users, **{metric.name: metric.per_user(ranks) for metric in metrics}})


def rank_by_model(
    model: Baseline,
    history: csr_array,
    relevant: csr_array,
    exclude: csr_array | None = None,
    fallback: npt.NDArray[np.floating] | None = None,
) -> RelevantRanks:
    """Rank what is relevant by a fitted model, a block of users at a time.

    Args:
        model: Fitted, to rank `n_items`.
        history: What each user took before, shape `(n_users, n_columns)`.
        relevant: What each user turned out to want, shape `(n_users, n_items)`; where histories have more
            columns, the ranked items are the first ones.
        exclude: Items that leave a user's ranking, as `relevant`; often the history.
        fallback: Scores for users without any history, shape `(n_items,)`: popularity, mostly.

    Raises:
        InputError: As `rank_relevant`, or no users.
    """
    n_users, n_items = history.shape
    if not n_users or relevant.shape[0] != n_users or relevant.shape[1] > n_items:
        raise InputError(
            f"history has the shape {history.shape} and relevant {relevant.shape}: they need the same users, "
            "one at least, and relevant not more items"
        )
    step = max(1, _VALUES_A_BLOCK // max(1, n_items))
    blocks = [slice(start, min(start + step, n_users)) for start in range(0, n_users, step)]
    parts = []
    for block in blocks:
        scores = model.scores(history[block])
        if fallback is not None:
            scores[np.diff(history[block].indptr) == 0] = fallback
        parts.append(rank_relevant(scores, relevant[block], None if exclude is None else exclude[block]))
    return RelevantRanks.concatenate(parts, [block.stop - block.start for block in blocks])
