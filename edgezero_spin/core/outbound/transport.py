"""The transport: whoever carries requests out of an app.

``OutboundTransport`` is the seam. In a component it is the HTTP client of WASI, imported only by
a component whose app asks for it; natively it is what runs the app or its tests.

Source: contract edgezero.md, PRX-9, for the failures.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Protocol

import attrs

from edgezero_spin.core.errors import Internal

__all__ = ["OutboundError", "OutboundReply", "OutboundRequest", "OutboundTransport"]


class OutboundError(Internal):
    """A request could not be sent, or its answer could not be read: 500 (PRX-9).

    Attributes:
        code: The transport's own word, such as ``HTTP-request-denied`` or
            ``connection-refused``; empty when the fault is in the answer.
    """

    def __init__(self, cause: str, code: str = "") -> None:
        super().__init__(cause)
        self.code = code

    @classmethod
    def of_code(cls, code: str, detail: str = "") -> "OutboundError":
        """Return the error of a host that says a code of ``wasi:http``, and why where it does."""
        said = f"{code} ({detail})" if detail else code
        return cls(f"Spin outbound HTTP error: {said}", code)


@attrs.frozen(kw_only=True)
class OutboundRequest:
    """What a transport sends.

    Attributes:
        method: As it goes out.
        scheme: ``http`` or ``https``.
        authority: Host and port.
        target: Path and query, at least ``/``.
        headers: Fields in order.
        body: Chunks in order; the empty tuple for no body.
        timeout_s: Seconds until the first byte of the answer; ``None`` for the host's own.
        trailers: Gives the fields behind the body when that was sent; ``None`` for none.
    """

    method: str
    scheme: str
    authority: str
    target: str
    headers: list[tuple[str, bytes]]
    body: Iterable[bytes] | AsyncIterable[bytes]
    timeout_s: float | None = None
    trailers: Callable[[], list[tuple[str, bytes]]] | None = None


class OutboundReply(Protocol):
    """What a transport got back; the body is still on its way."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, bytes]]: ...

    async def read(self, limit: int) -> bytes:
        """Return the next bytes of the body, at most ``limit``; ``b""`` at its end.

        Raises:
            OutboundError: It broke off.
        """

    async def trailers(self) -> list[tuple[str, bytes]]:
        """Return the fields behind the body. Called when that was read to its end."""

    def close(self) -> None:
        """Let go of what was not read."""


class OutboundTransport(Protocol):
    """Who carries requests out of here."""

    def send(self, request: OutboundRequest) -> Awaitable[OutboundReply]:
        """Send a request and wait for the head of its answer.

        Raises:
            OutboundError: It was refused or did not arrive.
        """
