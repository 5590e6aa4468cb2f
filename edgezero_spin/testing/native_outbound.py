"""Requests that an app sends out natively, answered from the test's script.

What the manifest does not allow is denied before the script is asked, as on a host.

Source: contract spin-host.md, TEST-15, TEST-16, NET-1 to NET-12.
"""

from collections.abc import AsyncIterable, Callable

from edgezero_spin.core.headers import Headers
from edgezero_spin.core.outbound import OutboundError
from edgezero_spin.core.outbound import OutboundRequest as Sent
from edgezero_spin.testing.outbound import HttpScript, OutboundRequest

__all__ = ["ScriptTransport"]


class ScriptTransport:
    """The ``OutboundTransport`` of a native app under test."""

    def __init__(self, script: HttpScript, allows: Callable[[str, str], bool]) -> None:
        """Answer from a script.

        Args:
            script: Of the test.
            allows: Whether the manifest allows a scheme and an authority.
        """
        self._script = script
        self._allows = allows

    async def send(self, request: Sent) -> "_Reply":
        """Send a request and return its answer."""
        if not self._allows(request.scheme, request.authority):
            raise _failed("HTTP-request-denied")
        parts = []
        if isinstance(request.body, AsyncIterable):
            async for chunk in request.body:
                parts.append(chunk)
        else:
            parts += request.body
        answer = self._script.answer(
            OutboundRequest(
                request.method,
                f"{request.scheme}://{request.authority}{request.target}",
                Headers.received(request.headers),
                b"".join(parts),
            )
        )
        if answer.error is not None:
            code = answer.code
            raise _failed(code, "" if code == answer.error else answer.error)
        return _Reply(answer.status, list(answer.headers.pairs), answer.content)


def _failed(code: str, detail: str = "") -> OutboundError:
    said = f"{code} ({detail})" if detail else code
    return OutboundError(f"Spin outbound HTTP error: {said}", code)


class _Reply:
    """A whole answer, read in pieces."""

    def __init__(self, status: int, headers: list[tuple[str, bytes]], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self._rest = content

    def read(self, limit: int) -> bytes:
        piece, self._rest = self._rest[:limit], self._rest[limit:]
        return piece

    def close(self) -> None:
        self._rest = b""
