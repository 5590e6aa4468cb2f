"""Access log: one line for each request that a server answered.

In: events of requests; ``AccessLog`` is an ``Observer``. Out: a line when the response is out,
broken off, or nobody waits for it any more. Neither queries nor header fields are logged: they may
hold secrets.

Lines for standard error are written together with those of the next few milliseconds. Formatting
and writing each on its own, between requests, took 8 % of a request on a reused instance.

Source: our own; the members of the JSON form are those of the text.
"""

import asyncio
import contextlib
import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from edgezero_spin.host.observers import (
    ObservedRequest,
    Observer,
    RequestObserver,
    RequestOutcome,
    tell,
)

__all__ = ["AccessLog", "AccessLogForm"]

AccessLogForm = Literal["text", "json"]

_TRACE_PARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

MOST_SHOWN = 200
"""Characters of a method or a path that a line has."""


DELAY_NS = 10_000_000
"""Nanoseconds that a line waits for others at most, while its event loop runs."""

MOST_WRITTEN = 1024
"""Characters of lines that are written by one call of the system. No other process writes into them
where standard error is a pipe that both have: they are less than 4096 bytes, ``PIPE_BUF`` of Linux.
"""


class AccessLog(Observer):
    """Writes lines."""

    sees_components = False
    never_raises = True

    def __init__(self, form: str = "text", write: Callable[[str], None] | None = None) -> None:
        """Write to standard error unless told otherwise.

        Args:
            form: ``text`` or ``json``.
            write: Takes a line without its end, as soon as its request has ended.
        """
        self._as_json = form == "json"
        self._write = write
        self._second = (0, "")
        self._ended: deque[tuple[int, ObservedRequest, RequestOutcome]] = deque()
        # When what waits is to be written; 0 while nothing waits.
        self._due_ns = 0
        self._lock = threading.Lock()

    def request_began(self, request: ObservedRequest) -> RequestObserver:
        """Write its line when it ends."""
        return _LoggedRequest(self, request)

    def host_closed(self) -> None:
        """Write what waits."""
        self._write_ended()

    def note(self, request: ObservedRequest, outcome: RequestOutcome) -> None:
        """Write the line of one request, or have an event loop that runs do so soon."""
        now_ns = time.time_ns()
        self._ended.append((now_ns, request, outcome))
        if self._due_ns and now_ns < self._due_ns + DELAY_NS:
            return
        # Where lines are overdue, the loop that was to write them is busy, or has ended.
        if self._write is None and not self._due_ns:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().call_later(DELAY_NS / 1e9, self._write_ended)
                self._due_ns = now_ns + DELAY_NS
                return
        self._write_ended()

    def _write_ended(self) -> None:
        """Write what waits; from any thread."""
        with self._lock:
            self._due_ns = 0
            lines: list[str] = []
            size = 0
            while self._ended:
                line = tell(self._line, *self._ended.popleft())
                if line is None:
                    continue
                if self._write is not None:
                    tell(self._write, line)
                    continue
                if size + len(line) >= MOST_WRITTEN and lines:
                    tell(_print, lines)
                    lines, size = [], 0
                lines.append(line)
                size += len(line) + 1
            if lines:
                tell(_print, lines)

    def _line(self, ended_ns: int, request: ObservedRequest, outcome: RequestOutcome) -> str:
        now = self._time(ended_ns // 1_000_000)
        method, path = request.method, request.path
        if not method.isalpha() or len(method) > MOST_SHOWN:
            method = _shown(method)
        if not path.isprintable() or " " in path or len(path) > MOST_SHOWN:
            path = _shown(path)
        took = round(outcome.seconds * 1000, 1)
        component, status, size = request.component_id, outcome.status, outcome.body_bytes
        if not self._as_json:
            return f"{now} {method} {path} {component or '-'} {status} {took}ms {size}B"
        members: dict[str, object] = {
            "time": now,
            "method": method,
            "path": path,
            "component": component,
            "status": status,
            "duration_ms": took,
            "bytes": size,
        }
        trace_id = outcome.trace_id() or _trace_id_of(request)
        if trace_id is not None:
            members["trace_id"] = trace_id
        return json.dumps(members, ensure_ascii=False)

    def _time(self, ms: int) -> str:
        """A time in UTC; what is before the milliseconds is formatted once for each second."""
        seconds, text = self._second
        if seconds != ms // 1000:
            seconds = ms // 1000
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._second = (seconds, text)
        return f"{text}.{ms - seconds * 1000:03}Z"


def _print(lines: list[str]) -> None:
    stderr = sys.stderr
    # One call of the system, where standard error is what it usually is.
    stderr.write("\n".join(lines) + "\n")
    if not getattr(stderr, "line_buffering", False):
        stderr.flush()


def _trace_id_of(request: ObservedRequest) -> str | None:
    """Return the id of the trace that a client says that its request is in."""
    given = [value for name, value in request.headers if name.lower() == b"traceparent"]
    found = _TRACE_PARENT.fullmatch(given[0]) if len(given) == 1 else None
    return found[1].decode() if found is not None and found[1].strip(b"0") else None


class _LoggedRequest(RequestObserver):
    __slots__ = ("_log", "_request")
    sees_component = False
    never_raises = True

    def __init__(self, log: AccessLog, request: ObservedRequest) -> None:
        self._log = log
        self._request = request

    def ended(self, outcome: RequestOutcome) -> None:
        self._log.note(self._request, outcome)


def _shown(text: str) -> str:
    """What a client chose, as a part of one line."""
    text = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
    if text.isprintable() and " " not in text:
        return text
    return "".join(c if c.isprintable() and c != " " else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """A character as its bytes in a path: ``%0a``."""
    return "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
