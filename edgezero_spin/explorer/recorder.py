"""The recorder: the latest requests of a host, within bounds.

In: events of the host; ``Recorder`` is an observer. Out: each request as a dictionary that becomes
JSON, and a call for whoever listens when one begins, changes or ends. However many requests there
are, what is kept has at most ``MOST_REQUESTS`` entries and ``MOST_CHARACTERS`` characters; older
ones make way.

Header fields and bodies are not kept.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from edgezero_spin.explorer.call_text import call_text
from edgezero_spin.host.observers import (
    CallEnded,
    ComponentUsage,
    HostCall,
    ObservedEvent,
    ObservedRequest,
    Observer,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
)
from edgezero_spin.host.telemetry.spans import masked, problem_of

__all__ = ["MOST_CALLS", "MOST_CHARACTERS", "MOST_REQUESTS", "Recorder", "Seen"]

MOST_REQUESTS = 1000
MOST_CHARACTERS = 4 * 1024 * 1024
MOST_CALLS = 100
"""Calls of one request that are kept; the others are counted."""
MOST_OUTPUT = 16 * 1024
"""Characters of one request's output that are kept: the first ones."""
MOST_TEXT = 500

# Chatty and of no interest: what every response is written with.
_UNSHOWN = ("wasi:io/", "wasi:http/types", "wasi:cli/", "wasi:clocks/", "wasi:random/")

Listener = Callable[[dict[str, Any]], None]


class Seen(RequestObserver):
    """One request.

    Attributes:
        number: Its place in the order of requests.
    """

    def __init__(self, recorder: "Recorder", number: int, request: ObservedRequest) -> None:
        """Made by ``Recorder``."""
        self.number = number
        self._recorder = recorder
        self._lock = threading.Lock()
        self._began = time.perf_counter()
        self._began_at = time.time()
        self._request = (
            request.method[:MOST_TEXT],
            _shown(request.path),
            _shown(request.query) if request.query is not None else None,
        )
        self._component_id = request.component_id
        self._route = request.route
        self._status: int | None = None
        self._body_bytes = 0
        self._seconds: float | None = None
        self._problem: str | None = None
        self._usage = ComponentUsage()
        self._calls: list[dict[str, Any]] = []
        self._call_count = 0
        self._output: list[tuple[str, str]] = []
        self._output_size = 0
        self._cut = False
        self.characters = sum(len(text or "") for text in self._request) + 200

    def brief(self) -> dict[str, Any]:
        """Return what a line of the list shows."""
        method, path, query = self._request
        return {
            "number": self.number,
            "at": self._began_at,
            "method": method,
            "path": path,
            "query": query,
            "component": self._component_id,
            "route": self._route,
            "status": self._status,
            "bytes": self._body_bytes,
            "ms": None if self._seconds is None else round(self._seconds * 1000, 2),
            "cpu_ms": None if self._usage.cpu_s is None else round(self._usage.cpu_s * 1000, 2),
            "instructions": self._usage.instructions,
            "calls": self._call_count,
            "problem": self._problem,
            "prints": bool(self._output),
        }

    def full(self) -> dict[str, Any]:
        """Return all that is known."""
        with self._lock:
            return {
                **self.brief(),
                # Copies: a call that ends meanwhile gets more keys.
                "call_list": [dict(entry) for entry in self._calls],
                "output": [{"stream": stream, "text": text} for stream, text in self._output],
                "output_cut": self._cut,
            }

    # RequestObserver

    def component_ended(self, usage: ComponentUsage) -> None:
        """Note what was spent."""
        self._usage = usage
        self._recorder.changed(self)

    def call_began(self, call: HostCall) -> CallEnded | None:
        """Keep the call, if it is one of the first."""
        if call.interface.startswith(_UNSHOWN):
            return None
        return self.note_call(call.interface, call_text(call))

    def note_call(self, interface: str, text: str) -> CallEnded | None:
        """Keep a call; return who is told of its end."""
        entry = self._add_call(interface, text)
        if entry is None:
            return None
        began = time.perf_counter()

        def ended(error: BaseException | None) -> None:
            entry["ms"] = round((time.perf_counter() - began) * 1000, 2)
            if error is not None:
                self._grow(entry, "error", problem_of(error)[0])

        return ended

    def sending(self, call: OutgoingCall) -> OutboundObserver | None:
        """Keep the request as a call."""
        entry = self._add_call("http", f"{call.method} {masked(call.url)}")
        return None if entry is None else _Sending(self, entry)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        """Keep what was printed, as far as there is room."""
        text = data.decode("utf-8", "replace")
        with self._lock:
            room = MOST_OUTPUT - self._output_size
            self._cut |= len(text) > room
            text = text[: max(0, room)]
            if not text:
                return
            self._output_size += len(text)
            if self._output and self._output[-1][0] == stream:
                self._output[-1] = (stream, self._output[-1][1] + text)
            else:
                self._output.append((stream, text))
        self._recorder.grew(self, len(text) + 50)

    def failed(self, problem: str) -> None:
        """Keep the problem."""
        self._problem = problem[: 4 * MOST_TEXT]
        self._recorder.grew(self, len(self._problem))

    def ended(self, outcome: RequestOutcome) -> None:
        """Note the outcome."""
        self._status = outcome.status
        self._body_bytes = outcome.body_bytes
        self._seconds = outcome.seconds
        if outcome.aborted is not None and self._problem is None:
            self._problem = outcome.aborted
        self._recorder.changed(self)

    def event_ended(self, seconds: float, problem: str | None) -> None:
        """Note the outcome, as 200 or 500."""
        if problem is not None and self._problem is None:
            self._problem = problem[: 4 * MOST_TEXT]
        self.ended(RequestOutcome(200 if problem is None else 500, 0, seconds))

    def _add_call(self, interface: str, text: str) -> dict[str, Any] | None:
        with self._lock:
            self._call_count += 1
            if len(self._calls) >= MOST_CALLS:
                return None
            entry: dict[str, Any] = {
                "interface": interface,
                "text": text[:MOST_TEXT],
                "after_ms": round((time.perf_counter() - self._began) * 1000, 2),
                "ms": None,
            }
            self._calls.append(entry)
        self._recorder.grew(self, len(entry["text"]) + 300)
        return entry

    def _grow(self, entry: dict[str, Any], name: str, text: str) -> None:
        entry[name] = text[:MOST_TEXT]
        self._recorder.grew(self, len(entry[name]))


class _Sending(OutboundObserver):
    def __init__(self, seen: Seen, entry: dict[str, Any]) -> None:
        self._seen = seen
        self._entry = entry
        self._began = time.perf_counter()

    def chained(self, component_id: str) -> RequestObserver:
        return self._seen

    def ended(self, status: int | None, error: str | None) -> None:
        self._entry["ms"] = round((time.perf_counter() - self._began) * 1000, 2)
        if status is not None:
            self._entry["result"] = str(status)
        if error is not None:
            self._seen._grow(self._entry, "error", masked(error))


class Recorder(Observer):
    """Keeps the latest requests; used from any thread."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = threading.Lock()
        self._seen: deque[Seen] = deque()
        self._characters = 0
        self._numbers = itertools.count(1)
        self._total = 0
        self._listeners: set[Listener] = set()

    @property
    def total(self) -> int:
        """Requests that there were."""
        return self._total

    def latest(self) -> list[dict[str, Any]]:
        """Return what is kept, the oldest first, a line each."""
        with self._lock:
            seen = list(self._seen)
        return [each.brief() for each in seen]

    def request(self, number: int) -> dict[str, Any] | None:
        """Return a request with all that is known of it; ``None`` where it made way."""
        with self._lock:
            found = next((each for each in self._seen if each.number == number), None)
        return None if found is None else found.full()

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._seen.clear()
            self._characters = 0

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have each change told; return what ends that. Called on whatever thread it happens."""
        with self._lock:
            self._listeners.add(listener)

        def stop() -> None:
            with self._lock:
                self._listeners.discard(listener)

        return stop

    # Observer

    def follows(self, interface: str, function: str) -> bool:
        """Whether a call is shown."""
        return not interface.startswith(_UNSHOWN) and not function.startswith("[resource-drop]")

    def request_began(self, request: ObservedRequest) -> Seen:
        """Keep the request."""
        with self._lock:
            self._total += 1
            seen = Seen(self, next(self._numbers), request)
            self._seen.append(seen)
            self._characters += seen.characters
            self._make_room()
        self.changed(seen)
        return seen

    def event_began(self, event: ObservedEvent) -> Seen:
        """Keep an event like a request, by its kind and its subject."""
        return self.request_began(
            ObservedRequest(
                event.trigger_type.upper(),
                event.subject,
                None,
                event.trigger_type,
                (),
                None,
                event.application,
                event.component_id,
                None,
            )
        )

    def changed(self, seen: Seen) -> None:
        """Tell listeners of a request."""
        listeners = self._listeners
        if listeners:
            brief = seen.brief()
            for listener in tuple(listeners):
                listener(brief)

    def grew(self, seen: Seen, characters: int) -> None:
        """Count what a request takes."""
        with self._lock:
            seen.characters += characters
            if self._seen and seen.number >= self._seen[0].number:
                self._characters += characters
                self._make_room()

    def _make_room(self) -> None:
        seen = self._seen
        while len(seen) > MOST_REQUESTS or (self._characters > MOST_CHARACTERS and len(seen) > 1):
            self._characters -= seen.popleft().characters


def _shown(text: str) -> str:
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return shown if len(shown) <= 4 * MOST_TEXT else shown[: 4 * MOST_TEXT] + "..."
