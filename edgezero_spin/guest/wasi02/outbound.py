"""Send requests through the host: the ``OutboundTransport`` of a component.

The body goes out before the answer is waited for, and every resource is dropped in the
order that WASI asks for: children before parents.

Source: ``wasi:http/outgoing-handler@0.2.0``, ``wasi:http/types@0.2.0``.
"""

from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams, types

from edgezero_spin.core.outbound import OutboundError, OutboundRequest
from edgezero_spin.core.streaming import BodyStream
from edgezero_spin.guest.wasi02.incoming import reason_of, splice
from edgezero_spin.guest.wasi02.outgoing import OutgoingBody, PeerGoneError

__all__ = ["ComponentTransport"]

_METHODS = {
    "GET": types.Method_Get,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
    "HEAD": types.Method_Head,
    "PATCH": types.Method_Patch,
    "OPTIONS": types.Method_Options,
    "CONNECT": types.Method_Connect,
    "TRACE": types.Method_Trace,
}
_SCHEMES = {"http": types.Scheme_Http, "https": types.Scheme_Https}


class ComponentTransport:
    """``wasi:http/outgoing-handler`` as the client of an app sees it."""

    async def send(self, request: OutboundRequest) -> "_Reply":
        """Send a request and wait for the head of its answer.

        Raises:
            OutboundError: The host refuses the request or could not carry it out.
        """
        outgoing = _outgoing(request)
        body = outgoing.body()
        options = None
        if request.timeout_s is not None:
            options = types.RequestOptions()
            options.set_connect_timeout(int(request.timeout_s * 1e9))
            options.set_first_byte_timeout(int(request.timeout_s * 1e9))
        try:
            future = outgoing_handler.handle(outgoing, options)
        except Err as error:
            body.__exit__(None, None, None)
            raise _failed(error.value) from None
        sending = OutgoingBody(body)
        chunks = BodyStream(request.body)
        try:
            await sending.write_all(chunks)
        except PeerGoneError:
            # Why nobody takes the body is what the answer says.
            sending.abort()
        except BaseException:
            sending.abort()
            future.__exit__(None, None, None)
            raise
        else:
            sending.finish()
        return _Reply(_answer(future))


def _outgoing(request: OutboundRequest) -> types.OutgoingRequest:
    try:
        outgoing = types.OutgoingRequest(types.Fields.from_list(request.headers))
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


def _answer(future: types.FutureIncomingResponse) -> types.IncomingResponse:
    """Wait for the head of the answer."""
    try:
        pollable = future.subscribe()
        pollable.block()
        pollable.__exit__(None, None, None)
        outcome = future.get()
    finally:
        future.__exit__(None, None, None)
    result = outcome.value if isinstance(outcome, Ok) else None
    if isinstance(result, Ok):
        return result.value
    raise _failed(None if result is None else result.value)


def _failed(code: Any) -> OutboundError:
    """Name an error code as WIT does: ``HTTP-request-denied``."""
    name = type(code).__name__.removeprefix("ErrorCode_") if code is not None else "unknown"
    word = _CODES.get(name, name)
    detail = getattr(code, "value", None)
    said = f"{word} ({detail})" if isinstance(detail, str) else word
    return OutboundError(f"Spin outbound HTTP error: {said}", word)


# The bindings spell cases in camel case; these are the ones that people look for.
_CODES = {
    "HttpRequestDenied": "HTTP-request-denied",
    "HttpRequestUriInvalid": "HTTP-request-URI-invalid",
    "HttpProtocolError": "HTTP-protocol-error",
    "DnsError": "DNS-error",
    "DnsTimeout": "DNS-timeout",
    "DestinationNotFound": "destination-not-found",
    "DestinationUnavailable": "destination-unavailable",
    "DestinationIpProhibited": "destination-IP-prohibited",
    "ConnectionRefused": "connection-refused",
    "ConnectionTerminated": "connection-terminated",
    "ConnectionTimeout": "connection-timeout",
    "ConnectionReadTimeout": "connection-read-timeout",
    "ConnectionLimitReached": "connection-limit-reached",
    "TlsProtocolError": "TLS-protocol-error",
    "TlsCertificateError": "TLS-certificate-error",
    "InternalError": "internal-error",
}


def _broken(reason: str) -> OutboundError:
    return OutboundError(f"failed to read proxy response body: {reason}")


class _Reply:
    """The ``OutboundReply`` of one ``incoming-response``."""

    def __init__(self, response: types.IncomingResponse) -> None:
        self.status: int = response.status()
        fields = response.headers()
        self.headers: list[tuple[str, bytes]] = fields.entries()
        fields.__exit__(None, None, None)
        self._response: types.IncomingResponse | None = response
        self._body = response.consume()
        self._stream = self._body.stream()

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Raises:
            OutboundError: It broke off.
        """
        if self._response is None:
            return b""
        try:
            data: bytes = self._stream.blocking_read(limit)
            while not data:
                data = self._stream.blocking_read(limit)
        except Err as error:
            self.close()
            reason = reason_of(error)
            if reason is None:
                return b""
            raise _broken(reason) from None
        return data

    async def splice_to(self, target: streams.OutputStream) -> None:
        """Have the host move the rest of the body.

        Raises:
            OutboundError: It broke off.
            PeerGoneError: Nobody reads the target any more.
        """
        if self._response is not None:
            reason = splice(self._stream, target)
            if reason is not None:
                self.close()
                raise _broken(reason)
            if await self.read(1):
                raise PeerGoneError

    def close(self) -> None:
        """Drop stream, body and response, in this order. Twice is harmless."""
        response, self._response = self._response, None
        if response is not None:
            self._stream.__exit__(None, None, None)
            self._body.__exit__(None, None, None)
            response.__exit__(None, None, None)
