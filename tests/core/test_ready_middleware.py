"""Ready middleware: request ids, the access log, security headers."""

import json
import re
from collections.abc import Iterator

import pytest

from edgezero_spin import access_log, request_ids, security_headers
from edgezero_spin.core import App, HttpError, Request, Response
from tests.core.asking import ask


def logged(capsys: pytest.CaptureFixture[str]) -> str:
    """What stands on standard error, without times."""
    return re.sub(r"(elapsed_ms\W+)\d+", r"\g<1>0", capsys.readouterr().err)


def app_with_log(**options: bool) -> App:
    """An app that logs with ids."""
    app = App()
    app.middleware(request_ids())
    app.middleware(access_log(**options))

    @app.get("/{name}")
    def handler(name: str, request: Request) -> object:
        if name == "stream":
            return iter([b"a"])
        if name == "fail":
            raise HttpError(409, 'two\nlines of "x"')
        return str(request.extensions["request_id"])

    return app


def test_one_line_per_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Every field is one word, whatever a client sends for its path or id."""
    app = app_with_log()
    ids = {"x-request-id": "abc-1"}
    ask(app, "GET", "/a%0Amethod=X%20y?q=secret", headers=ids)
    ask(app, "GET", "/stream", headers=ids)
    ask(app, "HEAD", "/a", headers=ids)
    ask(app, "GET", "/fail", headers=ids)
    assert logged(capsys).splitlines() == [
        "method=GET path=/a%0Amethod=X%20y status=200 bytes=5 elapsed_ms=0 request_id=abc-1",
        "method=GET path=/stream status=200 elapsed_ms=0 request_id=abc-1",
        "method=HEAD path=/a status=200 elapsed_ms=0 request_id=abc-1",
        "method=GET path=/fail status=409 bytes=74 elapsed_ms=0 request_id=abc-1 "
        r'error="two\nlines of \"x\""',
    ]


def test_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is an object with the same fields."""
    ask(app_with_log(json=True), "GET", "/fail", headers={"x-request-id": "1"})
    assert json.loads(logged(capsys)) == {
        "method": "GET",
        "path": "/fail",
        "status": 409,
        "bytes": 74,
        "elapsed_ms": 0,
        "request_id": "1",
        "error": 'two\nlines of "x"',
    }


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é", 'a"b'])
def test_ids_that_are_none(sent: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A new one takes their place, another one for every request."""
    found = []
    for _ in range(2):
        response = ask(app_with_log(), "GET", "/a", headers={"x-request-id": sent})
        assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
        assert response.body == response.headers["x-request-id"].encode()
        found.append(response.body)
    assert found[0] != found[1]


def test_ids_of_clients_that_are_not_trusted() -> None:
    """They are replaced, in the field that the app names."""
    app = App()
    app.middleware(request_ids("x-trace", trust=False))
    response = ask(app, "GET", "/", headers={"x-trace": "mine"})
    assert len(response.headers["x-trace"]) == 32


def test_security_headers() -> None:
    """They are on every answer, errors and streams included; a handler's own stay."""
    app = App()
    app.middleware(security_headers(content_security_policy="default-src 'self'"))

    @app.get("/")
    def handler() -> Response:
        return Response(b"", headers={"X-Frame-Options": "SAMEORIGIN"})

    @app.get("/stream")
    def stream() -> Iterator[bytes]:
        yield b"a"

    assert dict(ask(app, "GET", "/").headers.items()) == {
        "x-frame-options": "SAMEORIGIN",
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "cross-origin-opener-policy": "same-origin",
        "content-security-policy": "default-src 'self'",
    }
    for path in ("/stream", "/missing"):
        assert ask(app, "GET", path).headers["x-content-type-options"] == "nosniff"
    with pytest.raises(ValueError, match="control characters"):
        security_headers(referrer_policy="a\nb")
