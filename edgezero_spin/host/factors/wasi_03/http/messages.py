"""Requests and responses of ``wasi:http@0.3``, received and made alike.

A guest's own message has a stream of the guest and a future of what follows it; one that came
in has a ``ReceivedBody``. Which of them it is, the guest does not see.

Source: contract wasi03.md, WH-10, WH-14, WH-18, WH-30, WH-33, CS-3, CS-14, CS-23, CS-24.
"""

import re
from typing import Any

import attrs

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.outbound import (
    RequestOptions,
    option_accessors,
    request_accessors,
)
from edgezero_spin.host.factors.wasi.http.values import TaggedValue
from edgezero_spin.host.factors.wasi_03.http.bodies import OutgoingContents, ReceivedBody
from edgezero_spin.host.factors.wasi_03.http.fields import read_only
from edgezero_spin.host.runtime.host_ends import FutureReader, StreamReader
from edgezero_spin.host.runtime.host_sources import FutureValue, Promise
from edgezero_spin.host.runtime.interface import HostFunction, Ok, WitError

__all__ = ["FUNCTIONS", "Request03", "RequestOptions03", "Response03"]

LOWEST_STATUS = 100
HIGHEST_STATUS = 599

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,63}")
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+|(?=:[0-9]))"
    r"(?::[0-9]{1,5})?"
)


@attrs.define(eq=False)
class _Message:
    """What requests and responses have in common.

    Attributes:
        headers: Its fields, immutable.
        contents: Its body: one that came in, or the guest's own; ``None`` after it was taken.
    """

    headers: Fields
    contents: ReceivedBody | OutgoingContents | None
    # Made when they are asked for: few messages need both.
    _sent: Promise | None = attrs.field(default=None, init=False)
    _verdict: Promise | None = attrs.field(default=None, init=False)
    _released: bool = attrs.field(default=False, init=False)

    @property
    def sent(self) -> Promise:
        """How the transmission of a guest's own message ended: the value of its future."""
        if self._sent is None:
            self._sent = self._promise()
        return self._sent

    @property
    def verdict(self) -> Promise:
        """What the guest says of a body that it received (WH-18)."""
        if self._verdict is None:
            self._verdict = self._promise()
        return self._verdict

    def _promise(self) -> Promise:
        promise = Promise()
        if self._released:
            promise.settle(Ok(None))
        return promise

    @property
    def held_bytes(self) -> int:
        """Those of its headers."""
        return self.headers.size

    def take(self) -> ReceivedBody | OutgoingContents | None:
        """Take the body out: whoever has it closes it."""
        contents, self.contents = self.contents, None
        return contents

    def drop(self, state: InstanceState) -> None:
        """Called by the runtime when the guest drops its handle."""
        self.release()

    def release(self) -> None:
        """Let go of a body that nobody took (WH-33)."""
        contents = self.take()
        if contents is not None:
            contents.close_now()
        self._released = True
        for promise in (self._sent, self._verdict):
            if promise is not None:
                promise.settle(Ok(None))


class RequestOptions03(RequestOptions):
    """``request-options`` (CS-14).

    Attributes:
        immutable: Changes are refused.
    """

    __slots__ = ("immutable",)

    def __init__(self) -> None:
        super().__init__()
        self.immutable = False

    def change(self, field: str, duration: int | None) -> None:
        """Set one of the times.

        Raises:
            WitError: They cannot be changed any more.
        """
        if self.immutable:
            raise WitError(("immutable", None))
        super().change(field, duration)

    def copy(self, *, immutable: bool) -> "RequestOptions03":
        """The same times."""
        copy = RequestOptions03()
        for field in RequestOptions.__slots__:
            copy.change(field, getattr(self, field))
        copy.immutable = immutable
        return copy


@attrs.define(eq=False)
class Request03(_Message):
    """A ``request``.

    Attributes:
        method: As a variant.
        path: Path with query.
        scheme: As a variant.
        authority: Host and port.
        options: Times that sending it may take.
    """

    method: TaggedValue = ("get", None)
    path: str | None = None
    scheme: TaggedValue | None = None
    authority: str | None = None
    options: RequestOptions03 | None = None


@attrs.define(eq=False)
class Response03(_Message):
    """A ``response``."""

    status: int = 200


def _new_request(
    state: InstanceState,
    headers: Fields,
    contents: StreamReader | None,
    trailers: FutureReader,
    options: RequestOptions03 | None,
) -> tuple[Request03, FutureValue]:
    if options is not None:
        options = options.copy(immutable=True)
    request = Request03(read_only(headers), OutgoingContents(contents, trailers), options=options)
    return request, FutureValue(request.sent)


def _new_response(
    state: InstanceState, headers: Fields, contents: StreamReader | None, trailers: FutureReader
) -> tuple[Response03, FutureValue]:
    response = Response03(read_only(headers), OutgoingContents(contents, trailers))
    return response, FutureValue(response.sent)


def _consume_body(state: InstanceState, message: _Message, result: FutureReader) -> tuple[Any, Any]:
    contents = message.take()
    message.sent.settle(Ok(None))

    def judged(items: Any) -> None:
        result.close_now()
        if items:
            message.verdict.settle(items[0])

    result.read_now(1, judged)
    if isinstance(contents, ReceivedBody):
        return contents, FutureValue(contents.trailers)
    if contents is None:
        return b"", FutureValue(Ok(None))
    # A message of its own: the guest gets its own ends back.
    return b"" if contents.stream is None else contents.stream, contents.trailers


def _set_status(state: InstanceState, response: Response03, status: int) -> None:
    if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
        raise WitError(None)
    response.status = status


FUNCTIONS: dict[str, HostFunction] = {
    "[static]request.new": _new_request,
    **request_accessors("request", _SCHEME, _AUTHORITY, "get-"),
    "[method]request.get-options": lambda state, request: request.options,
    "[method]request.get-headers": lambda state, request: read_only(request.headers),
    "[static]request.consume-body": _consume_body,
    "[constructor]request-options": lambda state: RequestOptions03(),
    **option_accessors("get-"),
    "[method]request-options.clone": lambda state, options: options.copy(immutable=False),
    "[static]response.new": _new_response,
    "[method]response.get-status-code": lambda state, response: response.status,
    "[method]response.set-status-code": _set_status,
    "[method]response.get-headers": lambda state, response: read_only(response.headers),
    "[static]response.consume-body": _consume_body,
}
"""Those of requests and responses."""
