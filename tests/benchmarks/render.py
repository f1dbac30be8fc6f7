"""Write docs/results.md from the cells that accuracy.py measured: `python tests/benchmarks/render.py`."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rectransfer.metrics import paired_bootstrap

OURS = "rectransfer"
ROOT = Path(__file__).parents[2]
CELLS = ROOT / "docs" / "results" / "cells"
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"

TASKS = {
    "store-launch": (
        "A grocery chain opens stores",
        "Complete Journey, a year of purchases. Households get the store where most of their rows up to "
        "week 43 are as their home; forty home stores, drawn with the seed, are the target, with four weeks "
        "of log (40 to 43). The source is the other stores' households, weeks 1 to 43. Test: what the "
        "target's households buy in weeks 44 to 53 and haven't bought in the target's log.",
        "python tests/benchmarks/accuracy.py --task store-launch",
    ),
    "movielens": (
        "From MovieLens 1M to MovieLens 100K",
        "Titles are shared, users are not. A fifth of ML-100K's users is set aside: the first 80 % of their "
        "ratings are history, the rest is to be found. The target's log is a share of the other users. ML-1M "
        "is the later of the two logs, so this is transfer between populations, and no forecast.",
        "python tests/benchmarks/accuracy.py --task movielens --shares 0.05 0.1 0.25 1",
    ),
}


def load() -> dict[str, list[dict[str, Any]]]:
    """The cells of each task, by share and seed."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TASKS}
    for path in sorted(CELLS.glob("*.json")):
        found[path.stem.rsplit("-", 2)[0]].append(json.loads(path.read_text(encoding="utf-8")))
    return found


def table(cells: list[dict[str, Any]]) -> list[str]:
    """NDCG@10 (and Recall@10 where there is one cell) of every model, a column a cell."""
    one = len(cells) == 1
    heads = ["NDCG@10", "95 % interval", "Recall@10"] if one else [_head(cell) for cell in cells]
    lines = ["| model | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    best = [max(model["ndcg@10"] for model in cell["models"]) for cell in cells]
    for name in [model["name"] for model in cells[0]["models"]]:
        rows = [next((m for m in cell["models"] if m["name"] == name), None) for cell in cells]
        values = [
            ""
            if row is None
            else f"**{row['ndcg@10']:.4f}**"
            if row["ndcg@10"] == top
            else f"{row['ndcg@10']:.4f}"
            for row, top in zip(rows, best, strict=True)
        ]
        if one and rows[0] is not None:
            values += [f"{rows[0]['low']:.4f} to {rows[0]['high']:.4f}", f"{rows[0]['recall@10']:.4f}"]
        lines.append(f"| `{name}` | " + " | ".join(values) + " |")
    return lines


def differences(cells: list[dict[str, Any]]) -> list[str]:
    """What the transfer gains on the test over the best baseline and over the target alone."""
    lines = ["| cell | against | difference in NDCG@10 | paired 95 % interval | the gate ships |"]
    lines.append("|---|---|---|---|---|")
    for cell in cells:
        values = {name: np.array(found) for name, found in cell["per_user_ndcg@10"].items()}
        baselines = [name for name in values if not name.startswith(OURS)]
        best = max(baselines, key=lambda name: float(values[name].mean()))
        for name in (best, f"{OURS}_target"):
            gap = paired_bootstrap(values[OURS], values[name], seed=cell["seed"])
            words = f"{gap.mean:+.4f} | {gap.low:+.4f} to {gap.high:+.4f}"
            lines.append(f"| {_head(cell)} | `{name}` | {words} | {cell['verdict']['contender']} |")
    return lines


def _head(cell: dict[str, Any]) -> str:
    seed = f", seed {cell['seed']}" if cell["seed"] else ""
    return f"{cell['share']:.0%} ({cell['target_users']} users{seed})"


def in_short(cells: dict[str, list[dict[str, Any]]]) -> str:
    """What the README shows."""
    lines = ["", "NDCG@10 over the whole catalogue, one seed:", ""]
    columns = [
        (f"{title}{'' if name == 'store-launch' else ', ' + _head(cell)}", cell)
        for name, (title, _, _) in TASKS.items()
        for cell in cells[name]
        if not cell["seed"]
    ]
    lines += [
        "| model | " + " | ".join(title for title, _ in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name in [model["name"] for model in columns[0][1]["models"]]:
        values = []
        for _, cell in columns:
            models = {model["name"]: model["ndcg@10"] for model in cell["models"]}
            bold = "**" if models[name] == max(models.values()) else ""
            values.append(f"{bold}{models[name]:.4f}{bold}")
        lines.append(f"| `{name}` | " + " | ".join(values) + " |")
    lines += ["", "Intervals, settings and commands are in [results](docs/results.md).", ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page, and the README's table."""
    before, _, rest = README.read_text(encoding="utf-8").partition("<!-- results -->")
    after = rest.partition("<!-- /results -->")[2]
    short = in_short(load())
    README.write_text(f"{before}<!-- results -->{short}<!-- /results -->{after}", encoding="utf-8")
    lines = [
        "# Results",
        "",
        "Every number on this page comes from the files in `docs/results/cells/`, which the commands below",
        "write; `python tests/benchmarks/render.py` makes the page. All models rank the whole catalogue, the",
        "settings of the baselines and what the gate ships are chosen on cuts inside the target's log. The",
        "ranges that the baselines' settings come from were drawn up with these tasks in view, which favours",
        "them. Pretraining runs on several threads: a repeated run differs in the third decimal.",
    ]
    for name, cells in load().items():
        if not cells:
            continue
        title, words, command = TASKS[name]
        lines += ["", f"## {title}", "", words, "", f"    {command}", "", *table(cells), ""]
        lines += ["What `rectransfer` gains on the test, over the best baseline and over itself alone:", ""]
        lines += [*differences(cells), ""]
        users = " / ".join(sorted({str(cell["test_users"]) for cell in cells}))
        versions = ", ".join(f"{k} {v}" for k, v in cells[0]["versions"].items())
        lines.append(
            f"{users} test users, {cells[0]['items']:,} items. {cells[0]['cores']} cores, {versions}; "
            f"commit {cells[0]['commit'][:10]}, {cells[0]['date']}."
        )
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
