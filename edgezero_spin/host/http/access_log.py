"""Access log: one line for each request that a server answered.

In: events of requests; ``AccessLog`` is an ``Observer``. Out: a line when the response is out,
broken off, or nobody waits for it any more. Neither queries nor header fields are logged: they may
hold secrets.

Source: our own; the members of the JSON form are those of the text.
"""

import json
import re
import sys
import time
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


def _print(line: str) -> None:
    stderr = sys.stderr
    # One call of the system for a line, where standard error is what it usually is.
    stderr.write(line + "\n")
    if not getattr(stderr, "line_buffering", False):
        stderr.flush()


class AccessLog(Observer):
    """Writes lines."""

    sees_components = False
    never_raises = True

    def __init__(self, form: str = "text", write: Callable[[str], None] = _print) -> None:
        """Write to standard error unless told otherwise.

        Args:
            form: ``text`` or ``json``.
            write: Takes a line without its end.
        """
        self._as_json = form == "json"
        self._write = write
        self._second = (0, "")

    def request_began(self, request: ObservedRequest) -> RequestObserver:
        """Write its line when it ends."""
        return _LoggedRequest(self, request)

    def note(self, request: ObservedRequest, outcome: RequestOutcome) -> None:
        """Write the line of one request."""
        now = self._now()
        method, path = request.method, request.path
        if not method.isalpha() or len(method) > MOST_SHOWN:
            method = _shown(method)
        if not path.isprintable() or " " in path or len(path) > MOST_SHOWN:
            path = _shown(path)
        took = round(outcome.seconds * 1000, 1)
        component, status, size = request.component_id, outcome.status, outcome.body_bytes
        if self._as_json:
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
            self._write(json.dumps(members, ensure_ascii=False))
        else:
            self._write(f"{now} {method} {path} {component or '-'} {status} {took}ms {size}B")

    def _now(self) -> str:
        """The time in UTC; what is before the milliseconds is written once for each second."""
        ms = time.time_ns() // 1_000_000
        seconds, text = self._second
        if seconds != ms // 1000:
            seconds = ms // 1000
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            self._second = (seconds, text)
        return f"{text}.{ms - seconds * 1000:03}Z"


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
        tell(self._log.note, self._request, outcome)


def _shown(text: str) -> str:
    """What a client chose, as a part of one line."""
    text = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
    if text.isprintable() and " " not in text:
        return text
    return "".join(c if c.isprintable() and c != " " else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """A character as its bytes in a path: ``%0a``."""
    return "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
