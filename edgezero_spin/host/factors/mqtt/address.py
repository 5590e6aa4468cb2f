"""Addresses of MQTT brokers.

In: a URL as a guest gives it. Out: an ``MqttAddress``. Host and port are read by the rules of
``allowed_outbound_hosts``, so that what was allowed is what is connected to.

Source: contract services.md, MQ-3 to MQ-5, MQ-8;
https://docs.rs/rumqttc/latest/rumqttc/struct.MqttOptions.html for the parameters.
"""

from urllib.parse import parse_qsl

import attrs

from edgezero_spin.host.factors.outbound_networking.allowed_hosts import parse_outbound_url

__all__ = ["MqttAddress", "parse_mqtt_address"]

MAX_PACKET_BYTES = 10_240
"""Bytes of a packet, unless the address sets both sizes."""

# Scheme to whether the connection is encrypted, and the port.
_SCHEMES = {"mqtt": (False, 1883), "tcp": (False, 1883), "mqtts": (True, 8883), "ssl": (True, 8883)}
_INCOMING, _OUTGOING = "max_incoming_packet_size_bytes", "max_outgoing_packet_size_bytes"
# Of these the first two count here, the others are checked.
_NUMBERS = (
    *(_INCOMING, _OUTGOING, "keep_alive_secs", "inflight_num", "max_request_batch_num"),
    *("pending_throttle_usecs", "request_channel_capacity_num"),
)


@attrs.frozen
class MqttAddress:
    """Where a broker is and who we are there.

    Attributes:
        host: A name or an address.
        tls: Whether the connection is encrypted.
        client_id: Our name.
        clean_session: Whether the broker forgets us when the connection ends.
        max_incoming_bytes: Bytes of a packet from the broker.
        max_outgoing_bytes: Bytes of a packet to it.
    """

    host: str
    port: int
    tls: bool
    client_id: str
    clean_session: bool = True
    max_incoming_bytes: int = MAX_PACKET_BYTES
    max_outgoing_bytes: int = MAX_PACKET_BYTES


def parse_mqtt_address(text: str, *, client_id: str | None = None) -> MqttAddress:
    """Read ``mqtt://host[:port]?client_id=name``.

    User and password are arguments of their own, so that those in the address do not count.

    Args:
        text: The address.
        client_id: Our name where the address has none; ``None`` where it has to have one.

    Raises:
        ValueError: The text is not such an address, or has no client id.
    """
    scheme, mark, rest = text.partition("://")
    if not mark or scheme.lower() not in _SCHEMES:
        raise ValueError("an address of MQTT starts with mqtt://, tcp://, mqtts:// or ssl://")
    tls, port = _SCHEMES[scheme.lower()]
    url = parse_outbound_url(text, "mqtt")
    settings: dict[str, str] = {}
    for key, value in parse_qsl(
        rest.partition("#")[0].partition("?")[2], keep_blank_values=True, errors="strict"
    ):
        settings[key] = value
    client_id = settings.pop("client_id", client_id)
    if client_id is None:
        raise ValueError("an address of MQTT has a client_id")
    clean = settings.pop("clean_session", "true")
    if clean not in ("true", "false"):
        raise ValueError("clean_session is true or false")
    numbers = {key: _number(key, value) for key, value in settings.items()}
    sizes = {}
    if _INCOMING in numbers and _OUTGOING in numbers:
        sizes = {
            "max_incoming_bytes": numbers[_INCOMING],
            "max_outgoing_bytes": numbers[_OUTGOING],
        }
    return MqttAddress(
        str(url.host),
        port if url.port is None else url.port,
        tls,
        client_id,
        clean == "true",
        **sizes,
    )


def _number(key: str, value: str) -> int:
    if key not in _NUMBERS:
        raise ValueError("the address has an unknown parameter")
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise ValueError(f"{key} is a number")
    return int(value)
