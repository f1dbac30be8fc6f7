"""The map as an SVG that takes its colours from the page."""

import io
import re
from typing import Final

from rectransfer.report.details import Atlas

__all__ = ["SHAPES", "draw_atlas"]

SHAPES: Final = ("o", "s", "^", "D", "v", "P", "X", "p", ".")
"""A marker for each category, as colours alone don't tell everybody apart; the last is that of all others."""

_SIDE: Final = 6.0
_INK: Final = "#0000e0"
_PAPER: Final = "#0000e1"
_GROUP: Final = "#0100{:02x}"  # a colour that nobody sees: each becomes a variable of the page
_PROLOG: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_STYLE: Final = re.compile(
    r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL
)  # it would hold for the page
_SIZE: Final = re.compile(r'(<svg[^>]*?) width="[^"]*"')
_HEIGHT: Final = re.compile(r'(<svg[^>]*?) height="[^"]*"')


def draw_atlas(atlas: Atlas, label: str) -> str:
    """Points by category, and the best sellers' numbers; no text of users' in it.

    Args:
        atlas: What to draw.
        label: What screen readers say; plain words of ours.

    Returns:
        An `<svg>` element without a size of its own. Colours are `var(--c0)`, `var(--c1)`, ... for the
        categories, `var(--ink)` and `var(--paper)`.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rectransfer", "svg.id": None}):
        figure = Figure(figsize=(_SIDE, _SIDE), frameon=False)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
        axes.set_axis_off()
        for group in reversed(range(len(atlas.groups))):
            own = [point for point in atlas.points if point.group == group]
            axes.scatter(
                [point.x for point in own],
                [point.y for point in own],
                s=15,
                marker=_shape(group),
                color=_GROUP.format(group),
                alpha=0.8,
                linewidths=0,
            )
        for number, landmark in enumerate(atlas.landmarks, 1):
            place = (landmark.point.x, landmark.point.y)
            axes.scatter(*place, s=330, color=_PAPER, edgecolors=_INK, linewidths=1.2, zorder=3)
            axes.text(*place, str(number), color=_INK, size=11, ha="center", va="center_baseline", zorder=4)
        written = io.StringIO()
        FigureCanvasSVG(figure)
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return _of_the_page(written.getvalue(), label)


def _shape(group: int) -> str:
    return SHAPES[min(group, len(SHAPES) - 1)]


def _of_the_page(svg: str, label: str) -> str:
    svg = _STYLE.sub("", _METADATA.sub("", _PROLOG.sub("", svg)))
    svg = _HEIGHT.sub(r"\1", _SIZE.sub(r"\1", svg))
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    svg = svg.replace(_INK, "var(--ink)").replace(_PAPER, "var(--paper)")
    for group in range(len(SHAPES)):
        svg = svg.replace(_GROUP.format(group), f"var(--c{group})")
    return svg
