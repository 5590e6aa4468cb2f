"""What our own server can do beyond ASGI, as our own application sees it.

``trigger.cycle.Cycle`` does it. A scope carries one under the key ``WIRE``; requests that need
no scope are begun with one (``trigger.direct``).
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from edgezero_spin.host.trigger.gateway import RequestHead

__all__ = ["WIRE", "Wire"]

WIRE = "edgezero.wire"
"""Key of a scope under which our own server offers what ASGI has no words for."""


class Wire(Protocol):
    """One request and the way back to its client.

    Attributes:
        head: What is asked, where no scope says so.
        received: Trailers of the request, complete when its body is.
        bare_query: The target has a ``?`` with nothing behind it.
        give_up: Called when the server can wait no longer for the response.
    """

    head: RequestHead | None
    received: list[tuple[bytes, bytes]]
    bare_query: bool
    give_up: Callable[[], None]

    @property
    def over(self) -> bool:
        """Whether the response is out, or nobody is there to read it."""

    @property
    def congested(self) -> bool:
        """Whether the client is behind with reading, so that ``answer`` has to wait."""

    def answer(self, status: int, headers: Iterable[tuple[str, bytes]], body: bytes) -> None:
        """Send a whole response, in one piece.

        Args:
            status: 200 to 999.
            headers: Names in lower case. A date is the server's business.
            body: All bytes.

        Raises:
            RuntimeError: The parts do not fit each other; ``fail`` has to follow.
        """

    def fail(self, error: BaseException) -> None:
        """Say that the response will not come to a good end."""

    def proceed(self, answering: Coroutine[Any, Any, None]) -> None:
        """Have a coroutine go on with the response, by ``send`` and ``receive``."""

    async def receive(self) -> Any:
        """ASGI's ``receive``."""

    async def send(self, message: Any) -> None:
        """ASGI's ``send``."""

    def end_with(self, trailers: list[tuple[str, bytes]]) -> bool:
        """End the response with trailers; ``False`` when it has no place for them."""
