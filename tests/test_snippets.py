"""The Python snippets of README and docs run, each file in one namespace, on planted logs."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rectransfer.logs import InteractionLog, PlantedConfig, plant

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(
    r"(?P<marker><!-- not run: (?P<reason>[^\n]+?) -->\s*\n)?"
    r"^(?P<indent>[ ]*)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block: its code, the line it starts on, and why it is not run, if it isn't."""

    code: str
    line: int
    not_run: str | None


def snippets(text: str) -> list[Snippet]:
    """The ```python blocks of a page; `<!-- not run: reason -->` on the line before exempts one."""
    return [
        Snippet(
            textwrap.dedent(found["code"]),
            text.count("\n", 0, found.start("code")) + 1,
            found["reason"],
        )
        for found in _FENCE.finditer(text)
    ]


def run(page: Path) -> dict[str, Any]:
    """Run a page's snippets in order; an error's traceback has the page's own lines."""
    namespace: dict[str, Any] = {"__name__": "__snippets__"}
    for snippet in snippets(page.read_text()):
        if snippet.not_run is None:
            code = "\n" * (snippet.line - 1) + snippet.code
            exec(compile(code, str(page), "exec"), namespace)  # noqa: S102
    return namespace


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages read: logs so small that learning from them takes seconds."""
    planted = plant(PlantedConfig(source_users=80, target_users=30, source_items=40, target_items=30, seed=1))
    for name, log in {"source": planted.source, "target": planted.target}.items():
        log.frame.write_parquet(tmp_path / f"{name}.parquet")
        _with_names_of_their_own(log).write_csv(tmp_path / f"{name}.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _with_names_of_their_own(log: InteractionLog) -> Any:
    return log.frame.rename({"user_id": "household_id", "session_id": "basket_id"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_snippets_of_a_page_run(page: Path, desk: Path) -> None:
    run(page)


def test_the_readme_shows_the_main_job() -> None:
    code = "\n".join(snippet.code for snippet in snippets((ROOT / "README.md").read_text()))

    for call in (
        "rt.pretrain(",
        "rt.Recommender(",
        ".fit(",
        ".verdict",
        ".recommend(",
        "rt.load_recommender(",
    ):
        assert call in code


def test_blocks_are_found_with_their_lines_and_reasons() -> None:
    page = (
        "# A page\n\n```python\na = 1\n```\n\n- in a list\n\n"
        "    ```python\n    if a:\n        b = 2\n    ```\n\n```bash\nls\n```\n\n"
        "<!-- not run: it takes hours -->\n```python\nc = 3\n```\n"
    )

    assert snippets(page) == [
        Snippet("a = 1\n", 4, None),
        Snippet("if a:\n    b = 2\n", 10, None),
        Snippet("c = 3\n", 20, "it takes hours"),
    ]


def test_a_page_is_one_namespace(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\na = 1\n```\ntext\n```python\nb = a + 1\n```\n")

    assert run(page)["b"] == 2


def test_an_error_names_the_page_and_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\na = 1\nb = a + unknown\n```\n")

    with pytest.raises(NameError, match="unknown") as caught:
        run(page)

    assert caught.traceback[-1].path == page
    assert caught.traceback[-1].lineno == 4  # from 0


def test_what_is_marked_is_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: it would fail -->\n```python\nraise ValueError\n```\n")

    run(page)
