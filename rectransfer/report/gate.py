"""What the gate measured before the test, in plain words."""

from math import isnan
from typing import Literal

from rectransfer.recommend.gate import ALONE
from rectransfer.recommend.verdict import Verdict
from rectransfer.report.result import Gate

__all__ = ["gate"]

Effect = Literal["helps", "hurts", "unclear", "unmeasured", "none"]


def gate(verdict: Verdict) -> Gate:
    """The gate's verdict for those who haven't read about gates.

    Args:
        verdict: Of a fitted model.
    """
    rivals = {name: value for name, value in verdict.contenders.items() if name != ALONE}
    alone = verdict.contenders.get(ALONE, float("nan"))
    effect = _effect(verdict, bool(rivals))
    measured = effect in ("helps", "hurts", "unclear")
    gain = (verdict.difference, verdict.low, verdict.high) if measured else None
    return Gate(
        words=_words(effect, verdict),
        effect=effect,
        with_source=alone + verdict.difference if measured and not isnan(alone) else None,
        without_source=None if isnan(alone) or not measured else alone,
        gain=gain,
        n_users=verdict.n_users,
    )


def _effect(verdict: Verdict, has_source: bool) -> Effect:
    if isnan(verdict.difference):
        return "unmeasured" if has_source else "none"
    if verdict.low > 0:
        return "helps"
    return "hurts" if verdict.high < 0 else "unclear"


def _words(effect: Effect, verdict: Verdict) -> str:
    ships = "with the source" if verdict.ships == "transfer" else "without the source"
    words = {
        "helps": "What was learned in the mature domain helps here",
        "hurts": "What was learned in the mature domain hurts here",
        "unclear": "It can't be told from chance whether what was learned in the mature domain helps here",
        "unmeasured": "There were too few users to measure whether what was learned elsewhere helps here",
        "none": "There is no mature domain to learn from: the model knows this log alone",
    }[effect]
    return f"{words}." if effect == "none" else f"{words}; the model {ships} ships."
