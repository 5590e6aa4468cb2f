"""Outbound HTTP: the ``OutboundTransport`` of a component.

The body goes out before the answer is waited for, and every resource is dropped in the
order that WASI asks for: children before parents.

Source: ``wasi:http/outgoing-handler@0.2.0``, ``wasi:http/types@0.2.0``.
"""

import weakref

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types

from edgezero_spin.core.outbound import OutboundError, OutboundRequest
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.methods import method_types, scheme_types
from edgezero_spin.guest.outbound_rules import failure, framing, timeout_ns
from edgezero_spin.guest.response_rules import PeerGoneError
from edgezero_spin.guest.wasi02.outgoing import BodyWriter
from edgezero_spin.guest.wasi02.reading import BodyReader
from edgezero_spin.guest.wasi02.waiting import until_ready

__all__ = ["ComponentTransport"]

_METHODS = method_types(types)
_SCHEMES = scheme_types(types)


class ComponentTransport:
    """``wasi:http/outgoing-handler`` as the client of an app sees it."""

    async def send(self, request: OutboundRequest) -> "_Reply":
        """Send a request and wait for the head of its answer.

        Raises:
            OutboundError: The host refuses the request or could not carry it out.
        """
        headers, taken = framing(request)
        outgoing = _outgoing(request, headers)
        body = _body(outgoing) if taken else None
        options = None
        if request.timeout_s is not None:
            nanoseconds = timeout_ns(request.timeout_s)
            options = types.RequestOptions()
            options.set_connect_timeout(nanoseconds)
            options.set_first_byte_timeout(nanoseconds)
        try:
            future = outgoing_handler.handle(outgoing, options)
        except Err as error:
            if body is not None:
                body.__exit__(None, None, None)
            raise failure(error.value) from None
        try:
            if body is not None:
                await _write(BodyWriter(body), BodyStream(request.body, request.trailers))
            response = await _answer(future)
        finally:
            future.__exit__(None, None, None)
        return _Reply(response)


async def _write(sending: BodyWriter, chunks: BodyStream) -> None:
    """Send the body; without its end when nobody takes it, or when it fails."""
    try:
        await sending.write_all(chunks)
        sending.finish(None if chunks.trailers is None else chunks.trailers())
    except PeerGoneError:
        # Why nobody takes the body is what the answer says.
        sending.abort()
    except BaseException:
        sending.abort()
        raise
    finally:
        await chunks.aclose()


def _body(outgoing: types.OutgoingRequest) -> types.OutgoingBody:
    try:
        return outgoing.body()
    except Err:
        raise OutboundError(
            "failed to build proxy request: its content-length header is not one number"
        ) from None


def _outgoing(request: OutboundRequest, headers: list[tuple[str, bytes]]) -> types.OutgoingRequest:
    try:
        outgoing = types.OutgoingRequest(types.Fields.from_list(headers))
        method = _METHODS.get(request.method)
        outgoing.set_method(types.Method_Other(request.method) if method is None else method())
        outgoing.set_scheme(_SCHEMES[request.scheme]())
        outgoing.set_authority(request.authority)
        outgoing.set_path_with_query(request.target)
    except Err as error:
        reason = type(error.value).__name__.removeprefix("HeaderError_")
        raise OutboundError(
            f"failed to build proxy request: the host refuses a header, the method or the URL "
            f"({reason})"
        ) from None
    return outgoing


async def _answer(future: types.FutureIncomingResponse) -> types.IncomingResponse:
    """Wait for the head of the answer."""
    # Always the same calls, whether the answer is there already or not.
    await until_ready(future.subscribe())
    outcome = future.get()
    result = outcome.value if isinstance(outcome, Ok) else None
    if isinstance(result, Ok):
        return result.value
    raise failure(None if result is None else result.value)


def _broken(reason: str) -> OutboundError:
    return OutboundError(f"failed to read proxy response body: {reason}")


class _Reply:
    """The ``OutboundReply`` of one ``incoming-response``.

    One that nobody reads or closes ends with the last reference to it. The reader is held by
    the finalizer, so that its resources never become garbage by themselves, in any order.
    """

    def __init__(self, response: types.IncomingResponse) -> None:
        try:
            self.status: int = response.status()
            fields = response.headers()
            try:
                self.headers: list[tuple[str, bytes]] = fields.entries()
            finally:
                fields.__exit__(None, None, None)
            reader = BodyReader(response.consume(), _broken)
        finally:
            response.__exit__(None, None, None)
        self.read = reader.read
        self.splice_to = reader.splice_to
        self.trailers = reader.trailers
        self.close = weakref.finalize(self, reader.close)
