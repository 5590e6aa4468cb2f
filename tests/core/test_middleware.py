"""Layers around handlers: their order, what they may do, and what they see."""

from collections.abc import Iterator
from typing import Any

import pytest

from edgezero_spin.core import (
    App,
    HttpError,
    Middleware,
    Next,
    NotFound,
    Request,
    Response,
    RouteNotFound,
    log_requests,
)
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
    """Paths and methods without route reach every layer, as responses."""
    # RTE-10, TV-24, as design.md amends them
    app, seen = App(), list[str]()

    @app.middleware
    async def watch(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        seen.append(type(request.error).__name__)
        response.headers["access-control-allow-origin"] = "*"
        return response

    app.get("/")(lambda: "x")
    response = ask(app, method, target)
    assert response.status == status
    assert response.headers["access-control-allow-origin"] == "*"
    assert seen == [{404: "RouteNotFound", 405: "MethodNotAllowed"}[status]]


def failing_stream() -> Iterator[bytes]:
    """A body that fails before its first chunk."""
    raise KeyError("stream")
    yield b""


@pytest.mark.parametrize(
    ("raised", "status", "tracebacks"),
    [(NotFound("note 7"), 404, 0), (KeyError("who"), 500, 1), (None, 500, 1)],
)
def test_errors_are_responses_inside_middleware(
    raised: Exception | None, status: int, tracebacks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every layer adds its header to the answer of an error, which is logged once."""
    # MW-2, as the issue amends it
    app = App()

    async def tag(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers.add("x-tag", str(response.status))
        return response

    app.middleware(tag)
    app.middleware(tag)

    @app.get("/")
    def handler() -> object:
        if raised is None:
            return failing_stream()
        raise raised

    response = ask(app, "GET", "/")
    assert (response.status, response.headers.get_all("x-tag")) == (status, [str(status)] * 2)
    assert capsys.readouterr().err.count("Traceback") == tracebacks


def test_what_a_layer_raises_is_a_response_for_the_layers_around_it() -> None:
    """A guard that refuses does not bypass those before it."""
    app = App()

    @app.middleware
    async def tag(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers["x-tag"] = "1"
        return response

    @app.middleware
    async def guard(request: Request, call_next: Next) -> Response:
        raise HttpError(401, "who?")

    response = ask(app, "GET", "/")
    assert error_of(response) == (401, "who?")
    assert response.headers["x-tag"] == "1"


def test_exception_handlers(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest class answers, async or not; a 5xx keeps its traceback in the log."""
    app = App()

    @app.exception_handler(LookupError)
    def missing(request: Request, error: LookupError) -> tuple[int, dict[str, str]]:
        return 410, {"gone": str(error), "path": request.path}

    @app.exception_handler(KeyError)
    async def key(request: Request, error: KeyError) -> Response:
        return Response("down", 503)

    @app.exception_handler(RouteNotFound)
    def no_route(request: Request, error: RouteNotFound) -> Response:
        return Response("<h1>nothing here</h1>", 404, content_type="text/html")

    @app.exception_handler(ValueError)
    def broken(request: Request, error: ValueError) -> None:
        raise TypeError("in the handler")

    errors: dict[str, Exception] = {
        "index": IndexError("x"),
        "key": KeyError("k"),
        "value": ValueError("v"),
        "other": NotFound("n"),
    }

    @app.get("/{name}")
    def fail(name: str) -> None:
        raise errors[name]

    for layered in (False, True):
        if layered:
            app.middleware(log_requests)
        gone = ask(app, "GET", "/index")
        assert (gone.status, body_of(gone)) == (410, b'{"gone":"x","path":"/index"}')
        assert "Traceback" not in capsys.readouterr().err
        assert ask(app, "GET", "/key").body == b"down"
        assert capsys.readouterr().err.count("Traceback") == 1
        assert body_of(ask(app, "GET", "/a/b")) == b"<h1>nothing here</h1>"
        assert error_of(ask(app, "GET", "/other"))[0] == 404
        capsys.readouterr()
        assert error_of(ask(app, "GET", "/value")) == (500, "internal error")
        assert "in the handler" in capsys.readouterr().err
        assert body_of(ask(app, "HEAD", "/index")) == b""


def test_what_is_no_exception_class() -> None:
    """A status or an instance is refused where it is written."""
    with pytest.raises(TypeError, match="class of exceptions, got 404; NotFound is that of 404"):
        App().exception_handler(404)  # type: ignore[arg-type]


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


@pytest.mark.parametrize(
    ("changes", "lengths"),
    [
        ({"body": b"a longer one"}, ["12"]),
        ({"body": b""}, ["0"]),
        ({"body": [b"in ", b"pieces"]}, []),
        ({"body": b"x", "headers": {"content-length": "1"}}, ["1"]),
        ({"method": "PUT"}, ["4"]),
    ],
    ids=["longer", "empty", "pieces", "said", "kept"],
)
def test_another_body_has_its_own_length(changes: dict[str, Any], lengths: list[str]) -> None:
    """The length of the body that was replaced is not that of the new one, which may be sent on."""
    request = Request.of("POST", "/", {"content-length": "4", "x": "y"}, b"body")
    changed = request.replace(**changes)
    assert changed.headers.get_all("content-length") == lengths
    assert request.headers["content-length"] == "4"


def test_the_error_of_a_replaced_request_is_seen_outside() -> None:
    """A layer learns what was raised, whatever request the layers inside pass on."""
    app, seen = App(), list[str]()

    async def watch(request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        seen.append(type(request.error).__name__)
        return response

    async def replace(request: Request, call_next: Next) -> Response:
        return await call_next(request.replace(headers={"x": "y"}))

    for layer in (watch, replace, replace, watch):
        app.middleware(layer)
    assert ask(app, "GET", "/nothing").status == 404
    assert seen == ["RouteNotFound", "RouteNotFound"]


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


def test_an_error_in_the_request_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What a client sent may be in it."""
    app = App()
    app.middleware(log_requests)

    @app.get("/{name}")
    def handler(name: str) -> None:
        raise NotFound(name)

    ask(app, "GET", "/a%0amethod=GET")
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(r' error="not found: a\nmethod=GET"')
