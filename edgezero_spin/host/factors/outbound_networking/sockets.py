"""Connecting to a server on the thread of a guest, which may have to stop waiting.

In: an address, how long to try, and what to ask while it takes its time. Out: a connected
socket, through TLS where the address says so.

Source: contract spin-host.md, DB-4, NET-41, LIFE-7.
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Any

from edgezero_spin.host.factors.waits import (
    PATIENCE_S,
    WRITE,
    Check,
    SocketWait,
)

__all__ = ["connect", "is_readable"]

SocketAddress = tuple[int, tuple[Any, ...]]
"""Family and address of a socket."""


def connect(
    host: str,
    port: int,
    *,
    tls: bool,
    timeout_s: float,
    check: Check,
    blocked: Callable[[str], bool],
) -> socket.socket:
    """Return a socket whose reads and writes wait ``PATIENCE_S`` at a time.

    Args:
        host: A name or an address.
        tls: Whether the connection is encrypted.
        timeout_s: How long to try, the name's addresses together.
        blocked: Says of an address that it must not be connected to (NET-41).

    Raises:
        OSError: Nobody answers, or the server is not who it should be.
        UnicodeError: The host is not a name.
    """
    until = monotonic() + timeout_s
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # These addresses and no others are connected to: the name is not looked up again.
    places = [(family, place) for family, *_, place in found if not blocked(str(place[0]))]
    if not places:
        raise OSError("the runtime configuration prohibits its address")
    connected = _first(places, until, check)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(PATIENCE_S)
        if tls:
            # It takes time to load, which an application without such connections need not spend.
            from edgezero_spin.host.factors.tls import usual_tls

            connected = usual_tls().wrap_socket(
                connected, server_hostname=host, do_handshake_on_connect=False
            )
            _shake_hands(connected, until, check)
    except BaseException:
        connected.close()
        raise
    return connected


def _first(places: Sequence[SocketAddress], until: float, check: Check) -> socket.socket:
    """Connect to the first place that answers; each has its share of the time."""
    *others, last = places
    for index, place in enumerate(others):
        share_s = (until - monotonic()) / (len(places) - index)
        with suppress(OSError):
            return _reach(place, monotonic() + share_s, check)
    return _reach(last, until, check)


def _reach(place: SocketAddress, until: float, check: Check) -> socket.socket:
    family, address = place
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        error = made.connect_ex(address)
        if error in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            with SocketWait(made.fileno()) as wait:
                wait(WRITE, check, until)
            error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
    except BaseException:
        made.close()
        raise
    return made


def _shake_hands(connected: ssl.SSLSocket, until: float, check: Check) -> None:
    while True:
        try:
            connected.do_handshake()
        except TimeoutError:
            check()
            if monotonic() >= until:
                raise TimeoutError("timed out") from None
        else:
            return


def is_readable(connected: socket.socket | int) -> bool:
    """Whether something was received that is not read yet, the end of the connection included."""
    # Not select.select(), which stops at file descriptor 1023.
    with DefaultSelector() as selector:
        selector.register(connected, EVENT_READ)
        return bool(selector.select(0))
