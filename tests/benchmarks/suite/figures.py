"""Learning curves: NDCG@10 over the share of the target's users."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from suite.statistics import Point
from suite.tasks import ALONE, OURS, TASKS

__all__ = ["learning_curve"]

# Okabe & Ito's colours, which all common kinds of colour blindness can tell apart, each with its own mark.
_LOOKS: Final[tuple[tuple[str, str], ...]] = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "D"),
)
_GREY: Final = "#767676"
_BASELINES: Final = 2  # shown besides popularity: the best ones over all shares
_GAP: Final = 0.045  # between labels, as a share of the axis

_STYLE: Final = {
    "svg.hashsalt": "rectransfer",  # the same cells give the same file
    "svg.fonttype": "path",
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def learning_curve(points: Sequence[Point], path: Path) -> None:
    """Draw a task's learning curves: ours, ours without the source, the best baselines and popularity.

    The line is the mean over seeds, the band goes from the lowest seed to the highest.

    Args:
        points: The task's, by share.
        path: Where to, `.svg` or `.png`.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.6, 4.4), layout="constrained")
        axes = figure.add_subplot()
        names = _shown(points)
        looks = _looks(names)
        shares = np.array([point.share * 100 for point in points])
        ends = {}
        for name in names:
            values = [point.by_seed(name) for point in points]
            means = np.array([value.mean() for value in values])
            ends[name] = float(means[-1])
            color, marker, style, width = looks[name]
            axes.plot(shares, means, style, marker=marker, color=color, linewidth=width, markersize=5)
            low, high = [value.min() for value in values], [value.max() for value in values]
            axes.fill_between(shares, low, high, color=color, alpha=0.13, linewidth=0)
        _axes(axes, points, shares)
        _labels(axes, ends, looks, float(shares[-1]))
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, dpi=110, metadata=metadata, facecolor="white")


def _shown(points: Sequence[Point]) -> list[str]:
    """What is drawn; of equals the first, so that repeats of popularity aren't."""
    rivals = [name for name in points[0].baselines if name != "popularity"]
    rank = {name: float(np.mean([point.mean(name) for point in points])) for name in rivals}
    best = sorted(rivals, key=lambda name: -rank[name])[:_BASELINES]
    own = [name for name in (OURS, ALONE) if name in points[0].models]
    return [*own, *best, *(name for name in ("popularity",) if name in points[0].models)]


def _looks(names: Sequence[str]) -> dict[str, tuple[str, str, str, float]]:
    """Colour, mark, line and width of each."""
    found = {}
    colours = iter(_LOOKS)
    for name in names:
        colour, marker = (_GREY, "") if name == "popularity" else next(colours)
        found[name] = (colour, marker, "-" if name == OURS else "--", 2.4 if name == OURS else 1.5)
    return found


def _axes(axes: Any, points: Sequence[Point], shares: Any) -> None:
    axes.set_xscale("log")
    axes.set_xticks(shares, [f"{share:g} %" for share in shares])
    axes.minorticks_off()
    axes.set_xlabel("share of the target's users (logarithmic)")
    axes.set_ylabel("NDCG@10 (the axis doesn't begin at 0)")
    axes.margins(y=0.08)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    n = len(points[0].cells)
    seeds = "one seed" if n == 1 else f"mean of {n} seeds; bands from the lowest to the highest"
    axes.set_title(f"{TASKS[points[0].task].title} ({seeds})", loc="left", fontsize=10)


def _labels(axes: Any, ends: dict[str, float], looks: Any, right: float) -> None:
    """Names at the ends of the lines, moved apart where they would touch."""
    bottom, top = axes.get_ylim()
    gap = _GAP * (top - bottom)
    names = sorted(ends, key=lambda name: ends[name])
    places = np.array([ends[name] for name in names])
    for _ in range(100):
        for one in range(len(places) - 1):
            if (lack := gap - (places[one + 1] - places[one])) > 1e-9:
                places[one] -= lack / 2
                places[one + 1] += lack / 2
    for name, place in zip(names, places, strict=True):
        axes.annotate(
            name,
            xy=(right, ends[name]),
            xytext=(right * 1.13, place),
            color=looks[name][0],
            fontsize=9.5,
            fontweight="bold" if name == OURS else "normal",
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": looks[name][0],
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 4,
            },
        )
