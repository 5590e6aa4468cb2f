"""``wasi:http/types``: requests in, responses out, and the bodies of both.

The objects here are what a guest's handles stand for. They read from and write to an
``Exchange`` and its ``ByteChannel``s; nothing here knows of sockets or event loops. What a
guest sends out is made here too, and handed to the ``outbound`` of its grants.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-1 to HTTP-21, RESP-2, RESP-5, RESP-9.
"""

import re
from collections.abc import Callable
from typing import Any

from edgezero_spin.host.capabilities.http_fields import Fields, is_token, together
from edgezero_spin.host.capabilities.wasi_io import (
    InputStream,
    IoError,
    OutputStream,
    Pollable,
    closed,
    failed,
)
from edgezero_spin.host.channel import PIECE, Buffer, ByteChannel
from edgezero_spin.host.exchange import Exchange, ResponseHead
from edgezero_spin.host.instance import InstanceState
from edgezero_spin.host.interface import Err, Interface, Ok, Trap, WitError

__all__ = [
    "TYPES",
    "BodyInput",
    "BodyOutput",
    "FutureIncomingResponse",
    "FutureTrailers",
    "IncomingBody",
    "IncomingRequest",
    "IncomingResponse",
    "OutgoingBody",
    "OutgoingRequest",
    "OutgoingResponse",
    "RequestOptions",
    "ResponseOutparam",
    "channel_error",
    "error_text",
    "method_text",
    "method_variant",
]

ErrorCode = tuple[str, Any]
Variant = tuple[str, Any]

_METHODS: dict[str, Variant] = {
    name.upper(): (name, None)
    for name in (
        "get",
        "head",
        "post",
        "put",
        "delete",
        "connect",
        "options",
        "trace",
        "patch",
    )
}
_SCHEME = re.compile(r"[A-Za-z0-9+.-]{0,64}")
_PATH = re.compile(r"[\x21-\x7e\x80-\U0010ffff]*")
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=-]+)"
    r"(?::[0-9]{0,5})?"
)

LOWEST_STATUS = 100
HIGHEST_STATUS = 999


def method_variant(method: str) -> Variant:
    """``GET`` as ``("get", None)``, ``PURGE`` as ``("other", "PURGE")``."""
    return _METHODS.get(method) or ("other", method)


def method_text(method: Variant) -> str:
    """The reverse of ``method_variant``."""
    case, payload = method
    return str(payload) if case == "other" else case.upper()


# Bodies -----------------------------------------------------------------------


class BodyInput(InputStream):
    """Reads a channel; also keeps its body from being finished while it lives."""

    __slots__ = ("_body",)

    def __init__(self, body: "IncomingBody") -> None:
        self._body = body

    def read(self, most: int) -> Buffer:
        """Return what waits, up to ``most`` bytes (HTTP-20)."""
        channel = self._body.channel
        if channel is None:
            raise closed()
        data = channel.take(most)
        if data or not channel.ended:
            return data
        # The last bytes may have come in between the two looks.
        data = channel.take(most)
        if data:
            return data
        if channel.failure is not None:
            raise failed(IoError(str(channel.failure), http=channel_error(channel)))
        raise closed()

    def ready(self) -> bool:
        """Whether bytes or the end are there."""
        channel = self._body.channel
        return channel is None or channel.readable()

    def drop(self, state: InstanceState) -> None:
        """Let the body be finished."""
        self._body.streaming = False


class IncomingBody:
    """``incoming-body``: of a request that came in or of a response to one sent out.

    Attributes:
        channel: The bytes; ``None`` for none.
        streaming: Its stream is alive.
    """

    __slots__ = ("channel", "streaming", "taken")

    def __init__(self, state: InstanceState, channel: ByteChannel | None) -> None:
        self.channel = channel
        self.streaming = False
        self.taken = False
        if channel is not None:
            channel.on_data = state.wake

    def stream(self) -> BodyInput:
        """The stream, once (HTTP-2)."""
        if self.taken:
            raise WitError(None)
        self.taken = True
        self.streaming = True
        return BodyInput(self)

    def drop(self, state: InstanceState) -> None:
        """Stop reading."""
        if self.channel is not None:
            self.channel.close()


def channel_error(channel: ByteChannel) -> ErrorCode:
    """The error code of a body that failed."""
    failure = channel.failure
    if isinstance(failure, tuple):
        return failure
    return ("connection-terminated", None)


class FutureTrailers:
    """``future-trailers``: ready when the body ended (HTTP-19)."""

    __slots__ = ("_channel", "_taken")

    def __init__(self, channel: ByteChannel | None) -> None:
        self._channel = channel
        self._taken = False

    def ready(self) -> bool:
        """Whether ``get`` has an answer."""
        return self._channel is None or self._channel.ended

    def get(self) -> Ok | Err | None:
        """The trailers, once."""
        if not self.ready():
            return None
        if self._taken:
            return Err(None)
        self._taken = True
        channel = self._channel
        if channel is None:
            return Ok(Ok(None))
        if channel.failure is not None:
            return Ok(Err(channel_error(channel)))
        if channel.trailers is None:
            return Ok(Ok(None))
        return Ok(Ok(Fields(channel.trailers, immutable=True)))


def _finish_incoming(state: InstanceState, body: IncomingBody) -> FutureTrailers:
    if body.streaming:
        raise Trap("incoming-body.finish while its stream is alive")
    if body.channel is not None:
        # Unread bytes are thrown away, so that the end can come in.
        body.channel.close()
    return FutureTrailers(body.channel)


class BodyOutput(OutputStream):
    """Writes a channel within the length that the headers promised."""

    __slots__ = ("_body",)

    def __init__(self, body: "OutgoingBody") -> None:
        self._body = body

    def room(self) -> int:
        """Bytes that the budget has left; closed when the peer left (LIFE-8)."""
        body = self._body
        if body.overrun is not None:
            raise failed(body.size_error(body.overrun))
        if body.unwanted:
            return PIECE
        channel = body.channel
        if channel.closed or channel.ended:
            raise closed()
        return min(channel.room(), PIECE)

    def write(self, contents: bytes) -> None:
        """Pass bytes on (HTTP-13, HTTP-17)."""
        body = self._body
        total = body.written + len(contents)
        if body.length is not None and total > body.length:
            # What was promised goes out whole; only the guest hears of the rest.
            body.overrun = total
            body.channel.put(contents[: body.length - body.written])
            body.channel.end()
            raise failed(body.size_error(total))
        body.written = total
        if not body.unwanted:
            body.channel.put(contents)

    def ready(self) -> bool:
        """Whether there is room, or nobody to make some."""
        channel = self._body.channel
        return channel.has_room() or channel.ended

    def drop(self, state: InstanceState) -> None:
        """Let the body be finished."""
        self._body.streaming = False


class OutgoingBody:
    """``outgoing-body``: of a response, or of a request that the guest sends.

    Attributes:
        channel: Where the bytes go.
        length: What the ``content-length`` header promised; ``None`` for no promise.
        written: Bytes that were passed on.
        overrun: Bytes attempted, once they were more than promised.
        streaming: Its stream is alive.
        unwanted: It goes nowhere, which the guest does not notice while it writes.
    """

    __slots__ = (
        "_error",
        "channel",
        "length",
        "overrun",
        "streaming",
        "taken",
        "unwanted",
        "written",
    )

    def __init__(self, state: InstanceState, length: int | None, error: str) -> None:
        self.channel = ByteChannel()
        self.channel.on_space = state.wake
        self.length = length
        self.written = 0
        self.overrun: int | None = None
        self.streaming = False
        self.taken = False
        self.unwanted = False
        self._error = error

    def size_error(self, total: int) -> IoError:
        """The error of a body of the wrong size (HTTP-13)."""
        return IoError(
            f"the body has {total} bytes, its content-length says {self.length}",
            http=(self._error, total),
        )

    def write(self) -> BodyOutput:
        """The stream, once (HTTP-2)."""
        if self.taken:
            raise WitError(None)
        self.taken = True
        self.streaming = True
        return BodyOutput(self)

    def finish(self, trailers: Fields | None) -> None:
        """End the body (HTTP-14, HTTP-16, HTTP-18)."""
        if self.streaming:
            raise Trap("outgoing-body.finish while its stream is alive")
        total = self.written if self.overrun is None else self.overrun
        if self.length is not None and total != self.length:
            self.channel.fail("the body is shorter than its content-length")
            raise WitError((self._error, total))
        self.channel.end(None if trailers is None else trailers.entries)

    def drop(self, state: InstanceState) -> None:
        """Abort a body that was not finished; without effect on one that was."""
        self.channel.fail("the body was dropped before it was finished")


def _promised_length(headers: Fields) -> int | None:
    """The content length that headers promise (HTTP-12)."""
    values = set(headers.get("content-length"))
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > 18:
        raise WitError(None)
    return int(value)


# Requests in --------------------------------------------------------------------


class IncomingRequest:
    """``incoming-request`` (HTTP-1)."""

    __slots__ = ("consumed", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.consumed = False

    def drop(self, state: InstanceState) -> None:
        """A body that was not consumed is never read."""
        if not self.consumed and self.exchange.body is not None:
            self.exchange.body.close()


def _request_method(state: InstanceState, request: IncomingRequest) -> Variant:
    return method_variant(request.exchange.method)


def _request_path(state: InstanceState, request: IncomingRequest) -> str | None:
    return request.exchange.target


def _request_scheme(state: InstanceState, request: IncomingRequest) -> Variant:
    return (request.exchange.scheme, None)


def _request_authority(state: InstanceState, request: IncomingRequest) -> str | None:
    return request.exchange.authority


def _request_headers(state: InstanceState, request: IncomingRequest) -> Fields:
    return Fields(request.exchange.headers, immutable=True)


def _request_consume(state: InstanceState, request: IncomingRequest) -> IncomingBody:
    if request.consumed:
        raise WitError(None)
    request.consumed = True
    return IncomingBody(state, request.exchange.body)


# Responses out ------------------------------------------------------------------


class OutgoingResponse:
    """``outgoing-response`` (HTTP-10)."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, headers: Fields) -> None:
        headers.immutable = True
        self.status = 200
        self.headers = headers
        self.body: OutgoingBody | None = None


class ResponseOutparam:
    """``response-outparam``: the one way to answer an exchange."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange


def _set_status(state: InstanceState, response: OutgoingResponse, status: int) -> None:
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        raise WitError(None)
    response.status = status


def _response_body(state: InstanceState, response: OutgoingResponse) -> OutgoingBody:
    if response.body is not None:
        raise WitError(None)
    length = _promised_length(response.headers)
    response.body = OutgoingBody(state, length, "HTTP-response-body-size")
    return response.body


def _set_response(state: InstanceState, outparam: ResponseOutparam, response: Ok | Err) -> None:
    exchange = outparam.exchange
    if isinstance(response, Err):
        exchange.refuse(f"guest failed to produce a response: {error_text(response.value)}")
        return
    answer: OutgoingResponse = response.value
    body = None if answer.body is None else answer.body.channel
    exchange.respond(ResponseHead(answer.status, answer.headers.entries, body))


def _send_informational(
    state: InstanceState, outparam: ResponseOutparam, status: int, headers: Fields
) -> None:
    raise Trap("response-outparam.send-informational is not provided (HTTP-21)")


def error_text(code: ErrorCode) -> str:
    """An error code as one word, with what it carries in brackets."""
    case, payload = code
    return case if payload is None else f"{case}({payload})"


# Requests out -------------------------------------------------------------------


class OutgoingRequest:
    """``outgoing-request`` (HTTP-10, HTTP-11)."""

    __slots__ = ("authority", "body", "headers", "method", "path", "scheme")

    def __init__(self, headers: Fields) -> None:
        headers.immutable = True
        self.headers = headers
        self.method: Variant = ("get", None)
        self.path: str | None = None
        self.scheme: Variant | None = None
        self.authority: str | None = None
        self.body: OutgoingBody | None = None

    def drop(self, state: InstanceState) -> None:
        """Without a handler call nothing was sent; a body that waits has no reader."""
        self.drop_body()

    def drop_body(self) -> None:
        """Tell whoever writes the body that nobody reads it."""
        if self.body is not None:
            self.body.channel.close()

    def ignore_body(self) -> None:
        """Let the body be written to the end: the refusal comes with the response (OUTH-4)."""
        if self.body is not None:
            self.body.unwanted = True
            self.body.channel.close()


def _outgoing_body(state: InstanceState, request: OutgoingRequest) -> OutgoingBody:
    if request.body is not None:
        raise WitError(None)
    length = _promised_length(request.headers)
    request.body = OutgoingBody(state, length, "HTTP-request-body-size")
    return request.body


def _set_method(state: InstanceState, request: OutgoingRequest, method: Variant) -> None:
    case, payload = method
    if case == "other" and not is_token(payload):
        raise WitError(None)
    request.method = method


def _set_path(state: InstanceState, request: OutgoingRequest, path: str | None) -> None:
    if path is not None and not _PATH.fullmatch(path):
        raise WitError(None)
    # A fragment is accepted, and never sent.
    request.path = None if path is None else path.partition("#")[0]


def _set_scheme(state: InstanceState, request: OutgoingRequest, scheme: Variant | None) -> None:
    if scheme is not None and scheme[0] == "other" and not _SCHEME.fullmatch(scheme[1]):
        raise WitError(None)
    request.scheme = scheme


def _set_authority(state: InstanceState, request: OutgoingRequest, authority: str | None) -> None:
    if authority is not None and not _AUTHORITY.fullmatch(authority):
        raise WitError(None)
    request.authority = authority


class RequestOptions:
    """``request-options``: times in nanoseconds, ``None`` for the default (OUTH-14)."""

    __slots__ = ("between_bytes_timeout", "connect_timeout", "first_byte_timeout")

    def __init__(self) -> None:
        self.connect_timeout: int | None = None
        self.first_byte_timeout: int | None = None
        self.between_bytes_timeout: int | None = None


def _option_setter(name: str) -> Callable[[InstanceState, RequestOptions, int | None], None]:
    def setter(state: InstanceState, options: RequestOptions, duration: int | None) -> None:
        setattr(options, name, duration)

    return setter


class IncomingResponse:
    """``incoming-response``: an answer to a request that the guest sent."""

    __slots__ = ("channel", "consumed", "headers", "status")

    def __init__(
        self, status: int, headers: list[tuple[str, bytes]], channel: ByteChannel | None
    ) -> None:
        self.status = status
        self.headers = headers
        self.channel = channel
        self.consumed = False

    def drop(self, state: InstanceState) -> None:
        """A body that was not consumed is never read."""
        if not self.consumed and self.channel is not None:
            self.channel.close()


def _response_consume(state: InstanceState, response: IncomingResponse) -> IncomingBody:
    if response.consumed:
        raise WitError(None)
    response.consumed = True
    return IncomingBody(state, response.channel)


class FutureIncomingResponse:
    """``future-incoming-response``: an answer that is on its way (OUTH-16).

    Attributes:
        abandon: Called when the guest drops it before it has taken the answer.
    """

    __slots__ = ("_answer", "_state", "_taken", "abandon")

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self._answer: Ok | Err | None = None
        self._taken = False
        self.abandon: Callable[[], None] | None = None

    @property
    def component_id(self) -> str:
        """Who sent the request."""
        return self._state.grants.component_id

    def resolve(self, answer: IncomingResponse) -> None:
        """Deliver a response; from any thread."""
        self._answer = Ok(answer)
        self._state.wake()

    def reject(self, code: ErrorCode) -> None:
        """Deliver a failure; from any thread."""
        self._answer = Err(code)
        self._state.wake()

    def ready(self) -> bool:
        """Whether ``get`` has an answer."""
        return self._answer is not None

    def get(self) -> Ok | Err | None:
        """The answer, once."""
        if self._answer is None:
            return None
        if self._taken:
            return Err(None)
        self._taken = True
        return Ok(self._answer)

    def drop(self, state: InstanceState) -> None:
        """Give up on an answer that nobody will read."""
        if not self._taken and self.abandon is not None:
            self.abandon()


def _subscribe(state: InstanceState, future: FutureTrailers | FutureIncomingResponse) -> Pollable:
    return Pollable(future.ready)


def _http_error_code(state: InstanceState, error: IoError) -> ErrorCode | None:
    return error.http


TYPES = Interface(
    "wasi:http/types",
    {
        "http-error-code": _http_error_code,
        "[constructor]fields": lambda state: Fields(),
        "[static]fields.from-list": lambda state, entries: Fields.from_list(entries),
        "[method]fields.get": lambda state, fields, name: fields.get(name),
        "[method]fields.has": lambda state, fields, name: fields.has(name),
        "[method]fields.set": lambda state, fields, name, values: fields.set(name, values),
        "[method]fields.delete": lambda state, fields, name: fields.set(name, ()),
        "[method]fields.append": lambda state, fields, name, value: fields.append(name, value),
        "[method]fields.entries": lambda state, fields: fields.entries,
        "[method]fields.clone": lambda state, fields: fields.clone(),
        "[method]incoming-request.method": _request_method,
        "[method]incoming-request.path-with-query": _request_path,
        "[method]incoming-request.scheme": _request_scheme,
        "[method]incoming-request.authority": _request_authority,
        "[method]incoming-request.headers": _request_headers,
        "[method]incoming-request.consume": _request_consume,
        "[constructor]outgoing-request": lambda state, headers: OutgoingRequest(headers),
        "[method]outgoing-request.body": _outgoing_body,
        "[method]outgoing-request.method": lambda state, request: request.method,
        "[method]outgoing-request.set-method": _set_method,
        "[method]outgoing-request.path-with-query": lambda state, request: request.path,
        "[method]outgoing-request.set-path-with-query": _set_path,
        "[method]outgoing-request.scheme": lambda state, request: request.scheme,
        "[method]outgoing-request.set-scheme": _set_scheme,
        "[method]outgoing-request.authority": lambda state, request: request.authority,
        "[method]outgoing-request.set-authority": _set_authority,
        "[method]outgoing-request.headers": lambda state, request: request.headers,
        "[constructor]request-options": lambda state: RequestOptions(),
        "[method]request-options.connect-timeout": lambda state, options: options.connect_timeout,
        "[method]request-options.set-connect-timeout": _option_setter("connect_timeout"),
        "[method]request-options.first-byte-timeout": (
            lambda state, options: options.first_byte_timeout
        ),
        "[method]request-options.set-first-byte-timeout": _option_setter("first_byte_timeout"),
        "[method]request-options.between-bytes-timeout": (
            lambda state, options: options.between_bytes_timeout
        ),
        "[method]request-options.set-between-bytes-timeout": _option_setter(
            "between_bytes_timeout"
        ),
        "[static]response-outparam.set": _set_response,
        "[method]response-outparam.send-informational": _send_informational,
        "[method]incoming-response.status": lambda state, response: response.status,
        "[method]incoming-response.headers": (
            lambda state, response: Fields(together(response.headers), immutable=True)
        ),
        "[method]incoming-response.consume": _response_consume,
        "[method]incoming-body.stream": lambda state, body: body.stream(),
        "[static]incoming-body.finish": _finish_incoming,
        "[method]future-trailers.subscribe": _subscribe,
        "[method]future-trailers.get": lambda state, future: future.get(),
        "[constructor]outgoing-response": lambda state, headers: OutgoingResponse(headers),
        "[method]outgoing-response.status-code": lambda state, response: response.status,
        "[method]outgoing-response.set-status-code": _set_status,
        "[method]outgoing-response.headers": lambda state, response: response.headers,
        "[method]outgoing-response.body": _response_body,
        "[method]outgoing-body.write": lambda state, body: body.write(),
        "[static]outgoing-body.finish": lambda state, body, trailers: body.finish(trailers),
        "[method]future-incoming-response.subscribe": _subscribe,
        "[method]future-incoming-response.get": lambda state, future: future.get(),
    },
    {
        "fields": Fields,
        "headers": Fields,
        "trailers": Fields,
        "incoming-request": IncomingRequest,
        "outgoing-request": OutgoingRequest,
        "request-options": RequestOptions,
        "response-outparam": ResponseOutparam,
        "incoming-response": IncomingResponse,
        "incoming-body": IncomingBody,
        "future-trailers": FutureTrailers,
        "outgoing-response": OutgoingResponse,
        "outgoing-body": OutgoingBody,
        "future-incoming-response": FutureIncomingResponse,
        "input-stream": InputStream,
        "output-stream": OutputStream,
        "io-error": IoError,
        "error": IoError,
        "pollable": Pollable,
    },
)
"""All of ``wasi:http/types``."""
