"""The numbers of docs/explanations.md, from docs/results/explain.json and faithfulness.json."""

import json
from collections.abc import Callable
from typing import Any

from explained_model import RESULTS, ROOT

PAGE = ROOT / "docs" / "explanations.md"


def render() -> None:
    """Fill in what stands between the page's marks, as far as there are results."""
    text = PAGE.read_text(encoding="utf-8")
    for file, parts in PARTS.items():
        path = RESULTS / file
        if not path.exists():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        for mark, words in parts.items():
            before, start, rest = text.partition(f"<!-- {mark} -->")
            _, end, after = rest.partition(f"<!-- /{mark} -->")
            if not start or not end:
                raise ValueError(f"{PAGE} lacks the marks of {mark}")
            text = f"{before}{start}\n\n{words(found)}\n\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


def speed(found: dict[str, Any]) -> str:
    """What it costs, beside KernelExplainer: first in the same game, then over signals."""
    times, n, same, errors = found["times"], found["pairs"], found["same_game"], found["errors"]
    rows = [
        "| the same game | ms a pair | of all cores | times as fast | per core | error | against Exact |",
        "|---|---|---|---|---|---|---|",
    ]
    for part, words in (
        ("signals", "ours: signals and groups"),
        ("attribution", "ours, with the history's items"),
    ):
        ratios = [_spread(same[part][clock]) for clock in ("seconds", "cpu")]
        rows.append(_row(words, times[part], 1000 / n, [*ratios, *_errors(errors["ours"])]))
    kernel = "kernel, groups"
    rows.append(
        _row("KernelExplainer, all coalitions", times[kernel], 1000, ["1", "1", *_errors(errors[kernel])])
    )
    rows += [
        "",
        "| another game: KernelExplainer over signals | ms a pair | of all cores | times ours | error |",
    ]
    rows.append("|---|---|---|---|---|")
    for name, words in (
        ("kernel, signals, as it comes", "as it comes: it keeps ten of them"),
        ("kernel, signals", "all of them kept"),
        ("kernel, signals, more samples", "16,384 samples"),
    ):
        both = " and ".join(f"{found['ratios'][name][part]:,.0f}" for part in ("signals", "attribution"))
        rows.append(_row(words, times[name], 1000, [both, f"{errors[name]['definition']:.0e}"]))
    whole, least, plain = (
        f"{times[name][kind] * 1000 / n:.2f} s"
        for name, kind in (("explain", "seconds"), ("explain", "least"), ("recommend", "seconds"))
    )
    said = (
        f"Medians of {found['rounds']} rounds, in brackets the rounds' least and most. `model.explain` of "
        f"{n:,} recommendations ({found['history_items']:,} contributions of items of the history), "
        f"recommending included: {whole}, the fastest round {least}; `model.recommend` of the same: {plain}. "
        f"{found['cores']} cores ({found['processor']}), their load {found['load']}. Contributions and base "
        f"add up to the score to {found['additivity']:.0e}."
    )
    return "\n".join([*rows, "", said])


def worded(found: dict[str, Any]) -> str:
    """What reasons speak of."""
    one = found["reasons"]
    return (
        f"Of {found['pairs']:,} recommendations by the store launch's model, {one['named']:.1%} have a "
        f"reason that names an item of the household's history, and {one['history']:.1%} one that speaks of "
        "it; "
        f"{one['general']:.1%} say that many choose the item, and {one['without']:.1%} have none. There are "
        f"{one['sentences']:,} different sentences, and {one['of_ten']:.1f} different reasons in a list of "
        "ten."
    )


def _row(words: str, times: dict[str, float], factor: float, rest: list[str]) -> str:
    each = (_three(times[clock] * factor) for clock in ("seconds", "cpu"))
    return "| " + " | ".join([words, *each, *rest]) + " |"


def _three(value: float) -> str:
    """Three digits, and no fewer before the point than there are."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(values: list[float]) -> str:
    middle, least, most = (f"{value:,.0f}" for value in values)
    return f"{middle} ({least} to {most})"


def _errors(found: dict[str, float]) -> list[str]:
    return [f"{found[what]:.0e}" for what in ("definition", "exact")]


def curves(part: str) -> Callable[[dict[str, Any]], str]:
    """A table of one of the two kinds of curves."""

    def words(found: dict[str, Any]) -> str:
        lines = [
            "| explainer | comprehensiveness | ours less that | insertion | ours less that | sufficiency |",
            "|---|---|---|---|---|---|",
        ]
        for name, row in found[part].items():
            if name == "shares":
                continue
            gaps = [
                "" if name == "ours" else _interval(row[f"ours less {measure}"])
                for measure in ("comprehensiveness", "insertion")
            ]
            first, second, third = (
                f"{row[measure][0]:.3f}" for measure in ("comprehensiveness", "insertion", "sufficiency")
            )
            lines.append(f"| {name} | {first} | {gaps[0]} | {second} | {gaps[1]} | {third} |")
        return "\n".join(
            [*lines, "", f"{found['pairs']:,} recommendations to {found['users']:,} households."]
        )

    return words


def stable(found: dict[str, Any]) -> str:
    """Stability by the size of the background."""
    lines = [
        "| rows of the background | rank correlation of groups | mean difference | same strongest item |",
        "|---|---|---|---|",
    ]
    for size, row in found["stability"].items():
        order, off, same = row.values()
        lines.append(f"| {size} | {order:.3f} | {off:.1%} | {same:.1%} |")
    return "\n".join(lines)


def overview(found: dict[str, Any]) -> str:
    """Shares of domains by segment, and the strongest groups."""
    lines = ["| segment | " + " | ".join(_domains(found)) + " |", "|---|" + "---|" * len(_domains(found))]
    for segment in dict.fromkeys(row["segment"] for row in found["transfer"]):
        cells = [
            f"{row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
            for row in found["transfer"]
            if row["segment"] == segment
        ]
        lines.append(f"| {segment} | " + " | ".join(cells) + " |")
    parts = sorted(
        (row for row in found["importance"] if row["segment"] == "all"), key=lambda row: -row["mean"]
    )
    lines += ["", "| group | mean size | 95 % interval | share |", "|---|---|---|---|"]
    lines += [
        f"| {row['part']} | {row['mean']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {row['share']:.1%} |"
        for row in parts
    ]
    without = _interval(found["best_ten_kept_without_transfer"], "{:.1%}")
    target = _interval(found["best_ten_kept_without_target"], "{:.1%}")
    said = (
        f"Where all that was transferred says what it says of a typical candidate, {without} of the best ten "
        f"stay; where the target's own signals do, {target}."
    )
    return "\n".join([*lines, "", said])


def _domains(found: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["domain"] for row in found["transfer"]))


def differ(found: dict[str, Any]) -> str:
    """LIME and permutation beside ours."""
    one = found["others"]
    lines = ["| signal | mean size of its contribution | loss of NDCG@10 when shuffled |", "|---|---|---|"]
    for name, size in sorted(one["ours"].items(), key=lambda row: -row[1]):
        loss, spread = one["permutation"][name]
        lines.append(f"| {name} | {size:.3f} | {loss:+.4f} ± {spread:.4f} |")
    order, sign = _interval(one["lime_rank_correlation"]), one["lime_same_sign_of_the_largest"]
    said = (
        f"LIME's order of the signals agrees with ours to a rank correlation of {order}, and it gives the "
        f"largest contribution the same sign in {sign:.0%} of cases. Permutation importance orders the "
        f"signals as ours does to {one['permutation_rank_correlation']:.2f}."
    )
    return "\n".join([said, "", *lines])


def _interval(values: list[float], form: str = "{:.3f}") -> str:
    mean, low, high = (form.format(value) for value in values)
    return f"{mean} ({low} to {high})"


PARTS = {
    "explain.json": {"speed": speed, "reasons": worded},
    "faithfulness.json": {
        "history": curves("history"),
        "signals": curves("signals"),
        "stability": stable,
        "overview": overview,
        "others": differ,
    },
}
