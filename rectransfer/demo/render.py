"""The demo's result for a terminal. Printing is up to the caller."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rectransfer.demo.result import OURS, DemoResult, Household

__all__ = ["render", "render_household", "render_models", "render_verdict"]


def render(result: DemoResult) -> RenderableType:
    """All of it: what was tested, models, household, verdict, and what it took.

    Args:
        result: Of `run_demo`.
    """
    return Group(
        _heading("The task"),
        Text(f"{result.contest.task.matrices}. {_sentence(result.contest.task.guarantee)}"),
        _heading("What the source reaches"),
        Text(_coverage(result)),
        _heading("Models on the test"),
        render_models(result),
        _heading(f"Recommendations for household {result.household.user}"),
        render_household(result.household),
        _heading("Verdict"),
        render_verdict(result),
        Text(_cost(result), style="dim"),
    )


def render_models(result: DemoResult) -> Table:
    """A row a model, ours in bold."""
    table = Table()
    table.add_column("model")
    for column in ("NDCG@10", "95 % interval", "Recall@10", "seconds"):
        table.add_column(column, justify="right")
    seconds = {entry.name: entry.seconds for entry in result.contest.entries}
    for name, ndcg, recall, low, high in result.models.iter_rows():
        table.add_row(
            name,
            f"{ndcg:.4f}",
            f"{low:.4f} – {high:.4f}",
            f"{recall:.4f}",
            f"{seconds[name]:.1f}",
            style="bold" if name == OURS else None,
        )
    return table


def render_household(household: Household) -> RenderableType:
    """What the household had last, and what it is recommended."""
    table = Table()
    table.add_column("rank", justify="right")
    table.add_column("recommended")
    table.add_column("score", justify="right")
    table.add_column("bought later")
    for rank, title, score, bought in household.recommended.iter_rows():
        table.add_row(str(rank), Text(title), f"{score:.3f}", "yes" if bought else "")
    return Group(Text(f"Bought last: {'; '.join(household.history['title'])}"), table)


def render_verdict(result: DemoResult) -> RenderableType:
    """What the gate chose before the test, and how that turned out on it."""
    chosen = Text.assemble("Ships: ", (str(result.verdict["ships"]), "bold"), f". {result.verdict['reason']}")
    return Group(chosen, Text(f"On the test: {result.comparison.verdict}"))


def _heading(words: str) -> Text:
    return Text(f"\n{words}", style="bold underline")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _coverage(result: DemoResult) -> str:
    found = result.coverage
    if not found:
        return "Nothing is shared, or nothing was measured."
    return (
        f"{found['items']:.1%} of the target's items and {found['interactions']:.1%} of its interactions; "
        f"{found['users']:.1%} of its users have at least one of them."
    )


def _cost(result: DemoResult) -> str:
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
    peak = result.peak_memory_bytes
    return stages if peak is None else f"{stages}; peak memory {peak / 1e9:.1f} GB; seed {result.seed}"
