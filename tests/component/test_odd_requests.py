"""Requests that no polite client sends: an instance answers them, it never traps.

The component is called without a server in between, so that what HTTP servers refuse or
tidy up reaches it too.
"""

import json
from collections.abc import Callable, Iterator

import attrs
import pytest

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.exchange import Exchange
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.wasi.http.inbound import IncomingRequest, ResponseOutparam
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.settings import HostSettings
from tests.component.conftest import Build

Call = Callable[[Exchange], "Answer"]


@attrs.frozen
class Answer:
    """What came back: status, headers, and the body when it was whole."""

    status: int
    headers: list[tuple[str, bytes]]
    body: bytes

    def error(self) -> dict[str, object]:
        """The error object of a JSON answer."""
        found: dict[str, object] = json.loads(self.body)["error"]
        return found


@pytest.fixture(scope="module")
def linked(build: Build) -> Iterator[PreparedComponent]:
    """The guest ``behaviours``, linked to the host's interfaces."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        component = load_component(engine, build("behaviours"), HostSettings().cache_dir)
        yield link(engine, component, HostInterfaces())


@pytest.fixture
def call(linked: PreparedComponent) -> Call:
    """Serve one exchange on a fresh instance; a trap fails the test."""

    def serve(exchange: Exchange) -> Answer:
        grants = Grants(component_id="guest", log=Logs(None).of("guest"))
        with linked.instantiate(InstanceState(grants)) as instance:
            instance.call(
                "wasi:http/incoming-handler",
                "handle",
                IncomingRequest(exchange),
                ResponseOutparam(exchange),
            )
        response = exchange.response
        assert response is not None, exchange.failure
        body = b"" if response.body is None else response.body.take_all()
        return Answer(response.status, response.headers, body)

    return serve


def test_a_request_without_a_path_is_for_the_root(call: Call) -> None:
    """WASI makes the path optional; a host that has none means ``/``."""
    assert call(Exchange("GET", None, [])).body == b"hello\n"
    assert call(Exchange("GET", "", [])).body == b"hello\n"


def test_a_query_alone_is_for_the_root(call: Call) -> None:
    """``?x=1`` has an empty path."""
    assert call(Exchange("GET", "?x=1", [])).body == b"hello\n"


@pytest.mark.parametrize(
    ("method", "status"),
    [
        pytest.param("PROPFIND", 405, id="a method that WASI has no name for"),
        pytest.param("get", 405, id="methods are case-sensitive"),
        pytest.param("TRACE", 405, id="one that it names and nobody serves"),
    ],
)
def test_other_methods_are_405(call: Call, method: str, status: int) -> None:
    """Whatever token the method is."""
    answer = call(Exchange(method, "/", []))
    assert answer.status == status
    assert f"method {method} not allowed" in str(answer.error()["message"])


def test_header_values_are_bytes(call: Call) -> None:
    """What is not UTF-8 arrives as it was sent."""
    answer = call(Exchange("GET", "/headers", [("x-odd", b"\xff\xfe"), ("x-empty", b"")]))
    assert json.loads(answer.body) == [["x-odd", "\xff\xfe"], ["x-empty", ""]]


def test_a_request_without_headers_or_authority(call: Call) -> None:
    """None of them is needed to say what was asked."""
    about = json.loads(call(Exchange("GET", "/request", [])).body)
    assert about["authority"] is None
    assert about["scheme"] == "http"


def test_a_body_that_breaks_off_is_an_error_and_not_a_short_body(call: Call) -> None:
    """The handler that reads it fails; nothing pretends that the rest was empty."""
    channel = ByteChannel()
    channel.put(b"the first half")
    channel.fail(("connection-terminated", None))
    answer = call(Exchange("POST", "/length", [], body=channel))
    assert (answer.status, answer.error()["kind"]) == (500, "internal")


def test_a_broken_body_that_nobody_reads_does_no_harm(call: Call) -> None:
    """What the handler does not ask for cannot fail it."""
    channel = ByteChannel()
    channel.fail(("connection-terminated", None))
    assert call(Exchange("POST", "/ignore", [], body=channel)).body == b"not read\n"


def test_nobody_reads_the_answer(call: Call) -> None:
    """A client that left before the answer leaves the instance to its end, without a trap."""
    for path in ("/", "/large/100000", "/stream/3/100000", "/nothing"):
        exchange = Exchange("GET", path, [])
        exchange.abandon()
        assert call(exchange).status in (200, 204)


def test_a_path_of_any_length(call: Call) -> None:
    """Long and deep paths are looked up like others."""
    answer = call(Exchange("GET", "/names/" + "a" * 100_000, []))
    assert json.loads(answer.body) == {"name": "a" * 100_000}
    assert call(Exchange("GET", "/x" * 50_000, [])).status == 404
