"""Sockets for a client library that waits by itself, on a thread that may have to stop waiting.

The library calls ``recv_into`` and ``sendall`` as of a socket without timeouts; these look up
every quarter of a second whether they may go on. TLS goes on top when the library asks for it.

Source: contract spin-host.md, LIFE-7, OUTH-18.
"""

import socket
import ssl
from functools import cache
from time import monotonic
from typing import Any

from edgezero_spin.host.factors.bounds import MAX_RESULT_BYTES
from edgezero_spin.host.factors.database_servers.errors import ResultTooLargeError
from edgezero_spin.host.factors.tls import trust_usual_roots
from edgezero_spin.host.factors.waits import PATIENCE_S, Check

__all__ = ["MAX_PACKET_BYTES", "BoundedReader", "GuardedSocket", "Wait", "tls_context"]

MAX_PACKET_BYTES = MAX_RESULT_BYTES + (1 << 20)
"""Bytes of one packet: a row of the largest result, and what stands around it."""

PIECE_BYTES = 65_536


class Wait:
    """What ends the waits of a connection, whichever of its sockets waits.

    Attributes:
        check: What it raises ends the wait.
        until: ``monotonic`` time at which waits end; ``None`` for none.
        left: Bytes that may be received before this is set again.
    """

    def __init__(self, check: Check, until: float | None = None) -> None:
        self.check = check
        self.until = until
        self.left = MAX_PACKET_BYTES

    def check_time(self) -> None:
        """Check whether to wait on.

        Raises:
            TimeoutError: The time has come.
        """
        self.check()
        if self.until is not None and monotonic() >= self.until:
            raise OSError("timed out")


class BoundedReader:
    """Reads a socket as a file, no more than it may, and knows what is there already."""

    def __init__(self, connected: socket.socket, wait: Wait) -> None:
        self._socket = connected
        self._wait = wait
        self._buffer = bytearray()
        self._at = 0
        self._piece = bytearray(PIECE_BYTES)

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer where the server closed the connection.

        Raises:
            ResultTooLargeError: They are too many.
        """
        self._wait.left -= count
        if self._wait.left < 0:
            raise ResultTooLargeError
        while len(self._buffer) - self._at < count:
            size = self._socket.recv_into(self._piece)
            if not size:
                break
            del self._buffer[: self._at]
            self._at = 0
            self._buffer += memoryview(self._piece)[:size]
        end = self._at + count
        data = bytes(self._buffer[self._at : end])
        self._at = min(end, len(self._buffer))
        return data

    def has_packet(self) -> bool:
        """Whether a whole packet is there."""
        at, there = self._at, len(self._buffer) - self._at
        return there >= 4 and there >= 4 + int.from_bytes(self._buffer[at : at + 3], "little")

    def close(self) -> None:
        """Keep nothing."""
        self._buffer.clear()
        self._at = 0


class GuardedSocket(socket.socket):
    """A connected socket.

    Attributes:
        wait: What ends its waits.
    """

    wait: Wait

    @classmethod
    def of(cls, connected: socket.socket, wait: Wait) -> "GuardedSocket":
        """Take over a socket."""
        made = cls(connected.family, connected.type, connected.proto, connected.detach())
        made.wait = wait
        made.settimeout(None)
        return made

    def settimeout(self, value: float | None) -> None:
        """Keep the one timeout that there is."""
        super().settimeout(PATIENCE_S)

    def makefile(self, *arguments: Any, **options: Any) -> Any:
        """Return what reads it."""
        return BoundedReader(self, self.wait)

    def recv_into(self, *arguments: Any) -> int:
        """Receive, however long it takes."""
        while True:
            try:
                return super().recv_into(*arguments)
            except TimeoutError:
                self.wait.check_time()

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all, however long it takes."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.send(rest, flags) :]
            except TimeoutError:
                self.wait.check_time()


class _GuardedTlsSocket(GuardedSocket, ssl.SSLSocket):
    """The same, encrypted."""

    def do_handshake(self, block: bool = False) -> None:
        while True:
            try:
                super().do_handshake(block)
            except TimeoutError:
                self.wait.check_time()
            else:
                return


class _Context(ssl.SSLContext):
    """Encrypts guarded sockets, which stay guarded."""

    sslsocket_class = _GuardedTlsSocket

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        wait = sock.wait if isinstance(sock, GuardedSocket) else Wait(lambda: None)
        options["do_handshake_on_connect"] = False
        made = super().wrap_socket(sock, *arguments, **options)
        if isinstance(made, _GuardedTlsSocket):
            made.wait = wait
        try:
            made.do_handshake()
        except BaseException:
            made.close()
            raise
        return made


@cache
def tls_context() -> ssl.SSLContext:
    """Return what verifies chain and name against the roots of the system and Mozilla's."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    trust_usual_roots(context)
    return context
