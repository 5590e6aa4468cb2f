"""Requests that a natively served app sends, allowed as its manifest says.

In: what ``Outbound`` gives a transport. Out: the answer of the network or of this application.
httpx carries it: nothing is followed, decompressed or added, and no proxy is asked.

Source: contract spin-host.md, OUTH-15, OUTH-17, NET-1 to NET-12, CHAIN-1.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import httpx

from edgezero_spin.core.outbound import OutboundError, OutboundRequest
from edgezero_spin.host.factors.outbound_http.interface import Destination, OutboundHosts

__all__ = ["NetworkTransport"]

DEFAULT_TIMEOUT_S = 600.0
_SELF = "self.alt"


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
        self._client = httpx.AsyncClient(
            follow_redirects=False, trust_env=False, timeout=DEFAULT_TIMEOUT_S
        )
        self._client.headers.clear()

    async def send(self, request: OutboundRequest) -> "_Reply":
        """Send a request and return its answer.

        Raises:
            OutboundError: It is not allowed, or did not arrive.
        """
        url = httpx.URL(f"{request.scheme}://{request.authority}{request.target}")
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
            return _Reply(await self._client.send(sent, stream=True))
        except httpx.HTTPError as error:
            raise OutboundError.of_code(_code_of(error), str(error)) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


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


def _code_of(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "connection-timeout"
    if isinstance(error, httpx.TimeoutException):
        return "connection-read-timeout"
    if isinstance(error, httpx.ConnectError):
        return "DNS-error" if "[Errno -" in str(error) else "connection-refused"
    return "HTTP-protocol-error"
