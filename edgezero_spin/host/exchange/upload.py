"""Bytes of an event loop on their way to a guest, with back-pressure.

In: pieces of a body, from a coroutine. Out: a ``ByteChannel`` that never holds much more than
its limit. Knows nothing of HTTP.
"""

import asyncio

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.loops import call_in

__all__ = ["Upload"]


class Upload:
    """The writing end of a channel, for a coroutine.

    Attributes:
        channel: What the guest reads.
    """

    __slots__ = ("_loop", "_waiter", "channel")

    def __init__(self) -> None:
        self.channel = ByteChannel()
        self.channel.on_space = self._space
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None

    async def put(self, data: bytes) -> None:
        """Pass bytes on once there is room for them."""
        channel = self.channel
        while not channel.has_room():
            self._waiter = waiter = self._loop.create_future()
            # The guest may have read between the look and the note left for it.
            if channel.has_room():
                break
            await waiter
        self._waiter = None
        channel.put(data)

    def _space(self) -> None:
        # On the guest's thread; half of the budget is worth waking the loop for.
        waiter = self._waiter
        channel = self.channel
        if waiter is not None and (channel.closed or channel.size <= channel.limit // 2):
            self._waiter = None
            call_in(self._loop, lambda: _resolve(waiter))


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
