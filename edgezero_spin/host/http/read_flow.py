"""Reading from a client, which rests while nobody has room for what it sends."""

import asyncio

__all__ = ["ReadFlow"]


class ReadFlow:
    """Whether a transport reads.

    Attributes:
        paused: It does not.
    """

    __slots__ = ("_transport", "paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take a transport that reads."""
        self.paused = False
        self._transport = transport

    def pause(self) -> None:
        """Read no more. Twice is harmless."""
        if not self.paused:
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on. Twice is harmless."""
        if self.paused:
            self.paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
