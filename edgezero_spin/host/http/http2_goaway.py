"""GOAWAY frames of a client, taken out of what it sends.

A client says with one that it opens no more streams; those that are open go on. h2 treats it as
the end of the connection and sends nothing from then on, so it is not shown these frames.

Source: RFC 9113, section 6.8.
"""

__all__ = ["GoAwayFilter"]

_PREFACE_BYTES = 24
_HEAD_BYTES = 9
_GOAWAY = 7
_LEAST_BYTES = 8
"""The last stream's number and a code; a shorter one is an error, which h2 reports."""


class GoAwayFilter:
    """Reads the heads of frames from the preface on.

    Attributes:
        is_leaving: Whether there was a GOAWAY.
    """

    __slots__ = ("_drops", "_head", "_left", "is_leaving")

    def __init__(self) -> None:
        """Begin before the preface."""
        self.is_leaving = False
        self._head = b""
        self._left = _PREFACE_BYTES
        self._drops = False

    def remove(self, data: bytes) -> bytes:
        """Return the bytes without those of GOAWAY frames; the head of a frame comes whole."""
        if self._head:
            data = self._head + data
            self._head = b""
        kept: list[bytes] = []
        at, begin = 0, 0
        while at < len(data):
            if not self._left:
                if len(data) - at < _HEAD_BYTES:
                    self._head = data[at:]
                    data = data[:at]
                    break
                self._read_head(data[at : at + _HEAD_BYTES])
            end = min(at + self._left, len(data))
            self._left -= end - at
            if self._drops:
                kept.append(data[begin:at])
                begin = end
            at = end
        if not kept:
            return data
        return b"".join([*kept, data[begin:]])

    def _read_head(self, head: bytes) -> None:
        size = int.from_bytes(head[:3], "big")
        is_goaway = head[3] == _GOAWAY and not any(head[5:])
        self._left = _HEAD_BYTES + size
        self._drops = is_goaway and size >= _LEAST_BYTES
        self.is_leaving = self.is_leaving or self._drops
