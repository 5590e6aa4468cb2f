"""The connections of one server, and what is the same for all of them.

In: connections that begin and end. Out: an end of all of them: those without a request at once,
the others when they are answered, or when there is no more time.

Source: contract spin-host.md, LIFE-10.
"""

import asyncio
import logging
from typing import Protocol

from edgezero_spin.host.http.request_handler import RequestHandler
from edgezero_spin.host.http.settings import ServerSettings

__all__ = ["Connections", "ServerConnection", "shown"]

logger = logging.getLogger("edgezero_spin.host")


class ServerConnection(Protocol):
    """One connection, of any version of HTTP."""

    def stop(self) -> None:
        """Close when the present requests are answered; at once where there are none."""

    def cut_off(self) -> None:
        """End the present requests, for which there is no more time."""


class Connections:
    """All connections of one server.

    Attributes:
        scheme: Of the listener.
        stopping: The server ends.
    """

    def __init__(self, handler: RequestHandler, settings: ServerSettings, scheme: str) -> None:
        """There are none yet."""
        self.handler = handler
        self.settings = settings
        self.scheme = scheme
        self.stopping = False
        self._open: set[ServerConnection] = set()
        self._none_left = asyncio.Event()

    def add(self, connection: ServerConnection) -> None:
        """Note one that begins."""
        self._open.add(connection)

    def discard(self, connection: ServerConnection) -> None:
        """Note the end of one."""
        self._open.discard(connection)
        if self.stopping and not self._open:
            self._none_left.set()

    def report_stalled(self, client: tuple[str, int] | None, verb: str, target: bytes) -> None:
        """Say in the log that a client is too slow with a body."""
        logger.info(
            "a client (%s) is too slow to %s the body of %s and is cut off "
            "(--body-timeout %g, --min-body-rate %d)",
            "unknown" if client is None else client[0],
            verb,
            shown(target),
            self.settings.body_timeout_s,
            self.settings.min_body_rate,
        )

    async def drain(self, hurried: asyncio.Event) -> None:
        """End all of them.

        Args:
            hurried: Set when requests in flight get no more time.
        """
        self.stopping = True
        for connection in list(self._open):
            connection.stop()
        if not self._open:
            return
        hurry = asyncio.create_task(hurried.wait())
        gone = asyncio.create_task(self._none_left.wait())
        await asyncio.wait(
            {hurry, gone}, timeout=self.settings.drain_s, return_when=asyncio.FIRST_COMPLETED
        )
        for connection in list(self._open):
            connection.cut_off()
        hurry.cancel()
        gone.cancel()
        # Transports write what they have and close in the next rounds of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def shown(target: bytes) -> str:
    """A target for a line of a log: what a client chose is neither long nor more than one line."""
    text = target.partition(b"?")[0].decode("ascii", "backslashreplace")
    return text if len(text) <= 200 else text[:200] + "..."
