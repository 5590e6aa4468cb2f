"""Regular looks at guests that work and announce nothing.

What a guest does on its own thread is announced through its ``Exchange``. A busy guest may leave
something unannounced, so whoever waits for it looks every few milliseconds.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgezero_spin.host.exchange.exchange import LINGER_S

if TYPE_CHECKING:
    from edgezero_spin.host.http.responder import ComponentResponder

__all__ = ["Linger"]


class Linger:
    """Looks every few milliseconds at what guests of one loop left unannounced."""

    def __init__(self, relieve: Callable[[], None]) -> None:
        """Look at nothing yet.

        Args:
            relieve: Called at each look while anybody waits.
        """
        self._relieve = relieve
        self._loop = asyncio.get_running_loop()
        self._waiting: set[ComponentResponder] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, responder: "ComponentResponder") -> None:
        """Look at this one too."""
        self._waiting.add(responder)
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._look)

    def discard(self, responder: "ComponentResponder") -> None:
        """Look at it no more."""
        self._waiting.discard(responder)

    def _look(self) -> None:
        self._timer = None
        if self._waiting:
            self._relieve()
            for responder in list(self._waiting):
                responder.look()
            self._timer = self._loop.call_later(LINGER_S, self._look)
