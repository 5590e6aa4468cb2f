"""``wasi:http/types@0.3``: requests and responses whose bodies are streams.

In: what a component asks of its request, and what it makes of its response. Out: a
``Response03`` with the guest's own stream as its contents, which the trigger reads.

Sending is not part of this: ``wasi:http/client`` is not here yet.

Source: contract wasi03.md, WH-1 to WH-6, WH-10, WH-14 and WH-30.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import Any

import attrs

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.wasi.http.fields import Fields
from edgezero_spin.host.runtime.host_ends import Answer, FutureReader, StreamReader
from edgezero_spin.host.runtime.interface import Interface, Ok, Trap, WitError

__all__ = ["TYPES_03", "Request03", "Response03"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


@attrs.define(eq=False)
class Request03:
    """A ``request``.

    Attributes:
        method: The token, ``GET``.
        path: Path with query.
        scheme: ``HTTP`` or ``HTTPS``.
        authority: Host and port.
        headers: Its fields.
        contents: The body as the guest will read it: bytes, or a source; ``None`` for none.
        trailers: The trailers after it, as the future answers.
    """

    method: str = "GET"
    path: str | None = "/"
    scheme: str | None = "HTTP"
    authority: str | None = None
    headers: Fields = attrs.field(factory=Fields)
    contents: Any = None
    trailers: Any = attrs.field(factory=lambda: Answer(Ok(None)))


@attrs.define(eq=False)
class Response03:
    """A ``response``.

    Attributes:
        headers: Its fields, immutable.
        contents: The guest's stream; ``None`` for no body.
        trailers: The guest's future of trailers.
        status: The status code.
        finished: To be set, on the host's loop, when the body went out.
    """

    headers: Fields
    contents: StreamReader | None
    trailers: FutureReader
    status: int = 200
    finished: asyncio.Event = attrs.field(factory=asyncio.Event)

    def drop(self, state: InstanceState) -> None:
        """Let go of the guest's stream and future."""
        for end in (self.contents, self.trailers):
            if end is not None:
                end.close()


class _Sent:
    """Awaits the end of a response's transmission."""

    def __init__(self, response: Response03) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Ok]:
        yield from self._response.finished.wait().__await__()
        return Ok(None)


def _changed(change: Callable[[], Any]) -> Any:
    """Change fields; too large is an error here, not the end of the guest (WH-7)."""
    try:
        return change()
    except Trap as error:
        raise WitError(("size-exceeded", None)) from error


def _from_list(state: InstanceState, entries: list[tuple[str, bytes]]) -> Any:
    return _changed(lambda: Fields.from_list(entries))


def _set(state: InstanceState, fields: Fields, name: str, values: Sequence[bytes]) -> Any:
    return _changed(lambda: fields.set(name, values))


def _append(state: InstanceState, fields: Fields, name: str, value: bytes) -> Any:
    return _changed(lambda: fields.append(name, value))


def _get_and_delete(state: InstanceState, fields: Fields, name: str) -> list[bytes]:
    values = fields.get(name)
    fields.set(name, ())
    return values


def _get_method(state: InstanceState, request: Request03) -> tuple[str, str | None]:
    if request.method in _METHODS:
        return request.method.lower(), None
    return "other", request.method


def _get_scheme(state: InstanceState, request: Request03) -> tuple[str, str | None] | None:
    scheme = request.scheme
    if scheme is None:
        return None
    return (scheme, None) if scheme in ("HTTP", "HTTPS") else ("other", scheme)


def _read_only(fields: Fields) -> Fields:
    return Fields(fields.entries, immutable=True)


def _consume_request(state: InstanceState, request: Request03, result: FutureReader) -> Any:
    result.close()
    return b"" if request.contents is None else request.contents, request.trailers


def _consume_response(state: InstanceState, response: Response03, result: FutureReader) -> Any:
    result.close()
    contents, response.contents = response.contents, None
    return b"" if contents is None else contents, response.trailers


def _new_response(
    state: InstanceState, headers: Fields, contents: StreamReader | None, trailers: FutureReader
) -> Any:
    response = Response03(_read_only(headers), contents, trailers)
    return response, Answer(_Sent(response))


def _set_status(state: InstanceState, response: Response03, status: int) -> None:
    if not 100 <= status <= 599:
        raise WitError(None)
    response.status = status


TYPES_03 = Interface(
    "wasi:http/types@0.3",
    {
        "[constructor]fields": lambda state: Fields(),
        "[static]fields.from-list": _from_list,
        "[method]fields.get": lambda state, fields, name: fields.get(name),
        "[method]fields.has": lambda state, fields, name: fields.has(name),
        "[method]fields.set": _set,
        "[method]fields.delete": lambda state, fields, name: fields.set(name, ()),
        "[method]fields.get-and-delete": _get_and_delete,
        "[method]fields.append": _append,
        "[method]fields.copy-all": lambda state, fields: fields.entries,
        "[method]fields.clone": lambda state, fields: fields.clone(),
        "[method]request.get-method": _get_method,
        "[method]request.get-path-with-query": lambda state, request: request.path,
        "[method]request.get-scheme": _get_scheme,
        "[method]request.get-authority": lambda state, request: request.authority,
        "[method]request.get-options": lambda state, request: None,
        "[method]request.get-headers": lambda state, request: _read_only(request.headers),
        "[static]request.consume-body": _consume_request,
        "[static]response.new": _new_response,
        "[method]response.get-status-code": lambda state, response: response.status,
        "[method]response.set-status-code": _set_status,
        "[method]response.get-headers": lambda state, response: response.headers,
        "[static]response.consume-body": _consume_response,
    },
    {"fields": Fields, "request": Request03, "response": Response03},
)
"""``wasi:http/types@0.3`` as far as a handler needs it."""
