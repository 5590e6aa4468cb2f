"""Rules of outbound requests that both generations of WASI share.

In: an ``OutboundRequest``, or an error code in the bindings' form. Out: what to send, or an
``OutboundError`` that names the code as WIT does.

Source: ``wasi:http/types@0.2.0`` and ``@0.3.0``, error-code; RFC 9110, 8.6.
"""

from typing import Any

from edgezero_spin.core.outbound import OutboundError, OutboundRequest

__all__ = ["code_name", "failure", "framing", "timeout_ns"]

_SILENT = frozenset({"GET", "HEAD", "DELETE", "CONNECT", "OPTIONS", "TRACE"})
_LONGEST_NS = 2**63 - 1
_ACRONYMS = frozenset({"dns", "http", "ip", "tls", "uri"})


def framing(request: OutboundRequest) -> tuple[list[tuple[str, bytes]], bool]:
    """Return the headers of a request, and whether it takes a body.

    Without a body there is none to take: the host then sends no framing either. Where content
    has a meaning its length is said here, for hosts that would begin chunks.
    """
    bodiless = request.body == ()
    taken = not bodiless or request.method not in _SILENT
    headers = request.headers
    if taken and bodiless and not any(name == "content-length" for name, _ in headers):
        headers = [*headers, ("content-length", b"0")]
    return headers, taken


def timeout_ns(seconds: float) -> int:
    """Return a time-out in nanoseconds, as long as hosts take it."""
    return min(int(seconds * 1e9), _LONGEST_NS)


def failure(code: Any) -> OutboundError:
    """Return the error for an error code; ``None`` for one that the host did not give."""
    word = "unknown" if code is None else code_name(code)
    detail = getattr(code, "value", None)
    return OutboundError.of_code(word, detail if isinstance(detail, str) else "")


def code_name(code: Any) -> str:
    """Return the WIT name of an error code: ``HTTP-request-URI-invalid``."""
    case = type(code).__name__.removeprefix("ErrorCode_")
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in case)
    return "-".join(word.upper() if word in _ACRONYMS else word for word in spaced.split())
