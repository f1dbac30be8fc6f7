"""Put what scoring.py and scoring_depth.py measured into docs/scale.md.

python tests/benchmarks/scoring_page.py
"""

import json
import re
from pathlib import Path
from typing import Any

from rectransfer.serving import DEPTH

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "scale.md"


def speed(found: dict[str, Any]) -> str:
    """Users a second of each contender, and ratios."""
    settings, names = found["settings"], [*found["sizes"][0]["users_a_second"]]
    others = [name for name in names if name != "rectransfer"]
    where = f"{settings['threads']} threads on {found['cores']} cores ({found['processor']})"
    lines = [
        f"{settings['items']:,} items, k = {settings['k']}, {where}, users a second:",
        "",
        f"| users | {' | '.join(names)} | {' | '.join(f'ours to {name}' for name in others)} | memory |",
        f"|{'---|' * (len(names) + len(others) + 2)}",
    ]
    for size in found["sizes"]:
        ratios = size["ours_to_theirs"]
        cells = [f"{size['users']:,}", *(f"{size['users_a_second'][name]:,}" for name in names)]
        cells += [f"{ratios[name]:.2f}" for name in others]
        lines.append(f"| {' | '.join(cells)} | {size['peak_memory'] / 1e9:.1f} GB |")
    seconds = [one["rectransfer"]["start_seconds"] for size in found["sizes"] for one in size["rounds"]]
    load = ", ".join(str(one) for one in found["load"])
    lines += [
        "",
        "`rectransfer` reads histories of users it has never seen from Parquet, ranks with all signals, and "
        f"writes Parquet; the others have vectors of {settings['dimensions']} numbers in memory, rank by one "
        "inner product and write nothing; RecTools gives a frame. Memory is the peak, loading and laying out "
        f"included. That comes first and isn't counted in the speed: {min(seconds):.0f} to "
        f"{max(seconds):.0f} s, as others used the machine, too (load at the end: {load}).",
    ]
    return "\n".join(lines)


def depth(found: dict[str, Any]) -> str:
    """What is lost by depth."""
    lines = [
        "On the store launch, half of whose households are learned from, the other "
        f"{found['users']} measured on the second half of their visits; `recommend` reaches NDCG@10 "
        f"{found['ndcg']:.4f}:",
        "",
        "| depth | the same items in the top 10 | NDCG@10 less that of `recommend` | times as fast |",
        "|---|---|---|---|",
    ]
    for row in found["depths"]:
        less = f"{row['ndcg_less']:+.4f} (± {row['half_width']:.4f})".replace("-", "−")
        name = f"{row['depth']} (default)" if row["depth"] == DEPTH else str(row["depth"])
        lines.append(f"| {name} | {row['overlap']:.1%} | {less} | {row['times_as_fast']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, file, render in (("speed", "scoring", speed), ("depth", "scoring-depth", depth)):
        path = DOCS / "results" / f"{file}.json"
        if path.exists():
            text = (
                f"<!-- {name} -->\n{render(json.loads(path.read_text(encoding='utf-8')))}\n<!-- /{name} -->"
            )
            page = re.sub(
                rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, text=text: text, page, flags=re.DOTALL
            )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
