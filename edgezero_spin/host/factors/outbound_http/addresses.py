"""Name resolution, and a connection to one of the addresses.

The addresses of a name are looked up once, and the connection is made to one of them: what
was checked is what is connected to. A name with several addresses is tried as in RFC 8305:
the next one gets its turn when one fails, or when it has not answered for a moment.

Source: contract spin-host.md, OUTH-6, OUTH-7.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import attrs

from edgezero_spin.host.factors.outbound_http.failures import NetworkFailure

__all__ = ["Address", "connect", "resolve"]

NEXT_ADDRESS_AFTER_S = 0.25
"""Seconds until the next address is tried too (RFC 8305, section 5)."""


@attrs.frozen
class Address:
    """Where a socket connects to.

    Attributes:
        family: ``AF_INET`` or ``AF_INET6``.
        ip: The address as text, an IPv6 one with its scope.
    """

    family: int
    ip: str
    port: int


async def resolve(host: str, port: int) -> list[Address]:
    """Look a name up; an address stands for itself.

    Args:
        host: Without brackets.
        port: Goes into the result.

    Raises:
        NetworkFailure: There is no such name (OUTH-6).
    """
    literal = _literal(host, port)
    if literal is not None:
        return [literal]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NetworkFailure(
            "DNS-error", {"rcode": "address not available", "info-code": 0}
        ) from error
    # The loop gives the scope of a link-local address apart.
    return [
        Address(family, f"{at[0]}%{at[3]}" if len(at) > 3 and at[3] else str(at[0]), int(at[1]))
        for family, _, _, _, at in found
    ]


def _literal(host: str, port: int) -> Address | None:
    """The host as an address, without a thread that looks it up."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    return Address(socket.AF_INET if version == 4 else socket.AF_INET6, host, port)


async def connect(addresses: Sequence[Address]) -> socket.socket:
    """Connect to the first of the addresses that answers.

    Raises:
        NetworkFailure: None does (OUTH-7).
    """
    waiting = list(addresses)
    attempts: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_attempt(waiting.pop(0))))
            done, attempts = await asyncio.wait(
                attempts,
                timeout=NEXT_ADDRESS_AFTER_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            connected = [task.result() for task in done if task.exception() is None]
            for spare in connected[1:]:
                spare.close()
            if connected:
                return connected[0]
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_late)
    raise NetworkFailure("connection-refused")


async def _attempt(address: Address) -> socket.socket:
    made = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (address.ip, address.port))
    except BaseException:
        made.close()
        raise
    return made


def _close_late(attempt: "asyncio.Task[socket.socket]") -> None:
    """Close a connection that came about while its attempt was called off."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
