"""Layers around handlers: their order, what they may do, and what they see."""

from typing import Any

import pytest

from edgezero_spin.core import (
    App,
    Middleware,
    Next,
    NotFound,
    Request,
    Response,
    error_response,
    log_requests,
)
from edgezero_spin.errors import EdgeZeroError
from tests.core.asking import ask, body_of, error_of


def recording(calls: list[str], name: str) -> Middleware:
    """A layer that notes when it is entered and left."""

    async def layer(request: Request, call_next: Next) -> Response:
        calls.append(f"{name} in")
        response = await call_next(request)
        calls.append(f"{name} out")
        return response

    return layer


def test_order() -> None:
    """The first layer registered is the outermost."""
    # MW-1, TV-23
    app, calls = App(), list[str]()
    app.middleware(recording(calls, "first"))
    app.middleware(recording(calls, "second"))

    @app.get("/")
    def handler() -> str:
        calls.append("handler")
        return "x"

    assert ask(app, "GET", "/").body == b"x"
    assert calls == ["first in", "second in", "handler", "second out", "first out"]


def test_a_layer_may_answer_itself() -> None:
    """What does not call on is the answer, and no handler runs."""
    # MW-1, TV-23
    app = App()

    @app.middleware
    async def closed(request: Request, call_next: Next) -> Response:
        return Response.text("closed", 503)

    @app.get("/")
    def handler() -> str:
        raise AssertionError

    assert ask(app, "GET", "/").body == b"closed"


@pytest.mark.parametrize(("method", "target", "status"), [("GET", "/no", 404), ("PUT", "/", 405)])
def test_misses_pass_through(method: str, target: str, status: int) -> None:
    """Paths and methods without route reach every layer, as errors."""
    # RTE-10, TV-24, as design.md amends them
    app, seen = App(), list[str]()

    @app.middleware
    async def watch(request: Request, call_next: Next) -> Response:
        try:
            return await call_next(request)
        except EdgeZeroError as error:
            seen.append(type(error).__name__)
            response = error_response(error)
            response.headers["access-control-allow-origin"] = "*"
            return response

    app.get("/")(lambda: "x")
    response = ask(app, method, target)
    assert response.status == status
    assert response.headers["access-control-allow-origin"] == "*"
    assert seen == [{404: "RouteNotFound", 405: "MethodNotAllowed"}[status]]


def test_errors_travel_as_exceptions() -> None:
    """A layer can catch what a handler raises; what none catches is converted outside."""
    # MW-2
    app, seen = App(), list[object]()

    @app.middleware
    async def watch(request: Request, call_next: Next) -> Response:
        try:
            return await call_next(request)
        except NotFound as error:
            seen.append(error)
            raise

    @app.get("/")
    def handler() -> None:
        raise NotFound("note 7")

    assert error_of(ask(app, "GET", "/")) == (404, "not found: note 7")
    assert len(seen) == 1


def test_a_layer_may_change_request_and_response() -> None:
    """Extensions reach the handler, and headers of the response the client."""
    # MW-1
    app = App()

    @app.middleware
    async def tag(request: Request, call_next: Next) -> Response:
        request.extensions["user"] = "alice"
        response = await call_next(request)
        assert request.route is not None
        response.headers["x-route"] = request.route.path
        return response

    @app.get("/hello/{id}")
    def handler(request: Request, id: str) -> str:
        return f"{request.extensions['user']} {id} {request.path_params}"

    response = ask(app, "GET", "/hello/7")
    assert response.body == b"alice 7 {'id': '7'}"
    assert response.headers["x-route"] == "/hello/{id}"


def test_a_replaced_request_is_routed_anew() -> None:
    """A layer may send a request elsewhere, with other headers and body or the same."""
    app = App()

    @app.middleware
    async def rewrite(request: Request, call_next: Next) -> Response:
        if not request.path.startswith("/v1"):
            return await call_next(request)
        changed = request.replace(
            target=request.path.removeprefix("/v1") + "?" + request.query_string,
            headers={"x-from": "v1"},
        )
        return await call_next(changed)

    @app.post("/echo/{name}")
    async def echo(request: Request, name: str) -> bytes:
        note = f"{name} {request.query_string} {request.headers.items()} "
        return note.encode() + await request.bytes()

    response = ask(app, "POST", "/v1/echo/a?b=c", headers={"x": "y"}, body=b"body")
    assert response.body == b"a b=c [('x-from', 'v1')] body"
    assert ask(app, "POST", "/v1/nothing").status == 404
    kept = ask(app, "POST", "/echo/a", headers={"x": "y"}, body=b"body")
    assert kept.body == b"a  [('x', 'y')] body"


def test_replace_changes_only_what_it_is_told() -> None:
    """Method, target and the rest stay where nothing else is said; a read body stays read."""
    request = Request.of("POST", "https://example.com/a%20b?c=d", {"x": "y"}, b"body")
    request.extensions["n"] = 1
    changed = request.replace(method="PUT")
    assert (changed.method, changed.url) == ("PUT", "https://example.com/a%20b?c=d")
    assert changed.headers == request.headers
    assert changed.extensions is request.extensions


def test_a_layer_that_forgets_to_return(capsys: pytest.CaptureFixture[str]) -> None:
    """A layer without an answer is named on standard error."""
    app = App()

    async def forgetful(request: Request, call_next: Next) -> Any:
        await call_next(request)

    app.middleware(forgetful)
    app.get("/")(lambda: "x")
    assert error_of(ask(app, "GET", "/")) == (500, "internal error")
    err = capsys.readouterr().err
    assert "forgetful returned NoneType, not a Response" in err


def test_head_passes_layers_too() -> None:
    """A layer sees HEAD as HEAD."""
    app, calls = App(), list[str]()

    @app.middleware
    async def watch(request: Request, call_next: Next) -> Response:
        calls.append(request.method)
        return await call_next(request)

    app.get("/")(lambda: "x")
    assert body_of(ask(app, "HEAD", "/")) == b""
    assert calls == ["HEAD"]


def test_request_log(capsys: pytest.CaptureFixture[str]) -> None:
    """The built-in log has one line per request, failures included."""
    # MW-3
    app = App()
    app.middleware(log_requests)
    app.get("/a")(lambda: (201, "x"))
    ask(app, "GET", "/a")
    ask(app, "GET", "/missing")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("method=GET path=/a status=201 elapsed_ms=")
    assert second.startswith("method=GET path=/missing status=404 elapsed_ms=")
    assert second.endswith(" error=no route matched path: /missing")
