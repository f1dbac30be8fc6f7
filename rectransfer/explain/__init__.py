"""Why an item was recommended: exact attributions to signals and history, and reasons in words."""

from rectransfer.explain.background import BACKGROUND, Background, sample_background
from rectransfer.explain.explainer import Explainer
from rectransfer.explain.explanations import BASE, By, Explanations, Told
from rectransfer.explain.formula import Formula
from rectransfer.explain.players import LARGEST, Players
from rectransfer.explain.reasons import ENGLISH, Reason, Templates, reason_frame, reasons_for

__all__ = [
    "BACKGROUND",
    "BASE",
    "ENGLISH",
    "LARGEST",
    "Background",
    "By",
    "Explainer",
    "Explanations",
    "Formula",
    "Players",
    "Reason",
    "Templates",
    "Told",
    "reason_frame",
    "reasons_for",
    "sample_background",
]
