"""Requests that a natively served app sends, allowed as its manifest says.

In: what ``Outbound`` gives a transport. Out: the answer of the network or of this application.
A transport of httpx carries it: nothing is followed, decompressed or added, and no proxy is asked.

Source: contract spin-host.md, OUTH-15, OUTH-17, NET-1 to NET-12, CHAIN-1.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import httpx

from edgezero_spin.core.outbound import OutboundError, OutboundRequest
from edgezero_spin.host.factors.outbound_http.httpx_failures import httpx_error_code
from edgezero_spin.host.factors.outbound_http.interface import Destination, OutboundHosts

__all__ = ["NetworkTransport"]

DEFAULT_TIMEOUT_S = 600.0


class NetworkTransport:
    """The ``OutboundTransport`` of one app."""

    def __init__(self, hosts: OutboundHosts, origin: str) -> None:
        """Open nothing yet.

        Args:
            hosts: Where the app may send requests.
            origin: The URL of this application.
        """
        self._hosts = hosts
        self._origin = httpx.URL(origin)
        self._transport = httpx.AsyncHTTPTransport(trust_env=False)

    async def send(self, request: OutboundRequest) -> "_Reply":
        """Send a request and return its answer.

        Raises:
            OutboundError: It is not allowed, or did not arrive.
        """
        try:
            url = httpx.URL(f"{request.scheme}://{request.authority}{request.target}")
        except (httpx.InvalidURL, UnicodeError) as error:
            raise OutboundError.of_code(httpx_error_code(error), str(error)) from error
        destination = Destination(request.scheme, request.authority, url.host, url.port)
        if not self._hosts.allows(destination):
            raise OutboundError.of_code(
                "HTTP-request-denied",
                f"add {request.scheme}://{request.authority} to allowed_outbound_hosts in "
                "spin.toml",
            )
        if destination.is_self:
            url = url.copy_with(
                scheme=self._origin.scheme, host=self._origin.host, port=self._origin.port
            )
        body = request.body
        content: Any = body if isinstance(body, AsyncIterable) else b"".join(body)
        timeout = httpx.Timeout(DEFAULT_TIMEOUT_S, read=request.timeout_s or DEFAULT_TIMEOUT_S)
        sent = httpx.Request(
            request.method,
            url,
            headers=[(name.encode(), value) for name, value in request.headers],
            content=content or None,
            extensions={"timeout": timeout.as_dict()},
        )
        try:
            return _Reply(await self._transport.handle_async_request(sent))
        except httpx.HTTPError as error:
            raise OutboundError.of_code(httpx_error_code(error), str(error)) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


class _Reply:
    """An answer whose body is on its way."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = [
            (name.decode("latin-1").lower(), value) for name, value in response.headers.raw
        ]
        self._response = response
        self._pieces: AsyncIterator[bytes] = response.aiter_raw()
        self._rest = b""

    async def trailers(self) -> list[tuple[str, bytes]]:
        """None: httpx does not tell."""
        return []

    async def read(self, limit: int) -> bytes:
        while not self._rest:
            try:
                self._rest = await anext(self._pieces)
            except StopAsyncIteration:
                return b""
            except httpx.HTTPError as error:
                raise OutboundError(f"failed to read proxy response body: {error}") from error
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    def close(self) -> None:
        # httpx closes the connection with the generator.
        self._rest = b""
