"""The tables of docs/options.md, out of what options.py measured."""

from pathlib import Path
from typing import Any

import numpy as np

from rectransfer.metrics import Interval, holm, paired_bootstrap

PAGE = Path(__file__).parents[2] / "docs" / "options.md"
DRAWS = 10_000

NAMES = {"thin": "thin", "ml-100k": "ML-100K", "grocery": "grocery"}
WITH_TAIL = ("loss", "negatives", "labels")


def render(results: dict[str, Any]) -> None:
    """Put the tables between their markers in the page."""
    page = PAGE.read_text(encoding="utf-8")
    scenarios = {name: found for name, found in results["scenarios"].items() if found["settings"]}
    against = {name: differences(found["settings"]) for name, found in scenarios.items()}
    groups = {row["group"] for found in scenarios.values() for row in found["settings"]} - {"base"}
    parts = {group: table(scenarios, against, group) for group in groups}
    parts |= {f"{group}-tail": tail(scenarios, group) for group in WITH_TAIL}
    parts["setup"] = setup(results)
    for name, lines in parts.items():
        page = placed(page, name, lines)
    PAGE.write_text(page, encoding="utf-8")


def placed(page: str, name: str, lines: list[str]) -> str:
    """The page with lines between two markers."""
    begin, end = f"<!-- options:{name} -->", f"<!-- /options:{name} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SystemExit(f"{PAGE.name} needs {begin} and {end} once each")
    before, _, rest = page.partition(begin)
    return "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{rest.partition(end)[2]}"])


def differences(rows: list[dict[str, Any]]) -> dict[str, tuple[Interval, float]]:
    """Each setting against the base, user by user over all seeds, with p-values after Holm's correction."""
    base = values(rows[0])
    gaps = {row["name"]: paired_bootstrap(values(row), base, n=DRAWS) for row in rows[1:]}
    adjusted = holm([gap.p if gap.p is not None else 1.0 for gap in gaps.values()])
    return {name: (gap, float(p)) for (name, gap), p in zip(gaps.items(), adjusted, strict=True)}


def values(row: dict[str, Any]) -> Any:
    """NDCG@10 of each measured user, seed after seed."""
    return np.concatenate([seed["ndcg"] for seed in row["seeds"]])


def having(scenarios: dict[str, Any], group: str) -> dict[str, list[dict[str, Any]]]:
    """The base and a group's settings, in each scenario that has the group."""
    found = {
        name: [row for row in scenario["settings"] if row["group"] in ("base", group)]
        for name, scenario in scenarios.items()
    }
    return {name: rows for name, rows in found.items() if len(rows) > 1}


def table(scenarios: dict[str, Any], against: dict[str, Any], group: str) -> list[str]:
    """NDCG@10 of a group's settings: mean and range over the seeds, and the difference to the base."""
    found = having(scenarios, group)
    heads = [f"{NAMES[name]}: NDCG@10 | difference" for name in found]
    lines = ["| setting | " + " | ".join(heads) + " |", "|---|" + "---|---|" * len(found)]
    for rows in zip(*found.values(), strict=True):
        cells = []
        for name, row in zip(found, rows, strict=True):
            means = [float(np.mean(seed["ndcg"])) for seed in row["seeds"]]
            cells.append(f"{np.mean(means):.4f} ({min(means):.3f} to {max(means):.3f})")
            cells.append(_difference(*against[name][row["name"]]) if row["name"] in against[name] else "")
        lines.append(f"| {_name(rows[0])} | " + " | ".join(cells) + " |")
    return lines


def tail(scenarios: dict[str, Any], group: str) -> list[str]:
    """What a group's settings do for the long tail, means over the seeds."""
    found = having(scenarios, group)
    heads = [f"{NAMES[name]}: tail NDCG@10 | tail share | coverage" for name in found]
    lines = ["| setting | " + " | ".join(heads) + " |", "|---|" + "---|---|---|" * len(found)]
    for rows in zip(*found.values(), strict=True):
        cells = [
            f"{np.mean([seed['tail_ndcg'] for seed in row['seeds']]):.4f} | "
            f"{np.mean([seed['tail_share'] for seed in row['seeds']]):.1%} | "
            f"{np.mean([seed['coverage'] for seed in row['seeds']]):.1%}"
            for row in rows
        ]
        lines.append(f"| {_name(rows[0])} | " + " | ".join(cells) + " |")
    return lines


def setup(results: dict[str, Any]) -> list[str]:
    """Sizes, time, versions."""
    lines = [
        "| | users who teach | users to stop by | users measured | items |",
        "|---|---|---|---|---|",
    ]
    for name, found in results["scenarios"].items():
        counts = [
            " / ".join(map(str, found[part]))
            for part in ("learning_users", "stopping_users", "measured_users")
        ]
        lines.append(f"| {NAMES[name]} | " + " | ".join(counts) + f" | {found['items']:,} |")
    seconds = sum(row["seconds"] for found in results["scenarios"].values() for row in found["settings"])
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return [
        *lines,
        "",
        "A column's three numbers are the three seeds'. Histories are cut at their latest "
        f"{results['longest_history']:,} interactions. {seconds / 60:.0f} minutes of training on one of "
        f"{results['cores']} cores ({results['machine']}) that other work shared; {versions}; "
        f"{results['date']}, on top of commit {results['commit'][:10]}.",
    ]


def _difference(gap: Interval, p: float) -> str:
    text = f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    return f"**{text}**" if p < 0.05 else text


def _name(row: dict[str, Any]) -> str:
    return row["name"] if row["group"] == "base" or " " in row["name"].split("=")[0] else f"`{row['name']}`"
