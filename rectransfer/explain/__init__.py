"""Why an item was recommended: exact attributions to signals and history, and reasons in words."""

from rectransfer.explain.background import BACKGROUND, Background, sample_background
from rectransfer.explain.explainer import Explainer
from rectransfer.explain.explanations import BASE, By, Explanations, Told
from rectransfer.explain.faithfulness import SHARES, Curves, history_curves, signal_curves
from rectransfer.explain.formula import Formula
from rectransfer.explain.others import GroupMasker, lime_weights, permutation_importance
from rectransfer.explain.overview import EVERYTHING, importance, segments_of, transfer_share
from rectransfer.explain.players import LARGEST, Players
from rectransfer.explain.reasons import Reason, reason_frame, reasons_for, titles_of
from rectransfer.explain.templates import ENGLISH, Templates

__all__ = [
    "BACKGROUND",
    "BASE",
    "ENGLISH",
    "EVERYTHING",
    "LARGEST",
    "SHARES",
    "Background",
    "By",
    "Curves",
    "Explainer",
    "Explanations",
    "Formula",
    "GroupMasker",
    "Players",
    "Reason",
    "Templates",
    "Told",
    "history_curves",
    "importance",
    "lime_weights",
    "permutation_importance",
    "reason_frame",
    "reasons_for",
    "sample_background",
    "segments_of",
    "signal_curves",
    "titles_of",
    "transfer_share",
]
