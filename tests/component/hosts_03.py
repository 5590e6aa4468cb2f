"""A host of the guest ``raw_03``, asked in this process, in which requests may overlap."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from edgezero_spin.host import Host, HttpRequest, ResponseAborted

__all__ = ["PATIENCE_S", "Asked", "Asking", "until"]

PATIENCE_S = 30.0
"""After this a test has hung."""


@attrs.frozen
class Asked:
    """An answer, read to its end.

    Attributes:
        status: Of the response.
        text: Its body; what came of one that broke off.
        headers: Its fields.
        trailers: What followed the body.
        broken: Why the body broke off.
    """

    status: int
    text: str
    headers: dict[str, str] = attrs.field(factory=dict)
    trailers: list[tuple[str, bytes]] | None = None
    broken: str | None = None

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.text)


class Asking:
    """Asks a host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    async def __call__(
        self,
        target: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
    ) -> Asked:
        """Send a request and read the answer."""
        usual = "PUT" if body else "GET"
        request = HttpRequest(method or usual, target, headers=dict(headers or {}), body=body)
        async with asyncio.timeout(PATIENCE_S):
            answer = await self.host.handle(request)
            content, broken = b"", None
            try:
                async for piece in answer.iter_bytes():
                    content += piece
            except ResponseAborted as error:
                broken = error.reason
        fields = {name: value.decode() for name, value in answer.headers}
        return Asked(answer.status, content.decode(), fields, answer.trailers, broken)

    async def count(self) -> tuple[str, int]:
        """Ask an instance for its name and how many requests it has had."""
        name, served = (await self("/count")).text.split()
        return name, int(served)

    async def noted(self, note: str) -> None:
        """Wait until an instance has written down something that ends so."""

        async def written() -> bool:
            return any(seen.endswith(note) for seen in (await self("/seen")).json)

        await until(written)

    async def served(self, count: int) -> None:
        """Wait until the instance that answers had so many requests."""

        async def enough() -> bool:
            return (await self.count())[1] >= count

        await until(enough)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds that only a look can tell."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - the guest tells nobody by itself
            await asyncio.sleep(0.01)
