"""Ask an app, without an event loop, as a component does."""

import json
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from edgezero_spin.core import App, Request, Response
from edgezero_spin.core.headers import HeaderInput
from edgezero_spin.stores import Stores

_T = TypeVar("_T")


def finish(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that must not suspend, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        value: _T = stop.value
        return value
    coroutine.close()
    raise AssertionError("the coroutine suspended")


def ask(
    app: App,
    method: str,
    target: str,
    *,
    headers: HeaderInput = (),
    body: bytes | Iterable[bytes] = b"",
    stores: Stores | None = None,
) -> Response:
    """The response of an app to one request."""
    return finish(app.handle(Request.of(method, target, headers, body), stores))


def body_of(response: Response) -> bytes:
    """The whole body, streamed or not."""

    async def collect() -> bytes:
        if isinstance(response.body, bytes):
            return response.body
        return b"".join([chunk async for chunk in response.body])

    return finish(collect())


def json_of(response: Response) -> Any:
    """The body as JSON."""
    return json.loads(body_of(response))


def error_of(response: Response) -> tuple[int, str]:
    """Status and message of an error answer, after a look at its form (ERR-9, ERR-10)."""
    error = json_of(response)["error"]
    assert error["status"] == response.status
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(body_of(response)))
    assert set(error) == {"message", "status", "kind"}
    return response.status, error["message"]
