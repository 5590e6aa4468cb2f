"""Requests as the host hands them to a component of WASI 0.3.

Method and path are read at once, because routing needs them; headers and body when they are
asked for. Taking the body ends the request resource, so what else is known of it is read
before.

Source: ``wasi:http/types@0.3.0``, request; contract wasi03.md, WH-10 to WH-18.
"""

from typing import Any

import componentize_py_async_support as support
import componentize_py_runtime as runtime
import wit_world
from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types as types

from edgezero_spin.core.headers import HOST_ONLY
from edgezero_spin.core.request import BodyReadError
from edgezero_spin.guest.methods import method_types, scheme_name
from edgezero_spin.guest.outbound_rules import code_name
from edgezero_spin.guest.wasi03.ends import index_of, new_future
from edgezero_spin.guest.wasi03.tasks import current, watch

__all__ = ["Body", "IncomingSource", "consumed"]

_METHODS = {case: name for name, case in method_types(types).items()}
_OK = Ok(None)
_UNIT = index_of(wit_world.result_unit_wasi_http_types_error_code_future, "future_new", lambda: _OK)


def consumed(message: Any) -> "Body":
    """Take the body of a request or response, which ends the resource."""
    writer, reader = new_future(_UNIT)
    body = Body(*type(message).consume_body(message, reader))
    # Behind the call: who reads the verdict by now takes it without a wait.
    pending = runtime.future_write(_UNIT, writer, _OK)

    def written(_: Any) -> None:
        runtime.future_drop_writable(_UNIT, writer)

    if type(pending) is Ok:
        written(None)
    else:
        watch(current(), pending.value, written)
    return body


class Body:
    """A body as it arrives: a stream, then a future that says whether it was whole.

    Attributes:
        trailers: The fields behind it, known at its end.
    """

    __slots__ = ("_end", "_reader", "trailers")

    def __init__(self, reader: Any, end: Any) -> None:
        self._reader = reader
        self._end = end
        self.trailers: list[tuple[str, bytes]] = []

    async def read(self, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``; ``b""`` at the end.

        Raises:
            BodyReadError: The transport failed.
        """
        reader = self._reader
        if reader is None:
            return b""
        while not reader.writer_dropped:
            code, data = await self._read(reader, limit)
            if code:
                reader.writer_dropped = True
            if data:
                return bytes(data)
        self._reader = None
        reader.__exit__(None, None, None)
        future, self._end = self._end, None
        end = await future.read()
        if isinstance(end, Err):
            raise BodyReadError(code_name(end.value))
        fields = end.value
        if fields is not None:
            self.trailers = fields.copy_all()
            fields.__exit__(None, None, None)
        return b""

    def give_away(self) -> tuple[Any, Any] | None:
        """Give stream and future to whoever sends them on; ``None`` when the end was seen."""
        reader, end = self._reader, self._end
        if reader is None or reader.writer_dropped:
            return None
        self._reader = self._end = None
        return reader, end

    async def _read(self, reader: Any, limit: int) -> Any:
        type_, handle = reader.type_, reader.handle
        result = runtime.stream_read(type_, handle, limit)
        if type(result) is Ok:
            return result.value
        future = support._loop.create_future()

        def done(value: Any) -> None:
            if future.done():
                # Its reader gave up; before now, dropping the stream would have been a trap.
                runtime.stream_drop_readable(type_, handle)
            else:
                future.set_result(value)

        watch(current(), result.value, done)
        try:
            return await future
        except BaseException:
            reader.finalizer.detach()
            self._reader = None
            raise

    def close(self) -> None:
        """Drop what is still open. Harmless when nothing is."""
        for end in (self._reader, self._end):
            if end is not None:
                end.__exit__(None, None, None)
        self._reader = self._end = None


class IncomingSource:
    """The ``RequestSource`` of one ``request``.

    Attributes:
        method: The method in upper case, or as the client wrote it when it is not one of the nine
            that WASI names.
        raw_path: The path as sent; ``/`` when the host has none.
        query: What follows the ``?``, or ``None``.
    """

    __slots__ = (
        "_authority",
        "_body",
        "_fields",
        "_request",
        "_scheme",
        "method",
        "query",
        "raw_path",
    )

    def __init__(self, request: types.Request) -> None:
        self._request: types.Request | None = request
        self._body: Body | None = None
        self._fields: list[tuple[str, bytes]] | None = None
        method = request.get_method()
        self.method = _METHODS.get(type(method)) or method.value
        target = request.get_path_with_query()
        path, mark, query = target.encode().partition(b"?") if target else (b"/", b"", b"")
        self.raw_path = path or b"/"
        self.query = query if mark else None

    @property
    def scheme(self) -> str | None:
        """``http``, ``https`` or what the host says instead, in lower case."""
        if self._request is None:
            return self._scheme
        return scheme_name(self._request.get_scheme())

    @property
    def authority(self) -> str | None:
        """Host and port that the request was sent to, or ``None``."""
        if self._request is None:
            return self._authority
        authority: str | None = self._request.get_authority()
        return authority

    def headers(self) -> list[tuple[str, bytes]]:
        """Return every header in order, values as the bytes that were sent.

        Those that WASI 0.2 keeps for the host are left out, so that an app sees the same with
        both; ``authority`` says what ``host`` did.
        """
        entries = self._fields
        if entries is None:
            if self._request is None:
                return []
            fields = self._request.get_headers()
            entries = [pair for pair in fields.copy_all() if pair[0] not in HOST_ONLY]
            self._fields = entries
            fields.__exit__(None, None, None)
        return entries

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Raises:
            BodyReadError: The client went away, or the transport failed.
        """
        body = self._body or self._consumed()
        return b"" if body is None else await body.read(limit)

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind a body that was read to its end."""
        return [] if self._body is None else self._body.trailers

    def give_away(self) -> tuple[Any, Any] | None:
        """Give the rest of the body to whoever sends it on; see ``Body.give_away``."""
        body = self._body or self._consumed()
        return None if body is None else body.give_away()

    def _consumed(self) -> Body | None:
        """Take the body; ``None`` when the request was closed."""
        request = self._request
        if request is None:
            return None
        self.headers()
        self._scheme, self._authority = self.scheme, self.authority
        self._request = None
        self._body = body = consumed(request)
        return body

    def close(self) -> None:
        """Drop what is still open. Harmless when nothing is."""
        if self._body is not None:
            self._body.close()
        elif self._request is not None:
            self._request.__exit__(None, None, None)
            self._request = None
