"""What a guest has the host hold: counted where it is, and ended where it is too much."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgezero_spin.host.errors import Trap
from edgezero_spin.host.factors import bounds
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.wasi.filesystem.descriptors import DirectoryMount
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.inbound import OutgoingResponse
from edgezero_spin.host.factors.wasi.http.outbound import OutgoingRequest
from tests.host.support import call, instance_state

HTTP = "wasi:http/types "
KIB = 1024
Make = Callable[[InstanceState], Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte is too much, and every few kilobytes are looked at."""
    monkeypatch.setattr(bounds, "MAX_HELD_BYTES", 1024 * KIB)
    monkeypatch.setattr(bounds, "COUNTED_AFTER", 64 * KIB)


class Sender:
    """Sends nothing and answers nothing."""

    def send(self, *arguments: object) -> None:
        """Leave the guest waiting."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[InstanceState]:
    """An instance with a directory of two hundred names."""
    for number in range(200):
        (tmp_path / str(number)).touch()
    outbound = OutboundHosts(["http://*:*"], sender=Sender())
    made = instance_state(mounts=(DirectoryMount("/", tmp_path),), outbound=outbound)
    yield made
    for resource in made.table.drain():
        resource.drop(made) if hasattr(resource, "drop") else None


def listed(state: InstanceState) -> Any:
    """A hundred kilobytes of values of one name."""
    return call(state, f"{HTTP}[static]fields.from-list", [("x", b"v" * 1000)] * 100)


def appended(state: InstanceState) -> Any:
    """The same, one after the other."""
    fields = call(state, f"{HTTP}[constructor]fields")
    for _ in range(100):
        call(state, f"{HTTP}[method]fields.append", fields, "x", b"v" * 1000)
    return fields


def replaced(state: InstanceState) -> Any:
    """The same at once."""
    fields = call(state, f"{HTTP}[constructor]fields")
    call(state, f"{HTTP}[method]fields.set", fields, "x", [b"v" * 1000] * 100)
    return fields


def copied(state: InstanceState) -> Any:
    """A copy of them."""
    return call(state, f"{HTTP}[method]fields.clone", listed(state))


def asked(state: InstanceState) -> Any:
    """A request with such headers, not sent yet."""
    return call(state, f"{HTTP}[constructor]outgoing-request", listed(state))


def written(state: InstanceState, message: str = "request", *, finished: bool = False) -> Any:
    """A request or a response with a body of a hundred kilobytes; the body where it is open."""
    kind = OutgoingRequest if message == "request" else OutgoingResponse
    made: Any = kind(Fields())
    body = call(state, f"{HTTP}[method]outgoing-{message}.body", made)
    stream = call(state, f"{HTTP}[method]outgoing-body.write", body)
    for _ in range(25):
        call(state, "wasi:io/streams [method]output-stream.write", stream, bytes(4 * KIB))
    stream.drop(state)
    if not finished:
        return body
    call(state, f"{HTTP}[static]outgoing-body.finish", body, None)
    return made


def sent(state: InstanceState) -> Any:
    """What is left of such a request once it was sent: the wait for an answer."""
    request = written(state, finished=True)
    request.scheme, request.authority, request.path = ("HTTP", None), "h", "/"
    return call(state, "wasi:http/outgoing-handler handle", request, None)


def named(state: InstanceState) -> Any:
    """The names in the directory."""
    [(root, _)] = call(state, "wasi:filesystem/preopens get-directories")
    found = call(state, "wasi:filesystem/types [method]descriptor.read-directory", root)
    root.drop(state)
    return found


@pytest.mark.parametrize(
    "make",
    [
        listed,
        appended,
        replaced,
        copied,
        asked,
        pytest.param(written, id="open body"),
        pytest.param(lambda state: written(state, finished=True), id="request"),
        pytest.param(lambda state: written(state, "response", finished=True), id="response"),
        sent,
        named,
    ],
)
def test_what_is_held_is_counted(state: InstanceState, make: Make) -> None:
    """A guest that keeps more and more is stopped; one that lets go may go on for ever."""
    for _ in range(60):
        rep = state.table.push(make(state))
        gone = state.table.take(rep)
        if hasattr(gone, "drop"):
            gone.drop(state)
    with pytest.raises(Trap, match="hold more than 1048576 bytes"):
        for _ in range(60):
            state.table.push(make(state))
    assert len(state.table) > 5


def test_handles_to_the_same_headers_count_once(state: InstanceState) -> None:
    """Those of a request or a response are asked for again and again."""
    response = call(state, f"{HTTP}[constructor]outgoing-response", listed(state))
    state.table.push(response)
    for _ in range(100):
        state.table.push(call(state, f"{HTTP}[method]outgoing-response.headers", response))
        bounds.hold(state, 64 * KIB)
    assert len(state.table) == 101
