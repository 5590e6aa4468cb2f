"""Parser of ``multipart/form-data``: bytes in any pieces to parts.

In: a boundary, then the body in pieces as they arrive. Out: for each part its head, its content in
pieces, and its end. Nothing is kept but what may be the beginning of a delimiter or of a head, so
memory does not grow with the body; parts and heads have a limit.

Strict where leniency would hide a fault: a body that breaks off, a part without a name, a delimiter
that goes on. Names and file names are what the client sent; a file name may be a path, and is not
to be used as one.

Source: RFC 7578; RFC 2046, 5.1.1; HTML, "Multipart form data", for what browsers send.
"""

import re
from typing import NamedTuple, TypeAlias

from edgezero_spin.core.errors import BadRequest, PayloadTooLarge
from edgezero_spin.core.headers import Headers
from edgezero_spin.core.percent import percent_decode

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_PARTS",
    "MultipartParser",
    "PartEvent",
    "PartHead",
    "boundary_of",
]

MAX_PARTS = 1000
"""Parts that a body may have unless something else is said."""

MAX_HEADER_BYTES = 8 * 1024
"""Bytes of the header fields of one part."""

_BAD = "invalid form payload"
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(
    r""";[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s;"]*)[ \t]*"""
)
_ESCAPED = re.compile(r'\\(["\\])')
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")
_LONGEST_PADDING = 64

_PREAMBLE, _DELIMITER, _HEAD, _CONTENT, _EPILOGUE = range(5)


class PartHead(NamedTuple):
    """What is said of a part.

    Attributes:
        name: The name of the field.
        filename: The name of the file, ``""`` for a field in which none was chosen; ``None`` for
            a field that is not a file.
        content_type: As sent; ``text/plain`` when nothing is said.
        headers: Its header fields.
    """

    name: str
    filename: str | None
    content_type: str
    headers: Headers


PartEvent: TypeAlias = PartHead | bytes | None
"""The head of a part, a piece of its content, or its end."""


class MultipartParser:
    """One body.

    Args:
        boundary: From ``boundary_of``.
        max_parts: Parts that it may have.
        max_header_bytes: Bytes of the header fields of each.
    """

    def __init__(
        self,
        boundary: bytes,
        *,
        max_parts: int = MAX_PARTS,
        max_header_bytes: int = MAX_HEADER_BYTES,
    ) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._max_parts = max_parts
        self._max_header_bytes = max_header_bytes
        # The first delimiter may stand at the very beginning.
        self._buffer = bytearray(b"\r\n")
        self._state = _PREAMBLE
        self._parts = 0

    def feed(self, data: bytes) -> list[PartEvent]:
        """Take the next bytes and return what became of them.

        Raises:
            BadRequest: They are not a multipart body.
            PayloadTooLarge: There are too many parts, or the head of one is too long.
        """
        self._buffer += data
        events: list[PartEvent] = []
        while self._step(events):
            pass
        return events

    def finish(self) -> None:
        """Say that there are no more bytes.

        Raises:
            BadRequest: The body is not complete.
        """
        if self._state != _EPILOGUE:
            raise BadRequest(f"{_BAD}: the multipart body breaks off before its last boundary")

    def _step(self, events: list[PartEvent]) -> bool:
        """Go on as far as the next change; ``False`` when more bytes are needed."""
        buffer = self._buffer
        match self._state:
            case 0 | 3:  # _PREAMBLE, _CONTENT
                return self._until_delimiter(events)
            case 1:  # _DELIMITER
                if len(buffer) < 2:
                    return False
                if buffer.startswith(b"--"):
                    self._state = _EPILOGUE
                    return True
                end = buffer.find(b"\r\n")
                if buffer[: end if end >= 0 else len(buffer) - 1].strip(b" \t"):
                    raise BadRequest(f"{_BAD}: a multipart boundary is followed by other text")
                if end < 0:
                    if len(buffer) > _LONGEST_PADDING:
                        raise BadRequest(f"{_BAD}: a multipart boundary has no end of line")
                    return False
                del buffer[: end + 2]
                self._parts += 1
                if self._parts > self._max_parts:
                    raise PayloadTooLarge(f"the form has more than {self._max_parts} parts")
                self._state = _HEAD
                return True
            case 2:  # _HEAD
                end = -2 if buffer.startswith(b"\r\n") else buffer.find(b"\r\n\r\n")
                size = end if end >= 0 else len(buffer) if end == -1 else 0
                if size > self._max_header_bytes:
                    raise PayloadTooLarge(
                        f"the header of a part has more than {self._max_header_bytes} bytes"
                    )
                if end == -1:
                    return False
                events.append(_head(bytes(buffer[:size])))
                del buffer[: end + 4]
                self._state = _CONTENT
                return True
        buffer.clear()
        return False

    def _until_delimiter(self, events: list[PartEvent]) -> bool:
        buffer, delimiter = self._buffer, self._delimiter
        at = buffer.find(delimiter)
        # What may be the beginning of a delimiter stays.
        end = at if at >= 0 else max(len(buffer) - len(delimiter) + 1, 0)
        if self._state == _CONTENT and end:
            events.append(bytes(buffer[:end]))
        if at < 0:
            del buffer[:end]
            return False
        if self._state == _CONTENT:
            events.append(None)
        del buffer[: at + len(delimiter)]
        self._state = _DELIMITER
        return True


def boundary_of(content_type: str | None) -> bytes | None:
    """Return the boundary of a form that is sent in parts, ``None`` for any other type.

    Raises:
        BadRequest: The type has no boundary, or one that cannot be.
    """
    kind, parameters = _parameters(content_type or "")
    if kind != "multipart/form-data":
        return None
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadRequest(f"{_BAD}: the content-type has no boundary")
    return boundary.encode()


def _head(raw: bytes) -> PartHead:
    pairs = []
    for line in raw.split(b"\r\n") if raw else ():
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip(b" \t"):
            raise BadRequest(f"{_BAD}: a header field of a part cannot be read")
        pairs.append((name.decode("latin-1"), value.strip(b" \t")))
    headers = Headers.received(pairs)
    kind, parameters = _parameters(headers.get("content-disposition", ""))
    if kind != "form-data" or "name" not in parameters:
        raise BadRequest(f"{_BAD}: a part has no name in its content-disposition")
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise BadRequest(f"{_BAD}: a part has a content-transfer-encoding (RFC 7578, 4.7)")
    filename = parameters.get("filename")
    if filename is None and "filename*" in parameters:
        # Not for forms (RFC 7578, 4.2), and sent by some clients all the same.
        encoded = parameters["filename*"].rpartition("'")[2]
        filename = percent_decode(encoded.encode()).decode("utf-8", "replace")
    return PartHead(
        parameters["name"], filename, headers.get("content-type", "text/plain"), headers
    )


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the value of a field in lower case, and its parameters; the first of a name."""
    kind, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    at = 0
    rest = semicolon + rest
    while found := _PARAMETER.match(rest, at):
        at = found.end()
        text = found[2]
        if text.startswith('"'):
            text = _ESCAPED.sub(r"\1", text[1:-1])
        parameters.setdefault(found[1].lower(), text)
    return kind.strip().lower(), parameters
