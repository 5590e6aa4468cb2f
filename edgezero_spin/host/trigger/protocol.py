"""Read requests from a connection, within bounds that a client cannot move.

uvicorn's protocol on httptools, with these differences: the head of a request has a limit
and a time, so has a connection on which nothing happens; trailers stay apart from headers,
where a client could put what it likes behind everybody's back; a wish to upgrade to another
protocol is passed over and the request served as it stands (RFC 9110, 7.8); and a request
that is refused for its form never disturbs the response to the one before.

Source: contract spin-host.md, FLAG-3, RESP-14; RFC 9112.
"""

import asyncio
import urllib.parse
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edgezero_spin.host.trigger.cycle import Answering, Cycle, status_line
from edgezero_spin.host.trigger.gateway import RequestHead
from edgezero_spin.host.trigger.wire import WIRE, Wire

__all__ = ["DEFAULT_MAX_HEAD_BYTES", "HEAD_TIMEOUT_S", "LEAST_MAX_HEAD_BYTES", "Protocol"]

DEFAULT_MAX_HEAD_BYTES = 256 * 1024
LEAST_MAX_HEAD_BYTES = 8192
MAX_HEADERS = 1024

FRAMING = (b"content-length", b"transfer-encoding")
"""A request without either has no body (RFC 9112, 6.3)."""

Begin = Callable[[Wire, Callable[[], None]], None]
"""How our own application is asked without ASGI; ``AsgiApplication.begin_on_wire``."""

LINGER_S = 2.0
"""Seconds for which the rest of a request is thrown away before its connection is closed."""

HEAD_TIMEOUT_S = 30.0
"""Seconds that a client has for the head of a request, or for a first byte."""


class _HeadTooLargeError(ValueError):
    """The head of a request is past its limit."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    cycle: Cycle | None  # type: ignore[assignment]

    _header_bytes = 0
    _has_body = False
    _in_head = False
    _wants_upgrade = False
    _too_large = False
    _lingering = False
    _head_timer: asyncio.TimerHandle | None = None

    def __init__(
        self,
        *,
        max_head_bytes: int = DEFAULT_MAX_HEAD_BYTES,
        head_timeout_s: float = HEAD_TIMEOUT_S,
        **parts: Any,
    ) -> None:
        """Serve one connection.

        Args:
            max_head_bytes: Bytes that the head of a request may have (FLAG-3).
            head_timeout_s: Seconds that a client has for it, and for a first byte.
            parts: What uvicorn gives.
        """
        super().__init__(**parts)
        self._begin: Begin | None = getattr(self.app, "begin_on_wire", None)
        self._max_head_bytes = max_head_bytes
        self._head_timeout_s = head_timeout_s

    # Bytes and time ---------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        # The transport closes behind this, which in a response without a length or chunks
        # would look like its end.
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.break_off()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(431 if self._too_large else 400)
            return
        # In most cases a head comes in one piece, and no timer is set for it.
        if self._in_head or self._idle():
            if self._head_timer is None:
                self._arm()
        else:
            self._disarm()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._wants_upgrade:
                raise
            # The parser takes what follows for another protocol. It gets the request again,
            # without the wish, and then its body.
            self._wants_upgrade = False
            method, url, version = self.parser.get_method(), self.url, self._version()
            head = [
                b"%b %b HTTP/%b\r\n" % (method, url, version),
                *(b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade"),
                b"\r\n",
                data[upgrade.args[0] :],
            ]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._feed(b"".join(head))

    def _version(self) -> bytes:
        version: str = self.parser.get_http_version()
        return version.encode("ascii")

    def _idle(self) -> bool:
        """Whether no request is being answered, and none is awaited for a while either."""
        waiting = self.timeout_keep_alive_task is not None
        return not waiting and (self.cycle is None or self.cycle.response_complete)

    def _arm(self) -> None:
        loop = self.loop
        self._head_timer = loop.call_later(self._head_timeout_s, self._head_is_late)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The client waits for us, not we for the client.
            self._arm()
        elif self._in_head:
            self._refuse(408)
        else:
            self.transport.close()

    def _hang_up(self) -> None:
        """Close behind a response, once the client can have read it.

        Closing on a client that is still sending resets the connection, and the response may
        be lost with it (RFC 9112, 9.6).
        """
        cycle = self.cycle
        if cycle is None or not cycle.more_body or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._lingering = True
        self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(LINGER_S, self.transport.close)

    def on_response_complete(self) -> None:
        """Go on with the next request, unless there is none to come."""
        if not self._lingering:
            super().on_response_complete()

    def _refuse(self, status: int) -> None:
        """Answer a request that cannot be read, and close."""
        self._disarm()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # Its response ends first; after that nobody reads what came in here.
                cycle.keep_alive = False
                self.flow.pause_reading()
                return
            if cycle.response_started or self.pipeline:
                cycle.break_off()
                return
        date = b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
        end = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(status_line(status) + date + end)
        self.transport.close()

    # What the parser finds ----------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._has_body = False
        self._in_head = True
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if not self._in_head:
            if self.cycle is not None:
                self.cycle.received.append((name.lower(), value))
        elif len(self.headers) >= MAX_HEADERS:
            self._too_large = True
            raise _HeadTooLargeError
        else:
            name = name.lower()
            # The parser leaves blanks behind a value, which are no part of it (RFC 9110, 5.5).
            value = value.rstrip(b" \t")
            if name in FRAMING:
                self._has_body = True
            elif name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._max_head_bytes:
            # httptools turns it into a parser error.
            self._too_large = True
            raise _HeadTooLargeError

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._wants_upgrade = True
            return
        self._in_head = False
        parser = self.parser
        version, method = parser.get_http_version(), parser.get_method().decode("ascii")
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        if url.host is not None:
            self._add_authority(url)
        before = self.cycle
        self.cycle = cycle = Cycle(
            method=method,
            http_version=version,
            scope=None,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version == "1.1" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.bare_query = url.query is None and b"?" in self.url.partition(b"#")[0]
        cycle.hang_up = self._hang_up
        cycle.go_on = self._go_on
        if self._begin is None or self._has_body or self.expect_100_continue:
            self._give_scope(cycle, path, url)
        else:
            query = b"" if cycle.bare_query else url.query or None
            cycle.head = RequestHead(
                method,
                path,
                None if query is None else query.decode("utf-8", "surrogateescape"),
                self.headers,
                self.scheme or "http",
                self.client,
            )
            cycle.more_body = False
        if before is None or before.response_complete:
            self._start(cycle)
        else:
            # Requests that came before have to be answered first.
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _give_scope(self, cycle: Cycle, path: str, url: Any) -> None:
        """Say in ASGI's words what is asked."""
        scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": cycle.http_version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": cycle.method,
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            WIRE: cycle,
        }
        cycle.scope = cast("Any", scope)

    def _start(self, cycle: Cycle) -> None:
        """Have a request answered that is the first of those that have come."""
        if self._begin is None or cycle.head is None:
            super()._start_asgi_task(cycle, self.app)
            return
        # A task by the name of ``cancel``, which is all that the server wants of one.
        self.tasks.add(cast("Any", cycle))
        self._begin(cycle, lambda: self.tasks.discard(cast("Any", cycle)))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Have the next request answered that waited for others; uvicorn calls this."""
        # Not at once: each answer would be written from within the one before.
        self.loop.call_soon(self._start, cycle)

    def _go_on(self, cycle: Cycle, answering: Answering) -> None:
        """Run the rest of an answer as a task."""
        self.tasks.discard(cast("Any", cycle))
        task = self.loop.create_task(cycle.run(answering))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _add_authority(self, url: Any) -> None:
        """Let the authority of an absolute target be a ``Host`` that has to agree (RV-94)."""
        host = b"[%b]" % url.host if b":" in url.host else url.host
        authority = host if url.port is None else b"%b:%d" % (host, url.port)
        if [value for name, value in self.headers if name == b"host"] != [authority]:
            self.headers.append((b"host", authority))

    def on_message_complete(self) -> None:
        if self._lingering:
            self.transport.close()
        elif not self._wants_upgrade:
            super().on_message_complete()
