"""The pages for people: the session in a cookie, the form, and following a link."""

import pytest

from edgezero_spin.testing import Client

RYE = {
    "code": "rye",
    "url": "https://example.com/?a=<rye>",
    "permanent": False,
    "created": "2030-01-01T12:00:00+00:00",
}
KEY = {"api_key": "let-me-in"}


def test_strangers_see_no_links(spin_app: Client) -> None:
    """The page asks for the key."""
    page = spin_app.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Short links</title>" in page.text
    assert 'action="/session"' in page.text
    assert spin_app.post("/", data={"url": "https://example.com/"}).status_code == 401
    assert spin_app.post("/session", data={"api_key": "guess"}).status_code == 403


def test_the_cookie_is_kept_from_scripts(spin_app: Client) -> None:
    """And it is not the key."""
    cookie = spin_app.post("/session", data=KEY).headers["set-cookie"]
    assert cookie.endswith("; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert "let-me-in" not in cookie
    spin_app.cookies["session"] = "0" * 64
    assert 'action="/session"' in spin_app.get("/").text


@pytest.mark.spin(kv={"links": {"rye": RYE}})
def test_the_page_lists_links(spin_app: Client) -> None:
    """What others wrote is text on it, no markup."""
    assert spin_app.post("/session", data=KEY).status_code == 303
    assert '<a href="/rye">rye</a> https://example.com/?a=&lt;rye&gt;' in spin_app.get("/").text


def test_the_form_makes_a_link(spin_app: Client) -> None:
    """An empty code is none, a checkbox is yes; the next page says what was made."""
    spin_app.post("/session", data=KEY)
    form = {"url": "https://example.com/rye", "code": "", "permanent": "on"}
    assert spin_app.post("/", data=form).status_code == 303
    code = spin_app.cookies["newest"]
    assert spin_app.kv["links"].json(code)["permanent"] is True
    assert f"/{code}</a></p>" in spin_app.get("/").text


@pytest.mark.spin(kv={"links": {"rye": RYE, "ale": {**RYE, "permanent": True}}})
def test_a_link_is_followed(spin_app: Client) -> None:
    """And counted when the answer is sent."""
    answer = spin_app.get("/rye")
    assert (answer.status_code, answer.headers["location"]) == (307, RYE["url"])
    assert spin_app.get("/ale").status_code == 308
    assert spin_app.get("/rye").calls.writes.texts == ["set visits rye"]
    assert spin_app.kv["visits"].json("rye") == 2
    assert spin_app.get("/none").status_code == 404


@pytest.mark.spin(
    kv={"links": {"rye": RYE}},
    config={"app_config": {"title": "T", "api_key": "api_key", "flags": {"count_visits": False}}},
)
def test_visits_are_not_counted(spin_app: Client) -> None:
    """Where the flag says so, the store of visits is not opened."""
    assert not spin_app.get("/rye").calls.of("visits")


@pytest.mark.spin(kv={"links": {"rye": RYE}})
def test_counting_may_fail(spin_app: Client) -> None:
    """Whoever follows the link does not notice; the operator does."""
    spin_app.stores.fail("set", label="visits", message="disk full")
    answer = spin_app.get("/rye")
    assert answer.status_code == 307
    assert "disk full" in answer.stderr
