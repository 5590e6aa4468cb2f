"""Connections that a server gets from elsewhere than a socket which it alone listens on.

In: an ``Acceptor``. Out: connections of HTTP. Who accepts, in which process, it does not know.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

__all__ = ["Acceptor", "Take", "taking"]

logger = logging.getLogger("edgezero_spin.host")

Take = Callable[[socket.socket], None]
"""Serves one accepted connection; called in the server's loop."""


class Acceptor(Protocol):
    """Where connections come from."""

    @property
    def address(self) -> tuple[str, int]:
        """Where clients connect to."""

    def begin(self, take: Take) -> None:
        """Have each connection served; called in the server's loop."""

    def close(self) -> None:
        """Take no connection any more; called in the loop, or after it."""


def taking(protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None) -> Take:
    """Return what serves a connection in the running loop.

    Args:
        protocol: Makes what reads and writes it.
        context: For TLS.
    """
    loop = asyncio.get_running_loop()
    beginning: set[asyncio.Task[None]] = set()

    async def begin(connection: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(protocol, connection, ssl=context)
        except (OSError, asyncio.CancelledError) as error:
            # A handshake that fails, or a client that has left.
            logger.debug("a connection did not begin: %s", error)
            connection.close()

    def take(connection: socket.socket) -> None:
        connection.setblocking(False)
        task = loop.create_task(begin(connection))
        beginning.add(task)
        task.add_done_callback(beginning.discard)

    return take
