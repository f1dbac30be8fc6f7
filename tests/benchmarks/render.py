"""Write docs/results.md, its figures and the README's table from the cells that accuracy.py measured.

python tests/benchmarks/render.py                             # docs/results.md, docs/results/*.svg, README.md
python tests/benchmarks/render.py --cells results/quick --page results/quick/results.md
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from suite.cells import ROOT, Store
from suite.figures import learning_curve
from suite.page import page, short
from suite.statistics import points

README = ROOT / "README.md"
BEGIN, END = "<!-- results -->", "<!-- /results -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page and its figures; with the committed cells the README's table, too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=Path, default=ROOT / "docs" / "results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md")
    options = parser.parse_args(arguments)
    found = points(Store(options.cells))
    if not found:
        raise SystemExit(f"{options.cells} has no cells: tests/benchmarks/accuracy.py measures them")
    for task, of_task in found.items():
        learning_curve(of_task, options.page.parent / "results" / f"{task}.svg")
    options.page.write_text(page(found), encoding="utf-8")
    if options.page == ROOT / "docs" / "results.md":
        README.write_text(between(README.read_text(encoding="utf-8"), short(found)), encoding="utf-8")


def between(text: str, table: str) -> str:
    """The text with a table between its markers.

    Raises:
        ValueError: The markers aren't there.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the text has no {BEGIN} and {END} to write the table between")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    main()
