"""The page in a browser: live requests, stores, variables, keys, colours."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.explorer.test_serving import Browser, exploring

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for all tests of this file."""
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """An application with an explorer."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with exploring(tmp_path) as made:
        yield made


@pytest.fixture
def page(chromium: Any, app: Browser) -> Iterator[Any]:
    """The page, and the proof that nothing went wrong on it and nothing came from elsewhere."""
    own = f"http://127.0.0.1:{app.port}/"
    context = chromium.new_context(color_scheme="dark")
    opened = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if is_problem(said) else None)
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(f"{own}{app.token}/")
    opened.wait_for_selector('#status[data-state="live"]')
    yield opened
    context.close()
    assert problems == []
    assert [url for url in asked if not url.startswith((own, "data:"))] == []


def is_problem(said: Any) -> bool:
    """Whether the console says what should not be: more than that a refusal was an answer."""
    return said.type == "error" and "status of 422" not in said.text


def cells(page: Any, row: int = 0) -> list[str]:
    """The cells of a line of the list."""
    texts: list[str] = page.locator("#rows tr").nth(row).locator("td").all_inner_texts()
    return texts


def test_requests_appear_as_they_are_made(page: Any, app: Browser) -> None:
    """Without a reload; one that is chosen is shown with its output and its problem."""
    assert page.locator("#none").is_visible()
    app.visit("/w?a=%3Cb%3E")
    page.wait_for_selector("#rows tr:nth-child(1) td.good")
    assert cells(page)[1:5] == ["GET", "/w?a=%3Cb%3E", "guest", "200"]
    page.locator("#rows tr").first.click()
    page.wait_for_selector("#detail pre")
    assert "Output" in page.locator("#detail").inner_text()
    app.visit("/t")
    page.wait_for_selector("#rows tr:nth-child(2) td.bad")
    page.locator("#rows tr").nth(1).click()
    page.wait_for_selector("#detail pre.bad")
    assert "unreachable" in page.locator("#detail").inner_text()


def test_the_keyboard(page: Any, app: Browser) -> None:
    """Moves through requests, parts and the filter; the focus is always to be seen."""
    for path in ("/h", "/c", "/t"):
        app.visit(path)
    page.wait_for_selector("#rows tr:nth-child(3) td.bad")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#rows tr:nth-child(2)[aria-selected=true]")
    page.wait_for_selector("#detail h2:has-text('/c')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#detail", state="hidden")
    page.keyboard.press("/")
    page.keyboard.type("500")
    assert page.locator("#rows tr:visible").count() == 1
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    assert page.locator("#variables").is_visible() and page.locator("#requests").is_hidden()
    page.locator("#tab-variables").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-routes"
    assert page.locator("#tab-routes").get_attribute("aria-selected") == "true"


def test_an_entry_is_written_changed_and_deleted(page: Any, app: Browser) -> None:
    """The component's store has what the page wrote; texts are never markup."""
    hostile = "<img src=x onerror=alert(1)>"
    page.click("#tab-stores")
    page.click("#labels button:has-text('default') >> nth=0")
    page.click("text=New entry")
    page.fill("#value input", hostile)
    page.fill("#value textarea", '{"a": "</textarea><script>alert(1)</script>"}')
    page.click("#value button:has-text('Save')")
    page.wait_for_selector("#value [role=status]:has-text('saved')")
    assert app.json("api/key-value/default")["keys"] == [hostile]
    page.click("button.key")
    page.wait_for_selector("#value h2")
    assert "</textarea>" in page.input_value("#value textarea")
    page.fill("#value textarea", "plain")
    page.click("#value button:has-text('Save')")
    page.wait_for_selector("#value [role=status]:has-text('saved 5 B')")
    page.click("#value button:has-text('Delete')")
    page.click("#value button:has-text('Delete it for good')")
    page.wait_for_selector("#value [role=status]:has-text('deleted')")
    assert app.json("api/key-value/default")["keys"] == []
    assert page.locator("main img, main script").count() == 0


def test_a_database_is_looked_into(page: Any, app: Browser) -> None:
    """By its tables, and by a statement; what SQLite refuses is said."""
    app.json("api/sqlite/default", "POST", "create table notes (text)")
    app.json("api/sqlite/default", "POST", "insert into notes values ('bread')")
    page.click("#tab-stores")
    page.click("#labels button >> nth=1")
    page.click("#store button:has-text('notes')")
    page.wait_for_selector("#store td:has-text('bread')")
    page.fill("#store textarea", "select nonsense")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#store [role=alert]")


def test_variables_routes_and_components(page: Any) -> None:
    """Values, but none of a secret."""
    page.click("#tab-variables")
    page.wait_for_selector("#variables td:has-text('hello world')")
    assert "hush" not in page.content()
    assert "\u2022\u2022\u2022" in page.locator("#variables").inner_text()
    page.click("#tab-routes")
    assert "guest" in page.locator("#routes").inner_text()
    page.click("#tab-components")
    assert "https://example.com" in page.locator("#components").inner_text()


def test_light_and_dark(page: Any) -> None:
    """As the system says, until it is chosen otherwise; both can be read."""
    style = "getComputedStyle(document.body)"
    colours = f"[{style}.color, {style}.backgroundColor]"

    def lightness(colour: str) -> float:
        return sum(map(float, colour[4:-1].split(","))) / 3

    text, back = map(lightness, page.evaluate(colours))
    assert text - back > 150
    page.click("#theme")
    text, back = map(lightness, page.evaluate(colours))
    assert back - text > 150
    page.reload()
    text, back = map(lightness, page.evaluate(colours))
    assert back > text


def test_a_host_that_is_gone_is_said(chromium: Any, tmp_path: Path) -> None:
    """The page keeps what it has, and says that it waits."""
    with exploring(tmp_path) as app:
        opened = chromium.new_page()
        opened.goto(f"http://127.0.0.1:{app.port}/{app.token}/")
        opened.wait_for_selector('#status[data-state="live"]')
        app.visit("/h")
        opened.wait_for_selector("#rows tr td.good")
    opened.wait_for_selector('#status[data-state="lost"]')
    assert opened.locator("#rows tr").count() == 1
    opened.close()
