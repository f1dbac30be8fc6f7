"""The page of results, and the README's table."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from suite.statistics import ALPHA, PICKED, Point, Versus, single_cells, versus
from suite.tasks import ALONE, OURS, TASKS

__all__ = ["page", "short"]

_THIN: Final = (0.02, 0.25)
_IN_SHORT: Final = 0.1

_INTRODUCTION: Final = """\
Every number on this page comes from the cells in `docs/results/cells/` (and the values of each user in
`docs/results/users/`, in ten-thousandths), which `make bench-accuracy` measures. A cell is a task, a share of
the target's users and a seed, and is measured again alone by

    python tests/benchmarks/accuracy.py --task store-launch --shares 0.1 --seeds 3 --again

All models rank the whole catalogue of the target. The settings of the baselines, and what our gate ships, are
chosen inside the target's log; nothing is chosen on the test. The ranges that the baselines' settings come
from were drawn up with these tasks in view, which favours them. So does this: *best baseline* is, at each
task and share, the one with the best mean **on the test**, picked with hindsight. Intervals are paired
bootstraps over users (10,000 draws; a user who is tested under several seeds is one cluster), p-values are
adjusted by Holm's method over all tasks and shares of this page."""


def page(found: Mapping[str, Sequence[Point]]) -> str:
    """The page, in Markdown."""
    against_best, against_alone = versus(found), versus(found, ALONE)
    picked = _against_picked(found)
    lines = ["# Results", "", _INTRODUCTION, "", *_summary(found, against_best, picked, against_alone)]
    for task, points in found.items():
        best = [row for row in against_best if row.point.task == task]
        alone = [row for row in against_alone if row.point.task == task]
        lines += ["", *_section(task, points, best, alone)]
    return "\n".join(lines) + "\n"


def short(found: Mapping[str, Sequence[Point]]) -> str:
    """The README's table: a row a task, at a tenth of the target's users where that was measured."""
    lines = [
        "NDCG@10 over the whole catalogue at 10 % of the target's users, mean over the seeds:",
        "",
        f"| task | best baseline | without the source | `{OURS}` | gain over the best baseline |",
        "|---|---|---|---|---|",
    ]
    for row in versus(found):
        if row.point.share != min((p.share for p in found[row.point.task]), key=lambda s: abs(s - _IN_SHORT)):
            continue
        share = "" if row.point.share == _IN_SHORT else f" ({_per_cent(row.point.share)})"
        lines.append(
            f"| {TASKS[row.point.task].title}{share} | {row.point.mean(row.other):.4f} (`{row.other}`) | "
            f"{row.point.mean(ALONE):.4f} | **{row.point.mean(OURS):.4f}** | {row.lift:+.1%}{_star(row)} |"
        )
    lines += ["", "\\* significant after Holm's correction over all tasks and shares.", ""]
    if thin := [row for row in versus(found) if _is_thin(row.point)]:
        lines.append("*Best* is picked with hindsight, on the test.")
        lines.append(f"At 2 to 25 % of the users the gain over it is {_lifts(thin)}.")
    if thin := [row for row in _against_picked(found) if _is_thin(row.point)]:
        lines.append(f"Over the baseline that the target's own log picks it is {_lifts(thin)}.")
    lines += ["Learning curves, intervals and commands are in [results](docs/results.md)."]
    return "\n".join(lines)


def _against_picked(found: Mapping[str, Sequence[Point]]) -> list[Versus]:
    """Against what the target's log picks; nothing where a cell doesn't say."""
    told = all(PICKED in point.users.columns for points in found.values() for point in points)
    return versus(found, PICKED) if told else []


def _summary(
    found: Mapping[str, Sequence[Point]],
    best: Sequence[Versus],
    picked: Sequence[Versus],
    alone: Sequence[Versus],
) -> list[str]:
    every = [point for points in found.values() for point in points]
    thin, thin_picked = ([row for row in rows if _is_thin(row.point)] for rows in (best, picked))
    shares, seeds = len({point.share for point in every}), [len(point.cells) for point in every]
    counted = (
        _number(sum(len(point.cells) for point in every), "cell"),
        _number(len(found), "task"),
        _number(shares, "share"),
        f"{'up to ' if min(seeds) < max(seeds) else ''}{_number(max(seeds), 'seed')}",
    )
    lines = ["## In short", "", f"{counted[0]}: {', '.join(counted[1:])}."]
    if thin:
        lines += ["", "How much higher NDCG@10 is on average at 2 to 25 % of the target's users:", ""]
        lines.append(f"- than the best baseline: {_lifts(thin)}.")
    if thin_picked:
        lines.append(
            f"- than the baseline that did best inside the target's log, where settings are chosen, too: "
            f"{_lifts(thin_picked)}. Nobody can see the test before they choose. It is *{PICKED}* below."
        )
    rows = [("the best baseline, 2 to 25 %", thin), ("the best baseline, all shares", best)]
    if picked:
        rows += [(f"*{PICKED}*, 2 to 25 %", thin_picked), (f"*{PICKED}*, all shares", picked)]
    rows.append((f"`{ALONE}`, all shares", alone))
    return [*lines, "", *_standings(rows), "", *_negative(found, alone), *_room(found)]


def _standings(rows: Sequence[tuple[str, Sequence[Versus]]]) -> list[str]:
    lines = [f"| `{OURS}` against | points | better | worse | neither | interval above 0 | below 0 |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, several in rows:
        won, lost = sum(row.better for row in several), sum(row.worse for row in several)
        above, below = sum(row.gap.low > 0 for row in several), sum(row.gap.high < 0 for row in several)
        lines.append(
            f"| {name} | {len(several)} | {won} | {lost} | {len(several) - won - lost} | {above} | {below} |"
        )
    return [
        *lines,
        "",
        f"Better and worse: the 95 % interval excludes zero and p < {ALPHA} after Holm's correction. The "
        "last two columns are of the intervals alone, without the correction.",
    ]


def _is_thin(point: Point) -> bool:
    return _THIN[0] <= point.share <= _THIN[1]


def _lifts(rows: Sequence[Versus]) -> str:
    """What is gained on average, and the range."""
    lifts = np.array([row.lift for row in rows])
    ends = f"from {lifts.min():+.1%} to {lifts.max():+.1%}"
    return f"**{lifts.mean():+.1%}** ({ends} over {len(rows)} points of task and share)"


def _room(found: Mapping[str, Sequence[Point]]) -> list[str]:
    """How far the best baselines are below what the whole target's log gives any model."""
    whole = {task: points[-1] for task, points in found.items() if points[-1].share == 1}
    shares = sorted({p.share for points in found.values() for p in points if _is_thin(p)})
    if not whole or not shares:
        return []
    lines = [
        "",
        "### How much there is to gain",
        "",
        "How much better the best of all models does with the log of **all** the target's users (ours among "
        "them, picked on the test) than the best baseline with a share of it. A model that learned from the "
        "share all that the whole log has to teach would gain about this. Both are of the seeds that the "
        "whole log was measured with, as in some tasks others are tested on other users:",
        "",
        "| task | " + " | ".join(_per_cent(share) for share in shares) + " |",
        "|---|" + "---|" * len(shares),
    ]
    for task, point in whole.items():
        top = max(point.mean(name) for name in point.models)
        alike = [each.only(point.cells) for each in found[task]]
        thin = {each.share: f"{top / each.mean(each.best) - 1:+.1%}" for each in alike if each.cells}
        lines.append(f"| {TASKS[task].title} | " + " | ".join(thin.get(one, "") for one in shares) + " |")
    return lines


def _negative(found: Mapping[str, Sequence[Point]], alone: Sequence[Versus]) -> list[str]:
    lines = ["### Negative transfer", ""]
    below = sum(row.gap.mean < 0 for row in alone)
    cells = versus(single_cells(found), ALONE)
    lines.append(
        f"`{OURS}` is significantly below `{ALONE}` at {sum(row.worse for row in alone)} of {len(alone)} "
        f"points of task and share (its mean is below at {below}), and in {sum(row.worse for row in cells)} "
        f"of {len(cells)} single cells, where p-values are adjusted over all of those."
    )
    hurt = [row for row in (*alone, *cells) if row.worse]
    if hurt:
        lines += ["", "| task | share | seed | difference | 95 % interval | p (Holm) |"]
        lines.append("|---|---|---|---|---|---|")
    for row in hurt:
        seeds = ", ".join(str(seed) for seed in row.point.cells)
        where = f"{TASKS[row.point.task].title} | {_per_cent(row.point.share)} | {seeds}"
        lines.append(f"| {where} | {_gap(row)} | {row.p:.2g} |")
    return lines


def _section(
    task: str, points: Sequence[Point], best: Sequence[Versus], alone: Sequence[Versus]
) -> list[str]:
    title = TASKS[task].title
    lines = [f"## {title}", "", TASKS[task].words, "", f"![{title}: learning curves](results/{task}.svg)", ""]
    lines += ["NDCG@10, mean over the seeds:", "", *_means(points), ""]
    lines += [f"What `{OURS}` gains:", "", "| share | against | difference | 95 % interval | p (Holm) |"]
    lines.append("|---|---|---|---|---|")
    lines += [
        f"| {_per_cent(row.point.share)} | `{row.other}` | {_gap(row)} | {row.p:.2g}{_star(row)} |"
        for rows in zip(best, alone, strict=True)
        for row in rows
    ]
    return [*lines, "", _ships(points), *_gate(points), "", *_provenance(points)]


def _means(points: Sequence[Point]) -> list[str]:
    heads = [f"{_per_cent(point.share)} ({_users(point)})" for point in points]
    lines = ["| model | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name in points[0].models:
        values = []
        for point in points:
            top = max(point.mean(model) for model in point.models)
            value = point.mean(name) if name in point.models else float("nan")
            values.append(f"**{value:.4f}**" if value == top else f"{value:.4f}")
        lines.append(f"| `{name}` | " + " | ".join(values) + " |")
    if all(PICKED in point.users.columns for point in points):
        lines.append(f"| *{PICKED}* | " + " | ".join(f"{point.mean(PICKED):.4f}" for point in points) + " |")
    return lines


def _users(point: Point) -> str:
    counts = sorted({cell["target_users"] for cell in point.cells.values()})
    return f"{counts[0]:,} users" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,} users"


def _ships(points: Sequence[Point]) -> str:
    cells = [cell for point in points for cell in point.cells.values()]
    shipped = sum(cell["verdict"]["ships"] == "transfer" for cell in cells)
    return f"The gate shipped the transfer in {shipped} of {len(cells)} cells."


def _gate(points: Sequence[Point]) -> list[str]:
    """What the gate measured of each contender, on users of the target: the test has no part in it."""
    found = {point.share: measured for point in points if (measured := _contenders(point))}
    if not found:
        return []
    lines = [
        "",
        "What it measured, on users of the target's log: NDCG@10, mean over the seeds. What is asked there "
        "isn't what the test asks, so compare down a column only.",
        "",
        "| contender | " + " | ".join(_per_cent(share) for share in found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for name in dict.fromkeys(name for measured in found.values() for name in measured):
        values = [f"{one[name]:.4f}" if name in one else "" for one in found.values()]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return lines


def _contenders(point: Point) -> dict[str, float]:
    """Mean NDCG@10 by contender, over the cells with enough users to measure all of them."""
    measured = [cell["verdict"]["contenders"] for cell in point.cells.values()]
    whole = [one for one in measured if None not in one.values()]
    names = [name for name in (whole[0] if whole else {}) if all(name in one for one in whole)]
    return {name: float(np.mean([one[name] for one in whole])) for name in names}


def _provenance(points: Sequence[Point]) -> list[str]:
    cells = [cell for point in points for cell in point.cells.values()]
    first = cells[0]
    codes = sorted({cell["code"] for cell in cells})
    commits = ", ".join(sorted({_commit(cell) for cell in cells}))
    dates = sorted({cell["date"] for cell in cells})
    tested = sorted({cell["test_users"] for cell in cells})
    users = f"{tested[0]:,}" if len(tested) == 1 else f"{tested[0]:,} to {tested[-1]:,}"
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    seconds = np.mean([cell["seconds_in_all"] for cell in cells])
    lines = [
        f"{users} test users, {first['items']:,} items. {seconds:.0f} s a cell on average, on one core of "
        f"{first['cores']}. {versions}; commit {commits}; {when}."
    ]
    if len(codes) > 1:
        lines += ["", f"**These cells were measured with {len(codes)} versions of the code.**"]
    return lines


def _commit(cell: Mapping[str, Any]) -> str:
    return cell["commit"][:10] + (" with changes" if cell["changed_since"] else "")


def _number(n: int, word: str) -> str:
    return f"{n} {word}{'s' if n != 1 else ''}"


def _per_cent(share: float) -> str:
    return f"{share * 100:g} %"


def _gap(row: Versus) -> str:
    return f"{row.gap.mean:+.4f} | {row.gap.low:+.4f} to {row.gap.high:+.4f}"


def _star(row: Versus) -> str:
    return "\\*" if row.better or row.worse else ""
