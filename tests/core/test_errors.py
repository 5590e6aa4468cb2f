"""Errors as answers: status, kind and message of each, and what stays with us."""

import pytest

from edgezero_spin.core import (
    App,
    BadRequest,
    BodyReadError,
    HttpError,
    Internal,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    PayloadTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    ValidationFailed,
    error_response,
)
from edgezero_spin.errors import EdgeZeroError, HostError, StoreError
from edgezero_spin.stores import (
    ConfigInternalError,
    ConfigUnavailableError,
    InvalidConfigKeyError,
    KeyValueUnavailableError,
    SecretNotFoundError,
)
from tests.core.asking import ask, body_of, error_of, json_of


@pytest.mark.parametrize(
    ("error", "status", "kind", "message"),
    [
        # ERR-1 to ERR-7, TV-25
        (BadRequest("invalid"), 400, "bad_request", "invalid"),
        (ValidationFailed("invalid input"), 422, "validation", "invalid input"),
        (RouteNotFound("/missing"), 404, "not_found", "no route matched path: /missing"),
        # ERR-3 as design.md amends it
        (NotFound("note 7"), 404, "not_found", "not found: note 7"),
        (NotFound(), 404, "not_found", "not found"),
        (NotSupported("no TTL"), 501, "not_implemented", "no TTL"),
        (ServiceUnavailable("try later"), 503, "service_unavailable", "try later"),
        (Internal("boom"), 500, "internal", "internal error: boom"),
        (Internal(ValueError("boom")), 500, "internal", "internal error: boom"),
        (PayloadTooLarge(), 413, "payload_too_large", "request body too large"),
        (BodyReadError("cut"), 500, "internal", "internal error: failed to read request body: cut"),
        (HttpError(409, "taken"), 409, "conflict", "taken"),
        (HttpError(401), 401, "unauthorized", "unauthorized"),
        (HttpError(418, "tea"), 418, "http_418", "tea"),
        (HttpError(400, "x", kind="odd"), 400, "odd", "x"),
        # ERR-4, TV-12
        (
            MethodNotAllowed("PUT", ["GET", "DELETE"]),
            405,
            "method_not_allowed",
            "method PUT not allowed; allowed: DELETE, GET",
        ),
        (
            MethodNotAllowed("PUT"),
            405,
            "method_not_allowed",
            "method PUT not allowed; allowed: (none)",
        ),
        # CFG-4, TV-27
        (InvalidConfigKeyError("invalid config key"), 400, "bad_request", "invalid config key"),
        (ConfigUnavailableError("backend offline"), 503, "service_unavailable", "backend offline"),
        (ConfigInternalError("boom"), 500, "internal", "internal error: boom"),
        (KeyValueUnavailableError(), 503, "service_unavailable", "kv store unavailable"),
        # SEC-12
        (
            SecretNotFoundError("default/API_KEY"),
            500,
            "internal",
            "internal error: required secret is not configured",
        ),
        # ERR-13 as design.md amends it
        (ValueError("password=hunter2"), 500, "internal", "internal error"),
        (HostError("no status"), 500, "internal", "internal error"),
        (EdgeZeroError("no status"), 500, "internal", "internal error"),
    ],
)
def test_answers(error: Exception, status: int, kind: str, message: str) -> None:
    """Each error answers with its status, kind and message as JSON."""
    response = error_response(error)
    assert error_of(response) == (status, message)
    assert json_of(response)["error"]["kind"] == kind


@pytest.mark.parametrize(
    ("error", "text"),
    [
        # ERR-12
        (NotSupported("x"), "not implemented: x"),
        (ServiceUnavailable("x"), "service unavailable: x"),
        (ValidationFailed("x"), "validation error: x"),
        (BadRequest("x"), "x"),
        (Internal("x"), "internal error: x"),
    ],
)
def test_log_text(error: Exception, text: str) -> None:
    """The log's text of some kinds has a prefix that the client's lacks."""
    assert str(error) == text


def test_a_message_is_written_as_json() -> None:
    """Quotes, controls and other scripts come through the hand-written JSON."""
    # GEN-5
    message = 'q" \\ \n \x01 \x7f é 😀 </script>'
    response = error_response(BadRequest(message))
    assert error_of(response) == (400, message)
    assert b"\\u0001 \x7f \xc3\xa9" in body_of(response)


def test_a_message_that_cannot_be_written() -> None:
    """The status survives a message that JSON cannot hold."""
    # ERR-11, TV-26
    response = error_response(BadRequest("half \ud800"))
    assert (response.status, response.body) == (400, b"internal error")

    class OddError(StoreError):
        @property
        def answer(self) -> str:
            raise RuntimeError

    assert error_response(OddError()).body == b"internal error"


def test_a_message_that_is_no_text() -> None:
    """What str() makes of it is sent."""
    assert error_of(error_response(BadRequest(7))) == (400, "7")


def test_extra_headers() -> None:
    """An error brings headers as a mapping or as pairs; those of its body stay."""
    error = HttpError(401, headers=[("www-authenticate", "Basic"), ("x", "1")])
    assert error_response(error).headers["www-authenticate"] == "Basic"
    assert error_response(MethodNotAllowed("PUT", ["GET"])).headers["allow"] == "GET, HEAD"
    late = HttpError(429, "slow down", headers={"Retry-After": "7", "content-length": "1"})
    late.headers["x"] = "2"
    response = error_response(late)
    assert error_of(response) == (429, "slow down")
    assert (response.headers["retry-after"], response.headers["x"]) == ("7", "2")
    with pytest.raises(TypeError, match="'retry-after': a value is text or bytes, not 7"):
        HttpError(429, headers={"Retry-After": 7})  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [{"retry-after": 7}, [("x", "a\r\nb")], 7, ["x: y"]])
def test_bad_headers_of_an_error_class_are_logged(
    headers: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is answered without them, and standard error says which class and why."""

    class BusyError(StoreError):
        status = 503

    BusyError.headers = headers  # type: ignore[attr-defined]
    response = error_response(BusyError("busy"))
    assert error_of(response) == (503, "busy")
    assert "BusyError: its headers cannot be sent: " in capsys.readouterr().err


def test_an_error_whose_status_is_none_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """A class with a status of success fails loudly."""

    class FineError(EdgeZeroError):
        status = 200

    app = App()

    @app.get("/")
    def fail() -> None:
        raise FineError("x")

    assert error_of(ask(app, "GET", "/")) == (500, "internal error")
    assert "FineError" in capsys.readouterr().err


@pytest.mark.parametrize("status", [200, 399, 600])
def test_an_error_has_an_error_status(status: int) -> None:
    """A success is not an error."""
    with pytest.raises(ValueError, match="400 to 599"):
        HttpError(status)


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [
        (KeyError("who"), 500, ["GET /x failed:", "Traceback", "KeyError: 'who'"]),
        (Internal("boom"), 500, ["GET /x failed:", "Traceback", "internal error: boom"]),
        (SecretNotFoundError("default/KEY"), 500, ["Traceback", "default/KEY"]),
        (ServiceUnavailable("later"), 503, ["GET /x: service unavailable: later\n"]),
        (NotFound("x"), 404, []),
        (BadRequest("x"), 400, []),
    ],
)
def test_what_standard_error_is_told(
    error: Exception, status: int, logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Our own failures are logged with their cause, the client's are not."""
    app = App()

    @app.get("/x")
    def handler() -> None:
        raise error

    assert ask(app, "GET", "/x").status == status
    err = capsys.readouterr().err
    for text in logged:
        assert text in err
    assert bool(err) is bool(logged)


def test_a_path_begins_no_line_of_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It is written as it was sent."""
    app = App()

    @app.get("/{name}")
    def handler(name: str) -> None:
        raise ServiceUnavailable("later")

    ask(app, "GET", "/x%0aGET%20%2Fadmin")
    assert capsys.readouterr().err == "GET /x%0aGET%20%2Fadmin: service unavailable: later\n"
