"""Responses of both clients, in the words of httpx.

A response is read when its client returns it, unless the client was asked to ``stream``:
then ``iter_bytes()`` (or ``aiter_bytes()``) gives the body as the application makes it.
"""

import codecs
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol, Self, TypeVar, overload

import attrs

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.response_status import ResponseStatus
from edgezero_spin.stores.json_values import JsonValueError, decode
from edgezero_spin.stores.structuring import structure
from edgezero_spin.testing.errors import KitError, StatusError
from edgezero_spin.testing.portal import Portal
from edgezero_spin.testing.store_log import StoreLog

__all__ = ["BodySource", "ClientResponse", "Recorded", "Usage"]

# pytest shows a failure where the test made it happen, not here.
__tracebackhide__ = True


T = TypeVar("T")


@attrs.define
class Usage:
    """What a component spent on one request.

    Attributes:
        fuel: Instructions, the same in every run of the same request.
        host_calls: Calls to the host.
        peak_memory_bytes: Linear memory at the end, which is its largest; ``None`` unless
            the client measures memory.
    """

    fuel: int = 0
    host_calls: int = 0
    peak_memory_bytes: int | None = None


class BodySource(Protocol):
    """Where the pieces of a body come from."""

    async def next_piece(self) -> bytes | None:
        """Return the next bytes, ``None`` at the end.

        Raises:
            BrokenBodyError: There will be no end.
        """

    def trailers(self) -> list[tuple[str, bytes]]:
        """The fields behind the body, known at its end."""

    async def aclose(self) -> None:
        """Say that no more is wanted. Twice is harmless."""


class Recorded:
    """What an application did for a request or an event."""

    def __init__(
        self, calls: Callable[[], StoreLog], output: Callable[[], tuple[bytes, bytes]]
    ) -> None:
        self._calls = calls
        self._output = output

    @property
    def calls(self) -> StoreLog:
        """The calls on stores since it began."""
        return self._calls()

    @property
    def stdout(self) -> str:
        """What was written to standard output since it began."""
        return self._output()[0].decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What was written to standard error since it began."""
        return self._output()[1].decode("utf-8", "replace")


class ClientResponse(Recorded, ResponseStatus):
    """An answer.

    Attributes:
        request: Method and target of what was asked.
        status: 200 to 599; ``status_code`` is the same.
        headers: In the order in which they were sent; look-ups in any case.
        failure: Why the component gave no answer of its own, such as a trap; ``None``
            when it did. A native app always answers.
        usage: What a component spent; ``None`` for a native app and until a streamed
            body was read.
    """

    def __init__(
        self,
        request: str,
        status: int,
        headers: list[tuple[str, bytes]],
        *,
        source: BodySource,
        runner: Portal,
        calls: Callable[[], StoreLog],
        output: Callable[[], tuple[bytes, bytes]],
    ) -> None:
        """Made by a client."""
        super().__init__(calls, output)
        self.request = request
        self.status = status
        self.headers = Headers.received(headers)
        self.failure: str | None = None
        self.usage: Usage | None = None
        self._source = source
        self._runner = runner
        self._content: bytes | None = None
        self._on_end: list[Callable[[ClientResponse], None]] = []

    @property
    def reason_phrase(self) -> str:
        """The name of the status: ``Not Found``; empty for one without."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return ""

    def raise_for_status(self) -> Self:
        """Return this response.

        Raises:
            StatusError: Its status is not 200 to 299; the message shows the body's beginning.
        """
        if not self.is_success:
            shown = None if self._content is None else self._content[:200]
            raise StatusError(self.request, self.status, shown)
        return self

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are set, by name; one that is deleted is empty."""
        found: dict[str, str] = {}
        for text in self.headers.get_all("set-cookie"):
            try:
                found.update({name: cookie.value for name, cookie in SimpleCookie(text).items()})
            except CookieError:
                continue
        return found

    # The body

    @property
    def content(self) -> bytes:
        """The whole body.

        Raises:
            KitError: It is streamed and was not read.
        """
        if self._content is None:
            raise KitError(
                f"the body of the answer to {self.request} was not read; iterate over "
                f"iter_bytes(), or call read() first"
            )
        return self._content

    @property
    def trailers(self) -> Headers:
        """The fields behind the body, known when it was read; empty without any."""
        return Headers.received(self._source.trailers())

    @property
    def text(self) -> str:
        """The whole body as UTF-8 text."""
        return self.content.decode()

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, as_type: type[T]) -> T: ...
    @overload
    def json(self, as_type: Any) -> Any: ...
    def json(self, as_type: Any = None) -> Any:
        """Return the JSON value of the body, as an object of a type if one is named.

        Raises:
            KitError: The body is not JSON of that type; the message shows its beginning.
        """
        try:
            value = decode(self.content)
            return value if as_type is None else structure(value, as_type)
        except JsonValueError as error:
            shown = self.content[:200].decode("utf-8", "replace")
            raise KitError(
                f"{self.request} answered {self.status} with a body that is not the JSON "
                f"asked for ({error}): {shown!r}"
            ) from None

    def read(self) -> bytes:
        """Read what is left of a streamed body and return all of it."""
        return self._runner.call(self.aread(), self.request)

    async def aread(self) -> bytes:
        """``read`` on the client's own loop."""
        if self._content is None:
            parts = []
            while (piece := await self._source.next_piece()) is not None:
                parts.append(piece)
            await self._source.aclose()
            self._content = b"".join(parts)
            self._ended()
        return self._content

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the body as it is made, once.

        Raises:
            BrokenBodyError: It broke off.
            NoAnswerError: The next piece did not come before the deadline.
        """
        while (piece := self._runner.call(self._source.next_piece(), self.request)) is not None:
            if piece:
                yield piece
        self._runner.call(self._source.aclose(), self.request)
        self._ended()

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """``iter_bytes`` for a test with an event loop."""
        while (
            piece := await self._runner.acall(self._source.next_piece(), self.request)
        ) is not None:
            if piece:
                yield piece
        await self._runner.acall(self._source.aclose(), self.request)
        self._ended()

    def iter_text(self) -> Iterator[str]:
        """Yield the body as UTF-8 text as it is made, once. Raises as ``iter_bytes``."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        for piece in self.iter_bytes():
            if text := decoder.decode(piece):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Yield each line of the body as it is made, without its end. Raises as ``iter_bytes``."""
        rest = ""
        for text in self.iter_text():
            *lines, rest = (rest + text).split("\n")
            yield from (line.removesuffix("\r") for line in lines)
        if rest:
            yield rest

    def close(self) -> None:
        """Give up what was not read. Twice is harmless."""
        self._runner.call(self._source.aclose(), self.request)
        self._ended()

    async def aclose(self) -> None:
        """``close`` for a test with an event loop."""
        await self._runner.acall(self._source.aclose(), self.request)
        self._ended()

    def _ended(self) -> None:
        ended, self._on_end = self._on_end, []
        for tell in ended:
            tell(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        shown = "streamed" if self._content is None else f"{self._content[:80]!r}"
        failed = "" if self.failure is None else f" failure={self.failure!r}"
        return f"<{self.request}: {self.status} {shown}{failed}>"
