"""One exchange as an event loop sees it.

``Delivery`` turns announcements from a guest's thread into something to await, and
``Upload`` puts request bytes into a guest no faster than it reads them. Both know the
exchange's channels and nothing of HTTP framing.
"""

import asyncio
from collections.abc import Callable

from edgezero_spin.host.channel import ByteChannel
from edgezero_spin.host.exchange import LINGER_S, Exchange, ResponseHead
from edgezero_spin.host.loops import call_in
from edgezero_spin.host.messages import ResponseAborted
from edgezero_spin.host.trigger.leader import leading

__all__ = [
    "Delivery",
    "Linger",
    "Upload",
]


class Linger:
    """Looks every few milliseconds whether a busy guest left something unannounced.

    Attributes:
        relieve: Called at each look while any delivery is waiting.
    """

    def __init__(self, relieve: Callable[[], None]) -> None:
        self.relieve = relieve
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Delivery] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, delivery: "Delivery") -> None:
        """Look at this delivery too."""
        self._waiting.add(delivery)
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER_S, self._look)

    def discard(self, delivery: "Delivery") -> None:
        """Look at it no more."""
        self._waiting.discard(delivery)

    def _look(self) -> None:
        self._timer = None
        if self._waiting:
            self.relieve()
            for delivery in list(self._waiting):
                delivery.exchange.flush()
            self._timer = self._loop.call_later(LINGER_S, self._look)


class Delivery:
    """Waits for what a guest does to an exchange. One task at a time may wait.

    Attributes:
        exchange: The exchange; its ``announce`` belongs to this object.
    """

    __slots__ = (
        "__weakref__",
        "_action",
        "_announced",
        "_leadership",
        "_linger",
        "_loop",
        "_waiter",
        "exchange",
    )

    def __init__(self, exchange: Exchange, linger: Linger) -> None:
        self.exchange = exchange
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._leadership = leading()
        self._announced = False
        self._waiter: asyncio.Future[None] | None = None
        self._action: Callable[[], None] | None = None
        exchange.announce = self._announce

    def _announce(self) -> None:
        # On the guest's thread. One call into the loop is enough for all that happens
        # before the loop gets round to it.
        if not self._announced:
            self._announced = True
            if self._leadership is None:
                call_in(self._loop, self._wake)
            else:
                self._leadership.tell(self._wake)

    def _wake(self) -> None:
        action = self._action
        if action is not None:
            self._action = None
            self._linger.discard(self)
            action()
            return
        waiter = self._waiter
        if waiter is None:
            return
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)

    def when_changed(self, action: Callable[[], None]) -> None:
        """Do something in the loop once the guest has answered, or will not. Asked once."""
        self._action = action
        self._linger.add(self)

    async def _changed(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        self._linger.add(self)
        try:
            await waiter
        finally:
            self._waiter = None
            self._linger.discard(self)

    async def head(self) -> ResponseHead | None:
        """Return the response's head, ``None`` when the guest gave no answer."""
        exchange = self.exchange
        while True:
            self._announced = False
            if exchange.response is not None:
                return exchange.response
            if exchange.refusal is not None:
                return None
            await self._changed()

    async def piece(self, body: ByteChannel) -> tuple[bytes, bool]:
        """Return the bytes that came in since the last call, and whether more will come.

        Raises:
            ResponseAborted: The body broke off.
        """
        while True:
            self._announced = False
            ended = body.ended
            data = body.take_all()
            broken = body.failure is not None
            if data:
                # What came before a break still goes out; the next call tells of it.
                return data, broken or not ended
            if broken:
                raise ResponseAborted(str(body.failure))
            if ended:
                return data, False
            await self._changed()


class Upload:
    """Feeds the body of a request to a guest with back-pressure.

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
