"""Access log: one line for each request, however it ends."""

import asyncio
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest

from edgezero_spin.host.http import access_log
from edgezero_spin.host.http.access_log import AccessLog
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.observed import ObservedResponse, observed_request
from edgezero_spin.host.observers import RequestOutcome, combine


class Writer:
    """Takes a response."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def ready(self) -> bool:
        return True

    def send(self, status: int, headers: Any, body: bytes) -> None:
        self.sent.append((status, body))

    def start(self, status: int, headers: Any) -> None:
        self.sent.append(status)

    def write(self, data: bytes, *, last: bool, trailers: Any = None) -> None:
        self.sent.append((data, last))

    def abort(self, reason: str) -> None:
        self.sent.append(reason)


class Responder:
    """Is told of the client."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def resume(self) -> None:
        self.told.append("resume")

    def abandon(self) -> None:
        self.told.append("abandon")


class Observed:
    """A request that is observed, as the host's side and the server's see it."""

    def __init__(self, form: str, path: str, method: str) -> None:
        self.lines: list[str] = []
        observer = combine([AccessLog(form, self.lines.append)])
        assert observer is not None
        head = RequestHead(method, path, "token=hush", ())
        component = None if path == "/nowhere" else "shop"
        self.sink = Writer()
        following = observer.request_began(observed_request(head, "app", component, "/..."))
        assert following is not None
        self.writer: Any = ObservedResponse(following, self.sink)
        self.responder = Responder()


def noted(path: str = "/a", method: str = "GET", form: str = "json") -> tuple[list[str], Any, Any]:
    """Begin a request; return the lines, the host's side and what the server was given."""
    observed = Observed(form, path, method)
    return observed.lines, observed, observed.writer.responder(observed.responder)


def test_a_whole_response() -> None:
    """Method, path without the query, component, status, time and bytes."""
    lines, handler, _ = noted()
    handler.writer.send(201, [], b"12345")
    line = json.loads(lines.pop())
    assert line.pop("time").endswith("Z") and line.pop("duration_ms") >= 0
    assert line == {"method": "GET", "path": "/a", "component": "shop", "status": 201, "bytes": 5}
    assert lines == []


def test_a_streamed_response() -> None:
    """One line, at its end, with all bytes."""
    lines, handler, given = noted(form="text")
    handler.writer.start(200, [])
    handler.writer.write(b"123", last=False)
    given.resume()
    assert lines == [] and handler.responder.told == ["resume"]
    handler.writer.write(b"45", last=True)
    (line,) = lines
    time, method, path, component, status, took, size = line.split(" ")
    assert (method, path, component, status, size) == ("GET", "/a", "shop", "200", "5B")
    assert time.endswith("Z") and took.endswith("ms")


@pytest.mark.parametrize(("started", "status"), [(True, 200), (False, 500)])
def test_a_response_that_breaks_off(started: bool, status: int) -> None:
    """With the status that the client saw."""
    lines, handler, _ = noted()
    if started:
        handler.writer.start(200, [])
    handler.writer.abort("broken")
    assert [json.loads(line)["status"] for line in lines] == [status]


@pytest.mark.parametrize(("started", "status"), [(True, 200), (False, 499)])
def test_a_client_that_leaves(started: bool, status: int) -> None:
    """Once, and the handler is told."""
    lines, handler, given = noted()
    if started:
        handler.writer.start(200, [])
    given.abandon()
    handler.writer.abort("nobody waits")
    assert [json.loads(line)["status"] for line in lines] == [status]
    assert handler.responder.told == ["abandon"]


def test_a_response_that_is_out_at_once() -> None:
    """No component answered; the server has nothing to tell of the client."""
    observed = Observed("text", "/nowhere", "GET")
    observed.writer.send(404, [], b"no")
    assert observed.writer.responder(None) is None
    assert observed.sink.sent == [(404, b"no")]
    assert " GET /nowhere - 404 " in observed.lines[0]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a\nb", "/a%0ab"),
        ("/\x1b[31m", "/%1b[31m"),
        ("/a b", "/a%20b"),
        ("/\udcff", "/%ff"),
        ("/é", "/é"),
        ("/" + "x" * 500, "/" + "x" * 199 + "..."),
    ],
)
def test_a_line_is_one_line(path: str, shown: str) -> None:
    """Whatever a client sends as its path."""
    lines, handler, _ = noted(path, form="text")
    handler.writer.send(200, [], b"")
    assert lines[0].split(" ")[2] == shown and "\n" not in lines[0]


@pytest.mark.parametrize(
    ("fields", "trace_id"),
    [
        ([b"00-" + b"a" * 32 + b"-b7ad6b7169203331-01"], "a" * 32),
        ([b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"], None),
        ([b"00-\xff-b7ad6b7169203331-01"], None),
        ([b"00-" + b"a" * 32 + b"-b7ad6b7169203331-01"] * 2, None),
        ([], None),
    ],
)  # fmt: skip
def test_the_trace_of_a_client(fields: list[bytes], trace_id: str | None) -> None:
    """Is in the line, where it is one (TEL-45)."""
    lines: list[str] = []
    head = RequestHead("GET", "/a", None, [(b"TraceParent", value) for value in fields])
    request = observed_request(head, "app", "shop", "/...")
    AccessLog("json", lines.append).note(request, RequestOutcome(200, 1, 0.1))
    assert json.loads(lines[0]).get("trace_id") == trace_id


class Stream(io.StringIO):
    """Standard error, which notes each call of ``write``."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.writes.append(text)
        self.written.set()
        return len(text)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """What the access log takes for standard error."""
    stream = Stream()
    # Not in ``sys`` itself, where pytest puts its own once the test begins.
    monkeypatch.setattr(access_log, "sys", SimpleNamespace(stderr=stream))
    return stream


def note(log: AccessLog, *paths: str) -> None:
    """End a request for each path."""
    for path in paths:
        request = observed_request(RequestHead("GET", path, None, ()), "app", "shop", "/...")
        log.note(request, RequestOutcome(200, 1, 0.1))


def paths_in(writes: list[str]) -> list[str]:
    """The paths of lines, each of which is there as a whole."""
    assert all(text.endswith("\n") for text in writes)
    return [line.split(" ")[2] for line in "".join(writes).splitlines()]


@pytest.mark.anyio
async def test_lines_of_one_moment_are_written_together(stream: Stream) -> None:
    """By themselves, in the order in which the requests ended."""
    note(AccessLog(), "/a", "/b", "/c")
    assert stream.writes == []
    await asyncio.wait_for(stream.written.wait(), 10)
    assert len(stream.writes) == 1 and paths_in(stream.writes) == ["/a", "/b", "/c"]


@pytest.mark.anyio
async def test_what_is_written_at_once_is_whole_lines_of_a_bounded_size(stream: Stream) -> None:
    """So that other processes that have the same pipe write between lines, not into them."""
    log = AccessLog()
    paths = [f"/{number:0150}é" for number in range(40)]
    note(log, *paths)
    log.host_closed()
    assert paths_in(stream.writes) == paths
    assert len(stream.writes) > 1 and max(len(text.encode()) for text in stream.writes) < 4096


@pytest.mark.anyio
async def test_a_host_that_closes_leaves_no_line_behind(stream: Stream) -> None:
    """They are written before it is closed; closing once more writes nothing."""
    log = AccessLog("json")
    note(log, "/a")
    observer = combine([log, AccessLog("text", lambda line: None)])
    assert observer is not None
    observer.host_closed()
    observer.host_closed()
    assert [json.loads(text)["path"] for text in stream.writes] == ["/a"]


def test_a_line_without_a_loop_is_written_at_once(stream: Stream) -> None:
    """There is nobody who would do so later."""
    note(AccessLog(), "/a")
    assert paths_in(stream.writes) == ["/a"]


def test_lines_of_a_loop_that_ended_are_written_with_the_next(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its timer never comes."""
    log = AccessLog()
    now_ns = 1_800_000_000_000_000_000

    async def begin() -> None:
        note(log, "/a")

    async def go_on() -> None:
        note(log, "/b")

    monkeypatch.setattr("time.time_ns", lambda: now_ns)
    asyncio.run(begin())
    assert stream.writes == []
    now_ns += 10**9
    asyncio.run(go_on())
    assert paths_in(stream.writes) == ["/a", "/b"]


def test_a_stream_that_fails_loses_its_own_lines_alone(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes on, and so does the log."""
    log = AccessLog()
    with monkeypatch.context() as broken:
        broken.setattr(access_log, "sys", SimpleNamespace(stderr=None))
        note(log, "/lost")
    note(log, "/a")
    assert paths_in(stream.writes) == ["/a"]
