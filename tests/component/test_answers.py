"""In which order a component answers: as much of the body as is taken, then the head."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from edgezero_spin.host.exchange.exchange import Exchange, ResponseHead
from edgezero_spin.host.factors.instance import Grants, InstanceState
from edgezero_spin.host.factors.logs import Logs
from edgezero_spin.host.factors.wasi.http.inbound import IncomingRequest, ResponseOutparam
from edgezero_spin.host.load.interfaces import HostInterfaces
from edgezero_spin.host.runtime.component_loading import load_component
from edgezero_spin.host.runtime.engine import EngineSettings, make_engine
from edgezero_spin.host.runtime.interface import Interface
from edgezero_spin.host.runtime.linking import link
from edgezero_spin.host.runtime.prepared import PreparedComponent
from edgezero_spin.host.settings import HostSettings
from tests.component.conftest import Build

SET = "[static]response-outparam.set"
FINISH = "[static]outgoing-body.finish"
WRITES = (
    "[method]output-stream.write",
    "[method]output-stream.blocking-write-and-flush",
)

seen: list[str] = []


def recording(interfaces: dict[str, Interface]) -> dict[str, Interface]:
    """The interfaces, each function noting that it was called."""

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            seen.append(name)
            return function(*args)

        return call

    return {
        name: attrs.evolve(
            interface,
            functions={item: noted(item, made) for item, made in interface.functions.items()},
        )
        for name, interface in interfaces.items()
    }


@pytest.fixture(scope="module")
def linked(build: Build) -> Iterator[PreparedComponent]:
    """The guest ``behaviours``, joined to a host that takes notes."""
    with make_engine(EngineSettings(pooling=False)) as engine:
        component = load_component(engine, build("behaviours"), HostSettings().cache_dir)
        yield link(engine, component, recording(dict(HostInterfaces())))


def ask(linked: PreparedComponent, target: str, method: str = "GET") -> tuple[ResponseHead, bytes]:
    """Have a fresh instance answer below ``/answers``, and take what it writes meanwhile."""
    seen.clear()
    state = InstanceState(Grants(component_id="answers", log=Logs(None).of("answers")))
    exchange = Exchange(method, f"/answers{target}", [])
    parts: list[bytes] = []

    def read() -> None:
        if exchange.response is not None and exchange.response.body is not None:
            parts.append(exchange.response.body.take_all())

    exchange.eager = True
    exchange.announce = read
    with linked.instantiate(state) as instance:
        instance.call(
            "wasi:http/incoming-handler",
            "handle",
            IncomingRequest(exchange),
            ResponseOutparam(exchange),
        )
    assert exchange.response is not None
    read()
    return exchange.response, b"".join(parts)


@pytest.mark.parametrize(
    ("target", "status", "size"),
    [
        pytest.param("/text", 200, 5, id="text"),
        pytest.param("/json", 200, 7, id="json"),
        pytest.param("/bytes", 200, 200_000, id="bytes"),
        pytest.param("/missing", 404, None, id="error"),
        pytest.param("/nowhere", 404, None, id="no route"),
        pytest.param("/fails", 500, None, id="failure"),
    ],
)
def test_a_body_that_fits_is_finished_before_the_head_is_sent(
    linked: PreparedComponent, target: str, status: int, size: int | None
) -> None:
    """One write on the wire: nothing waits for an acknowledgement."""
    head, body = ask(linked, target)
    assert head.status == status
    assert size in (None, len(body))
    assert seen.index(WRITES[0]) < seen.index(FINISH) < seen.index(SET)
    assert head.body is not None
    assert head.body.ended
    assert head.body.failure is None


def test_of_a_larger_body_goes_first_what_is_granted(linked: PreparedComponent) -> None:
    """The rest follows behind the head."""
    head, body = ask(linked, "/large")
    assert (head.status, body) == (200, b"x" * 3_000_000)
    assert seen.index(WRITES[0]) < seen.index(SET) < seen.index(FINISH)


def test_the_first_piece_of_a_stream_goes_with_the_head(linked: PreparedComponent) -> None:
    """It was made before the head could be sent anyway."""
    head, body = ask(linked, "/stream")
    assert (head.status, body) == (200, b"firstsecond")
    writes = [place for place, name in enumerate(seen) if name in WRITES]
    assert len(writes) == 2
    assert writes[0] < seen.index(SET) < writes[1]


def test_an_empty_first_piece_sends_the_head_alone(linked: PreparedComponent) -> None:
    """A generator asks for that by yielding nothing first."""
    _, body = ask(linked, "/late")
    assert body == b"second"
    assert seen.index(SET) < min(seen.index(name) for name in WRITES if name in seen)


@pytest.mark.parametrize("length", [0, 3, 5, 5_000_000])
def test_a_wrong_content_length_is_an_honest_500(linked: PreparedComponent, length: int) -> None:
    """It shows before the head is out."""  # HTTP-13, HTTP-14
    head, body = ask(linked, f"/wrong/{length}")
    assert head.status == 500
    assert b"internal error" in body


@pytest.mark.parametrize(
    ("target", "get", "head"),
    [
        pytest.param("/text", b"5", b"5", id="known"),
        pytest.param("/bytes", None, None, id="not said"),
        pytest.param("/stream", None, None, id="streamed"),
        pytest.param("/nothing", b"0", None, id="empty"),
        pytest.param("/wrong/4", b"4", b"4", id="the app's own"),
    ],
)
def test_an_answer_to_head_has_the_length_of_get_or_none(
    linked: PreparedComponent, target: str, get: bytes | None, head: bytes | None
) -> None:
    """Never 0 where GET has a body."""  # RFC 9110, 8.6
    assert dict(ask(linked, target)[0].headers).get("content-length") == get
    answer, body = ask(linked, target, "HEAD")
    assert dict(answer.headers).get("content-length") == head
    assert body == b""
