"""Messages that a guest publishes, through a real broker."""

import logging
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mqtt import interface as outbound_mqtt
from edgezero_spin.host.factors.outbound_http.interface import OutboundHosts
from edgezero_spin.host.factors.outbound_networking import connection_slots
from edgezero_spin.host.factors.outbound_networking.blocked import parse_blocked
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules
from edgezero_spin.host.factors.outbound_networking.connection_slots import ConnectionSlots
from tests.certificates import make_certificate
from tests.host.debian_servers import own, running_mosquitto, server_folder
from tests.host.factors.stream_reader import run_async
from tests.host.support import call, error_of, instance_state

V2 = "fermyon:spin/mqtt@2.0.0"
V3 = "spin:mqtt/mqtt@3.0.0"
OPEN = f"{V2} [static]connection.open"
PUBLISH = f"{V2} [method]connection.publish"
LOGIN = ("", "", 30)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A broker that lets everybody in; tests are skipped where it is not installed."""
    with running_mosquitto() as port:
        yield port


@pytest.fixture
def address(port: int) -> str:
    """The address of the broker."""
    return f"mqtt://localhost:{port}?client_id=guest"


def make_state(*entries: str, **grants: Any) -> InstanceState:
    """An instance that may connect to these, or to anything by MQTT."""
    return instance_state(outbound=OutboundHosts(entries or ["mqtt://localhost:*"]), **grants)


class Subscriber:
    """Receives what is published."""

    def __init__(self, port: int, login: tuple[str, str] | None) -> None:
        self._received: queue.Queue[Any] = queue.Queue()
        self._subscribed = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        if login is not None:
            self.client.username_pw_set(*login)
        self.client.on_message = lambda client, data, message: self._received.put(message)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe("#", qos=2)
        assert self._subscribed.wait(10)

    def next(self) -> tuple[str, bytes, int, bool]:
        """Topic, payload, quality of service, and whether it was retained."""
        message = self._received.get(timeout=10)
        return message.topic, message.payload, message.qos, message.retain


@contextmanager
def subscriber(port: int, login: tuple[str, str] | None = None) -> Iterator[Subscriber]:
    """Subscribe to everything."""
    made = Subscriber(port, login)
    try:
        yield made
    finally:
        made.client.disconnect()
        made.client.loop_stop()


def test_qualities_of_service(port: int, address: str) -> None:
    """A message of each is received once, and not retained."""  # MQ-1, MQ-6, V-42
    state = make_state()
    with subscriber(port) as received:
        connection = call(state, OPEN, address, *LOGIN)
        for number, qos in enumerate(("at-most-once", "at-least-once", "exactly-once")):
            call(state, PUBLISH, connection, f"a/{number}", bytes([number]), qos)
            assert received.next() == (f"a/{number}", bytes([number]), number, False)
        call(state, PUBLISH, connection, "größe", b"", "exactly-once")
        assert received.next() == ("größe", b"", 2, False)
        connection.drop(state)
    assert state.held == {outbound_mqtt.KIND: 0}


def test_version_3(port: int, address: str) -> None:
    """Its functions are asynchronous."""  # MQ-1
    state = make_state()

    async def work() -> None:
        with subscriber(port) as received:
            connection = await call(state, f"{V3} [static]connection.open", address, *LOGIN)
            publish = f"{V3} [method]connection.publish"
            await call(state, publish, connection, "a", b"x", "at-least-once")
            assert received.next() == ("a", b"x", 1, False)
            connection.drop(state)

    run_async(work)
    assert state.held == {outbound_mqtt.KIND: 0}


@pytest.mark.parametrize(
    "address",
    [
        "mqtt://localhost:{port}",
        "amqp://localhost:{port}?client_id=x",
        "localhost:{port}?client_id=x",
        "mqtt://localhost:{port}?client_id=x&x=1",
        "mqtt://localhost:{port}?client_id=x&inflight_num=many",
        "mqtt://localhost:{port}?client_id=x&clean_session=perhaps",
        "mqtt://localhost:{port}?client_id=%FF",
    ],
)
def test_texts_that_are_no_address(port: int, address: str) -> None:
    """They are told by a case of their own, where they are permitted."""  # MQ-3, MQ-4, V-40
    state = make_state("*://*:*")
    found = error_of(state, OPEN, address.format(port=port), *LOGIN)
    assert found == ("invalid-address", None)
    assert state.held == {outbound_mqtt.KIND: 0}


@pytest.mark.parametrize(
    ("entries", "address"),
    [
        (["http://x"], "mqtt://localhost:1883?client_id=x"),
        (["mqtt://localhost"], "mqtt://localhost:1884?client_id=x"),
        (["mqtt://localhost"], "mqtts://localhost?client_id=x"),
        (["mqtt://localhost"], "mqtt://localhost@evil?client_id=x"),
        (["mqtt://localhost"], "mqtt://u:secret@evil?client_id=x"),
    ],
)
def test_addresses_that_are_not_permitted(
    entries: list[str], address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The denial repeats the address for the guest, and no password for the log."""  # NET-25
    assert error_of(make_state(*entries), OPEN, address, *LOGIN) == (
        "connection-failed",
        f"address {address} is not permitted",
    )
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("mqtt://localhost:1?client_id=x", "refused"),
        ("mqtt://nowhere.invalid?client_id=x", "nowhere.invalid"),
        ("mqtts://localhost:{port}?client_id=x", "cannot connect to localhost"),
    ],
)
def test_brokers_that_cannot_be_reached(port: int, address: str, reason: str) -> None:
    """``open`` succeeds, and the first message says so."""  # MQ-2, MQ-9, V-41
    state = make_state("*://*:*")
    connection = call(state, OPEN, address.format(port=port), *LOGIN)
    case, text = error_of(state, PUBLISH, connection, "a", b"", "at-most-once")
    assert (case, reason in text) == ("connection-failed", True), text
    connection.drop(state)


def test_logins(caplog: pytest.LogCaptureFixture) -> None:
    """The arguments count, also over those in the address; no password is told."""  # MQ-5, V-43
    caplog.set_level(logging.DEBUG)
    login = ("spin", "hunter2")
    with running_mosquitto(login=login) as port, subscriber(port, login) as received:
        state = make_state()
        address = f"mqtt://spin:hunter2@localhost:{port}?client_id=x"
        wrong = call(state, OPEN, address, "spin", "hunter3", 30)
        case, text = error_of(state, PUBLISH, wrong, "a", b"", "at-most-once")
        assert (case, "Not authorized" in text) == ("connection-failed", True), text
        assert "hunter" not in text + caplog.text
        wrong.drop(state)
        right = call(state, OPEN, address, *login, 30)
        call(state, PUBLISH, right, "a", b"x", "exactly-once")
        assert received.next() == ("a", b"x", 2, False)
        right.drop(state)


def test_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """``mqtts`` verifies chain and name, and encrypts."""  # MQ-3
    with server_folder() as folder:
        certificate = make_certificate(folder)
        for file in (certificate.chain, certificate.key):
            own(file)
        files = (f"certfile {certificate.chain}", f"keyfile {certificate.key}")
        with running_mosquitto(*files) as port:
            state = make_state("mqtts://localhost:*")
            address = f"mqtts://localhost:{port}?client_id=x"
            connection = call(state, OPEN, address, *LOGIN)
            _, text = error_of(state, PUBLISH, connection, "a", b"", "at-least-once")
            assert "certificate verify failed" in text
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate.roots))
            call(state, PUBLISH, connection, "a", b"", "at-least-once")
            connection.drop(state)


def test_sizes(port: int, address: str) -> None:
    """The operator bounds payloads, and the address packets."""  # MQ-7, MQ-8, V-44, V-45
    state = make_state(network=NetworkRules(max_mqtt_payload=5))
    connection = call(state, OPEN, address, *LOGIN)
    call(state, PUBLISH, connection, "a", b"12345", "at-least-once")
    assert error_of(state, PUBLISH, connection, "a", b"123456", "at-least-once") == (
        "other",
        "payload size 6 exceeds the maximum allowed size of 5 bytes",
    )
    connection.drop(state)
    state = make_state()
    large = b"x" * 20_000
    connection = call(state, OPEN, address, *LOGIN)
    assert error_of(state, PUBLISH, connection, "a", large, "at-most-once")[0] == (
        "connection-failed"
    )
    connection.drop(state)
    sizes = "max_incoming_packet_size_bytes=65536&max_outgoing_packet_size_bytes=65536"
    with subscriber(port) as received:
        connection = call(state, OPEN, f"{address}&{sizes}", *LOGIN)
        call(state, PUBLISH, connection, "a", large, "exactly-once")
        assert received.next() == ("a", large, 2, False)
        connection.drop(state)


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b", "x" * 5000 * 14])
def test_topics_that_are_none(address: str, topic: str) -> None:
    """They are refused before they are sent, and the connection goes on."""
    state = make_state()
    sizes = "max_incoming_packet_size_bytes=99999&max_outgoing_packet_size_bytes=99999"
    connection = call(state, OPEN, f"{address}&{sizes}", *LOGIN)
    assert error_of(state, PUBLISH, connection, topic, b"", "at-most-once")[0] == "other"
    call(state, PUBLISH, connection, "a", b"", "at-least-once")
    connection.drop(state)


def test_a_broker_that_ended_the_connection(port: int, address: str) -> None:
    """The next message connects anew, when the broker said so and when it is due."""
    # MQ-10, V-46
    state = make_state()
    with subscriber(port) as received:
        connection = call(state, OPEN, address, "", "", 1)
        call(state, PUBLISH, connection, "a", b"1", "at-most-once")
        assert received.next()[1] == b"1"
        # Another client of our name puts us out.
        other = call(state, OPEN, address, "", "", 0)
        call(state, PUBLISH, other, "a", b"2", "at-least-once")
        assert received.next()[1] == b"2"
        call(state, PUBLISH, connection, "a", b"3", "at-least-once")
        assert received.next()[1] == b"3"
        connection.native._last_used -= 10
        call(state, PUBLISH, connection, "a", b"4", "at-most-once")
        assert received.next()[1] == b"4"
        for handle in (connection, other):
            handle.drop(state)


def test_a_broker_that_stops(port: int) -> None:
    """A message fails while there is no broker, and goes out once there is one."""
    state = make_state()
    with running_mosquitto() as gone:
        connection = call(state, OPEN, f"mqtt://localhost:{gone}?client_id=x", *LOGIN)
        call(state, PUBLISH, connection, "a", b"", "at-least-once")
    for _ in range(2):
        case, _ = error_of(state, PUBLISH, connection, "a", b"lost", "at-least-once")
        assert case == "connection-failed"
    connection.drop(state)


@contextmanager
def silent_server(answer: bytes) -> Iterator[int]:
    """A server that says one thing, and then nothing."""

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with accepted, suppress(ConnectionError):
                accepted.recv(1024)
                accepted.sendall(answer)
                while accepted.recv(1024):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


ACCEPTED = b"\x20\x02\x00\x00"


def test_a_deadline_ends_a_wait() -> None:
    """The guest stops in time where a broker acknowledges nothing."""
    with silent_server(ACCEPTED) as port:
        state = make_state()
        connection = call(state, OPEN, f"mqtt://localhost:{port}?client_id=x", *LOGIN)
        state.deadline_ns = time.monotonic_ns() + 300_000_000
        with pytest.raises(DeadlineExceeded):
            call(state, PUBLISH, connection, "a", b"", "at-least-once")
        connection.drop(state)


def test_an_answer_that_is_too_large() -> None:
    """A packet beyond the limit is not received."""
    with silent_server(ACCEPTED + b"\x30\xff\xff\x7f\0\x01a") as port:
        state = make_state()
        connection = call(state, OPEN, f"mqtt://localhost:{port}?client_id=x", *LOGIN)
        case, _ = error_of(state, PUBLISH, connection, "a", b"", "at-least-once")
        assert case == "connection-failed"
        connection.drop(state)


def test_blocked_networks(address: str) -> None:
    """A network that the operator blocks is out of reach."""  # SVC-9
    state = make_state("*://*:*", network=NetworkRules(blocked=parse_blocked(["private"])))
    connection = call(state, OPEN, address, *LOGIN)
    case, text = error_of(state, PUBLISH, connection, "a", b"", "at-most-once")
    assert case == "connection-failed"
    assert text.endswith("the runtime configuration prohibits its address")
    connection.drop(state)


def test_slots(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle takes a slot, and waits for one so long."""  # SVC-5 to SVC-7, NET-43
    monkeypatch.setattr(connection_slots, "WAIT_S", 0.05)
    rules = NetworkRules(mqtt_slots=ConnectionSlots(1))
    state, other = make_state(network=rules), make_state(network=rules)
    first = call(state, OPEN, address, *LOGIN)
    full = ("too-many-connections", None)
    assert error_of(other, OPEN, address, *LOGIN) == full
    assert error_of(state, OPEN, address, *LOGIN) == full
    first.drop(state)
    call(other, OPEN, address, *LOGIN).drop(other)
    monkeypatch.setattr(outbound_mqtt, "MAX_CONNECTIONS", 0)
    assert error_of(state, OPEN, address, *LOGIN) == full


def test_without_the_client_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is told which extra is missing."""
    monkeypatch.setattr("edgezero_spin.host.factors.extras._is_installed", lambda package: False)
    case, text = error_of(make_state(), OPEN, "mqtt://localhost:1883?client_id=x", *LOGIN)
    assert case == "other"
    assert "pip install 'edgezero-spin[mqtt]'" in text
