"""Requests that a handler sends: one client for all of them, and forwarding.

``async def show(outbound: Outbound)`` gets a client; whoever runs the app puts a transport
under it. In a component that is ``wasi:http/outgoing-handler``, imported only by a component
whose app asks for it, and allowed only to hosts in ``allowed_outbound_hosts``.

In: a method and a URL, or an inbound request to pass on. Out: an ``OutboundResponse`` whose
body is read when it is asked for. Redirects are not followed.

Source: contract edgezero.md, PRX-1 to PRX-10, with the differences of PRX-4 and PRX-8
(repeated headers and all gzip members are kept) and without brotli, for which neither CPython
nor its WebAssembly build has a decoder: such a body passes as it is, its header kept.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from math import isfinite
from typing import Any, Protocol, TypeAlias, TypeVar, overload

import attrs

from edgezero_spin.core.errors import Internal
from edgezero_spin.core.headers import HOST_ONLY, HeaderInput, Headers, MutableHeaders
from edgezero_spin.core.payloads import json_reader
from edgezero_spin.core.request import Request
from edgezero_spin.core.response import Response
from edgezero_spin.core.response_status import ResponseStatus
from edgezero_spin.core.streaming import ByteSource, SourceStream
from edgezero_spin.core.trailers import TrailerInput, announce_trailers
from edgezero_spin.stores.json_values import encode

try:
    import zlib
except ImportError:  # the interpreter of componentize-py 0.17, on which spin-sdk 3 builds
    zlib = None  # type: ignore[assignment]

__all__ = [
    "MAX_DECODED_BYTES",
    "Outbound",
    "OutboundError",
    "OutboundReply",
    "OutboundRequest",
    "OutboundResponse",
    "OutboundStatusError",
    "OutboundTransport",
]

MAX_DECODED_BYTES = 64 * 1024 * 1024
"""Bytes that a decoded body may have (PRX-7)."""

# Inside a class with a method of that name, ``bytes`` is the method.
_Bytes: TypeAlias = bytes

_T = TypeVar("_T")

_CHUNK_BYTES = 64 * 1024
_TAG = ("x-edgezero-proxy", "spin")

# Fields about one connection and not about the message (RFC 9110 section 7.6.1), and those
# that WASI hosts set themselves.
_HOP_BY_HOP = HOST_ONLY | {"te", "trailer"}

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SELF = "self.alt"


class OutboundError(Internal):
    """A request could not be sent, or its answer could not be read: 500 (PRX-9).

    Attributes:
        code: The transport's own word, such as ``HTTP-request-denied`` or
            ``connection-refused``; empty when the fault is in the answer.
    """

    def __init__(self, cause: str, code: str = "") -> None:
        super().__init__(cause)
        self.code = code


class OutboundStatusError(OutboundError):
    """``raise_for_status()`` found another status than 200 to 299.

    Attributes:
        response: The answer; its body was given up.
    """

    def __init__(self, response: "OutboundResponse") -> None:
        super().__init__(f"a request of this application was answered with {response.status}")
        self.response = response


@attrs.frozen(kw_only=True)
class OutboundRequest:
    """What a transport sends.

    Attributes:
        method: As it goes out.
        scheme: ``http`` or ``https``.
        authority: Host and port.
        target: Path and query, at least ``/``.
        headers: Fields in order.
        body: Chunks in order; the empty tuple for no body.
        timeout_s: Seconds until the first byte of the answer; ``None`` for the host's own.
        trailers: Gives the fields behind the body when that was sent; ``None`` for none.
    """

    method: str
    scheme: str
    authority: str
    target: str
    headers: list[tuple[str, bytes]]
    body: Iterable[bytes] | AsyncIterable[bytes]
    timeout_s: float | None = None
    trailers: Callable[[], list[tuple[str, bytes]]] | None = None


class OutboundReply(Protocol):
    """What a transport got back; the body is still on its way."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, bytes]]: ...

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Raises:
            OutboundError: It broke off.
        """

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind the body. Called when that was read to its end."""

    def close(self) -> None:
        """Let go of what was not read."""


class OutboundTransport(Protocol):
    """Who carries requests out of here."""

    def send(self, request: OutboundRequest) -> Awaitable[OutboundReply]:
        """Send a request and wait for the head of its answer.

        Raises:
            OutboundError: It was refused or did not arrive.
        """


class OutboundResponse(ResponseStatus):
    """The answer to a request that was sent, in the words of httpx.

    Attributes:
        status: The status; ``status_code`` is the same.
        headers: The header fields, repeats included.
    """

    def __init__(self, reply: OutboundReply) -> None:
        self._reply = reply
        self._body: _Bytes | None = None
        self._streamed = False
        self._trailers: Headers | None = None
        self.status = reply.status
        self.headers = Headers.received(reply.headers)

    def raise_for_status(self) -> "OutboundResponse":
        """Return this response.

        Raises:
            OutboundStatusError: Its status is not 200 to 299.
        """
        if not self.is_success:
            self._reply.close()
            raise OutboundStatusError(self)
        return self

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are set, by name; one that is deleted is empty."""
        found: dict[str, str] = {}
        for text in self.headers.get_all("set-cookie"):
            name, mark, value = text.partition(";")[0].partition("=")
            if mark and name.strip():
                found[name.strip()] = value.strip().strip('"')
        return found

    async def bytes(self, limit: int = MAX_DECODED_BYTES) -> _Bytes:
        """Return the whole body as it was sent, and keep it, so that it can be asked for again.

        Raises:
            OutboundError: It has more bytes than ``limit``, or broke off.
            RuntimeError: It was streamed already.
        """
        body = self._body
        if body is None:
            body = self._body = await self._read_all(limit)
        elif len(body) > limit:
            raise _too_large(limit)
        return body

    async def _read_all(self, limit: int) -> _Bytes:
        parts = []
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                self._reply.close()
                raise _too_large(limit)
            parts.append(chunk)
        return b"".join(parts)

    async def text(self, limit: int = MAX_DECODED_BYTES) -> str:
        """Return the whole body as UTF-8 text; what is not shows as U+FFFD."""
        return (await self.bytes(limit)).decode("utf-8", "replace")

    @overload
    async def json(self, model: type[_T], limit: int = MAX_DECODED_BYTES) -> _T: ...
    @overload
    async def json(self, model: Any = Any, limit: int = MAX_DECODED_BYTES) -> Any: ...
    async def json(self, model: Any = Any, limit: int = MAX_DECODED_BYTES) -> Any:
        """Return the body as JSON, built into ``model`` when one is given.

        Raises:
            OutboundError: It is not JSON or does not fit.
        """
        data = await self.bytes(limit)
        try:
            return json_reader(model)(data)
        except Exception as error:
            raise OutboundError(f"response body: {error}") from error

    async def trailers(self) -> Headers:
        """Return the fields behind the body; what was not read of it is skipped.

        Raises:
            OutboundError: It broke off.
        """
        fields = self._trailers
        if fields is None:
            self._streamed = True
            while await self._reply.read(_CHUNK_BYTES):
                pass
            fields = self._trailers = Headers.received(await self._reply.trailers())
        return fields

    def iter_bytes(self) -> SourceStream:
        """Iterate over the body as it arrives; ``stream`` by its name in httpx."""
        return self.stream()

    def stream(self) -> SourceStream:
        """Iterate over the body as it arrives. As the body of a response, the iterator lets
        the host pass the bytes on without this program.

        A body that was read whole before is given again.

        Raises (at the first piece or a later one):
            OutboundError: It broke off.
            RuntimeError: It was streamed already.
        """
        return SourceStream(self._begin, _CHUNK_BYTES, self._reply.close)

    def _begin(self) -> ByteSource:
        if self._body is not None:
            return _Kept(self._body)
        if self._streamed:
            raise RuntimeError("the response body was read already")
        self._streamed = True
        return self._reply


class _Kept:
    """A body that was read whole, as a ``ByteSource``."""

    def __init__(self, body: bytes) -> None:
        self._rest = body

    async def read(self, limit: int) -> bytes:
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece


def _too_large(limit: int) -> OutboundError:
    return OutboundError(f"response body exceeds maximum size of {limit} bytes")


class Outbound:
    """A client for requests of the application's own."""

    __slots__ = ("_transport",)

    def __init__(self, transport: OutboundTransport) -> None:
        """Send through a transport."""
        self._transport = transport

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderInput = (),
        body: Any = None,
        timeout_s: float | None = None,
        trailers: TrailerInput = (),
    ) -> OutboundResponse:
        """Send a request: ``await outbound.send("GET", "https://example.com/a")``.

        Args:
            method: The method, in upper case.
            url: ``http`` or ``https`` with a host, or a path of this application
                (``/orders/7``, the same as ``http://self.alt/orders/7``), which the manifest
                grants by ``http://self`` in ``allowed_outbound_hosts``.
            headers: Fields in order. ``Host`` comes from the URL.
            body: Bytes or anything like them; text, sent as UTF-8; an iterator or an
                asynchronous iterator of bytes, sent as they come; or a value that JSON can
                hold (a dictionary, a list, a number, an attrs instance), sent with
                ``content-type: application/json`` unless the headers say another. ``None``
                for no body.
            timeout_s: Seconds to wait for the answer to begin; more than 0.
            trailers: Fields behind the body, which then has no length in front; as for a
                ``Response``.

        Raises:
            OutboundError: The host refuses it or cannot reach the destination.
            TypeError: The body, or a header value, is of a kind that cannot be sent.
            ValueError: The URL, the method, a header or the time is malformed.
        """
        scheme, authority, target = _split(url)
        _check(method, timeout_s)
        pairs = list(Headers(headers).pairs)
        _check_names(pairs)
        chunks, is_json = _chunks(body)
        if is_json and not any(name == "content-type" for name, _ in pairs):
            pairs.append(("content-type", b"application/json"))
        given = None
        if trailers:
            given = announce_trailers(trailers, MutableHeaders.over(pairs))
            chunks = chunks or (b"",)
        elif type(chunks) is tuple and chunks:
            _set_length(pairs, len(chunks[0]))
        reply = await self._transport.send(
            OutboundRequest(
                method=method,
                scheme=scheme,
                authority=authority,
                target=target,
                headers=pairs,
                body=chunks,
                timeout_s=timeout_s,
                trailers=given,
            )
        )
        return OutboundResponse(reply)

    async def forward(
        self, request: Request, url: str, *, timeout_s: float | None = None
    ) -> Response:
        """Pass an inbound request on to another URL and answer with what comes back.

        Method, headers and body stay; fields about the connection do not. A gzip body is
        decoded; the answer always says ``x-edgezero-proxy: spin`` (PRX-1 to PRX-7).

        Raises:
            OutboundError: As for ``send``; or, while the body is read, it is not a valid gzip or
                exceeds 64 MiB decoded.
        """
        answer = await self.send(
            request.method,
            url,
            headers=[pair for pair in request.headers.pairs if pair[0] not in _HOP_BY_HOP],
            body=request.stream(),
            timeout_s=timeout_s,
        )
        fields = [pair for pair in answer.headers.pairs if pair[0] not in _HOP_BY_HOP]
        chunks: AsyncIterator[bytes] = answer.stream()
        if answer.headers.get("content-encoding", "").lower() == "gzip":
            fields = [p for p in fields if p[0] not in ("content-encoding", "content-length")]
            chunks = _unzipped(chunks)
        return Response(chunks, answer.status, [*fields, _TAG])


async def _unzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Decode every member of a gzip body."""
    if zlib is None:
        raise OutboundError("gzip decompression failed: this interpreter has no zlib")
    decoder = None
    total = 0
    async for data in chunks:
        while data:
            if decoder is None:
                decoder = zlib.decompressobj(wbits=31)
            try:
                piece = decoder.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                raise OutboundError(f"gzip decompression failed: {error}") from error
            total += len(piece)
            if total > MAX_DECODED_BYTES:
                raise OutboundError(
                    f"decompressed body exceeds maximum size of {MAX_DECODED_BYTES} bytes"
                )
            if piece:
                yield piece
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if decoder.eof:
                decoder = None
    if decoder is not None:
        raise OutboundError("gzip decompression failed: the body ends too early")


def _chunks(body: Any) -> tuple[Iterable[bytes] | AsyncIterable[bytes], bool]:
    """Return a body as chunks, a known one as a tuple, and whether it was made JSON.

    Raises:
        TypeError: It is nothing that can be sent.
    """
    is_json = False
    if body is None:
        return (), False
    if isinstance(body, str):
        data = body.encode()
    elif isinstance(body, bytes | bytearray | memoryview):
        data = bytes(body)
    elif hasattr(body, "__next__") or hasattr(body, "__aiter__"):
        return body, False
    elif _is_chunks(body):
        data = b"".join(map(bytes, body))
    else:
        try:
            data = encode(body)
        except Exception as error:
            raise TypeError(
                "a request body is text, bytes, an iterator of bytes or a value that JSON can "
                f"hold: {error}"
            ) from error
        is_json = True
    return ((data,) if data else ()), is_json


def _is_chunks(body: Any) -> bool:
    """Whether a list or tuple holds bytes only: then it is a body in pieces, not JSON."""
    return (
        isinstance(body, list | tuple)
        and bool(body)
        and all(isinstance(chunk, bytes | bytearray | memoryview) for chunk in body)
    )


def _set_length(pairs: list[tuple[str, bytes]], size: int) -> None:
    """Say how long a known body is.

    Raises:
        ValueError: The caller says something else.
    """
    lengths = {value for name, value in pairs if name == "content-length"}
    if not lengths:
        pairs.append(("content-length", b"%d" % size))
    elif lengths != {b"%d" % size}:
        said = b", ".join(sorted(lengths)).decode("latin-1")
        raise ValueError(f"the content-length header says {said}, the body has {size} bytes")


def _check(method: str, timeout_s: float | None) -> None:
    if not isinstance(method, str) or not method or not _TOKEN.issuperset(method):
        raise ValueError(f"not an HTTP method: {method!r}")
    if timeout_s is not None and not (isfinite(timeout_s) and timeout_s > 0):
        raise ValueError(f"timeout_s is more than 0 seconds, got {timeout_s!r}")


def _check_names(pairs: list[tuple[str, bytes]]) -> None:
    """Refuse what every host refuses, so that it fails natively as well."""
    for name, _ in pairs:
        if name in HOST_ONLY:
            raise ValueError(
                f"the request header {name!r} is the host's to set, from the URL and the "
                "connection; leave it out"
            )


def _split(url: str) -> tuple[str, str, str]:
    """Take a URL apart. Not by ``urllib``, which a component would carry for this alone."""
    if url.startswith("/") and not url.startswith("//"):
        url = f"http://{_SELF}{url}"
    scheme, separator, rest = url.partition("://")
    rest = rest.partition("#")[0]
    ends = [at for at in (rest.find("/"), rest.find("?")) if at >= 0]
    end = min(ends, default=len(rest))
    authority, target = rest[:end], rest[end:]
    if scheme.lower() not in ("http", "https") or not separator or authority[:1] in ("", ":"):
        raise ValueError(f"not an http or https URL with a host: {url!r}")
    if "@" in authority:
        raise ValueError("a URL with user and password: send an authorization header instead")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"a URL has printable ASCII only, percent-encode the rest: {url!r}")
    name, colon, port = authority.partition(":")
    if name.lower() == "self":
        # What the manifest calls the application is not a host name; this one is (CHAIN-1).
        authority = f"{_SELF}{colon}{port}"
    return scheme.lower(), authority, target if target.startswith("/") else f"/{target}"
