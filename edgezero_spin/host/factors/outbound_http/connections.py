"""HTTP/1.1 connections, kept for the next request to the same place.

A connection is given to one exchange at a time. It comes back once both sides of the
exchange ended cleanly, waits ``IDLE_S`` seconds at most, and gives way when its slot is
needed for another place.

Source: contract spin-host.md, OUTH-7, OUTH-10, OUTH-14, NET-40, NET-41.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from time import monotonic

import attrs
import h11

from edgezero_spin.host.exchange.loops import call_in
from edgezero_spin.host.factors.outbound_http.addresses import connect, resolve
from edgezero_spin.host.factors.outbound_http.failures import NetworkFailure
from edgezero_spin.host.factors.outbound_http.socket_streams import (
    PlainStream,
    SocketStream,
    TlsStream,
)
from edgezero_spin.host.factors.outbound_networking.blocked import BlockedNetworks
from edgezero_spin.host.factors.outbound_networking.config import NetworkRules

__all__ = ["ClientConnection", "ConnectionTarget", "HttpConnectionPool"]

logger = logging.getLogger("edgezero_spin.host")

IDLE_S = 30.0
"""Seconds that an unused connection is kept."""

MAX_HEAD_BYTES = 256 * 1024
"""Bytes that the head of a response may have, and what stands around a chunk."""


@attrs.frozen
class ConnectionTarget:
    """What a connection leads to; connections to equal places stand in for each other.

    Attributes:
        host: Name or address, without brackets.
        tls: Whom to trust and who we are; ``None`` for a connection in the clear.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = attrs.field(default=None, eq=id)


class ClientConnection:
    """One connection.

    Attributes:
        place: What it leads to.
        http: Its state in the protocol.
        used: It served an exchange before.
        kept_until: ``monotonic`` time after which it is not used again.
    """

    __slots__ = ("http", "kept_until", "place", "stream", "used")

    def __init__(self, place: ConnectionTarget, stream: SocketStream) -> None:
        self.place = place
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.used = False
        self.kept_until = 0.0


class HttpConnectionPool:
    """The connections of one host, in one event loop."""

    def __init__(self, rules: NetworkRules) -> None:
        """Hold none yet.

        Args:
            rules: How many there may be at once, those that wait for use included, whether
                any waits for the next exchange, and where none may lead.
        """
        self._slots = rules.http_slots
        self._keep = rules.pooling
        self._blocked = rules.blocked
        self._idle: deque[ClientConnection] = deque()
        self._waiting: set[asyncio.Event] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    async def take(
        self, place: ConnectionTarget, timeout_s: float, *, new: bool = False
    ) -> ClientConnection:
        """Return a connection, which is the caller's until ``give_back`` or ``discard``.

        Args:
            timeout_s: Seconds for all that has to be waited for: a free slot, the name, the
                connection, TLS.
            new: Take none that was used before.

        Raises:
            NetworkFailure: It cannot be had.
            ssl.SSLError: The peer is not who it should be, or does not want us.
        """
        late = "connection-limit-reached"
        try:
            async with asyncio.timeout(timeout_s):
                kept = await self._kept_or_slot(place, new=new)
                if kept is not None:
                    return kept
                late = "connection-timeout"
                try:
                    return ClientConnection(place, await _reach(place, self._blocked))
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError as error:
            if late == "connection-limit-reached":
                self._slots.report_rejection()
            raise NetworkFailure(late) from error

    async def _kept_or_slot(self, place: ConnectionTarget, *, new: bool) -> ClientConnection | None:
        """Return a connection that waited for use, or ``None`` with a slot for a new one."""
        if self._slots.none_at_all:
            self._slots.report_rejection()
            raise NetworkFailure("connection-limit-reached")
        began = monotonic()
        waited = False
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        told = contextlib.ExitStack()
        with told:
            while True:
                changed.clear()
                kept = None if new else self._kept(place)
                if kept is not None:
                    return kept
                if self._slots.claim(monotonic() - began if waited else None):
                    return None
                if self._idle:
                    self.discard(self._idle.popleft())
                elif changed not in self._waiting:
                    # Look again before the wait: what became free until now told nobody.
                    self._waiting.add(changed)
                    told.callback(self._waiting.discard, changed)
                    told.enter_context(self._slots.waiter(lambda: call_in(loop, changed.set)))
                else:
                    waited = True
                    await changed.wait()

    def _kept(self, place: ConnectionTarget) -> ClientConnection | None:
        """The connection to this place that was used last and is still good."""
        for connection in reversed(self._idle):
            if connection.place == place:
                self._idle.remove(connection)
                if connection.kept_until > monotonic() and not connection.stream.stale():
                    return connection
                self.discard(connection)
                return self._kept(place)
        return None

    def give_back(self, connection: ClientConnection) -> None:
        """Keep a connection whose exchange is over, if it can serve another."""
        http = connection.http
        # Bytes behind an answer would be taken for the next one.
        if not self._keep or http.states != _BOTH_DONE or http.trailing_data[0]:
            self.discard(connection)
            return
        http.start_next_cycle()
        connection.used = True
        connection.kept_until = monotonic() + IDLE_S
        self._idle.append(connection)
        for waiting in self._waiting:
            waiting.set()
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(IDLE_S, self._sweep)

    def discard(self, connection: ClientConnection) -> None:
        """Close a connection."""
        connection.stream.close()
        self._slots.release()

    def _sweep(self) -> None:
        """Close what was not used for long."""
        self._sweeping = None
        now = monotonic()
        while self._idle and self._idle[0].kept_until <= now:
            self.discard(self._idle.popleft())
        if self._idle:
            wait_s = self._idle[0].kept_until - now
            self._sweeping = asyncio.get_running_loop().call_later(wait_s, self._sweep)

    def close(self) -> None:
        """Close all that wait for use."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._idle:
            self.discard(self._idle.popleft())


_BOTH_DONE = {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


async def _reach(place: ConnectionTarget, blocked: BlockedNetworks) -> SocketStream:
    found = await resolve(place.host, place.port)
    # These addresses and no others are connected to: the name is not looked up again.
    addresses = [address for address in found if not blocked.blocks(address.ip)]
    if found and not addresses:
        logger.error("all addresses of %s are prohibited by the runtime config", place.host)
        raise NetworkFailure("destination-IP-prohibited")
    plain = PlainStream(await connect(addresses))
    if place.tls is None:
        return plain
    try:
        stream = TlsStream(plain, place.tls, place.host)
        await stream.do_handshake()
    except OSError as error:
        plain.close()
        if isinstance(error, ssl.SSLError):
            raise
        raise NetworkFailure("TLS-protocol-error") from error
    except BaseException:
        plain.close()
        raise
    return stream
