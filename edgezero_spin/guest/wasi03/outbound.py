"""Outbound HTTP on WASI 0.3: the ``OutboundTransport`` of a component.

Requests of one instance run side by side; a body is sent while its answer is waited for, by
callbacks of the component task.

Source: ``wasi:http/client@0.3.0``; contract wasi03.md, section 4.
"""

from typing import Any

from componentize_py_types import Err
from wit_world.imports import client
from wit_world.imports import wasi_http_types as types

from edgezero_spin.core.outbound import OutboundError, OutboundRequest
from edgezero_spin.core.request import BodyReadError
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.methods import method_types, scheme_types
from edgezero_spin.guest.outbound_rules import failure, framing, timeout_ns
from edgezero_spin.guest.wasi03.incoming import consumed
from edgezero_spin.guest.wasi03.outgoing import BodyWriter
from edgezero_spin.guest.wasi03.tasks import current, spawn

__all__ = ["ComponentTransport"]

_METHODS = method_types(types)
_SCHEMES = scheme_types(types)


class ComponentTransport:
    """``wasi:http/client`` as the client of an app sees it."""

    async def send(self, request: OutboundRequest) -> "_Reply":
        """Send a request and wait for the head of its answer.

        Raises:
            OutboundError: The host refuses the request or could not carry it out.
        """
        headers, taken = framing(request)
        chunks = BodyStream(request.body, request.trailers) if taken else None
        outgoing, body = _outgoing(request, headers, chunks)
        if body is None:
            # The host passes it on.
            pass
        elif chunks is None:
            body.skip(current())
        else:
            spawn(body.send_all(current(), chunks))
        try:
            response = await client.send(outgoing)
        except Err as error:
            raise failure(error.value) from None
        return _Reply(response)


class _Reply:
    """The answer of one exchange.

    Attributes:
        headers: The header fields, in order.
    """

    __slots__ = ("_body", "headers", "status")

    def __init__(self, response: types.Response) -> None:
        self.status: int = response.get_status_code()
        fields = response.get_headers()
        self.headers: list[tuple[str, bytes]] = fields.copy_all()
        fields.__exit__(None, None, None)
        self._body = consumed(response)

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body; ``b""`` at its end.

        Raises:
            OutboundError: It broke off.
        """
        try:
            return await self._body.read(limit)
        except BodyReadError as error:
            raise OutboundError(f"failed to read proxy response body: {error}") from None

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind a body that was read to its end."""
        return self._body.trailers

    def give_away(self) -> tuple[Any, Any] | None:
        """Give the rest of the body to whoever sends it on; see ``Body.give_away``."""
        return self._body.give_away()

    def close(self) -> None:
        """Drop what was not read. Twice is harmless."""
        self._body.close()


def _outgoing(
    request: OutboundRequest, headers: list[tuple[str, bytes]], chunks: BodyStream | None
) -> tuple[types.Request, BodyWriter | None]:
    options = None
    if request.timeout_s is not None:
        nanoseconds = timeout_ns(request.timeout_s)
        options = types.RequestOptions()
        options.set_connect_timeout(nanoseconds)
        options.set_first_byte_timeout(nanoseconds)
    try:
        fields = types.Fields.from_list(headers)
    except Err as error:
        raise _refusal(error) from None
    given = None if chunks is None else chunks.give_source()
    body = None
    if given is None:
        body = BodyWriter()
        given = None if chunks is None else body.contents, body.trailers
    outgoing, sent = types.Request.new(fields, *given, options)
    sent.__exit__(None, None, None)
    method = _METHODS.get(request.method)
    try:
        outgoing.set_method(types.Method_Other(request.method) if method is None else method())
        outgoing.set_scheme(_SCHEMES[request.scheme]())
        outgoing.set_authority(request.authority)
        outgoing.set_path_with_query(request.target)
    except Err as error:
        outgoing.__exit__(None, None, None)
        if body is not None:
            body.skip(current())
        raise _refusal(error) from None
    return outgoing, body


def _refusal(error: Err) -> OutboundError:
    reason = type(error.value).__name__.removeprefix("HeaderError_")
    return OutboundError(
        f"failed to build proxy request: the host refuses a header, the method or the URL "
        f"({reason})"
    )
