"""Field lines, chunks and trailers of a connection's requests, as httptools reads them.

In: a whole head, then the chunks of a body behind it. Out: fields with names in lower case,
those of them that say how a body is framed, the bytes of chunks, trailers. Lengths are counted
elsewhere, and nothing here waits.

A wish to upgrade to another protocol is passed over (RFC 9110, 7.8).

Source: RFC 9112, sections 5 to 7.
"""

import re
from collections.abc import Callable

import httptools

from edgezero_spin.host.http.gateway import KeptHeaders, RawPair
from edgezero_spin.host.http.request_head import Refused, RequestLine

__all__ = ["MAX_FIELDS", "RequestParser"]

MAX_FIELDS = 100
"""Header fields of one request, as under Spin; 431 past it."""

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
_JUDGED = (b"content-length", b"transfer-encoding", b"expect")


class RequestParser:
    """Reads the requests of one connection, one after the other.

    Attributes:
        fields: Of the present head; it may be the list of the head before.
        judged: Those of them that say how the body is framed.
        kept: What was made of the fields, for requests with the same ones.
        trailers: What followed the chunks.
        keep_alive: The client wishes to keep the connection.
    """

    __slots__ = (
        "_in_head",
        "_is_1_0",
        "_lines",
        "_max_trailer_bytes",
        "_on_data",
        "_on_end",
        "_parser",
        "_too_many",
        "_trailer_bytes",
        "fields",
        "judged",
        "keep_alive",
        "kept",
        "trailers",
    )

    def __init__(
        self, max_trailer_bytes: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> None:
        """Read nothing yet.

        Args:
            max_trailer_bytes: Of names and values; 400 past it.
            on_data: Called with the bytes of chunks.
            on_end: Called behind the last chunk, and behind a head without a body.
        """
        self.fields: list[RawPair] = []
        self.judged: list[RawPair] = []
        self.kept: KeptHeaders = {}
        self.trailers: list[RawPair] = []
        self.keep_alive = True
        self._max_trailer_bytes = max_trailer_bytes
        self._on_data = on_data
        self._on_end = on_end
        self._in_head = True
        self._is_1_0 = False
        self._lines = b""
        self._too_many = False
        self._trailer_bytes = 0
        self._parser = httptools.HttpRequestParser(self)

    def read_head(self, head: bytes, line: RequestLine) -> None:
        """Read a head that begins with this line.

        Field lines that are those of the request before, as they often are on one connection,
        are not read again, unless they say how a body is framed.

        Raises:
            Refused: 400 for field lines that are none, 431 for too many.
        """
        lines = head[line.size :]
        if lines == self._lines and line.is_1_0 is self._is_1_0:
            return
        self._begin()
        self._lines = b""
        if line.stand_in is not None:
            head = line.stand_in + head[len(line.method) :]
        try:
            try:
                self._parser.feed_data(head)
            except httptools.HttpParserUpgrade:
                # The parser takes what follows for another protocol; without the wish it does not.
                self._begin()
                self.skip_body()
                self._parser.feed_data(_UPGRADE.sub(b"", head))
        except httptools.HttpParserError as error:
            raise Refused(431 if self._too_many else 400) from error
        if not self.judged:
            self._lines, self._is_1_0 = lines, line.is_1_0

    def read_chunks(self, data: bytes) -> None:
        """Read a part of a chunked body.

        Raises:
            Refused: 400: it is not one.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Refused(400) from error

    def skip_body(self) -> None:
        """Expect a head again: bytes that are counted are no business of the parser."""
        self._parser = httptools.HttpRequestParser(self)

    def _begin(self) -> None:
        self.fields, self.judged, self.trailers = [], [], []
        self.kept = {}
        self._in_head = True
        self._trailer_bytes = 0

    # What httptools calls -----------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line of a head or a trailer."""
        name = name.lower()
        # The parser leaves blanks behind a value, which are not part of it (RFC 9110, 5.5).
        value = value.rstrip(b" \t")
        if not self._in_head:
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > self._max_trailer_bytes:
                raise ValueError("the trailers are too large")
            self.trailers.append((name, value))
            return
        if len(self.fields) >= MAX_FIELDS:
            self._too_many = True
            raise ValueError("too many fields")
        if name in _JUDGED:
            self.judged.append((name, value))
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """What follows are chunks and trailers."""
        self._in_head = False
        self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Bytes of a chunk."""
        self._on_data(data)

    def on_message_complete(self) -> None:
        """The end of a head without a body, or of chunks."""
        self._on_end()
