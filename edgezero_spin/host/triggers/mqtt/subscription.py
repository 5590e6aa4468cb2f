"""A subscription to a topic of an MQTT broker, in an event loop.

In: an address, a login, a topic filter. Out: the messages, one after the other, each acknowledged
when it was taken. The client library speaks the protocol and waits for nothing; this module
connects its socket on a thread and watches it in the loop.

Messages that wait are bounded: a broker has only so many of quality 1 and 2 under way, and those of
quality 0 are dropped when there is no room, with a line in the log.

Source: contract services.md, MQT-1 to MQT-5;
https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/mqtt-v3.1.1.html.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Self

import attrs
from paho.mqtt.client import MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from edgezero_spin.events import MqttMessage
from edgezero_spin.host.factors.mqtt.address import MqttAddress
from edgezero_spin.host.factors.mqtt.client import BoundedClient
from edgezero_spin.host.factors.outbound_networking.sockets import connect
from edgezero_spin.host.triggers.reconnecting import ServerGoneError
from edgezero_spin.host.triggers.trigger import TriggerFailedError

__all__ = ["MAX_PACKET_BYTES", "MqttLogin", "MqttSubscription"]

logger = logging.getLogger("edgezero_spin.host")

CONNECT_TIMEOUT_S = 10.0
LOOK_S = 1.0
MAX_PACKET_BYTES = 16 * 1024 * 1024
MOST_WAITING_BYTES = 16 * 1024 * 1024

LOWEST_REFUSAL = 128
"""The least code by which a broker refuses a subscription."""

SERVER_UNAVAILABLE = "Server unavailable"


@attrs.frozen
class MqttLogin:
    """Who we are for a broker.

    Attributes:
        username: May be empty.
        password: May be empty.
        keep_alive_s: Seconds of silence after which the broker asks. 1 to 65 535.
    """

    username: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)
    keep_alive_s: int


class MqttSubscription:
    """A connection that is subscribed. Use it in ``async with``."""

    def __init__(self, address: MqttAddress, login: MqttLogin, topic: str, qos: int) -> None:
        """Connect to nothing yet.

        Args:
            address: The broker.
            login: Who we are.
            topic: A topic filter.
            qos: The quality of service that is asked for, 0 to 2.
        """
        self._address = address
        self._login = login
        self._topic = topic
        self._qos = qos
        self._waiting: deque[tuple[int, MqttMessage]] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._changed = asyncio.Event()
        self._subscribed = False
        self._error: TriggerFailedError | ServerGoneError | None = None
        self._descriptor = -1
        self._watch: asyncio.TimerHandle | None = None
        self._native = self._new()

    def _new(self) -> BoundedClient:
        native = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._address.client_id,
            clean_session=self._address.clean_session,
            protocol=MQTTv311,
            manual_ack=True,
        )
        native.max_incoming_bytes = MAX_PACKET_BYTES
        if self._login.username or self._login.password:
            native.username_pw_set(self._login.username, self._login.password)
        native.connect_async(self._address.host, self._address.port, self._login.keep_alive_s)
        native.on_connect = self._on_connect
        native.on_subscribe = self._on_subscribe
        native.on_message = self._on_message
        native.on_disconnect = lambda *_: self._lose()
        # The library closes the socket of a broker that is gone, maybe long before anybody asks
        # for the next message; until then another socket may get its number.
        native.on_socket_close = lambda *_: self._unwatch()
        native.on_socket_register_write = lambda *_: self._want_write(True)
        native.on_socket_unregister_write = lambda *_: self._want_write(False)
        return native

    @property
    def _place(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    async def __aenter__(self) -> Self:
        """Connect, log in and subscribe.

        Raises:
            ServerGoneError: The broker cannot be reached.
            TriggerFailedError: It refuses.
        """
        loop = asyncio.get_running_loop()
        connected = await self._connected()
        self._native.connect_socket = lambda: connected
        self._descriptor = connected.fileno()
        try:
            loop.add_reader(self._descriptor, self._read)
            self._watch = loop.call_later(LOOK_S, self._look)
            self._native.reconnect()
            self._want_write(self._native.want_write())
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                while not self._subscribed:
                    await self._change()
        except TimeoutError as error:
            self.close()
            raise ServerGoneError(
                f"failed to connect to {self._place}: the broker does not answer"
            ) from error
        except BaseException:
            self.close()
            raise
        return self

    async def _connected(self) -> Any:
        stopped = threading.Event()

        def check() -> None:
            if stopped.is_set():
                raise OSError("stopped")

        address = self._address
        try:
            return await asyncio.to_thread(
                connect,
                address.host,
                address.port,
                tls=address.tls,
                timeout_s=CONNECT_TIMEOUT_S,
                check=check,
                blocked=lambda _: False,
            )
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ServerGoneError(f"failed to connect to {self._place}: {reason}") from error
        except asyncio.CancelledError:
            stopped.set()
            raise

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the broker. Twice is harmless."""
        self._unwatch()
        if self._watch is not None:
            self._watch.cancel()
        if self._native.socket() is not None:
            self._native.disconnect()
            self._native.loop_write()
            self._native._sock_close()

    def _unwatch(self) -> None:
        if self._descriptor >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._descriptor)
            loop.remove_writer(self._descriptor)
            self._descriptor = -1

    async def messages(self) -> AsyncIterator[MqttMessage]:
        """Yield each message, which is acknowledged when the next one is asked for.

        Ends by an error only.

        Raises:
            ServerGoneError: The connection is lost.
        """
        while True:
            while not self._waiting:
                await self._change()
            id, message = self._waiting.popleft()
            self._waiting_bytes -= len(message.payload)
            yield message
            self._native.ack(id, message.qos)

    async def _change(self) -> None:
        if self._error is not None:
            raise self._error
        self._changed.clear()
        await self._changed.wait()
        if self._error is not None:
            raise self._error

    def _fail(self, error: TriggerFailedError | ServerGoneError) -> None:
        self._error = self._error or error
        self._changed.set()

    def _read(self) -> None:
        native = self._native
        try:
            native.loop_read()
            # What is decrypted already does not make the socket readable again.
            while (found := native.socket()) is not None and getattr(found, "pending", int)():
                native.loop_read()
        except OSError as error:
            self._lose(f": {error}")
        if native.socket() is None:
            self._lose()

    def _lose(self, reason: str = "") -> None:
        self._fail(ServerGoneError(f"disconnected from {self._place}{reason}"))

    def _want_write(self, wanted: bool) -> None:
        if self._descriptor < 0:
            return
        loop = asyncio.get_running_loop()
        if wanted:
            loop.add_writer(self._descriptor, self._native.loop_write)
        else:
            loop.remove_writer(self._descriptor)

    def _look(self) -> None:
        self._native.loop_misc()
        if self._dropped:
            logger.error(
                "mqtt trigger at %s: %d messages of quality 0 on %r were dropped: the component is "
                "slower than they come",
                self._place,
                self._dropped,
                self._topic,
            )
            self._dropped = 0
        self._watch = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if not reason.is_failure:
            self._native.subscribe(self._topic, self._qos)
            return
        problem = f"failed to connect to {self._place}: {reason}"
        if str(reason) == SERVER_UNAVAILABLE:
            self._fail(ServerGoneError(problem))
        else:
            self._fail(TriggerFailedError(problem))

    def _on_subscribe(self, _client: Any, _data: Any, _id: int, codes: Any, _more: Any) -> None:
        if any(code.value >= LOWEST_REFUSAL for code in codes):
            self._fail(
                TriggerFailedError(f"failed to subscribe to {self._topic!r} on {self._place}")
            )
            return
        self._subscribed = True
        self._changed.set()

    def _on_message(self, _client: Any, _data: Any, came: MQTTMessage) -> None:
        try:
            message = MqttMessage(came.topic, bytes(came.payload), came.qos)
        except UnicodeDecodeError:
            logger.error(
                "mqtt trigger at %s: a message was skipped: its topic is not UTF-8", self._place
            )
            self._native.ack(came.mid, came.qos)
            return
        size = len(message.payload)
        if message.qos == 0 and self._waiting_bytes + size > MOST_WAITING_BYTES:
            self._dropped += 1
            return
        self._waiting_bytes += size
        self._waiting.append((came.mid, message))
        self._changed.set()
