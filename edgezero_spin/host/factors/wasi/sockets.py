"""``wasi:sockets``: refused, as Spin refuses a component that no host allows (ENV-18 to ENV-20).

Sockets can be made, because making one touches nothing; binding, connecting, listening and
sending are ``access-denied``, and names are not resolved. Nothing here traps. The code has no
room for a reason, so the log tells whether the manifest or this host is in the way (NET-21,
NET-30). Sockets count against the operator's limits all the same (NET-41, NET-43).
"""

import ipaddress
import logging
from collections.abc import Iterable
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.allowed_hosts import may_connect
from edgezero_spin.host.factors.wasi.io import InputStream, IoError, OutputStream, Parent, Pollable
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = [
    "INTERFACES",
    "NOT_PROVIDED",
    "TCP_DEFAULTS",
    "UDP_DEFAULTS",
    "IncomingDatagramStream",
    "Network",
    "OutgoingDatagramStream",
    "ResolveAddressStream",
    "Socket",
    "TcpSocket",
    "UdpSocket",
    "creator",
    "refuse",
    "refuse_peer",
    "setter",
    "settings",
]

NOT_PROVIDED = "not supported by this host; `spin up` provides it"
"""The log line for sockets that the manifest allows."""

logger = logging.getLogger("edgezero_spin.host")

SECOND_NS = 1_000_000_000

# What an unconnected socket answers when asked for its settings.
TCP_DEFAULTS: dict[str, Any] = {
    "keep-alive-enabled": False,
    "keep-alive-idle-time": 7200 * SECOND_NS,
    "keep-alive-interval": 75 * SECOND_NS,
    "keep-alive-count": 9,
    "hop-limit": 64,
    "receive-buffer-size": 65536,
    "send-buffer-size": 65536,
}
UDP_DEFAULTS: dict[str, Any] = {
    "unicast-hop-limit": 64,
    "receive-buffer-size": 65536,
    "send-buffer-size": 65536,
}


Functions = dict[str, HostFunction]


class Network:
    """``network``: a token without content."""


class Socket(Parent):
    """A TCP or UDP socket that never comes to life.

    Attributes:
        family: ``ipv4`` or ``ipv6``.
        settings: What the guest set, by name of the getter.
    """

    def __init__(self, family: str, settings: dict[str, Any]) -> None:
        self.family = family
        self.settings = settings

    def drop(self, state: InstanceState) -> None:
        """Make room for another (NET-41)."""
        state.grants.network.socket_slots.release()


class TcpSocket(Socket):
    """``tcp-socket``."""


class UdpSocket(Socket):
    """``udp-socket``."""


class ResolveAddressStream(Parent):
    """``resolve-address-stream``: never made, names are not resolved (ENV-20)."""


class IncomingDatagramStream(Parent):
    """``incoming-datagram-stream``: never made."""


class OutgoingDatagramStream(Parent):
    """``outgoing-datagram-stream``: never made."""


def creator(kind: type[Socket], settings: dict[str, Any], too_many: Any) -> HostFunction:
    """A function that makes sockets; ``too_many`` is the error where there is room for none."""

    def create(state: InstanceState, family: str) -> Socket:
        slots = state.grants.network.socket_slots
        if not slots.claim():
            slots.report_rejection()
            raise WitError(too_many)
        return kind(family, dict(settings))

    return create


def refuse(error: Any) -> HostFunction:
    """A function that answers with an error, whatever it is given."""

    def refuse(state: InstanceState, *arguments: object) -> None:
        raise WitError(error)

    return refuse


_denied = refuse("access-denied")
_invalid_state = refuse("invalid-state")
_not_in_progress = refuse("not-in-progress")
_not_resolved = refuse("permanent-resolver-failure")


def _peer(scheme: str) -> HostFunction:
    """A function whose last parameter is the address of a peer."""

    def refuse(state: InstanceState, socket: Socket, *arguments: Any) -> None:
        address = arguments[-1]
        if address is not None:
            refuse_peer(state, scheme, address)
        raise WitError("access-denied")

    return refuse


def refuse_peer(state: InstanceState, scheme: str, address: Any) -> None:
    """Say in the log why a component cannot reach an address.

    Args:
        scheme: ``tcp`` or ``udp``.
        address: An ``ip-socket-address``.
    """
    url = _url_of(scheme, address)
    if may_connect(state, url, scheme):
        logger.warning("A component tried to reach '%s': %s.", url, NOT_PROVIDED)


def _url_of(scheme: str, address: Any) -> str:
    family, where = address
    if family == "ipv4":
        return f"{scheme}://{'.'.join(map(str, where['address']))}:{where['port']}"
    packed = b"".join(group.to_bytes(2, "big") for group in where["address"])
    return f"{scheme}://[{ipaddress.IPv6Address(packed)}]:{where['port']}"


def setter(name: str, invalid: Any) -> HostFunction:
    """A function that keeps a setting; ``invalid`` is the error for 0."""

    def set_setting(state: InstanceState, socket: Socket, value: Any) -> None:
        # 0 is refused for each of them (wasi:sockets/tcp and udp).
        if value == 0 and value is not False:
            raise WitError(invalid)
        socket.settings[name] = value

    return set_setting


def settings(resource: str, names: Iterable[str], invalid: Any, get: str = "") -> Functions:
    """Getters, whose names begin with ``get``, and setters of a kind of sockets."""
    functions: Functions = {}
    for name in names:
        functions[f"[method]{resource}.{get}{name}"] = lambda state, socket, name=name: (
            socket.settings[name]
        )
        functions[f"[method]{resource}.set-{name}"] = setter(name, invalid)
    return functions


def _always_ready(state: InstanceState, socket: Parent) -> Pollable:
    return Pollable(lambda: True, parent=socket)


_TYPES = {
    "network": Network,
    "tcp-socket": TcpSocket,
    "udp-socket": UdpSocket,
    "incoming-datagram-stream": IncomingDatagramStream,
    "outgoing-datagram-stream": OutgoingDatagramStream,
    "resolve-address-stream": ResolveAddressStream,
    "input-stream": InputStream,
    "output-stream": OutputStream,
    "pollable": Pollable,
    "error": IoError,
}

INTERFACES = (
    Interface("wasi:sockets/network", {"network-error-code": lambda state, error: None}, _TYPES),
    Interface(
        "wasi:sockets/instance-network", {"instance-network": lambda state: Network()}, _TYPES
    ),
    Interface(
        "wasi:sockets/ip-name-lookup",
        {
            "resolve-addresses": _not_resolved,
            "[method]resolve-address-stream.resolve-next-address": refuse(
                "permanent-resolver-failure"
            ),
            "[method]resolve-address-stream.subscribe": _always_ready,
        },
        _TYPES,
    ),
    Interface(
        "wasi:sockets/tcp-create-socket",
        {"create-tcp-socket": creator(TcpSocket, TCP_DEFAULTS, "new-socket-limit")},
        _TYPES,
    ),
    Interface(
        "wasi:sockets/udp-create-socket",
        {"create-udp-socket": creator(UdpSocket, UDP_DEFAULTS, "new-socket-limit")},
        _TYPES,
    ),
    Interface(
        "wasi:sockets/tcp",
        {
            "[method]tcp-socket.start-bind": _denied,
            "[method]tcp-socket.finish-bind": _not_in_progress,
            "[method]tcp-socket.start-connect": _peer("tcp"),
            "[method]tcp-socket.finish-connect": _not_in_progress,
            "[method]tcp-socket.start-listen": _denied,
            "[method]tcp-socket.finish-listen": _not_in_progress,
            "[method]tcp-socket.accept": _invalid_state,
            "[method]tcp-socket.local-address": _invalid_state,
            "[method]tcp-socket.remote-address": _invalid_state,
            "[method]tcp-socket.is-listening": lambda state, socket: False,
            "[method]tcp-socket.address-family": lambda state, socket: socket.family,
            "[method]tcp-socket.set-listen-backlog-size": setter(
                "listen-backlog-size", "invalid-argument"
            ),
            "[method]tcp-socket.subscribe": _always_ready,
            "[method]tcp-socket.shutdown": _invalid_state,
            **settings("tcp-socket", TCP_DEFAULTS, "invalid-argument"),
        },
        _TYPES,
    ),
    Interface(
        "wasi:sockets/udp",
        {
            "[method]udp-socket.start-bind": _denied,
            "[method]udp-socket.finish-bind": _not_in_progress,
            "[method]udp-socket.stream": _peer("udp"),
            "[method]udp-socket.local-address": _invalid_state,
            "[method]udp-socket.remote-address": _invalid_state,
            "[method]udp-socket.address-family": lambda state, socket: socket.family,
            "[method]udp-socket.subscribe": _always_ready,
            **settings("udp-socket", UDP_DEFAULTS, "invalid-argument"),
            "[method]incoming-datagram-stream.receive": _denied,
            "[method]incoming-datagram-stream.subscribe": _always_ready,
            "[method]outgoing-datagram-stream.check-send": _denied,
            "[method]outgoing-datagram-stream.send": _denied,
            "[method]outgoing-datagram-stream.subscribe": _always_ready,
        },
        _TYPES,
    ),
)
"""All of ``wasi:sockets``."""
