"""Read an ``incoming-request``: nothing before the handler asks for it.

Each call to the host costs about 27 000 instructions, and more when it is an
instance's first. So method and path are read at once (routing needs them), headers and
body when they are asked for, and every resource is dropped as soon as it has served: a
child that outlives its parent is a trap.

Source: ``wasi:http/types@0.2.0``, incoming-request and incoming-body.
"""

from componentize_py_types import Err
from wit_world.imports import streams, types

from edgezero_spin.core.request import BodyReadError
from edgezero_spin.guest.wasi02.outgoing import PeerGoneError

__all__ = ["IncomingSource", "reason_of", "splice"]

_METHODS = {
    types.Method_Get: "GET",
    types.Method_Post: "POST",
    types.Method_Put: "PUT",
    types.Method_Delete: "DELETE",
    types.Method_Head: "HEAD",
    types.Method_Patch: "PATCH",
    types.Method_Options: "OPTIONS",
    types.Method_Connect: "CONNECT",
    types.Method_Trace: "TRACE",
}
_Closed = streams.StreamError_Closed
_PIECE = 256 * 1024


def reason_of(error: Err[streams.StreamError]) -> str | None:
    """Return why a stream failed, in one line; ``None`` when it is only closed."""
    if isinstance(error.value, _Closed):
        return None
    failure = error.value.value
    reason: str = failure.to_debug_string()
    failure.__exit__(None, None, None)
    # A host may add its stack, which is nothing for a client to see.
    return reason.partition("\n")[0].rstrip()


def splice(source: streams.InputStream, target: streams.OutputStream) -> str | None:
    """Have the host move bytes until one of the two streams ends.

    Returns:
        Why one of them failed; ``None`` when one is closed. Which one, a read of the source
        tells: it is at its end, or gives bytes that nobody took.
    """
    try:
        while True:
            target.blocking_splice(source, _PIECE)
    except Err as error:
        return reason_of(error)


class IncomingSource:
    """The ``RequestSource`` of one ``incoming-request``.

    Attributes:
        method: The method in upper case, or as the client wrote it when it is none of
            the nine that WASI names.
        raw_path: The path as sent; ``/`` when the host has none.
        query: What follows the ``?``, or ``None``.
    """

    __slots__ = ("_body", "_request", "_stream", "method", "query", "raw_path")

    def __init__(self, request: types.IncomingRequest) -> None:
        self._request = request
        self._body: types.IncomingBody | None = None
        self._stream: streams.InputStream | None = None
        method = request.method()
        self.method = _METHODS.get(type(method)) or method.value
        target = request.path_with_query()
        path, mark, query = target.encode().partition(b"?") if target else (b"/", b"", b"")
        self.raw_path = path or b"/"
        self.query = query if mark else None

    @property
    def scheme(self) -> str | None:
        """``http``, ``https`` or what the host says instead, in lower case."""
        scheme = self._request.scheme()
        if scheme is None:
            return None
        if isinstance(scheme, types.Scheme_Http):
            return "http"
        if isinstance(scheme, types.Scheme_Https):
            return "https"
        return str(scheme.value).lower()

    @property
    def authority(self) -> str | None:
        """Host and port that the request was sent to, or ``None``."""
        authority: str | None = self._request.authority()
        return authority

    def headers(self) -> list[tuple[str, bytes]]:
        """Return every header in order, values as the bytes that were sent."""
        fields = self._request.headers()
        entries: list[tuple[str, bytes]] = fields.entries()
        fields.__exit__(None, None, None)
        return entries

    def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Blocks until there is at least one byte.

        Raises:
            BodyReadError: The client went away, or the transport failed.
        """
        stream = self._stream
        if stream is None:
            if self._body is not None:
                return b""
            try:
                self._body = body = self._request.consume()
                self._stream = stream = body.stream()
            except Err:
                # Somebody else holds the body: nothing is left to read here.
                return b""
        try:
            data: bytes = stream.blocking_read(limit)
            while not data:
                data = stream.blocking_read(limit)
        except Err as error:
            self._close_stream(stream)
            reason = reason_of(error)
            if reason is None:
                return b""
            raise BodyReadError(reason) from None
        return data

    def splice_to(self, target: streams.OutputStream) -> None:
        """Have the host move the rest of a body that was begun.

        Raises:
            BodyReadError: The client went away, or the transport failed.
            PeerGoneError: Nobody reads the target any more.
        """
        if self._stream is not None:
            reason = splice(self._stream, target)
            if reason is not None:
                self._close_stream(self._stream)
                raise BodyReadError(reason)
            if self.read(1):
                raise PeerGoneError

    def close(self) -> None:
        """Drop what is still open, children first. Harmless when nothing is."""
        if self._stream is not None:
            self._close_stream(self._stream)
        if self._body is not None:
            self._body.__exit__(None, None, None)
            self._body = None

    def _close_stream(self, stream: streams.InputStream) -> None:
        self._stream = None
        stream.__exit__(None, None, None)
