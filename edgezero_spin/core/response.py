"""The response: status, header fields and body.

In: text, bytes, chunks, JSON-able values, files or events. Out: a ``Response`` whose body is
``bytes`` or a ``BodyStream``, and whose headers are pairs that a host takes as they are. What a
handler may return beside it is in ``return_values``.

Source: contract edgezero.md, HND-2; the names are those of Starlette.
"""

from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

from edgezero_spin.core.cookies import SameSite, set_cookie_value
from edgezero_spin.core.events import EventSource, event_chunks
from edgezero_spin.core.files import FileBody, attachment
from edgezero_spin.core.headers import HeaderInput, MutableHeaders
from edgezero_spin.core.media_types import media_type_of
from edgezero_spin.core.percent import encode_literal
from edgezero_spin.core.streaming import BodyStream, Chunks
from edgezero_spin.core.trailers import TrailerInput, announce_trailers
from edgezero_spin.stores.json_values import encode

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["JSON", "TEXT", "Response", "plain_response", "sized_response"]

_Pairs: TypeAlias = list[tuple[str, bytes]]

TEXT = ("content-type", b"text/plain; charset=utf-8")
_HTML = ("content-type", b"text/html; charset=utf-8")
JSON = ("content-type", b"application/json")
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
_new = object.__new__


class Response:
    """A status, header fields and a body.

    Args:
        body: Bytes, text (sent as UTF-8), an iterator or async iterator of bytes that is
            sent as it comes, or ``None`` for no body.
        status: 200 to 599.
        headers: Fields in order, several of one name allowed.
        content_type: Sets that header. Text is ``text/plain`` unless this or the headers say
            otherwise, and its encoding is added to a type of text.
        trailers: Fields behind the body; see ``set_trailers``.

    Attributes:
        status: As given; may be changed.
        body: ``bytes``, or a ``BodyStream``.

    Raises:
        ValueError: The status is out of range, or a header or trailer is malformed.
    """

    __slots__ = ("_pairs", "body", "status")

    body: bytes | BodyStream
    status: int

    def __init__(
        self,
        body: bytes | str | Chunks | None = b"",
        status: int = 200,
        headers: HeaderInput = (),
        content_type: str | None = None,
        trailers: TrailerInput = (),
    ) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"a response status is 200 to 599, got {status}")
        self.status = int(status)
        self._pairs: _Pairs = MutableHeaders(headers)._pairs
        self.body = _body(body)
        if isinstance(body, str) and body and (content_type or "content-type" not in self.headers):
            content_type = content_type or "text/plain"
            if content_type.startswith("text/") and "charset=" not in content_type.lower():
                content_type += "; charset=utf-8"
        if content_type is not None:
            self.headers["content-type"] = content_type
        if trailers:
            self.set_trailers(trailers)

    @classmethod
    def text(cls, text: str, status: int = 200) -> "Response":
        """Answer text with its length and ``text/plain; charset=utf-8``."""
        return sized_response(text.encode(), TEXT, status)

    @classmethod
    def json(cls, value: object, status: int = 200) -> "Response":
        """Answer a JSON-able value or attrs instance with its length and ``application/json``."""
        return sized_response(encode(value), JSON, status)

    @classmethod
    def html(cls, text: str, status: int = 200) -> "Response":
        """Answer HTML with its length and ``text/html; charset=utf-8``."""
        return sized_response(text.encode(), _HTML, status)

    @classmethod
    def redirect(cls, url: str, status: int = 307, headers: HeaderInput = ()) -> "Response":
        """Send the client to another URL, absolute or relative to that of the request.

        Args:
            url: What cannot stand in a URL is percent-encoded.
            status: 307 and 308 repeat the request there, 303 asks with GET, which is what follows
                a form; 308 and 301 are for good.
            headers: Fields beside ``location``.

        Raises:
            ValueError: The status is not a redirection.
        """
        if status not in _REDIRECTIONS:
            raise ValueError(f"a redirection is 301, 302, 303, 307 or 308, got {status}")
        response = cls(b"", status, headers)
        response.headers["location"] = encode_literal(url)
        return response

    @classmethod
    def file(
        cls,
        path: "str | PathLike[str]",
        *,
        content_type: str | None = None,
        filename: str | None = None,
        headers: HeaderInput = (),
    ) -> "Response":
        """Answer a file, read while it is sent, with ``ETag``, ``Last-Modified`` and ranges.

        A request that has the file gets 304, one for a range 206. In a component, the file is one
        that ``spin.toml`` mounts or that travels in the component.

        Args:
            path: The file. What a client sends is not part of it: ``static_files()`` is for that.
            content_type: By the end of the name when not given.
            filename: Has a browser save it under this name.
            headers: Fields beside those of the file.

        Raises:
            OSError: There is no such file.
        """
        body = FileBody(path)
        response = cls(body, 200, headers, content_type or media_type_of(body.path))
        for name, value in body.head():
            response.headers.setdefault(name, value)
        if filename is not None:
            response.headers["content-disposition"] = attachment(filename)
        return response

    @classmethod
    def events(
        cls, source: EventSource, *, keep_alive_s: float = 15.0, headers: HeaderInput = ()
    ) -> "Response":
        """Answer a stream of server-sent events.

        Args:
            source: An iterator or async iterator of ``Event``, text or JSON-able values. It ends
                with the connection.
            keep_alive_s: Seconds without an event after which a comment is sent, 0 for never. It
                takes an app that imports asyncio.
            headers: Fields beside ``content-type`` and ``cache-control``.
        """
        response = cls(event_chunks(source, keep_alive_s), 200, headers, "text/event-stream")
        response.headers.setdefault("cache-control", "no-store")
        return response

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: "int | timedelta | None" = None,
        expires: "datetime | None" = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = True,
        httponly: bool = True,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Have the browser keep a cookie, out of reach for scripts and unencrypted requests.

        Args:
            key: Its name.
            value: Printable ASCII.
            max_age: Seconds to keep it; the session of the browser when not given.
            expires: A moment until when, with a time zone.
            path: Where it is sent back to.
            domain: Whose subdomains get it too; only the host itself when not given.
            secure: Only by HTTPS; browsers take ``http://localhost`` for it.
            httponly: Not for scripts of the page.
            samesite: What requests from other sites send it.
            partitioned: One jar per site that embeds this one.

        Raises:
            ValueError: It is not a cookie, or one that browsers refuse.
        """
        text = set_cookie_value(
            key,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("set-cookie", text)

    def delete_cookie(
        self,
        key: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = True,
        httponly: bool = True,
        samesite: SameSite | None = "lax",
    ) -> None:
        """Have the browser forget a cookie that was set with this path and domain."""
        self.set_cookie(key, "", 0, None, path, domain, secure, httponly, samesite)

    @property
    def headers(self) -> MutableHeaders:
        """The header fields; changes to them change the response."""
        return MutableHeaders.over(self._pairs)

    @property
    def header_pairs(self) -> _Pairs:
        """The header fields as a host takes them."""
        return self._pairs

    def set_trailers(self, trailers: TrailerInput) -> None:
        """Send fields behind the body, in the place of those set before.

        Such a body has no ``content-length``: HTTP/1.1 has no room for trailers behind it. A Spin
        host sends them to clients of HTTP/1.1 that ask with ``te: trailers``, and only those that
        the header ``trailer`` names, which is set here where the fields are known.

        Args:
            trailers: The fields, or a function that is called when the body has been sent and
                returns them. What it raises breaks the body off.

        Raises:
            ValueError: A field is malformed, or has to stand in front of the body.
        """
        given = announce_trailers(trailers, self.headers)
        body = self.body
        if not isinstance(body, BodyStream):
            body = self.body = BodyStream((body,))
        body.trailers = given

    async def drop_body(self) -> None:
        """Let go of the body, for ``HEAD`` and for a status that has none.

        The headers stay, but that a 204 cannot announce a length.
        """
        body, self.body = self.body, b""
        if isinstance(body, BodyStream):
            await body.aclose()
        if self.status == 204:
            self.headers.discard("content-length")

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


def sized_response(body: bytes, content_type: tuple[str, bytes], status: int) -> Response:
    """Return a response of known length, without the checks that a caller's values need.

    Args:
        body: The body; an empty one says neither its type nor its length.
        content_type: The header field of its type, such as ``TEXT`` and ``JSON``.
        status: 200 to 599.
    """
    response = plain_response(body, status)
    if body:
        response._pairs = [content_type, ("content-length", b"%d" % len(body))]
    return response


def plain_response(body: bytes | BodyStream, status: int) -> Response:
    """Return a response without headers, without the checks that a caller's values need."""
    response = _new(Response)
    response.status = status
    response.body = body
    response._pairs = []
    return response


def _body(body: bytes | str | Chunks | None) -> bytes | BodyStream:
    # By exact type first: most bodies are bytes or text.
    kind = type(body)
    if kind is bytes or kind is BodyStream:
        return body  # type: ignore[return-value]  # narrowed by its exact type
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    if isinstance(body, BodyStream):
        return body
    if isinstance(body, dict) or not (hasattr(body, "__iter__") or hasattr(body, "__aiter__")):
        raise TypeError(f"a body is bytes, text or chunks of bytes, got {kind.__name__}")
    return BodyStream(body)
