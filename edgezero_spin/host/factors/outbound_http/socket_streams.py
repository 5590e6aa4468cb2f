"""A connected socket as a stream of bytes both ways, in the clear or through TLS.

One task may receive while another sends; neither waits for the other. The event loop's own
transports are not used because they throw away what was received and not yet read as soon as
a write fails, and that may be the answer which explains why the peer reads no more.
"""

import asyncio
import contextlib
import socket
import ssl

from edgezero_spin.host.factors.outbound_http.failures import NetworkFailure

__all__ = ["PlainStream", "SocketStream", "TlsStream"]

RECEIVED_AT_ONCE = 256 * 1024
SENT_AT_ONCE = 64 * 1024


class PlainStream:
    """A TCP connection. Timeouts are in seconds; a wait past one raises ``TimeoutError``."""

    def __init__(self, connected: socket.socket) -> None:
        """Own the socket, which does not block."""
        self._socket = connected
        self._loop = asyncio.get_running_loop()

    async def receive(self, timeout_s: float | None) -> bytes:
        """Return what came in, empty once the peer has ended its side.

        Raises:
            OSError: The connection broke.
        """
        try:
            data = self._socket.recv(RECEIVED_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            async with asyncio.timeout(timeout_s):
                return await self._loop.sock_recv(self._socket, RECEIVED_AT_ONCE)
        # A peer that is always ahead of us must not keep the loop from everybody else.
        await asyncio.sleep(0)
        return data

    async def send(self, data: bytes, timeout_s: float | None) -> None:
        """Send all bytes; the time is for each step forward, not for the whole.

        Raises:
            OSError: The peer takes no more.
        """
        view = memoryview(data)
        while view:
            try:
                sent = self._socket.send(view)
            except (BlockingIOError, InterruptedError):
                sent = min(len(view), SENT_AT_ONCE)
                async with asyncio.timeout(timeout_s):
                    await self._loop.sock_sendall(self._socket, view[:sent])
            view = view[sent:]

    def stale(self) -> bool:
        """Whether the peer closed, or spoke unasked, while nobody used the connection."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    def poll(self) -> bytes | None:
        """Return what is there without waiting; ``None`` for nothing yet."""
        try:
            return self._socket.recv(RECEIVED_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return None

    def push(self, data: bytes) -> None:
        """Send what goes out without waiting."""
        with contextlib.suppress(OSError):
            self._socket.send(data)

    def close(self) -> None:
        """Close; nothing may be receiving or sending."""
        self._socket.close()


class TlsStream:
    """TLS over a TCP connection, with the same methods."""

    def __init__(self, plain: PlainStream, context: ssl.SSLContext, name: str) -> None:
        """Prepare; ``do_handshake`` comes before anything else.

        Args:
            context: Whom to trust and who we are.
            name: Host name or address that the certificate has to carry.

        Raises:
            NetworkFailure: The name cannot be in a certificate (OUTH-6).
        """
        self._plain = plain
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._flushing = asyncio.Lock()
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        except ValueError as error:
            raise NetworkFailure(
                "DNS-error", {"rcode": "invalid dns name", "info-code": 0}
            ) from error

    async def do_handshake(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: The peer is not who it should be, or does not want us.
            OSError: The connection broke.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(None)
                await self._feed(None)
            except ssl.SSLError:
                # The peer should learn what we do not like.
                await self._flush(None)
                raise
            else:
                await self._flush(None)
                return

    async def receive(self, timeout_s: float | None) -> bytes:
        """See ``PlainStream``. An end without TLS's close-notify alert is a broken connection."""
        while True:
            data = self._decrypted()
            if data is not None:
                return data
            await self._flush(timeout_s)
            await self._feed(timeout_s)

    def _decrypted(self) -> bytes | None:
        """What can be read now; empty at the end, ``None`` when more has to come in."""
        parts: list[bytes] = []
        try:
            # One read gives one record, 16 KiB at most.
            while part := self._tls.read(RECEIVED_AT_ONCE):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts) if parts else None
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLEOFError as error:
            if not parts:
                raise ConnectionResetError("no close-notify alert at the end") from error
        return b"".join(parts)

    async def send(self, data: bytes, timeout_s: float | None) -> None:
        """See ``PlainStream``."""
        view = memoryview(data)
        while view:
            self._tls.write(view[:SENT_AT_ONCE])
            view = view[SENT_AT_ONCE:]
            await self._flush(timeout_s)

    async def _flush(self, timeout_s: float | None) -> None:
        if not self._outgoing.pending:
            return
        # Records have to leave in the order in which they were made.
        async with self._flushing:
            await self._plain.send(self._outgoing.read(), timeout_s)

    async def _feed(self, timeout_s: float | None) -> None:
        data = await self._plain.receive(timeout_s)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def stale(self) -> bool:
        """See ``PlainStream``. Session tickets that came late are no reason."""
        try:
            data = self._plain.poll()
            if data is not None:
                if not data:
                    return True
                self._incoming.write(data)
            return self._decrypted() is not None
        except OSError:
            return True

    def close(self) -> None:
        """See ``PlainStream``. Sends the close-notify alert if that takes no waiting."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
        if self._outgoing.pending:
            self._plain.push(self._outgoing.read())
        self._plain.close()


SocketStream = PlainStream | TlsStream
"""A connection."""
