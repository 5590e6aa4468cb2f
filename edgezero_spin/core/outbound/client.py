"""The client by which a handler sends requests and passes on inbound ones.

In: a method and a URL, or an inbound request. Out: an ``OutboundResponse``, or the response to
answer with. Redirects are not followed.

Source: contract edgezero.md, PRX-1 to PRX-10, with the differences of PRX-4 and PRX-8
(repeated headers and all gzip members are kept) and without brotli, for which neither CPython
nor its WebAssembly build has a decoder: such a body passes as it is, its header kept.
"""

from collections.abc import AsyncIterator
from typing import Any

from edgezero_spin.core.headers import HOST_ONLY, HeaderInput
from edgezero_spin.core.outbound.composing import compose_request
from edgezero_spin.core.outbound.decoding import unzipped
from edgezero_spin.core.outbound.response import OutboundResponse
from edgezero_spin.core.outbound.transport import OutboundTransport
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.trailers import TrailerInput

__all__ = ["Outbound"]

_TAG = ("x-edgezero-proxy", "spin")

# Fields about one connection and not about the message (RFC 9110 section 7.6.1), and those
# that WASI hosts set themselves.
_HOP_BY_HOP = HOST_ONLY | {"te", "trailer"}


class Outbound:
    """A client for requests of the application's own."""

    __slots__ = ("_transport",)

    def __init__(self, transport: OutboundTransport) -> None:
        """Send through a transport."""
        self._transport = transport

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderInput = (),
        body: Any = None,
        timeout_s: float | None = None,
        trailers: TrailerInput = (),
    ) -> OutboundResponse:
        """Send a request: ``await outbound.send("GET", "https://example.com/a")``.

        Args:
            method: The method, in upper case.
            url: ``http`` or ``https`` with a host, or a path of this application
                (``/orders/7``, the same as ``http://self.alt/orders/7``), which the manifest
                grants by ``http://self`` in ``allowed_outbound_hosts``.
            headers: Fields in order. ``Host`` comes from the URL.
            body: Bytes or anything like them; text, sent as UTF-8; an iterator or an
                asynchronous iterator of bytes, sent as they come; or a value that JSON can
                hold (a dictionary, a list, a number, an attrs instance), sent with
                ``content-type: application/json`` unless the headers say another. ``None``
                for no body.
            timeout_s: Seconds to wait for the answer to begin; more than 0.
            trailers: Fields behind the body, which then has no length in front; as for a
                ``Response``.

        Raises:
            OutboundError: The host refuses it or cannot reach the destination.
            TypeError: The body, or a header value, is of a kind that cannot be sent.
            ValueError: The URL, the method, a header or the time is malformed.
        """
        sent = compose_request(method, url, headers, body, timeout_s, trailers)
        return OutboundResponse(await self._transport.send(sent))

    async def forward(
        self, request: Request, url: str, *, timeout_s: float | None = None
    ) -> Response:
        """Pass an inbound request on to another URL and answer with what comes back.

        Method, headers and body stay; fields about the connection do not. A gzip body is
        decoded; the answer always says ``x-edgezero-proxy: spin`` (PRX-1 to PRX-7).

        Raises:
            OutboundError: As for ``send``; or, while the body is read, it is not a valid gzip or
                exceeds 64 MiB decoded.
        """
        answer = await self.send(
            request.method,
            url,
            headers=[pair for pair in request.headers.pairs if pair[0] not in _HOP_BY_HOP],
            body=request.stream(),
            timeout_s=timeout_s,
        )
        fields = [pair for pair in answer.headers.pairs if pair[0] not in _HOP_BY_HOP]
        source = answer.stream()
        chunks: AsyncIterator[bytes] = source
        if answer.headers.get("content-encoding", "").lower() == "gzip":
            fields = [p for p in fields if p[0] not in ("content-encoding", "content-length")]
            chunks = unzipped(source)
        return Response(chunks, answer.status, [*fields, _TAG])
