"""Credentials of a test client's requests: the argument ``auth`` of httpx.

In: a name and a password, a function, or an ``httpx.Auth``, and a request. Out: the requests to
send, each with what it says. Functions and objects are given requests and answers of httpx, so
that what an application's clients use is what its tests use: ``httpx.DigestAuth`` as well.

Source: RFC 7617 for Basic; httpx, "Authentication".
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote_to_bytes

import attrs

from edgezero_spin.core.headers import Headers
from edgezero_spin.testing.errors import KitError
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import ClientResponse

if TYPE_CHECKING:
    import httpx

__all__ = ["AuthInput", "checked_auth", "send_with_auth"]

AuthInput: TypeAlias = (
    "tuple[str | bytes, str | bytes] | Callable[[httpx.Request], httpx.Request] | httpx.Auth | None"
)
"""A user and a password, a function from request to request, an object of httpx, or nothing."""

_Send: TypeAlias = Callable[[KitRequest], Awaitable[ClientResponse]]


def checked_auth(auth: Any) -> Any:
    """Return what a client or a request was given as ``auth``.

    Raises:
        TypeError: It is nothing that credentials can be; the message does not show it.
    """
    pair = isinstance(auth, tuple) and len(auth) == 2
    if auth is None or callable(auth) or hasattr(auth, "sync_auth_flow"):
        return auth
    if pair and all(isinstance(part, str | bytes) for part in auth):
        return auth
    raise TypeError(
        "auth: give (user, password), both text or bytes, a function that takes a request of httpx "
        f"and returns it, or an httpx.Auth, not a {type(auth).__name__}"
    )


async def send_with_auth(request: KitRequest, auth: AuthInput, send: _Send) -> ClientResponse:
    """Send a request with its credentials, or else with those of its client or its URL.

    Args:
        request: What a test asks for.
        auth: The credentials of the client.
        send: Sends one request and returns its answer.

    Raises:
        TypeError: The credentials are nothing that can be.
        KitError: A function or an object is given, and httpx is not installed.
    """
    auth = checked_auth(auth if request.auth is ... else request.auth)
    if auth is None and request.user_info:
        user, _, password = request.user_info.partition(":")
        auth = unquote_to_bytes(user), unquote_to_bytes(password)
    if auth is None:
        return await send(request)
    if isinstance(auth, tuple):
        pair = b":".join(part.encode() if isinstance(part, str) else part for part in auth)
        kept = [field for field in request.headers if field[0] != "authorization"]
        said = ("authorization", b"Basic " + b64encode(pair))
        return await send(attrs.evolve(request, headers=[*kept, said]))
    return await _send_by_flow(request, auth, send)


async def _send_by_flow(request: KitRequest, auth: Any, send: _Send) -> ClientResponse:
    """Send whatever requests a function or an object makes of one, and return the last answer."""
    try:
        import httpx
    except ImportError:
        raise KitError(
            "auth: a function or an httpx.Auth needs httpx: pip install 'edgezero-spin[tools]'"
        ) from None
    if not isinstance(request.body, bytes) and getattr(auth, "requires_request_body", False):
        request = attrs.evolve(request, body=b"".join(request.body))
    url = httpx.URL(f"{request.scheme}://{request.authority}{request.target}")
    asked = httpx.Request(
        request.method,
        url,
        headers=[
            (name.encode(), value)
            for name, value in [("host", request.authority.encode()), *request.headers]
        ],
        # Not ``content``, for which fields would be added.
        stream=httpx.ByteStream(request.body if isinstance(request.body, bytes) else b""),
    )
    asked.read()
    flow: Generator[httpx.Request, httpx.Response, None]
    flow = auth.sync_auth_flow(asked) if hasattr(auth, "sync_auth_flow") else _once(auth, asked)
    try:
        asked = next(flow)
        while True:
            response = await send(_as_sent(request, asked, url))
            if getattr(auth, "requires_response_body", False):
                await response.aread()
            answer = httpx.Response(
                response.status,
                headers=[(name.encode(), value) for name, value in response.headers.pairs],
                content=response._content,
                request=asked,
            )
            try:
                asked = flow.send(answer)
            except StopIteration:
                return response
            await response.aread()
    finally:
        flow.close()


def _once(function: Any, asked: Any) -> Generator[Any, Any, None]:
    yield function(asked)


def _as_sent(request: KitRequest, asked: "httpx.Request", url: "httpx.URL") -> KitRequest:
    """Return a request with the fields and the target that httpx's has now."""
    fields = Headers([(name.decode("latin-1"), value) for name, value in asked.headers.raw]).pairs
    path, query = request.path, request.query
    if asked.url != url:
        target = asked.url.raw_path.decode("ascii")
        path, mark, after = target.partition("?")
        query = after if mark else None
    return attrs.evolve(
        request,
        method=asked.method,
        path=path,
        query=query,
        headers=[pair for pair in fields if pair[0] != "host"],
    )
