"""Streams of host functions, read as the runtime reads them for a guest."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from edgezero_spin.host.runtime.host_sources import FutureValue
from edgezero_spin.host.runtime.interface import WitError

__all__ = ["StreamReader", "run_async"]


class StreamReader:
    """Reads a stream as the runtime does for a guest.

    Attributes:
        outcome: What the future of the stream holds.
    """

    def __init__(self, source: Any, future: FutureValue) -> None:
        self.source = source
        self.outcome: Any = None
        future.value.when(lambda outcome: setattr(self, "outcome", outcome))

    async def read(self, most: int) -> Any:
        """Return the next rows, none at the end."""
        try:
            rows = self.source.read(most)
            if inspect.iscoroutine(rows):
                rows = self.source.arrived(await rows)
        except WitError as error:
            self.source.ended(error)
            return []
        if not rows:
            self.source.ended(None)
        return rows

    async def rest(self) -> list[Any]:
        """Return all rows that are left."""
        found: list[Any] = []
        while rows := await self.read(100):
            assert len(rows) <= 100
            found += rows
        return found


def run_async(work: Callable[[], Any]) -> Any:
    """Run an asynchronous host function to its end."""

    async def running() -> Any:
        return await work()

    return asyncio.run(running())
