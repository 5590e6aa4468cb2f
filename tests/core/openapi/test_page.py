"""The documentation page: what is on it, and that a browser shows and sends."""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from edgezero_spin.core.openapi import documentation_page, openapi_document
from edgezero_spin.testing import TestClient
from tests.core.openapi.described_app import app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def page() -> str:
    """The page as a client reads it."""
    with TestClient(app) as client:
        return client.get("/docs").text


def test_everything_of_the_document_is_on_the_page(page: str) -> None:
    """Operations, parameters, types, and a link to the document."""
    for text in ("List the notes", "/files/{path}", "No token, or a wrong one.", "What people"):
        assert text in page
    assert 'href="/openapi.json"' in page
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids


def test_texts_are_never_markup(page: str) -> None:
    """Whatever a docstring, a name or an example says."""
    assert "Greet with &lt;b&gt;" in page and "Notes &amp; more." in page
    hostile = "</script><script>alert(1)</script>"
    document = openapi_document(app)
    document["info"]["title"] = hostile
    document["paths"]["/notes"]["get"]["summary"] = hostile
    document["components"]["schemas"]["Note"]["properties"][hostile] = {"const": hostile}
    assert hostile not in documentation_page(document)


def test_nothing_comes_from_another_origin(page: str) -> None:
    """No font, no style, no script, no picture."""
    assert re.findall(r'(?:src|href)="(?!#|/)[^"]*"', page) == []
    assert "@import" not in page and "url(" not in page


@pytest.fixture
def url() -> Iterator[str]:
    """Where the app of the page is served over a real socket."""

    async def program(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        target = scope["raw_path"].decode() + "?" + scope["query_string"].decode()
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        body = (await receive())["body"]
        with TestClient(app, config={"app_config": {}}) as client:
            answer = await client.aio.request(
                scope["method"], target, headers=headers, content=body
            )
        pairs = [(name.encode(), value) for name, value in answer.headers.pairs]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.content})

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(program, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_the_page_and_sends_requests(url: str) -> None:
    """Links open their operation, forms send what they describe and show the answer."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("requestfailed", lambda request: faults.append(request.url))
            page.goto(f"{url}/docs")
            assert page.title() == "notes"
            page.click('nav a[href="#save"]')
            form = page.locator("#save form")
            form.wait_for(state="visible")
            form.locator("[name=id]").fill("6f1c1c1e-9d0a-4b6e-8f1e-0123456789ab")
            form.locator("textarea").fill('{"title": "Milk"}')
            form.locator("button").click()
            answer = form.locator(".answer")
            playwright.expect(answer).to_contain_text('"title": "Milk"')
            playwright.expect(answer).to_contain_text("200")
            page.click('nav a[href="#list_notes"]')
            form = page.locator("#list_notes form")
            form.locator("[name=page]").fill("0")
            form.locator("button").click()
            playwright.expect(form.locator(".answer")).to_contain_text("must be at least 1")
            assert faults == []
        finally:
            browser.close()
