"""Heads of HTTP/2, both ways: pseudo-headers and what they stand for.

In: the fields of a request as h2 decoded and checked them; a status and headers that a guest or
the host chose. Out: a ``RequestHead`` as HTTP/1.1 gives it, or a ``Refused``; fields for h2.

Source: RFC 9113, sections 8.2 and 8.3; RFC 9110.
"""

import re
from collections.abc import Sequence

import attrs

from edgezero_spin.host.http.framing import date_value
from edgezero_spin.host.http.gateway import RawPair, RequestHead
from edgezero_spin.host.http.request_head import Refused, body_framing, parse_target
from edgezero_spin.host.http.request_parser import MAX_FIELDS

__all__ = ["Http2Head", "parse_http2_head", "response_fields"]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_LINE_BREAK = re.compile(rb"[\r\n\x00]")
_OF_CONNECTIONS = frozenset(
    {"connection", "date", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)


@attrs.frozen
class Http2Head:
    """A request.

    Attributes:
        request: As the gateway takes it.
        continues: The client waits for a ``100 Continue``.
    """

    request: RequestHead
    continues: bool


def parse_http2_head(
    received: Sequence[RawPair], scheme: str, client: tuple[str, int] | None, max_bytes: int
) -> Http2Head:
    """Read the fields of a request.

    Args:
        received: As h2 gives them: pseudo-headers first, names in lower case.
        scheme: Of the listener.
        client: Address and port of the peer.
        max_bytes: Of names and values.

    Raises:
        Refused: 400, 417, 431 and 501 as for HTTP/1.1.
    """
    pseudo: dict[bytes, bytes] = {}
    fields: list[RawPair] = []
    cookies: list[bytes] = []
    expected: list[RawPair] = []
    size = 0
    for name, value in received:
        size += len(name) + len(value)
        if name[:1] == b":":
            pseudo[name] = value
        elif name == b"cookie":
            # One cookie a field is the custom of HTTP/2 alone (RFC 9113, 8.2.3).
            cookies.append(value)
        else:
            if name == b"expect":
                expected.append((name, value))
            fields.append((name, value))
    if size > max_bytes or len(received) > MAX_FIELDS + len(pseudo):
        raise Refused(431)
    if cookies:
        fields.append((b"cookie", b"; ".join(cookies)))
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if method == b"CONNECT":
        raise Refused(501)
    if not (_TOKEN.fullmatch(method) and _TARGET.fullmatch(path)):
        raise Refused(400)
    target = parse_target(method.decode("ascii"), path)
    if target.authority is not None:
        raise Refused(400)
    authority = pseudo.get(b":authority")
    if authority is not None:
        hosts = [value.lower() for name, value in fields if name == b"host"]
        if hosts != [authority.lower()]:
            # A ``Host`` that has to agree (RV-94): two of them are refused.
            fields.append((b"host", authority))
    request = RequestHead(method.decode("ascii"), target.path, target.query, fields, scheme, client)
    return Http2Head(request, body_framing(expected, is_1_0=False).continues)


def response_fields(status: int, headers: Sequence[tuple[str, bytes]]) -> list[RawPair]:
    """Return the fields of a response, with a date, without what is about connections.

    Raises:
        ValueError: A value has a line break in it.
    """
    fields = [(b":status", b"%d" % status), (b"date", date_value())]
    for name, value in headers:
        if name not in _OF_CONNECTIONS:
            if _LINE_BREAK.search(value):
                raise ValueError("a response header has a line break in it")
            fields.append((name.encode("ascii"), value))
    return fields
