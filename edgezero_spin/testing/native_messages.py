"""Changes of a host to native requests and responses, so that one test holds for both.

Source: contract spin-host.md, HDR-1 to HDR-7, HDR-11, HDR-13, HDR-15, RESP-1, RESP-2, HTTP-3.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from edgezero_spin.core.headers import HOST_ONLY
from edgezero_spin.core.response import Response
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.testing.errors import BrokenBodyError
from edgezero_spin.testing.request_tasks import RequestTasks
from edgezero_spin.testing.requests import KitRequest
from edgezero_spin.testing.surroundings import Surroundings

__all__ = [
    "NativeAnswer",
    "NativeBody",
    "added_headers",
    "as_a_host_takes_it",
    "kept_headers",
    "no_work",
    "promised_length",
    "response_headers",
]

BODILESS = (204, 304)


def kept_headers(request: KitRequest) -> list[tuple[str, bytes]]:
    """Return what a component sees of the headers that were sent."""
    grouped: dict[str, list[bytes]] = {}
    for name, value in request.headers:
        if name not in HOST_ONLY and not name.startswith(("spin-", "spin_")):
            grouped.setdefault(name, []).append(value)
    return [(name, value) for name, values in grouped.items() for value in values]


def added_headers(
    request: KitRequest, *, client_addr: str, full_url: str | None = None
) -> list[tuple[str, bytes]]:
    """Return what the host adds to a request on the route ``/...``.

    Args:
        request: What is sent.
        client_addr: Who sends it.
        full_url: What ``spin-full-url`` says; ``None`` for the URL of the request.
    """
    added = {
        "spin-path-info": request.path,
        "spin-full-url": full_url or f"{request.scheme}://{request.authority}{request.target}",
        "spin-matched-route": "/...",
        "spin-base-path": "/",
        "spin-raw-component-route": "/...",
        "spin-component-route": "",
        "spin-client-addr": client_addr,
    }
    return [(name, text.encode()) for name, text in added.items()]


def response_headers(response: Response, method: str) -> list[tuple[str, bytes]]:
    """Return what a client sees: one length, or none where there is no body."""
    pairs = list(response.header_pairs)
    lengths = [pair for pair in pairs if pair[0] == "content-length"]
    if response.status in BODILESS:
        return [pair for pair in pairs if pair not in lengths]
    if not lengths and response.body == b"" and method != "HEAD":
        return [*pairs, ("content-length", b"0")]
    for extra in lengths[1:]:
        # The first stays where it is.
        del pairs[len(pairs) - 1 - pairs[::-1].index(extra)]
    return pairs


def as_a_host_takes_it(response: Response, method: str) -> Response:
    """Return the response, or what a guest answers when the host refuses it (HTTP-3, HTTP-13)."""
    refused = [name for name, _ in response.header_pairs if name in HOST_ONLY]
    if refused:
        print(f"a host does not take the response header {refused[0]!r}", file=sys.stderr)
        return _internal_error()
    body = response.body
    lengths = {value for name, value in response.header_pairs if name == "content-length"}
    if lengths and isinstance(body, bytes) and (body or method != "HEAD"):
        wrong = lengths - {b"%d" % len(body)}
        if wrong and response.status not in BODILESS:
            said = sorted(wrong)[0].decode("latin-1")
            print(
                f"the content-length header says {said}, the body has {len(body)} bytes",
                file=sys.stderr,
            )
            return _internal_error()
    return response


def _internal_error() -> Response:
    body = b'{"error":{"message":"internal error","status":500,"kind":"internal"}}'
    return Response(body, 500, [("content-type", "application/json"), ("content-length", "69")])


def promised_length(headers: list[tuple[str, bytes]], method: str) -> int | None:
    """Return what ``content-length`` says of a body that is sent; ``None`` without one."""
    for name, value in headers:
        if name == "content-length" and value.isdigit() and method != "HEAD":
            return int(value)
    return None


def no_work() -> None:
    """What is done after a response when its handler added nothing."""


class NativeAnswer(NamedTuple):
    """What a component answers.

    Attributes:
        response: As a host takes it.
        work: Gives what is awaited when the body has been sent, ``None`` for nothing.
    """

    response: Response
    work: Callable[[], Coroutine[Any, Any, None] | None] = no_work


class NativeBody:
    """A response body, pulled piece by piece."""

    def __init__(
        self,
        answer: NativeAnswer,
        request: str,
        outer: Surroundings,
        length: int | None = None,
        tasks: RequestTasks | None = None,
    ) -> None:
        """Read nothing yet.

        Args:
            answer: Whose body it is.
            request: What it answers, for messages.
            outer: What surrounds the app.
            length: Bytes that a streamed body has by its headers; ``None`` for any number.
            tasks: What the handler began; cancelled when the body has been read.
        """
        self._left = length
        self._trailers: list[tuple[str, bytes]] = []
        body = answer.response.body
        self._whole = body if isinstance(body, bytes) else b""
        self._stream = body if isinstance(body, BodyStream) else None
        self._work = answer.work
        self._request = request
        self._outer = outer
        self._tasks = RequestTasks() if tasks is None else tasks

    async def next_piece(self) -> bytes | None:
        if self._stream is None:
            whole, self._whole = self._whole, b""
            if not whole:
                await self._finish()
            return whole or None
        if self._outer.left_behind:
            # A body without end, pulled without ever waiting, cannot be cancelled otherwise.
            raise asyncio.CancelledError
        with self._outer, self._tasks.collect():
            try:
                piece = await anext(self._stream, None)
                if piece is None and self._stream.trailers is not None:
                    self._trailers = self._stream.trailers()
            except Exception as error:
                sys.__excepthook__(type(error), error, error.__traceback__)
                reason = f"the handler raised {type(error).__name__}: {error}"
                raise BrokenBodyError(self._request, reason) from error
        if piece is None:
            if self._left:
                reason = f"it ended {self._left} bytes before its content-length"
                raise BrokenBodyError(self._request, reason)
            await self._finish()
            return None
        if self._left is not None:
            if len(piece) > self._left:
                reason = "it has more bytes than its content-length"
                raise BrokenBodyError(self._request, reason)
            self._left -= len(piece)
        return piece

    def trailers(self) -> list[tuple[str, bytes]]:
        return self._trailers

    async def aclose(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with self._outer:
                await stream.aclose()
        await self._finish()

    async def _finish(self) -> None:
        """Do what was put off until now, and end what the handler began."""
        with self._outer, self._tasks.collect():
            work, self._work = self._work(), no_work
            if work is not None:
                await work
        await self._tasks.cancel()
