"""One request on its way through an instance, and the body of its answer."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from edgezero_spin.host.errors import DeadlineExceeded
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.host import Host
from edgezero_spin.host.http.messages import HttpRequest, HttpResponse, ResponseAborted
from edgezero_spin.host.runtime.instance import Instance
from edgezero_spin.testing.errors import BrokenBodyError, NoAnswerError
from edgezero_spin.testing.hosting.context import CURRENT, GuestContext
from edgezero_spin.testing.memory_map import guest_memory_bytes
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.response import Usage

if TYPE_CHECKING:
    from edgezero_spin.testing.component import ComponentClient

__all__ = ["HostBody", "WatchedExchange"]

ENDING_S = 2.0
"""Seconds that an instance may go on after its answer was read."""


class WatchedExchange:
    """One request on its way through an instance; the host's ``InstanceWatch``.

    Attributes:
        usage: What the instance spent; ``None`` until it ended.
        error: How it failed, ``None`` when it did not.
        begun: An instance was made for it.
    """

    def __init__(self, client: "ComponentClient", measures_memory: bool) -> None:
        self.usage: Usage | None = None
        self.error: BaseException | None = None
        self.begun = False
        self._context = GuestContext(client, self._settled)
        self._measures_memory = measures_memory
        self._peak_memory_bytes: int | None = None
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()

    def started(self, state: InstanceState) -> None:
        """Called on the guest's thread."""
        self.begun = True
        state.context = CURRENT.context = self._context

    def ended(self, instance: Instance | None, error: BaseException | None) -> None:
        """Called on the guest's thread."""
        self.error = error
        if self._measures_memory and instance is not None:
            self._peak_memory_bytes = guest_memory_bytes()
        CURRENT.context = None
        self._context.ended(0 if instance is None else instance.fuel_used or 0)

    def _settled(self, context: GuestContext) -> None:
        fuel, host_calls = context.total
        self.usage = Usage(fuel, host_calls, self._peak_memory_bytes)
        # A client that was closed meanwhile waits for nothing.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._done.set)

    @property
    def out_of_time(self) -> bool:
        """Whether its deadline ended it."""
        return isinstance(self.error, DeadlineExceeded)

    async def ask(self, host: Host, request: KitRequest) -> HttpResponse:
        """Send the request and return the answer when its head is there."""
        body = request.body
        headers: list[tuple[str | bytes, str | bytes]] = [
            ("host", request.authority),
            *request.headers,
        ]
        return await host.handle(
            HttpRequest(
                request.method,
                request.target,
                headers,
                body if isinstance(body, bytes) else _pieces_of(body),
                scheme=request.scheme,
                trailers=request.trailers,
            ),
            self,
        )

    async def end(self) -> None:
        """Wait for the instance and those that it called; they may go on after its answer."""
        if self.begun:
            try:
                await asyncio.wait_for(self._done.wait(), ENDING_S)
            except TimeoutError:
                return


async def _pieces_of(body: Any) -> Any:
    for piece in body:
        yield piece


class HostBody:
    """The body of an answer of the host."""

    def __init__(
        self,
        response: HttpResponse,
        exchange: WatchedExchange,
        request: str,
        deadline_s: float | None,
    ) -> None:
        self._pieces = response.iter_bytes()
        self._response = response
        self._exchange = exchange
        self._request = request
        self._deadline_s = deadline_s

    async def next_piece(self) -> bytes | None:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            return None
        except ResponseAborted as error:
            await self._exchange.end()
            raise self.failure(error.reason) from error

    def failure(self, reason: str) -> BrokenBodyError | NoAnswerError:
        """What to raise for a body that broke off."""
        if self._exchange.out_of_time:
            return NoAnswerError(self._request, self._deadline_s or 0.0)
        return BrokenBodyError(self._request, reason)

    def trailers(self) -> list[tuple[str, bytes]]:
        return self._response.trailers or []

    async def aclose(self) -> None:
        await self._response.aclose()
        await self._exchange.end()
