"""The page in a real Chromium: the system's, driven over the DevTools protocol."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = 390, 1280
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium")


@dataclass
class Opened:
    """A page, and what it did while it was open."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
    with tempfile.TemporaryDirectory() as home, driver.sync_playwright() as run:
        started = run.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env={"HOME": home})
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, page_file: Path) -> Iterator[Open]:
    contexts = []

    def opened(width: int = DESK, **kind: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 800}, **kind)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.console.append(message.text))
        found.page.on("pageerror", lambda error: found.console.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(page_file.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


def test_it_renders_without_a_word_on_the_console_and_asks_nobody(open_page: Open, page_file: Path) -> None:
    found = open_page()
    found.page.wait_for_timeout(500)

    assert found.page.title() == "Tea & <i>milk</i>"
    assert found.page.locator(".verdict").is_visible()
    assert found.page.locator("figure > svg").bounding_box()["height"] > 200
    assert found.console == []
    assert found.requests == [page_file.as_uri()]


def test_the_watch_sees_errors_and_requests(browser: Any) -> None:
    page = browser.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.on("request", lambda request: seen.append(request.url))

    page.set_content("<img src='http://127.0.0.1:9/x.png'><script>console.error('here')</script>")
    page.wait_for_timeout(200)

    assert "here" in seen
    assert "http://127.0.0.1:9/x.png" in seen
    page.close()


def test_a_script_that_came_in_would_not_run(browser: Any, html: str) -> None:
    page = browser.new_page()
    page.set_content(html.replace("</main>", "<script>document.title = 'owned'</script></main>"))

    assert page.title() == "Tea & <i>milk</i>"
    page.close()


@pytest.mark.parametrize("width", [320, PHONE, 820, DESK])
def test_nothing_sticks_out(open_page: Open, width: int) -> None:
    found = open_page(width)
    outside = """width => [...document.querySelectorAll("main *")].filter(one =>
        !one.closest(".scroll") && !one.ownerSVGElement
        && one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 80))"""

    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.page.evaluate(outside, width) == []


def test_hostile_titles_are_text(open_page: Open, hostile: tuple[str, ...], products: Any) -> None:
    page = open_page().page
    text = page.locator("main").text_content()
    shown = [title for title in hostile if title in text]

    assert len(shown) >= 4  # a handful of users and landmarks show some of them
    assert page.locator("script, main img, b b, bdi b, main i").count() == 0
    assert page.locator("style").count() == 1
    assert "49" not in re.findall(r"\d+", text.partition("{{")[2][:6])
    assert page.evaluate("getComputedStyle(document.body).display") == "block"


def test_what_runs_from_right_to_left_stays_by_itself(open_page: Open) -> None:
    page = open_page().page
    page.set_content(page.content())
    alone = """() => [...document.querySelectorAll("main *")].filter(one =>
        [...one.childNodes].some(node => node.nodeType === 3 && /[\\u0590-\\u05ff\\u202e]/.test(node.data)))
        .map(one => one.tagName)"""

    assert set(page.evaluate(alone)) == {"BDI"}


def test_long_titles_are_cut(open_page: Open) -> None:
    page = open_page(PHONE).page
    tallest = "() => Math.max(...[...document.querySelectorAll('.clamp')].map(one => one.clientHeight))"

    assert page.evaluate(tallest) <= 5 * 1.6 * 16 + 1  # reasons have five lines, titles three


def test_light_and_dark(open_page: Open) -> None:
    def luminance(scheme: str) -> tuple[float, float]:
        page = open_page(color_scheme=scheme).page
        colours = page.evaluate(
            """() => { const style = getComputedStyle(document.querySelector(".hero"));
            return [style.backgroundColor, getComputedStyle(document.querySelector(".verdict")).color] }"""
        )
        paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in colours)
        return paper, ink

    paper, ink = luminance("light")
    assert paper > 0.9 > 0.3 > ink
    paper, ink = luminance("dark")
    assert paper < 0.2 < 0.8 < ink


def test_the_map_takes_its_colours_from_the_page(open_page: Open) -> None:
    def fills(scheme: str) -> set[str]:
        page = open_page(color_scheme=scheme).page
        return set(
            page.evaluate(
                "() => [...document.querySelectorAll('figure > svg use, figure > svg path')]"
                ".map(one => getComputedStyle(one).fill)"
            )
        )

    light, dark = fills("light"), fills("dark")
    assert len(light) >= 4
    assert not any(
        colour.startswith("rgb(1, 0,") for colour in light | dark
    )  # what the drawing was made with
    assert light != dark


def test_print(open_page: Open) -> None:
    page = open_page(color_scheme="dark").page
    page.emulate_media(media="print")

    assert (
        page.evaluate("getComputedStyle(document.querySelector('.hero')).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert not page.locator("nav").is_visible()
    inside = "() => document.querySelector('details table').checkVisibility({contentVisibilityAuto: true})"
    assert page.evaluate(inside)
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    pages = re.findall(rb"/Type\s*/Page\b", pdf)
    assert 3 <= len(pages) <= 20


def test_by_keyboard(open_page: Open) -> None:
    page = open_page(PHONE).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("table").first.is_visible()


def test_headings_landmarks_and_names(open_page: Open) -> None:
    page = open_page().page
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])")

    assert page.get_attribute("html", "lang") == "en"
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [page.locator(name).count() for name in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    unnamed = """() => [...document.querySelectorAll("svg, th, nav, section, article")].filter(one =>
        one.tagName === "TH" ? !one.scope
        : !one.closest("[aria-hidden], [aria-label], [aria-labelledby]")).length"""
    assert page.evaluate(unnamed) == 0
    targets = page.evaluate(
        "[...document.querySelectorAll('nav a')].map(a => !!document.querySelector(a.getAttribute('href')))"
    )
    assert targets
    assert all(targets)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_nothing(open_page: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs: axe-playwright-python")
    page = open_page(width, color_scheme=scheme, bypass_csp=True).page
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    found = axe.Axe().run(page)

    assert [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]] == []
