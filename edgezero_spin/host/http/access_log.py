"""Access log: one line for each request that a server answered.

In: a ``RequestHandler``. Out: one that counts what goes back to the client, and writes a line when
the response is out, broken off, or nobody waits for it any more. Neither queries nor header fields
are logged: they may hold secrets.

Source: our own; the members of the JSON form are those of the text.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, cast

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.respond import RequestHandler, ResponseWriter

if TYPE_CHECKING:
    from edgezero_spin.host.http.respond import Responder

__all__ = ["AccessLog", "AccessLogForm", "LoggedHandler", "logged"]

AccessLogForm = Literal["text", "json"]

MOST_SHOWN = 200
"""Characters of a method or a path that a line has."""


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class AccessLog:
    """Writes lines."""

    def __init__(self, form: str = "text", write: Callable[[str], None] = _print) -> None:
        """Write to standard error unless told otherwise.

        Args:
            form: ``text`` or ``json``.
            write: Takes a line without its end.
        """
        self._as_json = form == "json"
        self._write = write

    def note(
        self, head: RequestHead, component: str | None, status: int, size: int, seconds: float
    ) -> None:
        """Write the line of one request.

        Args:
            head: What was asked.
            component: What answered; ``None`` where no component did.
            status: Of the response; 499 where the client left before there was one.
            size: Bytes of its body.
            seconds: From the head of the request to the end of the response.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        method, path = _shown(head.method), _shown(head.path)
        took = round(seconds * 1000, 1)
        if self._as_json:
            members = {
                "time": now,
                "method": method,
                "path": path,
                "component": component,
                "status": status,
                "duration_ms": took,
                "bytes": size,
            }
            self._write(json.dumps(members, ensure_ascii=False))
        else:
            self._write(f"{now} {method} {path} {component or '-'} {status} {took}ms {size}B")


class LoggedHandler(Protocol):
    """What can be logged: a ``RequestHandler`` that knows its components."""

    origin: str | None

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> "Responder | None":
        """Begin to answer a request."""

    def component_of(self, head: RequestHead) -> str | None:
        """Return the component that answers a request."""


def logged(handler: LoggedHandler, log: AccessLog) -> RequestHandler:
    """Return a handler that answers as another one does, and notes it."""
    return _Logging(handler, log)


class _Logging:
    def __init__(self, handler: LoggedHandler, log: AccessLog) -> None:
        self._handler = handler
        self._log = log

    @property
    def origin(self) -> str | None:
        return self._handler.origin

    @origin.setter
    def origin(self, url: str | None) -> None:
        self._handler.origin = url

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> "Responder | None":
        counted = _Counted(self._log, head, self._handler.component_of(head), writer)
        responder = self._handler.begin(head, body, counted)
        if responder is None:
            return None
        counted.responder = responder
        return cast("Responder", counted)


class _Counted:
    """The way back to a client, and what tells of the client: both are passed on and counted."""

    __slots__ = (
        "_component",
        "_head",
        "_log",
        "_noted",
        "_size",
        "_started",
        "_status",
        "_writer",
        "responder",
    )

    responder: "Responder"

    def __init__(
        self, log: AccessLog, head: RequestHead, component: str | None, writer: ResponseWriter
    ) -> None:
        self._started = time.perf_counter()
        self._log = log
        self._head = head
        self._component = component
        self._writer = writer
        self._status = 0
        self._size = 0
        self._noted = False

    def ready(self) -> bool:
        return self._writer.ready()

    def send(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        self._status = status
        self._size = len(body)
        self._writer.send(status, headers, body)
        self._note()

    def start(self, status: int, headers: Sequence[Pair]) -> None:
        self._status = status
        self._writer.start(status, headers)

    def write(self, data: bytes, *, last: bool, trailers: list[Pair] | None = None) -> None:
        self._size += len(data)
        self._writer.write(data, last=last, trailers=trailers)
        if last:
            self._note()

    def abort(self, reason: str) -> None:
        self._status = self._status or 500
        self._writer.abort(reason)
        self._note()

    def resume(self) -> None:
        self.responder.resume()

    def abandon(self) -> None:
        self._status = self._status or 499
        self.responder.abandon()
        self._note()

    def _note(self) -> None:
        if not self._noted:
            self._noted = True
            seconds = time.perf_counter() - self._started
            self._log.note(self._head, self._component, self._status, self._size, seconds)


def _shown(text: str) -> str:
    """What a client chose, as a part of one line."""
    text = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
    if text.isprintable() and " " not in text:
        return text
    return "".join(c if c.isprintable() and c != " " else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """A character as its bytes in a path: ``%0a``."""
    return "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
