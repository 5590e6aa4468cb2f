"""The head of a request: its request line and target, and what is wrong with them.

In: the bytes of a head, up to and with its empty line. Out: a ``RequestLine``, or a ``Refused``
with the status that RFC 9110 and 9112 give it. Field lines are parsed by httptools; what they
say about the body is judged here.

Methods that httptools does not know reach the application all the same, as they do under Spin;
so does any other token, in its own case.

Source: RFC 9112, sections 2, 3, 6; RFC 9110, 4.2, 9.3.6, 10.1.1; ``docs/hosting.md`` has the
table.
"""

import functools
import re
from collections.abc import Sequence

import attrs

__all__ = [
    "BodyFraming",
    "Refused",
    "RequestLine",
    "Target",
    "body_framing",
    "parse_request_line",
    "parse_target",
]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])\r\n")
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
_AUTHORITY = re.compile(rb"(?:[^\s@/?#:\[\]]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")

# Any other method is shown to the parser as one of these; framing is the same for all.
_PARSED_METHODS = {
    method: method.decode()
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE")
}
_STAND_IN = b"POST"

MOST_KEPT = 256
"""Bytes of a request line, and of a target, that are kept with what they say. The clients of an
application send few different ones again and again."""


class Refused(Exception):  # noqa: N818 - read as a statement: the request was refused
    """A request cannot be served as it stands.

    Attributes:
        status: What it is answered with.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@attrs.frozen
class Target:
    """What a request asks for.

    Attributes:
        path: As sent, UTF-8 with ``surrogateescape``.
        query: As sent, without the question mark; ``None`` when there was none.
        authority: Of a target in absolute form; ``None`` for any other.
    """

    path: str
    query: str | None
    authority: bytes | None = None


@attrs.frozen
class RequestLine:
    """A request line.

    Attributes:
        method: As sent.
        target: As sent.
        is_1_0: The client speaks HTTP/1.0.
        size: Its bytes.
        stand_in: A method that httptools knows, in place of one that it does not.
    """

    method: str
    target: bytes
    is_1_0: bool
    size: int
    stand_in: bytes | None = None


def parse_request_line(head: bytes) -> RequestLine:
    """Read the first line of a head.

    Raises:
        Refused: 400 for a line that is none, 501 for a tunnel, 505 for another version.
    """
    line = head[: head.find(b"\r\n") + 2]
    return _kept_line(line) if len(line) <= MOST_KEPT else _read_line(line)


def _read_line(line: bytes) -> RequestLine:
    match = _LINE.fullmatch(line)
    if match is None:
        raise Refused(400)
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in (b"0", b"1"):
        raise Refused(505)
    known = _PARSED_METHODS.get(method)
    if known is not None:
        return RequestLine(known, target, minor == b"0", len(line))
    if method == b"CONNECT":
        # An authority asks for a tunnel, which no component can be (RFC 9110, 9.3.6).
        raise Refused(501 if _AUTHORITY.fullmatch(target) else 400)
    return RequestLine(method.decode("ascii"), target, minor == b"0", len(line), _STAND_IN)


_kept_line = functools.lru_cache(maxsize=256)(_read_line)


def parse_target(method: str, target: bytes) -> Target:
    """Read a target in origin, absolute or asterisk form (RFC 9112, 3.2).

    Raises:
        Refused: It has none of these forms, or a scheme that is not HTTP's.
    """
    kept = len(target) <= MOST_KEPT
    return _kept_target(method, target) if kept else _read_target(method, target)


def _read_target(method: str, target: bytes) -> Target:
    authority = None
    if target[:1] == b"/":
        plain = target.partition(b"#")[0] if b"#" in target else target
        raw_path, mark, raw_query = plain.partition(b"?")
    elif target == b"*" and method == "OPTIONS":
        raw_path, mark, raw_query = target, b"", b""
    else:
        match = _ABSOLUTE.fullmatch(target)
        if match is None or match[1].lower() not in (b"http", b"https"):
            raise Refused(400)
        authority = match[2]
        if not authority or b"@" in authority:
            raise Refused(400)
        raw_path = match[3] or b"/"
        mark, raw_query = (match[4] or b"")[:1], (match[4] or b"")[1:]
    return Target(
        raw_path.decode("utf-8", "surrogateescape"),
        raw_query.decode("utf-8", "surrogateescape") if mark else None,
        authority,
    )


_kept_target = functools.lru_cache(maxsize=256)(_read_target)


@attrs.frozen
class BodyFraming:
    """How the body of a request is framed.

    Attributes:
        length: Bytes; 0 for no body, ``None`` for chunks.
        continues: The client waits for a ``100 Continue``.
    """

    length: int | None
    continues: bool = False


NO_BODY = BodyFraming(0)


def body_framing(fields: Sequence[tuple[bytes, bytes]], *, is_1_0: bool) -> BodyFraming:
    """Say how a body is framed.

    Args:
        is_1_0: The client speaks HTTP/1.0.

    Raises:
        Refused: 400 for framing that is ambiguous, 501 for a coding that is not known, 417 for
            an expectation that is not.
    """
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = b",".join(value for name, value in fields if name == b"transfer-encoding")
    length: int | None = 0
    if codings:
        names = [name.strip(b" \t").lower() for name in codings.split(b",")]
        if is_1_0 or lengths or names[-1] != b"chunked" or names.count(b"chunked") > 1:
            raise Refused(400)
        if len(names) > 1:
            raise Refused(501)
        length = None
    elif lengths:
        if len(lengths) > 1 or not lengths[0].isdigit():
            raise Refused(400)
        length = int(lengths[0])
    continues = False
    # A client of HTTP/1.0 means nothing by it (RFC 9110, 10.1.1).
    for name, value in () if is_1_0 else fields:
        if name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417)
            continues = True
    return BodyFraming(length, continues)
