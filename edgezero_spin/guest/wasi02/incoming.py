"""Requests as the host hands them to a component: nothing is read before the handler asks for it.

Each call to the host costs about 27 000 instructions, and more when it is an
instance's first. So method and path are read at once (routing needs them), headers and
body when they are asked for, and every resource is dropped as soon as it has served: a
child that outlives its parent is a trap.

Source: ``wasi:http/types@0.2.0``, incoming-request and incoming-body.
"""

from componentize_py_types import Err
from wit_world.imports import streams, types

from edgezero_spin.core.request import BodyReadError
from edgezero_spin.guest.methods import method_types, scheme_name
from edgezero_spin.guest.wasi02.reading import BodyReader

__all__ = ["IncomingSource"]

_METHODS = {case: name for name, case in method_types(types).items()}


class IncomingSource:
    """The ``RequestSource`` of one ``incoming-request``.

    Attributes:
        method: The method in upper case, or as the client wrote it when it is not one of
            the nine that WASI names.
        raw_path: The path as sent; ``/`` when the host has none.
        query: What follows the ``?``, or ``None``.
    """

    __slots__ = ("_reader", "_request", "_taken", "method", "query", "raw_path")

    def __init__(self, request: types.IncomingRequest) -> None:
        self._request = request
        self._reader: BodyReader | None = None
        self._taken = False
        method = request.method()
        self.method = _METHODS.get(type(method)) or method.value
        target = request.path_with_query()
        path, mark, query = target.encode().partition(b"?") if target else (b"/", b"", b"")
        self.raw_path = path or b"/"
        self.query = query if mark else None

    @property
    def scheme(self) -> str | None:
        """``http``, ``https`` or what the host says instead, in lower case."""
        return scheme_name(self._request.scheme())

    @property
    def authority(self) -> str | None:
        """Host and port that the request was sent to, or ``None``."""
        authority: str | None = self._request.authority()
        return authority

    def headers(self) -> list[tuple[str, bytes]]:
        """Return every header in order, values as the bytes that were sent."""
        fields = self._request.headers()
        try:
            entries: list[tuple[str, bytes]] = fields.entries()
        finally:
            fields.__exit__(None, None, None)
        return entries

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Raises:
            BodyReadError: The client went away, or the transport failed.
        """
        reader = self._reader or self._begin()
        return b"" if reader is None else await reader.read(limit)

    async def splice_to(self, target: streams.OutputStream) -> None:
        """Have the host move the rest of a body that was begun.

        Raises:
            BodyReadError: The client went away, or the transport failed.
            PeerGoneError: Nobody reads the target any more.
        """
        if self._reader is not None:
            await self._reader.splice_to(target)

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind a body that was read to its end.

        Raises:
            BodyReadError: The transport failed.
        """
        return [] if self._reader is None else await self._reader.trailers()

    def close(self) -> None:
        """Drop what is still open. Harmless when nothing is."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _begin(self) -> BodyReader | None:
        """Take the body, once; ``None`` when somebody else holds it, or it was closed."""
        if self._taken:
            return None
        self._taken = True
        try:
            self._reader = BodyReader(self._request.consume(), BodyReadError)
        except Err:
            return None
        return self._reader
