"""An application as an ASGI program.

For uvicorn below ``edgezero serve`` and for any ASGI server or framework that mounts one
or several applications. Bodies stream both ways with the server's back-pressure. A small
response is two messages, sent without a task of its own; a watcher that notices a client
which leaves is started only for bodies that take longer.

A response that breaks off raises ``ResponseAborted`` out of the program, upon which a
server closes the connection without ending the body (RESP-7, RESP-9).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from edgezero_spin.host.exchange import Exchange, ResponseHead
from edgezero_spin.host.messages import ResponseAborted
from edgezero_spin.host.trigger.delivery import Delivery, Linger, Upload
from edgezero_spin.host.trigger.gateway import Answer, Gateway, RequestHead
from edgezero_spin.host.trigger.headers import HeaderNotTextError, client_headers
from edgezero_spin.host.trigger.http import InstanceRunner
from edgezero_spin.host.workers import Overloaded

__all__ = [
    "WIRE",
    "AsgiApplication",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "Wire",
    "answer_for",
    "head_of",
    "is_bodiless",
    "send_answer",
    "wire_head",
]

logger = logging.getLogger("edgezero_spin.host")

WIRE = "edgezero.wire"
"""Key of a scope under which our own server offers what ASGI has no words for; see ``Wire``."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SERVER_ERROR = Answer(500)
OVERLOADED = Answer(503)

LOWEST_FINAL_STATUS = 200
HIGHEST_STATUS = 999
BODILESS = (204, 304)


class Wire(Protocol):
    """What our own server can do beyond ASGI.

    Attributes:
        received: Trailers of the request, complete when its body is.
        bare_query: The target has a ``?`` with nothing behind it.
    """

    received: list[tuple[bytes, bytes]]
    bare_query: bool

    def end_with(self, trailers: list[tuple[str, bytes]]) -> bool:
        """End the response with trailers; ``False`` when it has no place for them."""


def answer_for(exchange: Exchange) -> Answer:
    """What the client gets when a guest gave no answer (RESP-4 to RESP-6)."""
    return OVERLOADED if exchange.busy else SERVER_ERROR


def is_bodiless(method: str, status: int) -> bool:
    """Whether a response has no body on the wire, whatever its guest wrote (RFC 9110)."""
    return method == "HEAD" or status in BODILESS


def wire_head(head: ResponseHead, method: str) -> tuple[int, list[tuple[str, bytes]]] | None:
    """Status and headers as they go out, or ``None`` when they cannot (RESP-1, RESP-2).

    Args:
        head: What the guest set.
        method: Of the request; a HEAD response may state the length of a body it lacks.
    """
    status = head.status
    if not LOWEST_FINAL_STATUS <= status <= HIGHEST_STATUS:
        logger.error("a response with the status %d cannot be sent", status)
        return None
    names = [name for name, _ in head.headers]
    place = names.index("content-length") if "content-length" in names else len(names)
    lengths = {value for name, value in head.headers if name == "content-length"}
    headers = [pair for pair in head.headers if pair[0] != "content-length"]
    if status in BODILESS:
        return status, headers
    if head.body is None and method != "HEAD":
        lengths = {b"0"}
    if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
        logger.error("a response has a content-length that is no number")
        return None
    headers[place:place] = [("content-length", length) for length in lengths]
    return status, headers


class AsgiApplication:
    """``await app(scope, receive, send)`` for one ``Gateway``."""

    def __init__(
        self, gateway: Gateway, runner: InstanceRunner, linger: Callable[[], Linger]
    ) -> None:
        """Made by ``Host.asgi``."""
        self._gateway = gateway
        self._runner = runner
        self._linger = linger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope: HTTP, or the start and end of a server's life."""
        kind = scope["type"]
        if kind == "http":
            await self._serve(scope, receive, send)
        elif kind == "lifespan":
            await _live(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        admitted = self._gateway.admit(head_of(scope))
        if isinstance(admitted, Answer):
            await send_answer(send, admitted)
            return
        first = await receive()
        if first["type"] == "http.disconnect":
            return
        exchange = admitted.exchange
        upload: Upload | None = None
        if first.get("more_body"):
            upload = Upload()
        elif first.get("body"):
            upload = Upload()
            upload.channel.put(first["body"])
            upload.channel.end(_trailers(scope))
        if upload is not None:
            exchange.body = upload.channel
        delivery = Delivery(exchange, self._linger())
        try:
            self._runner.start(admitted.component, exchange)
        except Overloaded:
            await send_answer(send, OVERLOADED)
            return
        watcher: asyncio.Task[None] | None = None
        if upload is not None and first.get("more_body"):
            watcher = asyncio.create_task(_watch(scope, receive, exchange, upload, first["body"]))
        await _relay(delivery, scope, receive, send, watcher)


def _trailers(scope: Scope) -> list[tuple[str, bytes]] | None:
    """Trailers of a request that ended (HTTP-19)."""
    wire: Wire | None = scope.get(WIRE)
    if wire is None or not wire.received:
        return None
    try:
        return client_headers(wire.received)
    except HeaderNotTextError:
        return None


async def _relay(
    delivery: Delivery,
    scope: Scope,
    receive: Receive,
    send: Send,
    watcher: "asyncio.Task[None] | None",
) -> None:
    """Send the response, and abandon the exchange if that does not come to an end."""
    exchange = delivery.exchange
    whole = False
    try:
        head = await delivery.head()
        wire = None if head is None else wire_head(head, exchange.method)
        if head is None or wire is None:
            await send_answer(send, answer_for(exchange))
            whole = True
            return
        status, headers = wire
        body = head.body
        await send(_start(status, headers))
        if body is not None and is_bodiless(exchange.method, status):
            body.close()
            body = None
        if body is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        while body is not None:
            if watcher is None and not body.ended:
                watcher = asyncio.create_task(_watch(scope, receive, exchange))
            data, more = await delivery.piece(body)
            ending = None if more else body.trailers
            last = not more and ending is None
            if data or last:
                await send({"type": "http.response.body", "body": data, "more_body": not last})
            if ending is not None:
                await _end_with(ending, scope, send)
            if not more:
                break
        whole = True
    except ResponseAborted:
        # A client that left has no use for the news.
        if not exchange.abandoned:
            raise
    finally:
        if not whole:
            exchange.abandon()
        if watcher is not None:
            watcher.cancel()


async def _end_with(trailers: list[tuple[str, bytes]], scope: Scope, send: Send) -> None:
    """End the response with trailers, or without where they have no place (HTTP-18)."""
    wire: Wire | None = scope.get(WIRE)
    if wire is None or not wire.end_with(trailers):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch(
    scope: Scope,
    receive: Receive,
    exchange: Exchange,
    upload: Upload | None = None,
    first: bytes = b"",
) -> None:
    """Pass request bytes on, and notice when the client leaves."""
    if upload is not None:
        await upload.put(first)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            if upload is not None:
                upload.channel.fail(("connection-terminated", None))
            exchange.abandon()
            return
        if upload is not None:
            await upload.put(message.get("body", b""))
            if not message.get("more_body"):
                upload.channel.end(_trailers(scope))


def head_of(scope: Scope) -> RequestHead:
    """Read an ASGI scope. The path is the raw one wherever the server gives it."""
    raw_path: bytes | None = scope.get("raw_path")
    mark = b""
    if raw_path is None:
        raw_path = scope["path"].encode()
    else:
        # Some servers leave the query there too, and with it a question mark alone.
        raw_path, mark, _ = raw_path.partition(b"?")
    root: str = scope.get("root_path", "")
    path = raw_path.decode("utf-8", "surrogateescape")
    if root and path.startswith(root):
        path = path[len(root) :] or "/"
    query: bytes = scope.get("query_string", b"")
    wire: Wire | None = scope.get(WIRE)
    bare = bool(mark) or (wire is not None and wire.bare_query)
    client = scope.get("client")
    return RequestHead(
        scope["method"],
        path,
        query.decode("utf-8", "surrogateescape") if query or bare else None,
        scope["headers"],
        scope.get("scheme", "http"),
        None if client is None else (client[0], client[1]),
    )


def _start(status: int, headers: list[tuple[str, bytes]]) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        # The server writes its own date; a guest that relays another one would make it two.
        "headers": [(name.encode("ascii"), value) for name, value in headers if name != "date"],
    }


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a complete response."""
    headers = [*answer.headers, ("content-length", str(len(answer.body)).encode())]
    await send(_start(answer.status, headers))
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the lifespan protocol; the host's life is its owner's business."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
