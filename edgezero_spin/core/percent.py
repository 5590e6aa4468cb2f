"""Percent-encoded bytes to text: path values, query strings and urlencoded forms.

In: bytes as they came over the wire. Out: text. Nothing here is ever refused but a
path value that is not UTF-8; what is malformed stays as it is written.

Source: WHATWG URL, application/x-www-form-urlencoded parsing, for queries and forms;
RFC 3986 section 2.1 for the path. ``urllib.parse`` does the same and would bring
``re``, ``ipaddress`` and ``unicodedata`` into every component.
"""

__all__ = ["PERCENT", "encode_literal", "encode_value", "parse_pairs", "percent_decode"]

# Numbers, because a look for bytes in bytes costs a component ten times as much.
PERCENT = 0x25
_PLUS = 0x2B
_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def percent_decode(raw: bytes) -> bytes:
    """Return the bytes with each ``%XX`` resolved. A ``%`` without two hex digits stays."""
    if PERCENT not in raw:
        return raw
    head, *pieces = raw.split(b"%")
    decoded = [head]
    for piece in pieces:
        code = piece[:2]
        # int() alone would also take "+1", " 1" and "1_".
        if len(code) == 2 and code.isalnum():
            try:
                decoded.append(bytes((int(code, 16),)) + piece[2:])
                continue
            except ValueError:
                pass
        decoded.append(b"%" + piece)
    return b"".join(decoded)


def parse_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Return the name and value of each field of ``a=1&b=2``, in order, repeats kept.

    ``+`` is a space, bytes that are not UTF-8 become U+FFFD, a field without ``=`` has
    an empty value, and empty fields (``a&&b``) are skipped.
    """
    if PERCENT not in raw and _PLUS not in raw and raw.isascii():
        # What most are: nothing in it has to be decoded by itself.
        pairs = []
        for field in raw.decode().split("&"):
            if field:
                name, _, value = field.partition("=")
                pairs.append((name, value))
        return pairs
    return [
        (_field_text(name), _field_text(value))
        for name, _, value in (field.partition(b"=") for field in raw.split(b"&") if field)
    ]


def _field_text(raw: bytes) -> str:
    return percent_decode(raw.replace(b"+", b" ")).decode("utf-8", "replace")


def encode_literal(text: str) -> bytes:
    """Return text as it stands in a request: what is not printable ASCII becomes ``%XX``.

    ``%`` stays as it is, so text that is encoded already is not encoded twice.
    """
    raw = text.encode()
    if raw.isalnum():
        return raw
    return b"".join(bytes((c,)) if 0x21 <= c <= 0x7E else b"%%%02X" % c for c in raw)


def encode_value(text: str, *, slashes: bool = False) -> bytes:
    """Return text as one part of a path: all but unreserved characters become ``%XX``.

    Args:
        text: What is encoded, ``%`` included.
        slashes: Whether ``/`` stays as it is.

    Source: RFC 3986, 2.3.
    """
    kept = _UNRESERVED | {0x2F} if slashes else _UNRESERVED
    return b"".join(bytes((c,)) if c in kept else b"%%%02X" % c for c in text.encode())
