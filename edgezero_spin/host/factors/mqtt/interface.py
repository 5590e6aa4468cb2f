"""``spin:mqtt/mqtt@3.0.0`` and ``fermyon:spin/mqtt@2.0.0``: a guest publishes messages.

Version 3 has the same functions, asynchronous. ``open`` connects to nothing; the first message
does.

Source: contract services.md, section 3; spin-host.md, DB-7, NET-25, NET-42, NET-43.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.factors.bounds import claim, release
from edgezero_spin.host.factors.database_servers.calls import ThreadCall
from edgezero_spin.host.factors.extras import missing_extra
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.mqtt.address import parse_mqtt_address
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect
from edgezero_spin.host.factors.outbound_networking.connection_slots import (
    MAX_CONNECTIONS,
    ConnectionSlots,
)
from edgezero_spin.host.factors.outbound_networking.waits import Check
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


def _finish_open(
    state: InstanceState,
    address: str,
    username: str,
    password: str,
    keep_alive_s: int,
    check: Check,
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


def _open(
    state: InstanceState, address: str, username: str, password: str, keep_alive_s: int
) -> MqttConnectionResource:
    _begin_open(state, address)
    try:
        with state.asleep():
            return _finish_open(state, address, username, password, keep_alive_s, state.check)
    except BaseException:
        release(state, KIND)
        raise


def _open_async(
    state: InstanceState, address: str, username: str, password: str, keep_alive_s: int
) -> Coroutine[Any, Any, MqttConnectionResource]:
    _begin_open(state, address)

    async def opened() -> MqttConnectionResource:
        call = ThreadCall(state)

        def work() -> MqttConnectionResource:
            return _finish_open(state, address, username, password, keep_alive_s, call.check)

        try:
            return await call.run(work, lambda made: made._slots.release())
        except BaseException:
            release(state, KIND)
            raise

    return opened()


def _deliver(
    state: InstanceState,
    connection: MqttConnectionResource,
    topic: str,
    payload: bytes,
    qos: str,
    check: Check,
) -> None:
    from edgezero_spin.host.factors.mqtt.client import MqttError

    most = state.grants.network.max_mqtt_payload
    if most is not None and len(payload) > most:
        raise WitError(
            (
                "other",
                f"payload size {len(payload)} exceeds the maximum allowed size of {most} bytes",
            )
        )
    try:
        connection.native.publish(topic, payload, _QOS[qos], check)
    except MqttError as error:
        raise WitError((error.case, error.message)) from error


def _publish(
    state: InstanceState, connection: MqttConnectionResource, topic: str, payload: bytes, qos: str
) -> None:
    with state.asleep():
        _deliver(state, connection, topic, payload, qos, state.check)


async def _publish_async(
    state: InstanceState, connection: MqttConnectionResource, topic: str, payload: bytes, qos: str
) -> None:
    call = ThreadCall(state)
    await call.run(lambda: _deliver(state, connection, topic, payload, qos, call.check))


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
