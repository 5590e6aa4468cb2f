"""HTTP fields: the rules for names and values that every way in and out shares.

A field is a name in lower case and a value in bytes. What a component may do with the fields of
its messages is said by ``factors.wasi.http.fields``.

Source: contract spin-host.md, HTTP-3 to HTTP-9; RFC 9110, 5.
"""

import re
from collections.abc import Callable, Iterable

__all__ = [
    "ENTRY_OVERHEAD",
    "FIELDS_LIMIT",
    "FORBIDDEN",
    "Pair",
    "is_token",
    "is_value",
    "size_of",
    "together",
]

FIELDS_LIMIT = 128 * 1024
"""Bytes that one set of fields may hold (HTTP-9)."""

ENTRY_OVERHEAD = 72
"""Bytes counted for each entry besides its name and value."""

FORBIDDEN = frozenset(
    {
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names that the host alone decides about (HTTP-3)."""

Pair = tuple[str, bytes]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

is_value: Callable[[bytes], re.Match[bytes] | None]
is_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
"""Whether bytes may be a header value: no control characters but tab."""


def is_token(text: str) -> bool:
    """Whether the text may be a header name or a method (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def size_of(entries: Iterable[Pair]) -> int:
    """Bytes that the entries count against ``FIELDS_LIMIT``."""
    size = 0
    for name, value in entries:
        size += len(name) + len(value) + ENTRY_OVERHEAD
    return size


def together(entries: list[Pair]) -> list[Pair]:
    """The entries with those of one name together, at the place of the first (HTTP-8)."""
    if len(dict(entries)) == len(entries):
        return entries
    groups: dict[str, list[Pair]] = {}
    for pair in entries:
        groups.setdefault(pair[0], []).append(pair)
    return [pair for group in groups.values() for pair in group]
