"""Explainers of others on the same scores, for those who ask for them: SHAP's own, LIME, permutation."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from rectransfer.errors import InputError, MissingExtraError
from rectransfer.explain.explainer import Explainer
from rectransfer.explain.explanations import Explanations
from rectransfer.explain.formula import Doubles
from rectransfer.ranking import Ranker, Slate

__all__ = ["GroupMasker", "lime_weights", "permutation_importance"]


class GroupMasker:
    """A masker for SHAP's explainers that plays our game: groups of signals against our background.

    `shap.explainers.Exact(explainer.scores_of(length), GroupMasker(explainer))` takes rows of signals, of the
    shape `(n, s)`, and gives a value for each group.

    Args:
        explainer: Whose game.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.others = explainer.background_signals
        self.players = explainer.players

    def __call__(self, present: npt.ArrayLike, row: npt.ArrayLike) -> tuple[Doubles]:
        """The background with the groups that are present as they are in the row, shape `(b, s)`."""
        chosen = np.asarray(present, dtype=np.bool_)[list(self.players.groups)]
        return (np.where(chosen, np.asarray(row, dtype=np.float64), self.others),)

    def shape(self, _: npt.ArrayLike) -> tuple[int, int]:
        """Rows of the background and players, as SHAP asks."""
        return len(self.others), len(self.players)

    def mask_shapes(self, _: npt.ArrayLike) -> list[tuple[int]]:
        """Likewise."""
        return [(len(self.players),)]


def lime_weights(
    explainer: Explainer, explained: Explanations, pair: int, *, samples: int = 5_000, seed: int = 0
) -> pl.DataFrame:
    """LIME's local line around a pair (Ribeiro et al. 2016, "Why should I trust you?", section 3.4).

    Signals are drawn around the pair's with the background's spread, weighed by their nearness to it, and a
    ridge regression of the scores is fitted: its weights are slopes, in units of that spread, and don't add
    up to the score.

    Args:
        explainer: Of the model.
        explained: What it gave.
        pair: Which of them.
        samples: How many signals are drawn.
        seed: Draws them.

    Returns:
        `part` and `weight`, a row for each signal, in order.

    Raises:
        InputError: No such pair, or one of a user without history: popularity is all there is.
        MissingExtraError: `lime` isn't installed.
    """
    try:
        from lime.lime_tabular import LimeTabularExplainer
    except ImportError as error:
        raise MissingExtraError("lime", extra="explain") from error
    names = explainer.ranker.names
    if not 0 <= pair < len(explained) or np.isnan(explained.values[pair]).any():
        raise InputError(
            f"pair={pair}; expected 0 to {len(explained) - 1}, of a user with a history, "
            "and one that isn't there by habit alone"
        )
    local = LimeTabularExplainer(
        explainer.background_signals,
        mode="regression",
        feature_names=list(names),
        discretize_continuous=False,
        sample_around_instance=True,
        random_state=seed,
    )
    found = local.explain_instance(
        explained.values[pair, : len(names)],
        explainer.scores_of(float(np.log1p(explained.lengths[pair]))),
        num_features=len(names),
        num_samples=samples,
    )
    weights = dict(found.local_exp[1])  # 0 holds the same with the other sign
    ordered = [float(weights.get(place, 0.0)) for place in range(len(names))]
    return pl.DataFrame({"part": names, "weight": ordered})


def permutation_importance(
    ranker: Ranker, slate: Slate, measure: Callable[[Doubles], float], *, repeats: int = 5, seed: int = 0
) -> pl.DataFrame:
    """How much worse a measure gets when a signal's values change places (Breiman 2001, section 10).

    Values are shuffled among all candidates of the slate, so a signal loses what it says about users and
    about items.

    Args:
        ranker: Scores the slate.
        slate: Candidates of users with labels.
        measure: Takes scores `(u, m)`, -inf where there is no candidate; higher is better.
        repeats: Shuffles of each signal.
        seed: Draws them.

    Returns:
        `part`, `loss` (the mean over the shuffles) and `spread` (their standard deviation).

    Raises:
        InputError: `repeats` is below 1.
    """
    if repeats < 1:
        raise InputError(f"repeats={repeats}; expected at least 1")
    rng, whole = np.random.default_rng(seed), measure(ranker.score(slate).astype(np.float64))
    rows = []
    for name in ranker.names:
        column = slate.names.index(name)
        losses = []
        for _ in range(repeats):
            signals = slate.signals.copy()
            values = signals[:, :, column][slate.present]
            signals[:, :, column][slate.present] = rng.permutation(values)
            shuffled = Slate(slate.names, signals, slate.present, slate.taken, slate.lengths)
            losses.append(whole - measure(ranker.score(shuffled).astype(np.float64)))
        rows.append((name, float(np.mean(losses)), float(np.std(losses))))
    schema = {"part": pl.String(), "loss": pl.Float64(), "spread": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")
