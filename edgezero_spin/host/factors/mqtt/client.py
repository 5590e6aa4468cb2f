"""Publishing to an MQTT broker, on a thread that may have to stop waiting.

In: an address, a login, messages. Out: nothing, once the broker has what its quality of service
promises, or an ``MqttError``. The client library speaks the protocol; it never waits here, and
runs no thread: this module waits for its socket.

The connection is made with the first message and kept for the next ones. Nothing is sent in
between, so that a broker ends it after a while; the next message then connects anew.

Source: contract services.md, MQ-1 to MQ-10;
https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html.
"""

import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from edgezero_spin.errors import HostError
from edgezero_spin.host.factors.mqtt.address import MqttAddress
from edgezero_spin.host.factors.outbound_networking.sockets import connect, is_readable
from edgezero_spin.host.factors.waits import (
    READ,
    WRITE,
    Check,
    SocketWait,
    locked,
)

__all__ = ["BoundedClient", "MqttConnection", "MqttError"]

CONNECT_TIMEOUT_S = 5.0
ACKNOWLEDGE_TIMEOUT_S = 30.0
_LARGEST_KEEP_ALIVE_S = 65_535

# What a PUBLISH packet has beside topic and payload: type and length, a length, an id.
_PACKET_OVERHEAD = 5 + 2 + 2


class MqttError(HostError):
    """A message could not be delivered.

    Attributes:
        case: The case of the interface's error.
    """

    def __init__(self, message: str, case: str = "connection-failed") -> None:
        super().__init__(message)
        self.message = message
        self.case = case


class BoundedClient(Client):
    """The client library's client, on a socket that was connected for it.

    Attributes:
        connect_socket: Returns the socket.
        max_incoming_bytes: Bytes of a packet from the broker past which the connection ends.
    """

    connect_socket: Callable[[], socket.socket]
    max_incoming_bytes: int

    def _create_socket(self) -> Any:
        self._received = 0
        return self.connect_socket()

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > self.max_incoming_bytes:
            raise OSError("a packet of the broker is too large")
        return bytes(super()._sock_recv(bufsize))


class MqttConnection:
    """What a guest's handle stands for; one thread at a time publishes. ``close`` it."""

    def __init__(
        self,
        address: MqttAddress,
        username: str,
        password: str,
        keep_alive_s: int,
        blocked: Callable[[str], bool],
    ) -> None:
        """Connect to nothing yet.

        Args:
            username: Who we are; may be empty.
            password: May be empty.
            keep_alive_s: Seconds of silence after which the broker may end the connection; 0 for
                any time.
            blocked: Says of an IP address that it must not be connected to (NET-41).
        """
        self._address = address
        self._login = username, password
        self._keep_alive_s = min(keep_alive_s, _LARGEST_KEEP_ALIVE_S)
        self._blocked = blocked
        self._lock = threading.Lock()
        self._native: BoundedClient | None = None
        self._refusal: str | None = None
        self._accepted = False
        self._last_used = 0.0

    def publish(self, topic: str, payload: bytes, qos: int, check: Check) -> None:
        """Publish one message.

        Args:
            topic: Without wildcards.
            payload: The content.
            qos: 0 returns when the message is written, 1 and 2 when the broker has said so.
            check: What it raises ends the wait.

        Raises:
            MqttError: The broker cannot be reached, refuses, or does not answer in time.
        """
        size = len(payload) + len(topic.encode()) + _PACKET_OVERHEAD
        if size > self._address.max_outgoing_bytes:
            raise MqttError(
                f"a packet of {size} bytes exceeds the limit of "
                f"{self._address.max_outgoing_bytes} bytes"
            )
        with locked(self._lock, check):
            try:
                native = self._connected(check)
                try:
                    info = native.publish(topic, payload, qos)
                except ValueError as error:
                    raise MqttError(str(error), "other") from error
                self._deliver(native, info, check)
                self._last_used = monotonic()
            except MqttError as error:
                if error.case == "connection-failed":
                    self._forget()
                raise
            except BaseException:
                # Nothing that was begun goes out with the next message.
                self._forget()
                raise

    def close(self) -> None:
        """End the connection. Twice is harmless."""
        native, self._native = self._native, None
        if native is not None and native.socket() is not None:
            native.disconnect()
            native._sock_close()

    def _forget(self) -> None:
        native, self._native = self._native, None
        if native is not None:
            native._sock_close()

    def _connected(self, check: Check) -> BoundedClient:
        """Return a client that the broker let in, the one of the last message if it still is."""
        native = self._native
        if native is not None and self._is_alive(native):
            return native
        self._forget()
        until = monotonic() + CONNECT_TIMEOUT_S
        native = self._native = self._new(check, until)
        try:
            native.reconnect()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MqttError(f"cannot connect to {self._address.host}: {reason}") from error
        self._run(native, lambda: self._accepted, check, until)
        return native

    def _is_alive(self, native: BoundedClient) -> bool:
        silent_s = monotonic() - self._last_used
        if self._keep_alive_s and silent_s >= self._keep_alive_s:
            return False
        connected = native.socket()
        return connected is not None and not is_readable(connected.fileno())

    def _new(self, check: Check, until: float) -> BoundedClient:
        address = self._address
        native = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=address.client_id,
            clean_session=address.clean_session,
            protocol=MQTTv311,
        )
        native.max_incoming_bytes = address.max_incoming_bytes
        native.connect_socket = lambda: connect(
            address.host,
            address.port,
            tls=address.tls,
            timeout_s=max(0.0, until - monotonic()),
            check=check,
            blocked=self._blocked,
        )
        native.username_pw_set(*self._login)
        native.connect_async(address.host, address.port, self._keep_alive_s)
        self._accepted, self._refusal = False, None
        native.on_connect = self._on_connect
        return native

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refused the connection: {reason}"
        else:
            self._accepted = True

    def _deliver(self, native: BoundedClient, info: MQTTMessageInfo, check: Check) -> None:
        try:
            until = monotonic() + ACKNOWLEDGE_TIMEOUT_S
            self._run(native, info.is_published, check, until)
        except (RuntimeError, ValueError) as error:
            raise MqttError(str(error)) from error

    def _run(
        self,
        native: BoundedClient,
        done: Callable[[], bool],
        check: Check,
        until: float,
    ) -> None:
        """Read and write until something is done."""
        while not done():
            connected = native.socket()
            if self._refusal is not None or connected is None:
                raise MqttError(self._refusal or "the broker closed the connection")
            with SocketWait(connected.fileno()) as wait:
                try:
                    events = wait(READ | WRITE if native.want_write() else READ, check, until)
                except TimeoutError:
                    raise MqttError("the broker did not answer in time") from None
            if events & WRITE:
                native.loop_write()
            if events & READ:
                native.loop_read()
