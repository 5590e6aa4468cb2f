"""Observers: what an embedding program is told of requests, components and instances."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edgezero_spin.host import (
    ComponentUsage,
    Host,
    HostCall,
    HostSettings,
    HttpRequest,
    InstanceUsage,
    ObservedRequest,
    Observer,
    OutboundObserver,
    OutgoingCall,
    RequestObserver,
    RequestOutcome,
    ResponseAborted,
    ReusePolicy,
)
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.observers import CallEnded, combine
from edgezero_spin.host.runtime.engine import Engine, EngineSettings, make_engine
from tests.host.support import Capture, script_plan, until


class Recorder(Observer):
    """Notes every event as a line, and everything that came with it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.given: list[Any] = []
        self.changed = threading.Condition()

    def note(self, line: str, given: object = None) -> None:
        with self.changed:
            self.lines.append(line)
            self.given.append(given)
            self.changed.notify_all()

    def wait_for(self, line: str) -> Any:
        """Return what came with an event, once it is there."""
        with self.changed:
            assert self.changed.wait_for(lambda: line in self.lines, 10), self.lines
            return self.given[self.lines.index(line)]

    def follows(self, interface: str, function: str) -> bool:
        return interface == "wasi:cli/stdout"

    def request_began(self, request: ObservedRequest) -> RequestObserver | None:
        self.note(f"began {request.component_id} {request.route}", request)
        return None if request.query == "ignored" else Following(self)

    def instance_made(self, component_id: str) -> None:
        self.note(f"made {component_id}")

    def instance_ended(self, usage: InstanceUsage) -> None:
        self.note("instance ended", usage)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self.note(f"{component_id} {stream} outside", data)


class Following(RequestObserver):
    """Notes what happens to one request."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def component_began(self, component_id: str, *, executor: str = "wasm") -> None:
        self.recorder.note(f"component {component_id}")

    def component_ended(self, usage: ComponentUsage) -> None:
        self.recorder.note("component ended", usage)

    def call_began(self, call: HostCall) -> CallEnded:
        self.recorder.note(f"call {call.function}", call)
        return lambda error: self.recorder.note("call ended", error)

    def output(self, component_id: str, stream: str, data: bytes) -> None:
        self.recorder.note(f"{component_id} {stream}", data)

    def failed(self, problem: str) -> None:
        self.recorder.note("failed", problem)

    def ended(self, outcome: RequestOutcome) -> None:
        self.recorder.note("ended", outcome)


@contextmanager
def observed(
    engine: Engine, *observers: Observer, settings: HostSettings | None = None
) -> Iterator[Host]:
    """A host of the script guest that these observe."""
    with Host(
        script_plan(),
        engine=engine,
        settings=settings or HostSettings(cache_dir=None),
        logs=Logs(None, echo_to=Capture()),
        observers=observers,
    ) as host:
        yield host


def ask(host: Host, target: str) -> tuple[int, bytes | None]:
    """Ask once; the status, and the body unless it breaks off."""

    async def run() -> tuple[int, bytes | None]:
        response = await host.handle(HttpRequest("GET", target))
        try:
            return response.status, await response.read()
        except ResponseAborted:
            return response.status, None

    return asyncio.run(run())


def test_a_request_from_its_head_to_its_end(shared_engine: Engine) -> None:
    """The events of one request and its instance, each with what it says."""
    recorder = Recorder()
    with observed(shared_engine, recorder) as host:
        assert ask(host, "/w?a=1") == (200, b"hello")
        usage = recorder.wait_for("instance ended")
        spent = recorder.wait_for("component ended")
        outcome = recorder.wait_for("ended")
    request = recorder.given[0]
    assert (request.method, request.path, request.query) == ("GET", "/w", "a=1")
    assert recorder.lines[0] == "began script /..."
    assert recorder.lines[1:3] == ["component script", "made script"]
    for stream in ("stdout", "stderr"):
        assert recorder.wait_for(f"script {stream}")
    assert recorder.wait_for("call get-stdout").interface == "wasi:cli/stdout"
    assert recorder.wait_for("call ended") is None
    assert (outcome.status, outcome.body_bytes, outcome.aborted) == (200, 5, None)
    assert outcome.seconds > 0 and spent.cpu_s > 0 and spent.instructions is None
    assert usage.component_id == "script" and usage.cpu_s >= spent.cpu_s
    assert usage.memory_bytes >= usage.initial_memory_bytes > 0
    assert "failed" not in recorder.lines


@pytest.mark.parametrize(
    ("target", "status", "problem"),
    [
        pytest.param("/t", 500, "unreachable", id="trap"),
        pytest.param("/r", 500, "prior to returning", id="no response"),
        pytest.param("/e", 500, "HTTP-protocol-error", id="error code"),
        pytest.param("/T", 200, "unreachable", id="trap after the head"),
        pytest.param("/u", 200, "before it finished", id="unfinished body"),
    ],
)
def test_failures(shared_engine: Engine, target: str, status: int, problem: str) -> None:
    """Say what went wrong, once, before the request ends."""
    recorder = Recorder()
    with observed(shared_engine, recorder) as host:
        assert ask(host, target)[0] == status
        assert problem in recorder.wait_for("failed")
        outcome = recorder.wait_for("ended")
        recorder.wait_for("instance ended")
    assert recorder.lines.count("failed") == 1
    assert (outcome.aborted is not None) == (status == 200)


def test_a_request_that_no_component_answers(shared_engine: Engine) -> None:
    """Begins and ends; the host's own paths have no route."""
    recorder = Recorder()
    with observed(shared_engine, recorder) as host:
        assert ask(host, "/.well-known/spin/health")[0] == 200
    assert recorder.lines == ["began None None", "ended"]


def test_a_request_that_is_not_followed(shared_engine: Engine) -> None:
    """Costs no further event; what its component prints is told without it."""
    recorder = Recorder()
    with observed(shared_engine, recorder) as host:
        assert ask(host, "/w?ignored")[0] == 200
        recorder.wait_for("instance ended")
    assert [line for line in recorder.lines if "outside" not in line] == [
        "began script /...",
        "made script",
        "instance ended",
    ]
    assert "script stdout outside" in recorder.lines


def test_an_instance_that_serves_several_requests(shared_engine: Engine) -> None:
    """Is made once and ends once; each request has its own component events."""
    recorder = Recorder()
    policy = ReusePolicy(least_served=3, most_served=3, idle_timeout_s=60)
    with observed(
        shared_engine, recorder, settings=HostSettings(cache_dir=None, reuse=policy)
    ) as host:
        for number in range(3):
            ask(host, "/g")
            if number < 2:
                asyncio.run(until(lambda: host.waiting == 1))
        recorder.wait_for("instance ended")
    assert recorder.lines.count("made script") == recorder.lines.count("instance ended") == 1
    assert recorder.lines.count("component script") == 3
    assert recorder.lines.count("component ended") == 3


def test_instructions_are_those_of_the_request() -> None:
    """Where the engine counts them; an instance that serves two has the sum."""
    recorder = Recorder()
    policy = ReusePolicy(least_served=2, most_served=2, idle_timeout_s=60)
    settings = HostSettings(cache_dir=None, reuse=policy)
    with (
        make_engine(EngineSettings(fuel=True, pooling=False)) as engine,
        observed(engine, recorder, settings=settings) as host,
    ):
        ask(host, "/h")
        asyncio.run(until(lambda: host.waiting == 1))
        ask(host, "/h")
        total = recorder.wait_for("instance ended").instructions
    spent = [given.instructions for given in recorder.given if isinstance(given, ComponentUsage)]
    assert len(spent) == 2 and all(spent) and sum(filter(None, spent)) == total


def test_an_observer_that_raises_changes_nothing(
    shared_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, the request is answered, the others are told, and the log says so."""

    class Broken(Recorder):
        def note(self, line: str, given: object = None) -> None:
            raise RuntimeError("broken")

        def follows(self, interface: str, function: str) -> bool:
            raise RuntimeError("broken")

    class BrokenLater(Observer):
        def request_began(self, request: ObservedRequest) -> RequestObserver:
            return Following(Broken())

    recorder = Recorder()
    with observed(shared_engine, Broken(), BrokenLater(), recorder) as host:
        assert ask(host, "/w") == (200, b"hello")
        recorder.wait_for("instance ended")
    assert "ended" in recorder.lines
    assert "an observer failed: " in caplog.text
    assert all(record.levelno == logging.ERROR for record in caplog.records)


def test_one_that_sees_requests_alone_leaves_components_alone(shared_engine: Engine) -> None:
    """No event of instances, calls or output."""

    class Outside(Recorder):
        sees_components = False

    recorder = Outside()
    with observed(shared_engine, recorder) as host:
        ask(host, "/w")
    assert recorder.lines == ["began script /...", "ended"]


def test_combined_observers_of_outgoing_requests() -> None:
    """Fields of all are sent; those that follow nothing cost nothing."""

    class Outgoing(OutboundObserver):
        def __init__(self, name: str) -> None:
            self.name = name
            self.outcomes: list[tuple[int | None, str | None]] = []

        def headers(self) -> list[tuple[str, bytes]]:
            return [(self.name, b"1")]

        def chained(self, component_id: str) -> RequestObserver | None:
            return RequestObserver() if self.name == "a" else None

        def ended(self, status: int | None, error: str | None) -> None:
            self.outcomes.append((status, error))

    class Sending(RequestObserver):
        def __init__(self, name: str | None) -> None:
            self.outgoing = None if name is None else Outgoing(name)

        def sending(self, call: OutgoingCall) -> OutboundObserver | None:
            return self.outgoing

    class Each(Observer):
        def __init__(self, name: str | None) -> None:
            self.request = Sending(name)

        def request_began(self, request: ObservedRequest) -> RequestObserver:
            return self.request

    each = [Each("a"), Each(None), Each("b")]
    observer = combine(each)
    assert observer is not None
    request = ObservedRequest("GET", "/", None, "http", (), None, "app", None, None)
    following = observer.request_began(request)
    assert following is not None
    outgoing = following.sending(OutgoingCall("GET", "http://a/", "a", None))
    assert outgoing is not None
    assert outgoing.headers() == [("a", b"1"), ("b", b"1")]
    assert outgoing.chained("x") is not None
    outgoing.ended(204, None)
    first = each[0].request.outgoing
    assert first is not None and first.outcomes == [(204, None)]
    assert combine([]) is None
