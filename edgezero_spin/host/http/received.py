"""Bytes of a connection that nothing has used yet, and the next head among them.

In: bytes as the network parted them. Out: one head at a time, looked for without looking at
a byte twice.

Source: RFC 9112, section 2.
"""

import re

from edgezero_spin.host.http.request_head import Refused

__all__ = ["Received"]

_BARE_LF = re.compile(rb"(?<!\r)\n")
_NO_METHOD = frozenset(range(256)) - frozenset(
    b"!#$%&'*+.^_`|~-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r"
)
_END = b"\r\n\r\n"


class Received:
    """What a client sent.

    Attributes:
        at: Where those begin that were not used.
    """

    __slots__ = ("_scanned", "at", "data")

    def __init__(self) -> None:
        self.data: bytes | bytearray = b""
        self.at = 0
        self._scanned = 0

    @property
    def is_empty(self) -> bool:
        """Whether all was used."""
        return self.at >= len(self.data)

    def add(self, data: bytes) -> None:
        """Append what came in."""
        if self.at >= len(self.data):
            self.data, self.at, self._scanned = data, 0, 0
            return
        if not isinstance(self.data, bytearray):
            self.data = bytearray(memoryview(self.data)[self.at :])
            self._scanned = max(0, self._scanned - self.at)
            self.at = 0
        self.data += data

    def clear(self) -> None:
        """Throw all away."""
        self.data, self.at, self._scanned = b"", 0, 0

    def forget_used(self) -> None:
        """Free the bytes, unless some are left."""
        if self.at >= len(self.data):
            self.data, self.at, self._scanned = b"", 0, 0

    def take_head(self, max_bytes: int) -> bytes | None:
        """Return the next head with its empty line; ``None`` when it is not all there.

        Raises:
            Refused: 431 past ``max_bytes``, 400 for what is none.
        """
        data, at = self.data, self.at
        while data.startswith(b"\r\n", at):
            at += 2
        start = max(at, self._scanned)
        end = data.find(_END, max(at, start - 3)) + 4
        if end > 3:
            if end - at > max_bytes:
                raise Refused(431)
            self._scanned, self.at = 0, end
            return bytes(data[at:end])
        self.at = at
        size = len(data) - at
        if size > max_bytes:
            raise Refused(431)
        # A line that ends without CR would let this wait for an end that is there.
        if _BARE_LF.search(data, start) or (size and data[at] in _NO_METHOD):
            raise Refused(400)
        self._scanned = len(data)
        return None

    def take_rest(self) -> bytes:
        """Return everything that was not used."""
        rest = bytes(self.data[self.at :])
        self.clear()
        return rest
