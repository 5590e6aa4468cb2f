"""An application as an ASGI program.

For any ASGI server or framework that mounts one or several applications. Bodies stream both
ways with the server's back-pressure. A client that leaves is noticed once a body is under way.

A response that breaks off raises ``ResponseAborted`` out of the program, upon which a
server closes the connection without ending the body (RESP-7, RESP-9). Trailers have no place.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.exchange.upload import Upload
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.messages import ResponseAborted
from edgezero_spin.host.http.request_handler import RequestHandler

__all__ = ["AsgiApplication", "AsgiProgram", "Message", "Receive", "Scope", "Send", "head_of"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiProgram = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


class AsgiApplication:
    """``await app(scope, receive, send)`` for one ``RequestHandler``."""

    def __init__(self, handler: RequestHandler) -> None:
        """Made by ``Host.asgi``."""
        self._handler = handler

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
        first = await receive()
        if first["type"] == "http.disconnect":
            return
        upload: Upload | None = None
        more = bool(first.get("more_body"))
        if more or first.get("body"):
            upload = Upload()
            upload.channel.put(first.get("body", b""))
            if not more:
                upload.channel.end()
        body = None if upload is None else upload.channel
        writer = _MessageWriter()
        responder = self._handler.begin(head_of(scope), body, writer)
        watcher: asyncio.Task[None] | None = None
        if upload is not None and more:
            watcher = asyncio.create_task(_receive_body(receive, upload, writer))
        try:
            while not (writer.is_done and writer.ready()):
                await writer.changed()
                if writer.left:
                    return
                if watcher is None and writer.is_streaming:
                    watcher = asyncio.create_task(_await_disconnect(receive, writer))
                for message in writer.take():
                    await send(message)
                if responder is not None:
                    responder.resume()
            if writer.aborted is not None:
                raise ResponseAborted(writer.aborted)
        finally:
            if responder is not None:
                responder.abandon()
            if watcher is not None:
                watcher.cancel()


class _MessageWriter:
    """Keeps what is to be sent until the server takes it.

    Attributes:
        is_done: Nothing will follow what waits.
        is_streaming: A body follows piece by piece.
        left: The client has gone.
        aborted: Why the response breaks off; ``None`` when it does not.
    """

    def __init__(self) -> None:
        self.is_done = False
        self.is_streaming = False
        self.left = False
        self.aborted: str | None = None
        self._messages: deque[Message] = deque()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait until there is something to do."""
        await self._changed.wait()
        self._changed.clear()

    def leave(self) -> None:
        """Say that the client has gone."""
        self.left = True
        self._changed.set()

    def take(self) -> list[Message]:
        """Return what waits."""
        messages = list(self._messages)
        self._messages.clear()
        return messages

    def ready(self) -> bool:
        """Whether all that was written is taken."""
        return not self._messages

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        """Keep a whole response."""
        self._messages.append(_start(status, headers))
        self._put(body, last=True)

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        """Keep the head of a response."""
        self.is_streaming = True
        self._messages.append(_start(status, headers))
        self._changed.set()

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        """Keep a piece of the body."""
        self._put(data, last=last)

    def _put(self, data: bytes, *, last: bool) -> None:
        self._messages.append({"type": "http.response.body", "body": data, "more_body": not last})
        self.is_done = last
        self._changed.set()

    def abort(self, reason: str) -> None:
        """Have the program fail."""
        self.aborted = reason
        self.is_done = True
        self._changed.set()


async def _receive_body(receive: Receive, upload: Upload, writer: _MessageWriter) -> None:
    """Pass request bytes on, and notice when the client leaves."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            upload.channel.fail(("connection-terminated", None))
            writer.leave()
            return
        await upload.put(message.get("body", b""))
        if not message.get("more_body"):
            upload.channel.end()
            await _await_disconnect(receive, writer)
            return


async def _await_disconnect(receive: Receive, writer: _MessageWriter) -> None:
    """Notice when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.leave()


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
    client = scope.get("client")
    return RequestHead(
        scope["method"],
        path,
        query.decode("utf-8", "surrogateescape") if query or mark else None,
        scope["headers"],
        scope.get("scheme", "http"),
        None if client is None else (client[0], client[1]),
    )


def _start(status: int, headers: Sequence[Pair]) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        # The server writes its own date; a guest that relays another one would make it two.
        "headers": [(name.encode("ascii"), value) for name, value in headers if name != "date"],
    }


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the lifespan protocol; the host's life is its owner's business."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
