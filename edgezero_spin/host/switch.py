"""A switch of hosts: one application replaced by another without dropping a request.

```python
switch = Switch(Host.from_manifest("spin.toml"))
...
await switch.replace(Host.from_manifest("spin.toml"))
```

A ``Switch`` stands where a ``Host`` would: it has ``handle`` and ``asgi()``, and ``serve``
takes one. Each request goes to the host that is current when it arrives and stays there;
a host that was replaced is closed once all of its requests and events have ended. Triggers listen
for the host that is current.
"""

import asyncio
import threading
from collections.abc import Callable
from time import monotonic

import attrs

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.asgi import AsgiApplication
from edgezero_spin.host.http.gateway import RequestHead
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse
from edgezero_spin.host.http.request_handler import Responder, ResponseWriter

__all__ = ["DRAIN_S", "Switch"]

DRAIN_S = 30.0
"""Seconds that the requests of a replaced host get, unless told otherwise."""

LOOK_S = 0.01


def _no_line(line: str) -> None:
    return None


@attrs.define(eq=False)
class _Holder:
    """A host, and the requests on their way to it or from it."""

    host: Host
    requests: int = 0
    replaced: asyncio.Event = attrs.field(factory=asyncio.Event)

    @property
    def busy(self) -> bool:
        return self.requests > 0 or not self.host.idle


class Switch:
    """One place for requests, and one host at a time behind it.

    Made and used in one event loop or in several. ``replace`` may be called again while
    hosts that were replaced before still answer; ``close`` comes last.
    """

    def __init__(self, host: Host) -> None:
        """Start with a host, which is the switch's to close from now on."""
        self._lock = threading.Lock()
        self._holder = _Holder(host)

    @property
    def current(self) -> Host:
        """The host that the next request goes to."""
        return self._holder.host

    @property
    def origin(self) -> str | None:
        """URL under which the application reaches itself (CHAIN-1); a server sets it."""
        return self.current.origin

    @origin.setter
    def origin(self, url: str | None) -> None:
        self.current.origin = url

    @property
    def takes_requests(self) -> bool:
        """Always: the next host may have HTTP triggers."""
        return True

    @property
    def listens(self) -> bool:
        """Always: the next host may have triggers that listen."""
        return True

    async def run_triggers(self, say: Callable[[str], None] = _no_line) -> bool:
        """Listen for events of the host that is current, until cancelled; see ``Host``.

        A host whose triggers have all failed does nothing more until it is replaced.
        """
        while True:
            holder = self._holder
            running = asyncio.create_task(holder.host.run_triggers(say))
            try:
                await holder.replaced.wait()
            finally:
                running.cancel()
                await asyncio.wait({running})
                if not running.cancelled():
                    # What failed is in the log.
                    running.exception()

    async def drain_events(self, timeout_s: float, hurried: asyncio.Event | None = None) -> None:
        """Wait for the events of the host that is current; see ``Host.drain_events``."""
        await self.current.drain_events(timeout_s, hurried)

    def asgi(self) -> AsgiApplication:
        """A program for an ASGI server."""
        return AsgiApplication(self)

    def begin(
        self, head: RequestHead, body: ByteChannel | None, writer: ResponseWriter
    ) -> Responder | None:
        """Have the host that is current now begin to answer; see ``Host.begin``."""
        holder = self._enter()
        return holder.host.begin(head, body, writer, done=lambda: self._leave(holder))

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request by the host that is current now; see ``Host.handle``."""
        holder = self._enter()
        try:
            return await holder.host.handle(request)
        finally:
            self._leave(holder)

    def _enter(self) -> _Holder:
        with self._lock:
            holder = self._holder
            holder.requests += 1
            return holder

    def _leave(self, holder: _Holder) -> None:
        with self._lock:
            holder.requests -= 1

    async def replace(self, host: Host, *, drain_s: float = DRAIN_S) -> bool:
        """Send requests to another host from now on, and close the present one.

        Args:
            host: The next one, loaded and ready.
            drain_s: Seconds that requests in flight get; what is left then is cut.

        Returns:
            Whether all of them ended in time.
        """
        host.origin = self.origin
        with self._lock:
            old, self._holder = self._holder, _Holder(host)
        old.replaced.set()
        return await _drain(old, drain_s)

    async def close(self, *, drain_s: float = DRAIN_S) -> bool:
        """Close the host when its requests have ended. Requests are still let in meanwhile.

        Returns:
            Whether all of them ended in time.
        """
        return await _drain(self._holder, drain_s)


async def _drain(holder: _Holder, drain_s: float) -> bool:
    end = monotonic() + drain_s
    try:
        while holder.busy and monotonic() < end:  # noqa: ASYNC110 - guests end on threads
            await asyncio.sleep(LOOK_S)
        return not holder.busy
    finally:
        # A thread may take two seconds to notice; others are served meanwhile.
        await asyncio.shield(asyncio.to_thread(holder.host.close))
