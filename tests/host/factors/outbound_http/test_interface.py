"""What a component may send out, and what everybody is told when it may not."""

from typing import Any

import pytest

from edgezero_spin.host.factors.outbound_http.interface import Destination, OutboundHosts
from edgezero_spin.host.factors.variables.providers import StaticProvider
from edgezero_spin.host.factors.variables.resolver import VariableResolver
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import OutgoingRequest
from edgezero_spin.host.runtime.interface import Err, Ok
from edgezero_spin.manifest.spin import LockedVariable
from tests.host.support import HostLog, call, instance_state

HANDLE = "wasi:http/outgoing-handler handle"


class Sender:
    """Notes what would be sent."""

    def __init__(self) -> None:
        self.sent: list[Destination] = []

    def send(self, destination: Destination, request: Any, options: Any, future: Any) -> None:
        self.sent.append(destination)


def request_to(authority: str | None, scheme: str | None = None) -> OutgoingRequest:
    """A request as a guest makes it."""
    request = OutgoingRequest(Fields())
    request.authority = authority
    request.path = "/"
    request.scheme = None if scheme is None else (scheme, None)
    return request


def answer(entries: list[str], request: OutgoingRequest, **parts: Any) -> tuple[Any, list[str]]:
    """What the future of a request says, and where it was sent."""
    sender = Sender()
    state = instance_state(outbound=OutboundHosts(entries, sender=sender, **parts))
    future = call(state, HANDLE, request, None)
    return future.get(), [f"{to.scheme}://{to.authority or 'self'}" for to in sender.sent]


@pytest.mark.parametrize(
    ("entries", "authority", "scheme", "sent"),
    [
        # OUTH-1, NET-20: without a scheme it is https.
        (["https://example.com"], "example.com", None, "https://example.com"),
        (["http://example.com"], "example.com", None, None),
        (["http://example.com"], "example.com", "HTTP", "http://example.com"),
        (["http://example.com"], "user:pw@example.com", "HTTP", "http://example.com"),
        (["http://*.example.com"], "a.example.com", "HTTP", "http://a.example.com"),
        (["http://*.example.com"], "example.com", "HTTP", None),
        (["http://[::1]:8080"], "[::1]:8080", "HTTP", "http://[::1]:8080"),
        (["http://example.com:8080"], "example.com:8081", "HTTP", None),
        (["http://example.com"], "EXAMPLE.com:80", "HTTP", "http://EXAMPLE.com:80"),
        (["*://*:*"], "10.0.0.1:99", "HTTPS", "https://10.0.0.1:99"),
        ([], "example.com", "HTTP", None),
        # CHAIN-1, CHAIN-2
        (["http://self"], None, "HTTP", "http://self"),
        (["http://self"], "self.alt:77", "HTTP", "http://self.alt:77"),
        (["http://example.com"], None, "HTTP", None),
        # CHAIN-5, CHAIN-6
        (["http://*.spin.internal"], "back.spin.internal", "HTTP", "http://back.spin.internal"),
        (["http://*.spin.internal"], "other.spin.internal", "HTTP", None),
    ],
)
def test_entries_decide(
    entries: list[str], authority: str | None, scheme: str | None, sent: str | None
) -> None:
    """A request leaves when an entry allows it, and is denied through its future (OUTH-4)."""
    got, where = answer(entries, request_to(authority, scheme), component_ids=["front", "back"])
    if sent is None:
        assert (got, where) == (Ok(Err(("HTTP-request-denied", None))), [])
    else:
        assert (got, where) == (None, [sent])


@pytest.mark.parametrize(
    ("authority", "text", "entry"),
    [
        (
            "localhost:1234",
            "A component tried to make an outbound network connection to disallowed destination "
            "'http://localhost:1234'.",
            "http://localhost:1234",
        ),
        (
            None,
            "A component tried to make an HTTP request to its own app but it does not have "
            "permission.",
            "http://self",
        ),
    ],
)
def test_the_operator_is_told_what_to_allow(authority: str | None, text: str, entry: str) -> None:
    """The log names the destination and the line that would allow it (NET-30, NET-31)."""
    with HostLog() as log:
        answer([], request_to(authority, "HTTP"))
    assert text in log.content.decode()
    assert f'allowed_outbound_hosts = ["{entry}"]' in log.content.decode()


@pytest.mark.parametrize(
    ("values", "sent"),
    [({"h": "example.com"}, ["http://example.com"]), ({"h": "other.com"}, []), ({}, [])],
)
def test_templates_are_filled_in_at_each_request(values: dict[str, str], sent: list[str]) -> None:
    """A value that is missing allows nothing at all (NET-6, NET-12)."""
    variables = VariableResolver({"h": LockedVariable()}, {}, [StaticProvider(values)])
    request = request_to("example.com", "HTTP")
    assert answer(["http://{{ h }}"], request, variables=variables)[1] == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param("", ["http://example.com"], id="nothing"),
        pytest.param("other.com", ["http://example.com"], id="another host"),
        pytest.param("s3cret/x", [], id="no host"),
        pytest.param(None, [], id="no value"),
    ],
)
def test_a_template_decides_about_the_entries_beside_it(value: str | None, sent: list[str]) -> None:
    """What stands for nothing is skipped, one that is not an entry allows nothing (NET-6, 12)."""
    given = {} if value is None else {"h": value}
    variables = VariableResolver({"h": LockedVariable()}, {}, [StaticProvider(given)])
    entries = ["http://example.com", "http://{{ h }}"]
    with HostLog() as log:
        found = answer(entries, request_to("example.com", "HTTP"), variables=variables)
    assert found[1] == sent
    assert (b"nothing outbound is allowed" in log.content) == (not sent)
    assert b"s3cret" not in log.content


def test_a_denied_body_can_be_written_to_its_end() -> None:
    """A guest that sends a body hears of the denial where it looks for the answer (OUTH-4)."""
    request = request_to("example.com")
    state = instance_state()
    body = call(state, "wasi:http/types [method]outgoing-request.body", request)
    future = call(state, HANDLE, request, None)
    stream = call(state, "wasi:http/types [method]outgoing-body.write", body)
    write = "wasi:io/streams [method]output-stream.blocking-write-and-flush"
    for _ in range(3000):
        call(state, write, stream, b"x" * 4096)
    stream.drop(state)
    call(state, "wasi:http/types [static]outgoing-body.finish", body, None)
    assert future.get().value.value == ("HTTP-request-denied", None)
    assert body.channel.take_all() == b""


def test_a_host_without_a_sender_says_so() -> None:
    """What is allowed and not provided is an error of its own, naming the way out."""
    state = instance_state(outbound=OutboundHosts(["http://example.com"]))
    future = call(state, HANDLE, request_to("example.com", "HTTP"), None)
    case, text = future.get().value.value
    assert case == "internal-error"
    assert "`spin up` does" in text
