"""A report as one HTML page: no script, nothing from elsewhere, every word of users' escaped."""

from functools import cache
from importlib.util import find_spec
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from rectransfer.errors import MissingExtraError
from rectransfer.metrics import Interval
from rectransfer.report.details import Atlas
from rectransfer.report.figure import SHAPES, draw_atlas
from rectransfer.report.result import Report
from rectransfer.report.scale import Scale, scale
from rectransfer.report.signal_words import KINDS
from rectransfer.report.words import points

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render", "require_extra"]

_NEEDED: Final = ("jinja2", "matplotlib")
_DRAWN: Final = {  # in a box of 12
    "o": "M6 1.5a4.5 4.5 0 1 0 .01 0Z",
    "s": "M2 2h8v8H2Z",
    "^": "M6 1.5l5 9H1Z",
    "D": "M6 .5 11.5 6 6 11.5 .5 6Z",
    "v": "M6 10.5l5-9H1Z",
    "P": "M4 1h4v3h3v4H8v3H4V8H1V4h3Z",
    "X": "M3 .8 6 3.8l3-3L11.2 3l-3 3 3 3L9 11.2l-3-3-3 3L.8 9l3-3-3-3Z",
    "p": "M6 .8 11.2 4.6 9.2 10.8H2.8L.8 4.6Z",
    ".": "M6 3.5a2.5 2.5 0 1 0 .01 0Z",
}
_UNSEEN: Final = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd"),
    **dict.fromkeys(map(ord, "\t\n\f\r"), " "),
}
"""Control characters, which HTML has no place for, and what stands for them."""


def require_extra() -> None:
    """Refuses to begin where the page could not be written.

    Raises:
        MissingExtraError: The package jinja2 or matplotlib is not installed.
    """
    for package in _NEEDED:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra="report")


def render(report: Report) -> str:
    """The page.

    Args:
        report: What it shows.

    Returns:
        HTML. Equal reports give equal pages.

    Raises:
        MissingExtraError: The package jinja2 or matplotlib is not installed.
    """
    require_extra()
    page: str = _environment().get_template("report.html.j2").render(report=report, ours=report.ours)
    return page


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("rectransfer.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else _shown(value),
    )
    environment.filters.update(
        percent=lambda share: f"{100 * share:.1f}%",
        whole=lambda share: f"{100 * share:.0f}",
        quality=lambda value: f"{100 * value:.1f}",
        signed=points,
        step=_step,
        typeset=lambda words: words.replace("'", "’"),
        count=lambda number: f"{number:,}",
        sure=_sure,
    )
    environment.globals.update(
        kinds=KINDS,
        scale=scale,
        around=_around,
        waterfall=_waterfall,
        shapes=[_DRAWN[shape] for shape in SHAPES],
        css=lambda: Markup(loader.get_source(environment, "report.css")[0]),  # noqa: S704 (ours)
        draw=lambda atlas: Markup(_draw(atlas)),  # noqa: S704 (digits and words of ours alone)
    )
    return environment


def _shown(value: Any) -> Any:
    """Words without control characters."""
    return value.translate(_UNSEEN) if isinstance(value, str) else value


def _draw(atlas: Atlas) -> str:
    label = (
        f"Map of {len(atlas.points):,} items in {len(atlas.groups)} colours; items that users take together "
        "lie close to each other. The numbers are explained in the list."
    )
    return draw_atlas(atlas, label)


def _around(rows: tuple[Interval | None, ...]) -> Scale:
    """An axis over intervals and zero."""
    held = [end for row in rows if row is not None for end in (row.low, row.high)]
    return scale(held)


def _sure(interval: Interval | None) -> str:
    """The class of a gain: `up`, `down` or `open`."""
    if interval is None or not interval.excludes_zero:
        return "open"
    return "up" if interval.mean > 0 else "down"


def _step(value: float) -> str:
    rounded = f"{value:+.2f}"
    return "0.00" if float(rounded) == 0 else rounded.replace("-", "−")


def _waterfall(base: float, values: list[float]) -> list[tuple[float, float]]:
    """Where each step begins and ends."""
    return list(pairwise(accumulate([base, *values])))
