"""The verdict and its meaning in sentences."""

from typing import Final

from rectransfer.metrics import Interval
from rectransfer.report.result import Gate, Headline, Model, Segments, Standing
from rectransfer.report.trial import BEST_SELLERS

__all__ = ["headline", "points"]

_STANDS: Final = {
    "better": "ranks better than a list of best sellers",
    "level": "can't be told apart from a list of best sellers",
    "worse": "ranks worse than a list of best sellers",
}
_SOURCE: Final = {
    "helps": "and what it learned in the mature domain helps",
    "hurts": "and it does without the mature domain, which would hurt",
    "unclear": "and whether the mature domain helps can't be told from chance",
    "unmeasured": "and whether the mature domain helps was not measured",
    "none": "and it learned from this log alone",
}
_ADVICE: Final = {"better": "Ship it", "level": "Don't count on it yet", "worse": "Don't ship it"}
_BEATEN: Final = "Good, but not the best of those tried"


def headline(models: tuple[Model, ...], gate: Gate, segments: tuple[Segments, ...], *, k: int) -> Headline:
    """The verdict.

    Args:
        models: On the test.
        gate: What was measured before.
        segments: Where the model gains.
        k: The length of the lists.
    """
    ours = next(model for model in models if model.ours)
    popular = next(model for model in models if model.label == BEST_SELLERS)
    assert ours.gain is not None  # noqa: S101 (only best sellers have none)
    assert ours.more_hits is not None  # noqa: S101
    standing = _standing(ours.gain)
    best = _best_rival(models)
    beaten = best is not None and best.ahead is not None and best.ahead.high < 0
    advice = _BEATEN if beaten and standing == "better" else _ADVICE[standing]
    sentence = (
        f"{advice}: the model {_STANDS[standing]} "
        f"({_of_100(ours.hits.mean)} of 100 users find something they went on to take among {k}, against "
        f"{_of_100(popular.hits.mean)} with best sellers), {_SOURCE[gate.effect]}."
    )
    meaning = [_in_a_thousand(ours.more_hits), _rivals(models, ours), _source(gate), _where(segments)]
    return Headline(sentence, standing, tuple(words for words in meaning if words))


def points(value: float) -> str:
    """NDCG from 0 to 100, signed.

    Examples:
        >>> points(0.0312), points(-0.2), points(0.00001)
        ('+3.1', '−20.0', '0.0')
    """
    rounded = f"{100 * value:+.1f}"
    return "0.0" if float(rounded) == 0 else rounded.replace("-", "−")


def _standing(gain: Interval) -> Standing:
    if not gain.excludes_zero:
        return "level"
    return "better" if gain.mean > 0 else "worse"


def _of_100(share: float) -> str:
    return f"{100 * share:.0f}"


def _in_a_thousand(more: Interval) -> str:
    count, low, high = (round(1000 * value) for value in (more.mean, more.low, more.high))
    if low == high == 0:
        return "Just as many users find something they take as with best sellers."
    if not more.excludes_zero:
        return (
            "About as many users find something they take as with best sellers: in 1,000 users between "
            f"{_more(low)} and {_more(high)}."
        )
    ends = sorted((abs(low), abs(high)))
    return (
        f"In 1,000 users, about {abs(count):,} {'more' if count > 0 else 'fewer'} find something they take "
        f"than with best sellers; with other users it would be between {ends[0]:,} and {ends[1]:,}."
    )


def _more(count: int) -> str:
    return f"{abs(count):,} {'fewer' if count < 0 else 'more'}"


def _best_rival(models: tuple[Model, ...]) -> Model | None:
    return next((model for model in models if not model.ours and model.label != BEST_SELLERS), None)


def _rivals(models: tuple[Model, ...], ours: Model) -> str:
    best = _best_rival(models)
    if best is None or best.ahead is None:
        return ""
    behind = best.ahead.mean < 0
    claim = {
        (True, True): "ranks better than this model",
        (True, False): "is ahead by no more than chance could explain",
        (False, True): "ranks worse than this model",
        (False, False): "is behind by no more than chance could explain",
    }[behind, best.ahead.excludes_zero]
    return (
        f"Of the other models tried, the best one, “{best.label}”, {claim}: "
        f"{100 * best.quality.mean:.1f} points against {100 * ours.quality.mean:.1f}."
    )


def _source(gate: Gate) -> str:
    if gate.gain is None or gate.without_source is None or gate.with_source is None:
        return gate.words
    gain, low, high = gate.gain
    relative = f", {gain / gate.without_source:+.0%}".replace("-", "−") if gate.without_source > 0 else ""
    return (
        f"What the mature domain adds, measured on {gate.n_users:,} users before this test: {points(gain)} "
        f"points of ranking quality{relative} ({points(low)} to {points(high)}), from "
        f"{100 * gate.without_source:.1f} to {100 * gate.with_source:.1f}."
    )


def _where(segments: tuple[Segments, ...]) -> str:
    sure = [row for one in segments for row in one.rows if row.gain is not None and row.gain.excludes_zero]
    gains = sorted((row for row in sure if row.gain and row.gain.mean > 0), key=lambda row: -row.gain.mean)  # type: ignore[union-attr]
    losses = sorted((row for row in sure if row.gain and row.gain.mean < 0), key=lambda row: row.gain.mean)  # type: ignore[union-attr]
    told = []
    if gains and gains[0].gain is not None:
        told.append(f"It gains most in “{_name(gains[0].label)}” ({points(gains[0].gain.mean)} points)")
    if losses and losses[0].gain is not None:
        told.append(f"loses in “{_name(losses[0].label)}” ({points(losses[0].gain.mean)})")
    elif told:
        told.append("loses in none of the parts that were looked at")
    return f"{' and '.join(told)}." if told else ""


def _name(label: str) -> str:
    return label.partition(":")[0]
