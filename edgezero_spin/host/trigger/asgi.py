"""An application as an ASGI program.

For uvicorn below ``edgezero serve`` and for any ASGI server or framework that mounts one
or several applications. Bodies stream both ways with the server's back-pressure. A small
response is two messages, sent without a task of its own; a watcher that notices a client
which leaves is started only for bodies that take longer.

A response that breaks off raises ``ResponseAborted`` out of the program, upon which a
server closes the connection without ending the body (RESP-7, RESP-9).
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from edgezero_spin.host.exchange import Exchange
from edgezero_spin.host.messages import ResponseAborted
from edgezero_spin.host.trigger.delivery import Delivery, Linger, Upload
from edgezero_spin.host.trigger.direct import Direct
from edgezero_spin.host.trigger.gateway import Answer, Gateway, RequestHead
from edgezero_spin.host.trigger.headers import HeaderNotTextError, client_headers
from edgezero_spin.host.trigger.http import InstanceRunner
from edgezero_spin.host.trigger.responses import OVERLOADED, answer_for, is_bodiless, wire_head
from edgezero_spin.host.trigger.wire import WIRE, Wire
from edgezero_spin.host.workers import Overloaded

__all__ = ["AsgiApplication", "Message", "Receive", "Scope", "Send", "head_of", "send_answer"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def _nothing() -> None:
    return None


class AsgiApplication:
    """``await app(scope, receive, send)`` for one ``Gateway``."""

    def __init__(
        self, gateway: Gateway, runner: InstanceRunner, linger: Callable[[], Linger]
    ) -> None:
        """Made by ``Host.asgi``."""
        self._gateway = gateway
        self._runner = runner
        self._linger = linger
        self._direct = Direct(
            gateway,
            runner,
            linger,
            lambda delivery, wire: _relay(delivery, wire, wire.receive, wire.send, None),
        )

    def begin_on_wire(self, wire: Wire, done: Callable[[], None] = _nothing) -> None:
        """Begin to answer a request without a body, for our own server; see ``Direct``."""
        self._direct.begin(wire, done)

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
            upload.channel.end(_trailers(scope.get(WIRE)))
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
            wire = scope.get(WIRE)
            watcher = asyncio.create_task(_watch(wire, receive, exchange, upload, first["body"]))
        await _relay(delivery, scope.get(WIRE), receive, send, watcher)


def _trailers(wire: Wire | None) -> list[tuple[str, bytes]] | None:
    """Trailers of a request that ended (HTTP-19)."""
    if wire is None or not wire.received:
        return None
    try:
        return client_headers(wire.received)
    except HeaderNotTextError:
        return None


async def _relay(
    delivery: Delivery,
    wire: Wire | None,
    receive: Receive,
    send: Send,
    watcher: "asyncio.Task[None] | None",
) -> None:
    """Send the response, and abandon the exchange if that does not come to an end."""
    exchange = delivery.exchange
    whole = False
    try:
        head = await delivery.head()
        sent = None if head is None else wire_head(head, exchange.method)
        if head is None or sent is None:
            await send_answer(send, answer_for(exchange))
            whole = True
            return
        status, headers = sent
        body = head.body
        await send(_start(status, headers))
        if body is not None and is_bodiless(exchange.method, status):
            body.close()
            body = None
        if body is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        while body is not None:
            if watcher is None and not body.ended:
                watcher = asyncio.create_task(_watch(wire, receive, exchange))
            data, more = await delivery.piece(body)
            ending = None if more else body.trailers
            last = not more and ending is None
            if data or last:
                await send({"type": "http.response.body", "body": data, "more_body": not last})
            if ending is not None:
                await _end_with(ending, wire, send)
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


async def _end_with(trailers: list[tuple[str, bytes]], wire: Wire | None, send: Send) -> None:
    """End the response with trailers, or without where they have no place (HTTP-18)."""
    if wire is None or not wire.end_with(trailers):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch(
    wire: Wire | None,
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
                upload.channel.end(_trailers(wire))


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
