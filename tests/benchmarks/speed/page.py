"""Render docs/speed.md from whatever lies in docs/results/speed/.

    python tests/benchmarks/speed/page.py

Each JSON becomes a section. One that `report.write_result` wrote says by itself how it is to be shown; of any
other the lists of rows become tables and the plain values a line.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from report import RESULTS, ROOT

PAGE = ROOT / "docs" / "speed.md"
HEAD = """# Speed and memory

What `make bench-speed` measured. Ratios come from runs side by side: in one run, in turns, on the same data
and with the same quality. Seconds are of the machine that the last line of a section names, which had other
work to do (its load is there): they say little, the ratios more.

<!-- This page is rendered by tests/benchmarks/speed/page.py from docs/results/speed/: don't edit it. -->
"""
LAST = 1_000  # where sections stand that don't say
PROVENANCE = ("commit", "date", "cores", "machine", "load", "versions")
SHOWN = (*PROVENANCE, "title", "about", "order", "columns", "rows", "settings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    args.page.write_text(render(args.results))


def render(folder: Path) -> str:
    """The page, as Markdown."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    named = {name: one if isinstance(one, dict) else {"rows": one} for name, one in found.items()}
    order = sorted(named, key=lambda name: (named[name].get("order", LAST), name))
    return "\n".join([HEAD, *(section(name, named[name]) for name in order)])


def section(name: str, result: Mapping[str, Any]) -> str:
    """A heading, what it's about, tables, and where it was measured."""
    title = result.get("title") or name.replace("_", " ").replace("-", " ").capitalize()
    parts = [f"## {title}", str(result.get("about", ""))]
    rows = result.get("rows")
    if is_rows(rows):
        parts.append(table(rows, result.get("columns") or headings(rows)))
    for key, value in result.items():
        if key not in SHOWN and (found := as_rows(value)):
            parts += [f"**{key.replace('_', ' ')}**", table(found, headings(found))]
    plain = {key: value for key, value in result.items() if key not in SHOWN and is_plain(value)}
    settings = {key: value for key, value in dict(result.get("settings") or {}).items() if is_plain(value)}
    parts += [line(values) for values in (plain, settings) if values]
    parts.append(measured(name, result))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_rows(value: Any) -> list[dict[str, Any]]:
    """Rows as they are, or a row for each name of a mapping; none of anything else."""
    if is_rows(value):
        return list(value)
    if isinstance(value, dict) and value and all(isinstance(one, dict) for one in value.values()):
        return [{"name": name, **one} for name, one in value.items()]
    return []


def is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def headings(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The keys with plain values, as they are."""
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if is_plain(value))
    return {key: key.replace("_", " ") for key in keys}


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    left = {key: any(isinstance(row.get(key), str) for row in rows) for key in columns}
    lines = [
        f"| {' | '.join(columns.values())} |",
        f"|{'|'.join('---' if left[key] else '---:' for key in columns)}|",
        *(f"| {' | '.join(cell(row.get(key)) for key in columns)} |" for row in rows),
    ]
    return "\n".join(lines)


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("|", "\\|")
    if isinstance(value, int) or (value == int(value) and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def line(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{key.replace('_', ' ')} {cell(value)}" for key, value in values.items()) + "."


def measured(file: str, result: Mapping[str, Any]) -> str:
    """Where, when and with what."""
    known = result.get("versions")
    versions = ", ".join(f"{name} {one}" for name, one in known.items()) if isinstance(known, dict) else ""
    load = result.get("load")
    parts = [
        f"commit {str(result['commit'])[:9]}" if result.get("commit") else "",
        str(result.get("date", "")),
        f"{result['cores']} cores" if result.get("cores") else "",
        f"load {load[0] if isinstance(load, list) else load}" if load else "",
        versions,
    ]
    link = f"[{file}.json](results/speed/{file}.json)"
    return f"*Measured at {'; '.join(part for part in parts if part)}: {link}*"


if __name__ == "__main__":
    main()
