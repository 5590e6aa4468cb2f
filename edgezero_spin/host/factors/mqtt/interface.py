"""``spin:mqtt/mqtt@3.0.0`` and ``fermyon:spin/mqtt@2.0.0``: a guest publishes messages.

Version 3 has the same functions, asynchronous. ``open`` connects to nothing; the first message
does.

Source: contract services.md, section 3; spin-host.md, DB-7, NET-25, NET-42, NET-43.
"""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.factors.bounds import claim, release
from edgezero_spin.host.factors.database_servers.calls import ThreadCall
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mqtt.address import parse_mqtt_address
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import may_connect
from edgezero_spin.host.factors.outbound_networking.connection_slots import (
    MAX_CONNECTIONS,
    ConnectionSlots,
)
from edgezero_spin.host.factors.waits import Check
from edgezero_spin.host.runtime.interface import Interface, WitError

if TYPE_CHECKING:
    from edgezero_spin.host.factors.mqtt.client import MqttConnection

__all__ = ["INTERFACES", "MqttConnectionResource"]

KIND = "mqtt connection"

_QOS = {"at-most-once": 0, "at-least-once": 1, "exactly-once": 2}


class MqttConnectionResource:
    """A ``connection``.

    Attributes:
        native: What publishes.
    """

    __slots__ = ("_slots", "native")

    def __init__(self, native: "MqttConnection", slots: ConnectionSlots) -> None:
        self.native = native
        self._slots = slots

    def drop(self, state: InstanceState) -> None:
        """End the connection."""
        release(state, KIND)
        self._slots.release()
        self.native.close()


def _begin_open(state: InstanceState, address: str) -> None:
    """Judge an address, and take a place for the handle."""
    if not may_connect(state, address, "mqtt"):
        raise WitError(("connection-failed", f"address {address} is not permitted"))
    missing = missing_extra("connections to MQTT brokers", "mqtt", "paho")
    if missing is not None:
        raise WitError(("other", missing))
    if not claim(state, KIND, MAX_CONNECTIONS):
        raise WitError(("too-many-connections", None))


@contextmanager
def _kept_place(state: InstanceState) -> Iterator[None]:
    """Keep the place of a handle, unless opening it fails."""
    try:
        yield
    except BaseException:
        release(state, KIND)
        raise


def _connection(
    state: InstanceState,
    check: Check,
    address: str,
    username: str,
    password: str,
    keep_alive_s: int,
) -> MqttConnectionResource:
    from edgezero_spin.host.factors.mqtt.client import MqttConnection

    rules = state.grants.network
    slots = rules.mqtt_slots
    if not slots.wait(state.held[KIND] - 1, check):
        raise WitError(("too-many-connections", None))
    try:
        parsed = parse_mqtt_address(address)
        native = MqttConnection(parsed, username, password, keep_alive_s, rules.blocked.blocks)
    except ValueError:
        slots.release()
        raise WitError(("invalid-address", None)) from None
    except BaseException:
        slots.release()
        raise
    return MqttConnectionResource(native, slots)


def _open(state: InstanceState, address: str, *login: Any) -> MqttConnectionResource:
    _begin_open(state, address)
    with _kept_place(state), state.asleep():
        return _connection(state, state.check, address, *login)


def _open_async(
    state: InstanceState, address: str, *login: Any
) -> Coroutine[Any, Any, MqttConnectionResource]:
    _begin_open(state, address)

    async def opened() -> MqttConnectionResource:
        call = ThreadCall(state)
        with _kept_place(state):
            work = partial(_connection, state, call.check, address, *login)
            return await call.run(work, lambda made: made._slots.release())

    return opened()


def _deliver(
    state: InstanceState,
    check: Check,
    connection: MqttConnectionResource,
    topic: str,
    payload: bytes,
    qos: str,
) -> None:
    from edgezero_spin.host.factors.mqtt.client import MqttError

    most = state.grants.network.max_mqtt_payload
    if most is not None and len(payload) > most:
        text = f"payload size {len(payload)} exceeds the maximum allowed size of {most} bytes"
        raise WitError(("other", text))
    try:
        connection.native.publish(topic, payload, _QOS[qos], check)
    except MqttError as error:
        raise WitError((error.case, error.message)) from error


def _publish(state: InstanceState, *message: Any) -> None:
    with state.asleep():
        _deliver(state, state.check, *message)


async def _publish_async(state: InstanceState, *message: Any) -> None:
    call = ThreadCall(state)
    await call.run(partial(_deliver, state, call.check, *message))


INTERFACES = (
    Interface(
        "spin:mqtt/mqtt@3.0.0",
        {"[static]connection.open": _open_async, "[method]connection.publish": _publish_async},
        {"connection": MqttConnectionResource},
    ),
    Interface(
        "fermyon:spin/mqtt@2.0.0",
        {"[static]connection.open": _open, "[method]connection.publish": _publish},
        {"connection": MqttConnectionResource},
    ),
)
"""The interfaces, versions included."""
