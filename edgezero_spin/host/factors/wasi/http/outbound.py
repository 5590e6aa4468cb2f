"""Requests that a guest sends, and the responses to them.

What is sent is made here and handed to the ``outbound`` of the guest's grants, which
resolves the future with what came back.

Source: wasi:http@0.2.0 to 0.2.9; clauses HTTP-10, HTTP-11, OUTH-14, OUTH-16, WH-14.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from edgezero_spin.host.exchange.channel import ByteChannel
from edgezero_spin.host.exchange.fields import Pair, is_token, together
from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.bodies import (
    OutgoingBody,
    ReceivedMessage,
    SentMessage,
    consume,
    make_body,
    unsent,
)
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.factors.wasi.http.values import ErrorCode, TaggedValue
from edgezero_spin.host.factors.wasi.io import Parent, Pollable
from edgezero_spin.host.observers import OutboundObserver
from edgezero_spin.host.runtime.interface import Err, HostFunction, Ok, WitError

__all__ = [
    "FUNCTIONS",
    "FutureIncomingResponse",
    "IncomingResponse",
    "OutgoingRequest",
    "RequestOptions",
    "SendableRequest",
    "option_accessors",
    "request_accessors",
]

_SCHEME = re.compile(r"[A-Za-z0-9+.-]{0,64}")
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?"
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=-]+)"
    r"(?::[0-9]{0,5})?"
)

# No absolute URL: to a proxy that is allowed it would name a host that is not.
_PATH = re.compile(r"(?:[/?#][^\x00-\x20\x7f]*|\*)?")


class _SentBody(Protocol):
    @property
    def channel(self) -> ByteChannel:
        """Where its bytes come from."""


class SendableRequest(Protocol):
    """A request as whoever sends it sees it, of either generation of WASI."""

    headers: Fields
    """Its fields."""

    @property
    def method(self) -> TaggedValue:
        """Its method."""

    @property
    def path(self) -> str | None:
        """Path with query."""

    @property
    def body(self) -> _SentBody | None:
        """What follows the head; ``None`` for nothing."""

    def drop_body(self) -> None:
        """Tell whoever writes the body that nobody reads it."""

    def discard_unread(self) -> None:
        """Let the body be written to the end, also when its reader leaves before."""

    def ignore_body(self) -> None:
        """Let the body be written to the end: the refusal comes with the response (OUTH-4)."""


class OutgoingRequest(SentMessage):
    """``outgoing-request`` (HTTP-10, HTTP-11)."""

    __slots__ = ("authority", "method", "path", "scheme")

    size_error = "HTTP-request-body-size"

    def __init__(self, headers: Fields) -> None:
        super().__init__(headers)
        self.method: TaggedValue = ("get", None)
        self.path: str | None = None
        self.scheme: TaggedValue | None = None
        self.authority: str | None = None

    def drop(self, state: InstanceState) -> None:
        """Without a handler call nothing was sent; a body that waits has no reader."""
        self.drop_body()

    def drop_body(self) -> None:
        """Tell whoever writes the body that nobody reads it."""
        if self.body is not None:
            self.body.channel.close()

    def discard_unread(self) -> None:
        """Let the body be written to the end, also when its reader leaves before."""
        if self.body is not None:
            self.body.discards = True

    def ignore_body(self) -> None:
        """Let the body be written to the end: the refusal comes with the response (OUTH-4)."""
        if self.body is not None:
            self.body.unwanted = True
            self.body.channel.close()


def request_accessors(
    resource: str, scheme: re.Pattern[str], authority: re.Pattern[str], get: str = ""
) -> dict[str, HostFunction]:
    """Return getters and setters of a request's parts; setters refuse what cannot stand in one.

    Args:
        scheme: What a generation of WASI takes for one.
        authority: Likewise.
        get: What getters have before the name of the part.
    """

    def set_scheme(state: InstanceState, request: Any, value: TaggedValue | None) -> None:
        if value is not None and value[0] == "other" and not scheme.fullmatch(value[1]):
            raise WitError(None)
        request.scheme = value

    def set_authority(state: InstanceState, request: Any, value: str | None) -> None:
        if value is not None and not authority.fullmatch(value):
            raise WitError(None)
        request.authority = value

    method = f"[method]{resource}"
    return {
        f"{method}.{get}method": lambda state, request: request.method,
        f"{method}.set-method": _set_method,
        f"{method}.{get}path-with-query": lambda state, request: request.path,
        f"{method}.set-path-with-query": _set_path,
        f"{method}.{get}scheme": lambda state, request: request.scheme,
        f"{method}.set-scheme": set_scheme,
        f"{method}.{get}authority": lambda state, request: request.authority,
        f"{method}.set-authority": set_authority,
    }


def _set_method(state: InstanceState, request: Any, method: TaggedValue) -> None:
    case, payload = method
    if case == "other" and not is_token(payload):
        raise WitError(None)
    request.method = method


def _set_path(state: InstanceState, request: Any, path: str | None) -> None:
    if path is not None and not _PATH.fullmatch(path):
        raise WitError(None)
    # A fragment is accepted, and never sent.
    request.path = None if path is None else path.partition("#")[0]


class RequestOptions:
    """``request-options``: times in nanoseconds, ``None`` for the default (OUTH-14)."""

    __slots__ = ("between_bytes_timeout", "connect_timeout", "first_byte_timeout")

    def __init__(self) -> None:
        self.connect_timeout: int | None = None
        self.first_byte_timeout: int | None = None
        self.between_bytes_timeout: int | None = None

    def change(self, field: str, duration: int | None) -> None:
        """Set one of the times."""
        setattr(self, field, duration)


def option_accessors(get: str = "") -> dict[str, HostFunction]:
    """Return the getters, with ``get`` before the name of the time, and the setters."""
    functions: dict[str, HostFunction] = {}
    for field in RequestOptions.__slots__:
        name = field.replace("_", "-")
        functions[f"[method]request-options.{get}{name}"] = lambda state, options, field=field: (
            getattr(options, field)
        )
        functions[f"[method]request-options.set-{name}"] = (
            lambda state, options, duration, field=field: options.change(field, duration)
        )
    return functions


class IncomingResponse(ReceivedMessage):
    """``incoming-response``: an answer to a request that the guest sent."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: list[Pair], channel: ByteChannel | None) -> None:
        super().__init__(channel)
        self.status = status
        self.headers = headers


class FutureIncomingResponse(Parent):
    """``future-incoming-response``: an answer that is on its way (OUTH-16).

    Attributes:
        abandon: Called when the guest drops it before it has taken the answer.
        sent: The body of the request.
        following: Told of the outcome; ``None`` where nobody is.
    """

    __slots__ = ("_answer", "_state", "_taken", "abandon", "following", "sent")

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self._answer: Ok | Err | None = None
        self._taken = False
        self.abandon: Callable[[], None] | None = None
        self.sent: OutgoingBody | None = None
        self.following: OutboundObserver | None = None

    @property
    def held_bytes(self) -> int:
        """Those of a body that waits to be sent."""
        return unsent(self.sent)

    @property
    def component_id(self) -> str:
        """Who sent the request."""
        return self._state.grants.component_id

    @property
    def instance(self) -> object:
        """Which instance waits for the answer."""
        return self._state

    def resolve(self, answer: IncomingResponse) -> None:
        """Deliver a response; from any thread."""
        if self.following is not None:
            self.following.ended(answer.status, None)
        self._answer = Ok(answer)
        self._state.wake()

    def reject(self, code: ErrorCode) -> None:
        """Deliver a failure; from any thread."""
        if self.following is not None:
            self.following.ended(None, code[0])
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


FUNCTIONS: dict[str, HostFunction] = {
    "[constructor]outgoing-request": lambda state, headers: OutgoingRequest(headers),
    "[method]outgoing-request.body": make_body,
    **request_accessors("outgoing-request", _SCHEME, _AUTHORITY),
    "[method]outgoing-request.headers": lambda state, request: request.headers.view(request),
    "[constructor]request-options": lambda state: RequestOptions(),
    **option_accessors(),
    "[method]incoming-response.status": lambda state, response: response.status,
    "[method]incoming-response.headers": (
        lambda state, response: Fields(together(response.headers), immutable=True, parent=response)
    ),
    "[method]incoming-response.consume": consume,
    "[method]future-incoming-response.subscribe": (
        lambda state, future: Pollable(future.ready, parent=future)
    ),
    "[method]future-incoming-response.get": lambda state, future: future.get(),
}
"""Those of requests out and responses in."""
