"""Cross-origin requests: preflights, errors, credentials, caches."""

from typing import Any

import pytest

from edgezero_spin.core import App, Response, cors
from tests.core.asking import ask, error_of

PAGE = "https://example.com"


def app(**options: Any) -> App:
    """An app with one route behind the layer."""
    app = App()
    app.middleware(cors(**{"origins": [PAGE], **options}))
    app.get("/")(lambda: "x")
    return app


def asked(app: App, origin: str | None, method: str = "GET", target: str = "/") -> Response:
    """The answer to a page of an origin."""
    headers = {} if origin is None else {"origin": origin}
    if method == "OPTIONS":
        headers["access-control-request-method"] = "PUT"
    return ask(app, method, target, headers=headers)


def test_a_page_that_may_ask() -> None:
    """It may read the answer, that of an error too, and caches keep origins apart."""
    for target, status in (("/", 200), ("/nothing", 404)):
        response = asked(app(expose=["x-a"]), PAGE, target=target)
        assert response.status == status
        assert response.headers["access-control-allow-origin"] == PAGE
        assert response.headers["access-control-expose-headers"] == "x-a"
        assert response.headers["vary"] == "origin"


@pytest.mark.parametrize("origin", ["https://example.com.evil.org", "http://example.com", "null"])
def test_a_page_that_may_not(origin: str) -> None:
    """The answer has none of the headers, but says that it depends on the origin."""
    for method in ("GET", "OPTIONS"):
        response = asked(app(), origin, method)
        found = [name for name in response.headers if name.startswith("access-control")]
        assert found == []
        assert response.headers["vary"] == "origin"


def test_preflight() -> None:
    """It is answered without a route, with what may be sent."""
    response = asked(app(headers=["x-token"], max_age_s=5, credentials=True), PAGE, "OPTIONS", "/a")
    assert (response.status, response.body) == (204, b"")
    assert dict(response.headers.items()) == {
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "x-token",
        "access-control-max-age": "5",
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "vary": "origin",
    }


def test_other_requests_pass() -> None:
    """An OPTIONS request that is not a preflight is the app's own business."""
    headers = {"origin": PAGE}
    assert error_of(ask(app(), "OPTIONS", "/", headers=headers))[0] == 405
    assert "access-control-allow-origin" not in asked(app(), None).headers


def test_everyone() -> None:
    """One answer serves all origins, and may be cached for all."""
    response = asked(app(origins=["*"]), "https://anywhere.org")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "vary" not in response.headers


@pytest.mark.parametrize("credentials", [False, True])
def test_every_method_and_header(credentials: bool) -> None:
    """``*`` grants what a page asks for: with credentials, or for ``authorization``, a browser
    takes the star itself for nothing but a name.
    """  # WHATWG Fetch, 3.2.5 and 4.8
    open_app = app(methods=["*"], headers=["*"], credentials=credentials)
    asks = {"origin": PAGE, "access-control-request-method": "REPORT"}
    answer = ask(open_app, "OPTIONS", "/", headers=asks)
    assert answer.headers["access-control-allow-methods"] == "REPORT"
    assert "access-control-allow-headers" not in answer.headers
    asks["access-control-request-headers"] = "authorization,x-a"
    answer = ask(open_app, "OPTIONS", "/", headers=asks)
    assert answer.headers["access-control-allow-headers"] == "authorization,x-a"
    stranger = ask(open_app, "OPTIONS", "/", headers={**asks, "origin": "https://evil.org"})
    assert [name for name in stranger.headers if name.startswith("access-control")] == []


def test_fields_of_the_answer_itself_give_way() -> None:
    """An answer that is passed on with CORS fields of its own has each of them once: two values
    of one are none to a browser.
    """
    inner = App()
    inner.middleware(cors([PAGE], credentials=True))
    own = {
        "access-control-allow-origin": "https://other.example",
        "access-control-allow-credentials": "true",
    }
    inner.get("/")(lambda: Response("x", headers=own))
    answer = asked(inner, PAGE)
    assert answer.headers.get_all("access-control-allow-origin") == [PAGE]
    assert answer.headers.get_all("access-control-allow-credentials") == ["true"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": ["*"], "credentials": True}, "credentials need the origins by name"),
        ({"origins": ["example.com"]}, "'example.com' is not an origin"),
        ({"origins": ["https://example.com/"]}, "is not an origin"),
        ({"origins": "https://example.com"}, "origins is a sequence of texts"),
        ({"methods": "GET"}, "methods is a sequence of texts, not the text 'GET'"),
        ({"headers": "x-token"}, "headers is a sequence of texts"),
        ({"expose": "x-token"}, "expose is a sequence of texts"),
        ({"expose": ["*"], "credentials": True}, "with credentials a browser takes '*' for a name"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    """A slip that would open or close everything is an error when the app is made."""
    with pytest.raises((TypeError, ValueError), match=message.replace("*", r"\*")):
        app(**options)
