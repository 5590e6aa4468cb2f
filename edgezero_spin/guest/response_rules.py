"""Responses on either WASI: fields that they need, what may be wrong, and that of a failure.

Source: RFC 9110, section 8.6; contract edgezero.md, SPN-7.
"""

import sys

__all__ = [
    "FAILED",
    "FAILED_HEADERS",
    "HeaderRefusedError",
    "PeerGoneError",
    "headers_of_nothing",
    "report",
]

FAILED = b'{"error":{"message":"internal error","status":500,"kind":"internal"}}'
"""The body of the response for an app that fails."""

# A list: the runtime lowers no other sequence to a WIT list.
FAILED_HEADERS = [
    ("content-type", b"application/json"),
    ("content-length", str(len(FAILED)).encode()),
]


class HeaderRefusedError(Exception):
    """The host does not take a response header: its name or value is not valid HTTP."""


class PeerGoneError(Exception):
    """Nobody reads the body any more."""


def report() -> None:
    """Write the exception that is being handled to standard error."""
    sys.excepthook(*sys.exc_info())


def headers_of_nothing(
    status: int, headers: list[tuple[str, bytes]], method: str
) -> list[tuple[str, bytes]]:
    """Return the header fields of a response without content: with its length, where it has one.

    A host would send an empty chunk instead. A response to HEAD has the length that one to GET
    would have, or none where that is not known.
    """
    if (
        method == "HEAD"
        or status in (204, 304)
        or any(name == "content-length" for name, _ in headers)
    ):
        return headers
    return [*headers, ("content-length", b"0")]
