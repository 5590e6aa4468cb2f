"""``wasi:sockets@0.3``: refused, as Spin refuses a component that no host allows.

The rules are those of 0.2 (``wasi.sockets``): sockets can be made and asked for their settings,
and whatever would touch the network is ``access-denied``. There is no connection, so what takes
or gives a stream of one answers ``invalid-state``.

Source: contract wasi03.md, WE-30 to WE-35; the typical errors in ``wasi:sockets/types@0.3.0``.
"""

import ipaddress
import re
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.streams import refused
from edgezero_spin.host.factors.wasi.sockets import (
    TCP_DEFAULTS,
    UDP_DEFAULTS,
    Socket,
    TcpSocket,
    UdpSocket,
    creator,
    refuse,
    refuse_peer,
    setter,
    settings,
)
from edgezero_spin.host.runtime.host_ends import StreamReader
from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import Err, HostFunction, Interface, WitError

__all__ = ["INTERFACES_03"]

_MAX_DATAGRAM_BYTES = 65535

_INVALID = ("invalid-argument", None)
_TOO_MANY = ("other", "connection quota exhausted")

# Not in a domain name, by the URL standard.
_FORBIDDEN = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f]")


def _error(case: str) -> WitError:
    return WitError((case, None))


_denied = refuse(("access-denied", None))
_invalid_state = refuse(("invalid-state", None))


def _check_family(socket: Socket, address: Any) -> None:
    if address[0] != socket.family:
        raise _error("invalid-argument")


def _bind(state: InstanceState, socket: Socket, address: Any) -> None:
    _check_family(socket, address)
    raise _error("access-denied")


def _connector(scheme: str) -> HostFunction:
    def connect(state: InstanceState, socket: Socket, address: Any) -> None:
        _check_family(socket, address)
        if not address[1]["port"]:
            raise _error("invalid-argument")
        refuse_peer(state, scheme, address)
        raise _error("access-denied")

    return connect


_connect_udp = _connector("udp")


def _send_datagram(state: InstanceState, socket: Socket, data: bytes, address: Any) -> None:
    if len(data) > _MAX_DATAGRAM_BYTES:
        raise _error("datagram-too-large")
    if address is None:
        raise _error("invalid-argument")
    _connect_udp(state, socket, address)


def _send(state: InstanceState, socket: Socket, data: StreamReader) -> FutureValue:
    return refused(data, ("invalid-state", None))


def _receive(state: InstanceState, socket: Socket) -> tuple[bytes, FutureValue]:
    return b"", FutureValue(Err(("invalid-state", None)))


def _resolve(state: InstanceState, name: str) -> None:
    raise _error("permanent-resolver-failure" if _is_host(name) else "invalid-argument")


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return bool(name) and not _FORBIDDEN.search(name)
    return True


INTERFACES_03 = (
    Interface(
        "wasi:sockets/types@0.3",
        {
            "[static]tcp-socket.create": creator(TcpSocket, TCP_DEFAULTS, _TOO_MANY),
            "[method]tcp-socket.bind": _bind,
            "[method]tcp-socket.connect": _connector("tcp"),
            "[method]tcp-socket.listen": _denied,
            "[method]tcp-socket.send": _send,
            "[method]tcp-socket.receive": _receive,
            "[method]tcp-socket.get-local-address": _invalid_state,
            "[method]tcp-socket.get-remote-address": _invalid_state,
            "[method]tcp-socket.get-is-listening": lambda state, socket: False,
            "[method]tcp-socket.get-address-family": lambda state, socket: socket.family,
            "[method]tcp-socket.set-listen-backlog-size": setter("listen-backlog-size", _INVALID),
            **settings("tcp-socket", TCP_DEFAULTS, _INVALID, "get-"),
            "[static]udp-socket.create": creator(UdpSocket, UDP_DEFAULTS, _TOO_MANY),
            "[method]udp-socket.bind": _bind,
            "[method]udp-socket.connect": _connect_udp,
            "[method]udp-socket.disconnect": _invalid_state,
            "[method]udp-socket.send": _send_datagram,
            "[method]udp-socket.receive": _invalid_state,
            "[method]udp-socket.get-local-address": _invalid_state,
            "[method]udp-socket.get-remote-address": _invalid_state,
            "[method]udp-socket.get-address-family": lambda state, socket: socket.family,
            **settings("udp-socket", UDP_DEFAULTS, _INVALID, "get-"),
        },
        {"tcp-socket": TcpSocket, "udp-socket": UdpSocket},
    ),
    Interface("wasi:sockets/ip-name-lookup@0.3", {"resolve-addresses": _resolve}),
)
"""All of ``wasi:sockets@0.3``."""
